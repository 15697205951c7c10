//! The page `docs/troubleshooting.md`: log lines that it explains exist, warnings that do not name
//! a remedy themselves are explained there, and the README has a part of it.

use std::collections::BTreeSet;
use std::path::Path;

use ftp_tests::house::program::Sources;
use ftp_tests::house::tokens::{Kind, Token, code, tokens};
use ftp_tests::house::workspace;

use crate::support::page;

#[test]
fn log_lines_on_the_page_exist() {
    let lines: Vec<String> = sources().values().flat_map(|text| texts(text)).collect();
    let shown = shown_lines();
    assert!(shown.len() >= 20, "{shown:?}");
    for shown in shown {
        let is_there = lines.iter().any(|line| is_like(line, &shown));
        assert!(is_there, "no log line is like {shown:?}");
    }
}

/// A line that is on the page for all the others of its kind would hide that one is missing.
#[test]
fn warnings_name_a_remedy_or_are_on_the_page() {
    let shown = shown_lines();
    let mut count = 0;
    for (file, text) in sources() {
        for line in warnings(&text) {
            count += 1;
            let is_clear = REMEDIES.iter().any(|remedy| line.contains(remedy));
            let is_shown = || shown.iter().any(|shown| is_like(&line, shown));
            // What is made elsewhere: the findings of `--check`, which all name a flag.
            let is_made_here = line.contains(char::is_alphabetic);
            assert!(
                !is_made_here || is_clear || is_shown(),
                "{file}: {line:?} neither says what to do nor stands in {PAGE}"
            );
        }
    }
    assert!(count >= 40, "only {count} warnings were found");
}

#[test]
fn flags_on_the_page_exist() {
    let flags = page::read("ftp-server-sync/docs/flags.md");
    let known: BTreeSet<&str> = spans(&flags).into_iter().flat_map(flag).collect();
    let page = page::read(PAGE);
    let named = spans(&page).into_iter().flat_map(flag);
    let named: BTreeSet<&str> = named.filter(|flag| !OTHERS.contains(flag)).collect();
    assert!(named.len() > 20, "{named:?}");
    let unknown: Vec<&&str> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// The README has the most frequent symptoms, in the words of the page.
#[test]
fn the_readme_has_rows_of_the_page() {
    let (readme, page) = (page::read("README.md"), page::read(PAGE));
    let sections = page::sections(&readme);
    let (_, section) = sections
        .iter()
        .find(|(heading, _)| *heading == "Troubleshooting")
        .expect("the section");
    let symptoms: Vec<&str> = symptoms(section).collect();
    assert_eq!(symptoms.len(), 5, "{symptoms:?}");
    for symptom in symptoms {
        assert!(page.contains(&format!("\n| {symptom} |")), "{symptom}");
    }
}

/// Each section is reached from the list at the top.
#[test]
fn each_section_is_listed() {
    let page = page::read(PAGE);
    for (heading, _) in page::sections(&page) {
        let anchor = heading.to_lowercase().replace(' ', "-").replace(',', "");
        let item = format!("\n- [{heading}](#{anchor})\n");
        assert!(page.contains(&item), "{item}");
    }
}

#[test]
fn lines_are_compared_by_their_fixed_parts() {
    for (line, shown, expected) in [
        (
            "… failed after … bytes: ……",
            "… failed after … bytes: …",
            true,
        ),
        ("cannot remove …: …", "cannot remove …", true),
        ("cannot remove …", "cannot remove …: …", false),
        ("cannot remove it", "cannot remove …", true),
        ("… cannot remove it", "cannot remove …", true),
        ("it cannot remove it", "cannot remove …", false),
        ("the old users stay", "the old …", true),
        ("the new users stay", "the old …", false),
    ] {
        assert_eq!(is_like(line, shown), expected, "{line} {shown}");
    }
}

/// Whether a line of the source, in which `…` stands for values, has the form of one on the page.
/// There it is without the session at its beginning.
fn is_like(line: &str, shown: &str) -> bool {
    let line = line.trim_start_matches(['…', ' ']);
    let shown = shown.trim_start_matches(['…', ' ']);
    let mut rest = line;
    let pieces: Vec<&str> = shown.split('…').collect();
    for (number, piece) in pieces.iter().enumerate() {
        match rest.find(piece) {
            Some(at) if at == 0 || number > 0 => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    shown.ends_with('…') || rest.is_empty()
}

/// The lines of the log that the page explains.
fn shown_lines() -> Vec<String> {
    let page = page::read(PAGE);
    let sections = page::sections(&page);
    let (_, section) = sections.last().expect("the section about the log");
    let cells: Vec<&str> = symptoms(section).collect();
    let lines = cells.iter().flat_map(|cell| spans(cell));
    lines.map(str::to_owned).collect()
}

/// The first cell of each row, but for the heading.
fn symptoms(section: &str) -> impl Iterator<Item = &str> {
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.skip(1)
        .filter_map(|row| row.strip_prefix("| ")?.split(" | ").next())
}

fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The long flags in a code span.
fn flag(span: &str) -> impl Iterator<Item = &str> {
    let words = span.split(|part: char| !part.is_ascii_alphanumeric() && part != '-');
    words.filter(|word| word.starts_with("--") && word.len() > 2)
}

/// The server's own sources, without tests.
fn sources() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ftp-server-sync/src");
    let mut sources = workspace::read(&root).expect("the sources");
    sources.retain(|file, _| !file.ends_with("tests.rs") && !file.contains("/tests/"));
    for text in sources.values_mut() {
        let tests = text.find("#[cfg(test)]\nmod tests {");
        text.truncate(tests.unwrap_or(text.len()));
    }
    sources
}

/// All string literals of a source file, with `…` for values.
fn texts(source: &str) -> Vec<String> {
    let texts = tokens(source).into_iter();
    texts
        .filter(|token| token.kind == Kind::Text)
        .map(|token| plain(token.text))
        .collect()
}

/// The texts of `warn!` and `error!`.
fn warnings(source: &str) -> Vec<String> {
    let tokens = code(source);
    let calls = tokens.windows(4).filter_map(|call| match call {
        [name, not, _, text] if not.is("!") && is_warning(name) => Some(text),
        _ => None,
    });
    calls
        .filter(|token| token.kind == Kind::Text)
        .map(|token| plain(token.text))
        .collect()
}

fn is_warning(name: &Token<'_>) -> bool {
    name.is("warn") || name.is("error")
}

/// A literal as it is printed, with `…` for each value.
fn plain(literal: &str) -> String {
    let mut lines = literal.split("\\\n");
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        text += line.trim_start();
    }
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, value)) = rest.split_once('{') {
        plain += before;
        plain.push('…');
        rest = value.split_once('}').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

const PAGE: &str = "ftp-server-sync/docs/troubleshooting.md";

/// How a warning shows that it says what to do: by a clause of its own, or a flag, or these words.
const REMEDIES: [&str; 6] = [
    "; ",
    "--",
    "let its client",
    "remove this file",
    "restart the server",
    "see whether",
];

/// Flags of other programs.
const OTHERS: [&str; 2] = ["--bind", "--ssl-reqd"];
