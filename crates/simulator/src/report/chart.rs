//! The load over time as an SVG: a panel for each policy, with the hottest server, the 99th percentile and the mean.
//!
//! One file without anything outside it; readable on light and on dark ground.

use crate::tally::Point;

const COLUMNS: usize = 2;
const WIDTH: f64 = 470.0;
const HEIGHT: f64 = 210.0;
const PLOT: (f64, f64, f64, f64) = (38.0, 30.0, 420.0, 140.0);

/// The utilisation at the upper edge.
const TOP: f64 = 1.5;

/// Minutes that are drawn as one point, which shows the hottest of them.
const MERGED: usize = 5;

const STYLE: &str = "\
text { font: 11px system-ui, sans-serif; fill: #333 } .name { font-weight: 600; font-size: 13px }
.ground { fill: #fff } .grid { stroke: #ddd } .full { stroke: #888; stroke-dasharray: 4 3 }
path { fill: none; stroke-width: 1.2 } .hottest { stroke: #c2410c } .p99 { stroke: #2563eb } .mean { stroke: #111; stroke-width: 1.8 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .ground { fill: #16181d } .grid { stroke: #343842 } .full { stroke: #888 }
.hottest { stroke: #fb923c } .p99 { stroke: #60a5fa } .mean { stroke: #f5f5f5 } }";

/// Draws panels with their titles.
pub fn chart(title: &str, panels: &[(String, &[Point])]) -> String {
    let rows = panels.len().div_ceil(COLUMNS);
    let (width, height) = (COLUMNS as f64 * WIDTH, rows as f64 * HEIGHT + 50.0);
    let title = escape(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <style>{STYLE}</style>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"name\" x=\"12\" y=\"20\">{title}</text>\n"
    );
    for (at, (class, label)) in
        [("hottest", "hottest server"), ("p99", "99th percentile"), ("mean", "mean")].iter().enumerate()
    {
        let x = 12 + 130 * at;
        svg += &format!(
            "<path class=\"{class}\" d=\"M{x} 36h22\"/><text x=\"{}\" y=\"40\">{label}</text>\n",
            x + 28
        );
    }
    for (at, (name, points)) in panels.iter().enumerate() {
        let (x, y) = ((at % COLUMNS) as f64 * WIDTH, (at / COLUMNS) as f64 * HEIGHT + 48.0);
        svg += &format!("<g transform=\"translate({x} {y})\">\n");
        panel(&mut svg, name, points);
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

fn panel(svg: &mut String, name: &str, points: &[Point]) {
    let (left, top, width, height) = PLOT;
    *svg += &format!("<text class=\"name\" x=\"{left}\" y=\"20\">{}</text>\n", escape(name));
    for percent in [0, 50, 100, 150] {
        let y = top + height * (1.0 - f64::from(percent) / 100.0 / TOP);
        let class = if percent == 100 { "full" } else { "grid" };
        *svg += &format!(
            "<path class=\"{class}\" d=\"M{left} {y:.1}h{width}\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{percent}%</text>\n",
            left - 4.0,
            y + 4.0
        );
    }
    let hours = points.len().div_ceil(60);
    for part in 0..=4 {
        let x = left + width * f64::from(part) / 4.0;
        let y = top + height + 14.0;
        *svg += &format!(
            "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{} h</text>\n",
            hours * part as usize / 4
        );
    }
    type Value = fn(&Point) -> f32;
    let lines: [(&str, Value); 3] =
        [("hottest", |at| at.hottest), ("p99", |at| at.p99), ("mean", |at| at.mean)];
    for (class, value) in lines {
        *svg += &format!("<path class=\"{class}\" d=\"{}\"/>\n", line(points, value));
    }
}

fn line(points: &[Point], value: fn(&Point) -> f32) -> String {
    let (left, top, width, height) = PLOT;
    let mut path = String::new();
    for (at, merged) in points.chunks(MERGED).enumerate() {
        let most = f64::from(merged.iter().map(value).fold(0.0, f32::max)).min(TOP);
        let x = left + width * (at * MERGED) as f64 / points.len() as f64;
        let y = top + height * (1.0 - most / TOP);
        path += &format!("{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
    }
    path
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
