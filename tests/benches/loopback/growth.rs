//! How costs grow: with the entries of a directory that is listed, the ports of the pool, the
//! sessions, and the addresses of clients.

mod addresses;
mod listings;
mod picture;
mod pool;
mod sessions;

use std::io;

use crate::scale::Scale;
use crate::server::Programs;

/// What was found about one kind of size.
struct Growth {
    /// A table, and what it shows.
    lines: Vec<String>,
    curves: Vec<Curve>,
}

/// What one more costs, where there are ever more.
struct Curve {
    title: &'static str,
    /// What there is more of.
    size: &'static str,
    unit: &'static str,
    /// The sizes, each ten times the one before, and the costs.
    points: Vec<(usize, f64)>,
}

/// What something of a size costs, in any unit.
#[derive(Clone, Copy)]
struct Point {
    size: usize,
    cost: f64,
}

/// All tables, whether something grows faster than its size, and a picture.
pub(crate) fn measure(programs: &Programs, scale: &Scale) -> io::Result<(Vec<String>, String)> {
    let all = [
        listings::growth(programs, scale)?,
        pool::growth(scale)?,
        sessions::growth(programs, scale)?,
        addresses::growth(programs, scale)?,
    ];
    let (mut lines, mut curves) = (Vec::new(), Vec::new());
    for growth in all {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.extend(growth.lines);
        curves.extend(growth.curves);
    }
    Ok((lines, picture::svg(&curves)))
}

/// A sentence on whether one more costs the same, however many there are.
fn flat_verdict(curve: &Curve) -> String {
    let points: Vec<Point> = curve
        .points
        .iter()
        .map(|&(size, cost)| Point {
            size,
            cost: cost * size as f64,
        })
        .collect();
    verdict(curve.title, &points)
}

/// A sentence on how the costs grow.
fn verdict(what: &str, points: &[Point]) -> String {
    let worst = worst_growth(points);
    let judgement = if worst <= ALLOWED {
        "not worse than linear"
    } else {
        "WORSE THAN LINEAR"
    };
    format!(
        "- {what}: {judgement} (at most {worst:.1} times what is in proportion to a smaller size; {ALLOWED} are allowed)."
    )
}

/// By how much a size costs more than its proportion of what any smaller size costs.
fn worst_growth(points: &[Point]) -> f64 {
    let pairs = points.iter().enumerate().flat_map(|(index, larger)| {
        let smaller = points[..index].iter();
        smaller.map(move |smaller| {
            let sizes = larger.size as f64 / smaller.size as f64;
            larger.cost / smaller.cost / sizes
        })
    });
    pairs.fold(0.0, f64::max)
}

/// A sentence on how the memory grows.
fn memory_verdict(what: &str, kibibytes: &[f64]) -> String {
    let (first, last) = (kibibytes.first(), kibibytes.last());
    let added = last.zip(first).map_or(0.0, |(last, first)| last - first);
    let judgement = if added <= FLAT_KIB { "flat" } else { "GROWS" };
    format!(
        "- {what}: {judgement} ({added:.0} KiB more for the largest size than for the smallest; {FLAT_KIB} are allowed)."
    )
}

/// Caches of processors alone make a large size up to twice as expensive. What grows with the
/// square shows ten times as much from one size to the next.
const ALLOWED: f64 = 4.0;
/// Less than 3 bytes for each of a million entries.
const FLAT_KIB: f64 = 3000.0;
