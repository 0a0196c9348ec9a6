//! Latency, errors, faults, leaders and owners over time, as SVG.

use std::fmt::{Result, Write};

use super::escaped;
use crate::Summary;

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 110.0;
const PLOT: f64 = 110.0;
const BAND: f64 = 16.0;
/// A fault's name takes so much at most.
const LABEL: f64 = 110.0;
const COLORS: [&str; 6] = ["#4c78a8", "#f58518", "#54a24b", "#b279a2", "#9d755d", "#72b7b2"];

/// Draws it.
pub fn draw(out: &mut String, summary: &Summary) -> Result {
    let last =
        summary.plots.iter().flat_map(|plot| plot.points.iter().map(|point| point.0)).max().unwrap_or(0);
    let whole = last.max(summary.offset_ms + summary.plan.seconds * 1_000).max(1) as f64;
    let x = |ms: u64| LEFT + ms as f64 / whole * (WIDTH - LEFT - 10.0);
    let bands = summary.seen.owners.len() + 1;
    let height = PLOT * summary.plots.len() as f64 + BAND * bands as f64 + 60.0;
    write!(out, "<svg viewBox=\"0 0 {WIDTH} {height:.0}\" font-size=11 font-family=sans-serif>")?;
    // Two lines of names, as far as there is room for them.
    let mut free = [0.0; 2];
    for fault in summary.faults.iter().filter(|fault| fault.made) {
        let (from, to) = (x(fault.from_ms + summary.offset_ms), x(fault.to_ms + summary.offset_ms));
        let wide = (to - from).max(1.0);
        write!(
            out,
            "<g><title>{}: {}</title><rect x={from:.1} y=30 width={wide:.1} height={:.0} fill=#d62728 opacity=.13 />",
            escaped(&fault.fault),
            escaped(&fault.what),
            height - 50.0
        )?;
        if let Some(line) = free.iter().position(|free| *free <= from) {
            free[line] = from + LABEL;
            write!(out, "<text x={from:.1} y={} fill=#a00>{}</text>", 12 + 12 * line, escaped(&fault.fault))?;
        }
        out.push_str("</g>");
    }
    for (at, plot) in summary.plots.iter().enumerate() {
        let floor = 30.0 + PLOT * (at + 1) as f64 - 6.0;
        write!(out, "<text x=4 y={:.0} font-weight=bold>{}</text>", floor - PLOT / 2.0, plot.workload)?;
        // 0.1 ms at the floor, 100 s at the top: six powers of ten.
        let y = |us: u64| floor - ((us.max(100) as f64 / 100.0).log10() / 6.0).min(1.0) * (PLOT - 12.0);
        for (us, label) in [(1_000, "1 ms"), (100_000, "0.1 s"), (10_000_000, "10 s")] {
            let y = y(us);
            write!(
                out,
                "<line x1={LEFT} x2={WIDTH} y1={y:.1} y2={y:.1} stroke=#eee /><text x=70 y={:.1} fill=#888>{label}</text>",
                y + 4.0
            )?;
        }
        for (began, took, kind) in &plot.points {
            let (color, size) = match kind {
                'o' => ("#4c78a8", 1.0),
                'f' => ("#f58518", 2.2),
                _ => ("#d62728", 2.8),
            };
            write!(out, "<circle cx={:.1} cy={:.1} r={size} fill={color} />", x(*began), y(*took))?;
        }
    }
    let mut top = 30.0 + PLOT * summary.plots.len() as f64 + 4.0;
    let leaders: Vec<(u64, String)> = summary.seen.leaders.clone();
    band(out, "leader", &leaders, top, whole, &x)?;
    for (database, seen) in &summary.seen.owners {
        top += BAND;
        let owners: Vec<(u64, String)> =
            seen.iter().map(|(at, epoch, owner)| (*at, format!("{owner} {epoch}"))).collect();
        let short =
            database.rsplit_once("chaos_").map_or(&**database, |(_, rest)| rest.get(9..).unwrap_or(rest));
        band(out, short, &owners, top, whole, &x)?;
    }
    for part in 0..=10 {
        let ms = (whole / 10.0 * f64::from(part)) as u64;
        let seconds = (ms as f64 - summary.offset_ms as f64) / 1e3;
        write!(out, "<text x={:.1} y={:.0} fill=#888>{seconds:.0} s</text>", x(ms) - 12.0, height - 6.0)?;
    }
    out.push_str("</svg><p>Each dot is a request, of many some: when it began, and how long it took. Blue was answered, orange had no effect, red is of unknown outcome. Shaded: a fault. Below: who led, and who owned each database under which epoch.</p>");
    Ok(())
}

/// Who it was, over time.
fn band(
    out: &mut String,
    name: &str,
    seen: &[(u64, String)],
    top: f64,
    whole: f64,
    x: &impl Fn(u64) -> f64,
) -> Result {
    write!(out, "<text x=4 y={:.1}>{}</text>", top + BAND - 4.0, escaped(name))?;
    for (at, (from, who)) in seen.iter().enumerate() {
        let to = seen.get(at + 1).map_or(whole as u64, |(next, _)| *next);
        // The same process has the same colour everywhere: by the digits of its name.
        let number: usize = who
            .split(' ')
            .next()
            .unwrap_or_default()
            .bytes()
            .filter(u8::is_ascii_digit)
            .map(usize::from)
            .sum();
        let color = if who.starts_with("nobody") { "#ccc" } else { COLORS[number % COLORS.len()] };
        let (left, right) = (x(*from), x(to));
        write!(
            out,
            "<g><title>{}</title><rect x={left:.1} y={top:.1} width={:.1} height={:.0} fill={color} /></g>",
            escaped(who),
            (right - left).max(0.5),
            BAND - 3.0
        )?;
    }
    Ok(())
}
