//! The loopback bench works: it measures everything once, in small amounts. Its times are not
//! looked at.

use std::path::Path;
use std::process::Command;

use crate::support::client_program::path;
use crate::support::process;
use crate::support::server;

#[test]
fn long_every_workload_is_measured() {
    let help = loopback(&["--help"]);
    let (_, names) = help.split_once("Workloads").expect("a list of workloads");
    let names = names.lines().skip(1);
    let names: Vec<&str> = names
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() > 15, "{help}");
    let table = loopback(&["--quick", "--server", &program()]);
    let rows: Vec<Vec<&str>> = rows(&table).collect();
    let measured: Vec<&str> = rows.iter().skip(1).map(|row| row[0]).collect();
    assert_eq!(measured, names, "{table}");
    for row in &rows[1..] {
        assert_eq!(row.len(), rows[0].len(), "{table}");
        // The program's size has no limit.
        let numbers = if row[0] == "program" { 1 } else { 3 };
        for number in &row[2..2 + numbers] {
            assert!(number.parse::<f64>().is_ok(), "{number}: {table}");
        }
    }
}

#[test]
fn long_growth_is_judged() {
    let text = loopback(&["--growth", "--quick", "--server", &program()]);
    let sizes: Vec<&str> = rows(&text).map(|row| row[0]).collect();
    let entries_and_ports = ["entries", "10", "100", "1000", "ports", "1", "10", "100"];
    let sessions_and_addresses = ["sessions", "1", "10", "addresses", "10", "100"];
    let expected = [&entries_and_ports[..], &sessions_and_addresses].concat();
    assert_eq!(sizes, expected, "{text}");
    let judgements = text.lines().filter(|line| line.starts_with("- "));
    assert_eq!(judgements.count(), 12, "{text}");
}

/// What the bench prints, built without optimizations.
fn loopback(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    // With the whole workspace its libraries have the features that they were built with.
    cargo.args(["test", "--workspace", "--locked", "--offline", "--quiet"]);
    cargo.args(["--bench", "loopback", "--"]).args(arguments);
    let finished = process::run(&mut cargo, SECONDS_MAX).expect_success();
    String::from_utf8(finished.stdout).expect("UTF-8")
}

/// The cells of tables, without the lines between head and body.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.map(|row| row.trim_end_matches(" |").split(" | ").collect())
}

fn program() -> String {
    let command = server::command(&[""; 0]);
    path(Path::new(command.get_program())).to_owned()
}

/// With the build.
const SECONDS_MAX: u64 = 600;
