//! The curves as a picture: a panel for each, its sizes in powers of ten, its costs from zero.

use std::fmt::Write;

use super::Curve;
use crate::table::digits;

/// The picture, as SVG.
pub(super) fn svg(curves: &[Curve]) -> String {
    let rows = curves.len().div_ceil(COLUMNS);
    let (width, height) = (COLUMNS * WIDTH + GAP, rows * HEIGHT + GAP);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" \
         font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (index, curve) in curves.iter().enumerate() {
        let (left, top) = (
            GAP + index % COLUMNS * WIDTH,
            GAP + index / COLUMNS * HEIGHT,
        );
        let _ = writeln!(text, "<g transform=\"translate({left} {top})\">");
        panel(&mut text, curve);
        text.push_str("</g>\n");
    }
    text.push_str("</svg>\n");
    text
}

fn panel(text: &mut String, curve: &Curve) {
    let (right, bottom) = (WIDTH - GAP, HEIGHT - GAP);
    let _ = writeln!(
        text,
        "<rect width=\"{right}\" height=\"{bottom}\" fill=\"#fafafa\" stroke=\"#cccccc\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\" fill=\"#222222\">{}</text>\n\
         <text x=\"{}\" y=\"22\" font-size=\"11\" text-anchor=\"end\" fill=\"#444444\">{}</text>\n\
         <line x1=\"{PLOT_LEFT}\" y1=\"{PLOT_BOTTOM}\" x2=\"{PLOT_RIGHT}\" y2=\"{PLOT_BOTTOM}\" stroke=\"#999999\"/>",
        curve.title,
        right - 12,
        curve.unit,
    );
    let largest = curve.points.iter().map(|&(_, cost)| cost);
    let largest = largest.fold(f64::MIN_POSITIVE, f64::max);
    let most = curve.points.last().map_or(1.0, |&(size, _)| size as f64);
    let places: Vec<(f64, f64)> = curve
        .points
        .iter()
        .map(|&(size, cost)| place(size as f64 / most, cost / largest))
        .collect();
    let path: Vec<String> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = writeln!(
        text,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\"/>",
        path.join(" ")
    );
    let marks = places.iter().map(|&(x, _)| x);
    let labels = labels(&marks.collect::<Vec<_>>());
    let points = curve.points.iter().zip(places).zip(labels);
    for ((&(size, cost), (x, y)), (label, anchor)) in points {
        let _ = writeln!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#1f77b4\"/>\n\
             <text x=\"{label:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"{anchor}\" fill=\"#222222\">{}</text>\n\
             <text x=\"{label:.1}\" y=\"{}\" font-size=\"11\" text-anchor=\"{anchor}\" fill=\"#444444\">{size}</text>",
            y - 8.0,
            digits(cost),
            PLOT_BOTTOM + 16,
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{PLOT_RIGHT}\" y=\"{}\" font-size=\"11\" text-anchor=\"end\" fill=\"#444444\">{}</text>",
        PLOT_BOTTOM + 32,
        curve.size
    );
}

/// Where the labels of these marks are: at the middle, but for two marks that are so close to each
/// other that their labels would touch. Those end and begin near their marks.
fn labels(marks: &[f64]) -> Vec<(f64, &'static str)> {
    let is_close = |left: usize| {
        let right = marks.get(left + 1);
        right.is_some_and(|right| right - marks[left] < LABEL_WIDTH)
    };
    let label = |(index, &x): (usize, &f64)| {
        if is_close(index) {
            (x + LABEL_BESIDE, "end")
        } else if index > 0 && is_close(index - 1) {
            (x - LABEL_BESIDE, "start")
        } else {
            (x, "middle")
        }
    };
    marks.iter().enumerate().map(label).collect()
}

/// Where a point is drawn, by its part of the largest size and of the highest cost: sizes that grow
/// tenfold are at equal distances.
fn place(size: f64, cost: f64) -> (f64, f64) {
    let height = (PLOT_BOTTOM - PLOT_TOP) as f64;
    (
        POINT_RIGHT + size.log10() * DECADE,
        PLOT_BOTTOM as f64 - cost * height,
    )
}

const COLUMNS: usize = 2;
const WIDTH: usize = 455;
const HEIGHT: usize = 235;
const GAP: usize = 15;
const PLOT_LEFT: usize = 20;
const PLOT_RIGHT: usize = 425;
/// The largest size, and how much further left a tenth of it is.
const POINT_RIGHT: f64 = 395.0;
const DECADE: f64 = 68.0;
/// Of a number with six digits, and how far a label goes beyond its mark.
const LABEL_WIDTH: f64 = 46.0;
const LABEL_BESIDE: f64 = 5.0;
const PLOT_TOP: usize = 52;
const PLOT_BOTTOM: usize = 178;
