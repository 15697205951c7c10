//! The table of the workloads.

use crate::meter::Measurement;
use crate::rounds::Row;

/// The table, as lines.
pub(crate) fn lines(rows: &[Row], rounds: usize) -> Vec<String> {
    let mut lines = vec![
        format!(
            "Medians of {rounds} rounds; the noise is how far two runs of the limit in one round differ."
        ),
        String::new(),
        "| workload | each | server | limit | ratio | noise | ratio of elapsed times |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(rows.iter().map(line));
    lines
}

fn line(row: &Row) -> String {
    let limit = row.limit.concat();
    let ours = median(&row.ours, |one| Some(one.value));
    let of_limit = median(&limit, |one| Some(one.value));
    let elapsed = |measured| median(measured, |one| one.elapsed);
    let cells = [
        row.workload.name.to_owned(),
        row.workload.unit.to_owned(),
        shown(ours),
        shown(of_limit),
        shown_ratio(ratio(ours, of_limit)),
        noise(row).map_or_else(none, |noise| format!("{:.0} %", noise * 100.0)),
        shown_ratio(ratio(elapsed(&row.ours), elapsed(&limit))),
    ];
    format!("| {} |", cells.join(" | "))
}

/// The median of how far the two runs of the limit in one round differ.
fn noise(row: &Row) -> Option<f64> {
    let [one, other] = &row.limit;
    let pairs = one.iter().zip(other);
    middle(pairs.map(|(one, other)| (one.value / other.value).ln().abs().exp_m1()))
}

fn median(measured: &[Measurement], part: fn(&Measurement) -> Option<f64>) -> Option<f64> {
    middle(measured.iter().filter_map(part))
}

/// The median.
pub(crate) fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?).filter(|ratio| ratio.is_finite())
}

fn shown_ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(none, |ratio| format!("{ratio:.2}"))
}

/// Three digits that count.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(none, digits)
}

/// A number with three digits that count.
pub(crate) fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

fn none() -> String {
    "–".to_owned()
}
