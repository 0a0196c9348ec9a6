//! A page about a run: everything in one file, which needs nothing from anywhere.

mod timeline;

use std::{fmt::Write, path::Path};

use anyhow::Context;

use crate::Summary;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left;\
vertical-align:top}td.n{text-align:right}pre{background:#f4f4f4;padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere}\
.valid{color:#0a6b2d}.invalid{color:#b00020;font-weight:600}.unknown{color:#8a5a00}svg{width:100%;height:auto}";

/// Writes the page.
///
/// # Errors
/// When the file cannot be written.
pub fn write(summary: &Summary, file: &Path) -> anyhow::Result<()> {
    let page = page(summary).context("BUG: writing to memory failed")?;
    std::fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}

/// Text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(summary: &Summary) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    let verdict = &summary.verdict;
    write!(out, "<!doctype html><meta charset=utf-8><title>Chaos: {verdict}</title><style>{STYLE}</style>")?;
    write!(out, "<h1>Verdict: <span class={verdict}>{verdict}</span></h1>")?;
    let plan = &summary.plan;
    write!(
        out,
        "<p>Seed {}, {} s, {} controllers, {} servers, {} handlers. {}. Again: <code>stationmaster-jepsen run --plan plan.json</code></p>",
        plan.seed,
        plan.seconds,
        plan.controllers,
        plan.servers,
        plan.handlers,
        escaped(&summary.versions.join(", "))
    )?;
    out.push_str("<table><tr><th>checker<th>verdict<th>what it rests on");
    for finding in &summary.findings {
        write!(
            out,
            "<tr><td>{}<td class={}>{}<td>{}",
            escaped(&finding.checker),
            finding.verdict,
            finding.verdict,
            escaped(&finding.looked_at)
        )?;
        if !finding.wrong.is_empty() {
            write!(out, "<pre>{}</pre>", escaped(&finding.wrong.join("\n")))?;
        }
    }
    out.push_str("</table>");
    for why in &summary.left_out {
        write!(out, "<p>Left out: {}</p>", escaped(why))?;
    }
    out.push_str("<h2>Timeline</h2>");
    timeline::draw(&mut out, summary)?;
    out.push_str("<h2>Faults, and what they cost</h2><p>From the beginning of a fault until five seconds after its end, or the next one: requests, those that failed without effect, those of unknown outcome, and the longest time in which one database answered nothing with success.</p>");
    out.push_str("<table><tr><th>from, s<th>to, s<th>fault<th>hit<th>workload<th>requests<th>failed<th>unknown<th>longest gap, ms");
    for (at, fault) in summary.faults.iter().enumerate() {
        let (from, to) = (fault.from_ms as f64 / 1e3, fault.to_ms as f64 / 1e3);
        let what = if fault.made { fault.what.clone() } else { format!("skipped: {}", fault.what) };
        let mut first = format!(
            "<tr><td class=n>{from:.1}<td class=n>{to:.1}<td>{}<td>{}",
            escaped(&fault.fault),
            escaped(&what)
        );
        let outages: Vec<_> = summary.outages.iter().filter(|(of, _)| *of == at).collect();
        if outages.is_empty() {
            out.push_str(&first);
        }
        for (_, outage) in outages {
            write!(
                out,
                "{first}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}",
                outage.workload, outage.asked, outage.failed, outage.unknown, outage.longest_ms
            )?;
            first = "<tr><td><td><td><td>".into();
        }
    }
    out.push_str("</table>");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_become_markup() {
        assert_eq!(escaped("<b>\"&"), "&lt;b&gt;&quot;&amp;");
    }
}
