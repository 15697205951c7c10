//! The texts of `--help`.

use std::ffi::OsString;

use super::*;
use crate::cli::{Invocation, parse};

fn line(text: &str) -> Result<Invocation, String> {
    let arguments = text.split_whitespace().map(OsString::from);
    parse(arguments, |_| None).map_err(|error| error.to_string())
}

#[track_caller]
fn shown(text: &str) -> String {
    match line(text) {
        Ok(Invocation::Help(text)) => text,
        other => panic!("{text}: {other:?}"),
    }
}

fn flags_in(text: &str) -> Vec<&'static str> {
    let names = |line: &str| {
        let names = &line[..line.len().min(COLUMN)];
        let words: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        words
    };
    let words: Vec<String> = text.lines().flat_map(names).collect();
    let table = flags::table().into_iter().map(|flag| flag.long);
    table
        .filter(|long| words.iter().any(|word| word == long))
        .collect()
}

#[test]
fn help_and_version_are_printed_before_values_are_parsed() {
    assert_eq!(shown("-w --help --nonsense"), short_help());
    assert_eq!(shown("-w --port x -h all --nonsense"), help());
    assert_eq!(shown("--help --who --watch"), shown("--help who"));
    assert_eq!(shown("-h -p 21"), shown("--help port"));
    assert_eq!(shown("--help who all"), help());
    assert_eq!(shown("--help all who"), help());
    let Ok(Invocation::Version(version)) = line("--version -p nonsense") else {
        panic!("no version");
    };
    let expected = format!("ftp-server-sync {}", env!("CARGO_PKG_VERSION"));
    let commit = version.strip_prefix(&expected).expect("the version");
    assert!(
        commit.is_empty() || (commit.starts_with(" (") && commit.ends_with(')')),
        "{version}"
    );
}

#[test]
fn every_text_fits_into_80_columns() {
    for text in [help(), short_help(), shown("--help tls")] {
        for line in text.lines() {
            assert!(
                line.len() <= WIDTH && line.trim_end() == line,
                "{line:?} in\n{text}"
            );
        }
    }
}

#[test]
fn all_flags_are_in_sections() {
    let text = help();
    for (heading, _) in SECTIONS {
        let heading = format!("\n{heading}:\n");
        assert_eq!(text.matches(&heading).count(), 1, "{heading}");
    }
    for flag in flags::table() {
        let head = |line: &&str| {
            let names = &line[..line.len().min(COLUMN)];
            names.split_whitespace().any(|word| word == flag.long)
        };
        // The end of the help names no flag in this column.
        assert_eq!(text.lines().filter(head).count(), 1, "{}", flag.long);
    }
}

/// As on a screen of 50 lines: nothing scrolls away.
#[test]
fn the_short_text_has_the_flags_that_matter() {
    let text = short_help();
    let mut most_used = MOST_USED;
    most_used.sort_unstable();
    let mut found = flags_in(text.split("\n--help all").next().unwrap());
    found.sort_unstable();
    assert_eq!(found, most_used);
    assert!(text.lines().count() <= 50, "{text}");
    let count = flags::table().len();
    let all = format!("--help all shows all {count} flags, ");
    assert!(text.contains(&all), "{text}");
}

#[test]
fn a_word_selects_flags() {
    for (line, expected) in [
        ("--help passive-ports", &["--passive-ports"][..]),
        ("--help=--passive-ports", &["--passive-ports"]),
        ("-h tls", &["--tls"]),
        ("-hp", &["--port"]),
        ("-h P", &["--password"]),
        ("--help passive", &["--passive-ports", "--passive-timeout"]),
        (
            "-h upload",
            &["--broken-uploads", "--max-upload-size", "--on-upload"],
        ),
        ("--help who kick", &["--who", "--kick"]),
        ("-h port -p 21", &["--port"]),
        ("-h stop p --nonsense", &["--port", "--stop"]),
    ] {
        assert_eq!(flags_in(&shown(line)), expected, "{line}");
    }
    assert_eq!(
        shown("--help broken-uploads"),
        "\
What is served, and to whom:
      --broken-uploads keep|discard
                                what happens to an upload whose connection
                                breaks: \"keep\" what has arrived, for the client
                                to go on with it, or \"discard\" it [keep]

In a file: broken-uploads keep|discard
As a variable: FTP_SERVER_SYNC_BROKEN_UPLOADS=keep|discard
"
    );
    assert!(!shown("--help probe").contains("In a file"));
}

#[test]
fn an_unknown_word_is_refused() {
    for (text, expected) in [
        (
            "--help passive-prots",
            "--help passive-prots: unknown flag; did you mean --help passive-ports?",
        ),
        (
            "--help nonsense",
            "--help nonsense: no flag has this in its name; --help all shows every flag",
        ),
        (
            "--help who nonsense",
            "--help nonsense: no flag has this in its name; --help all shows every flag",
        ),
        (
            "--help=",
            "--help \"\": the value is empty; write --help [all|WORD]",
        ),
    ] {
        assert_eq!(line(text), Err(expected.to_owned()), "{text}");
    }
}
