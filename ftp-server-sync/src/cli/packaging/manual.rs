//! The manual pages, in the macros of `man`.

use super::{Flag, description, fill, is_for_files, sections};
use crate::logging::wrap::wrap;

/// `ftp-server-sync(8)`.
pub(super) fn program() -> String {
    page("ftp-server-sync.8", |flag| {
        let short = flag.short.map(|short| format!("\\fB\\-{short}\\fR, "));
        let short = short.unwrap_or_default();
        Some(format!("{short}\\fB{}\\fR", escaped(flag.long)))
    })
}

/// `ftp-server-sync.conf(5)`.
pub(super) fn configuration() -> String {
    page("ftp-server-sync.conf.5", |flag| {
        is_for_files(flag).then(|| format!("\\fB{}\\fR", escaped(flag.name())))
    })
}

/// The template with the flags for which `head` returns a name.
fn page(template: &str, head: impl Fn(&Flag) -> Option<String>) -> String {
    let mut text = String::new();
    for (heading, flags) in sections() {
        text.push_str(&format!(".SS {heading}\n"));
        for flag in flags {
            let Some(name) = head(&flag) else {
                continue;
            };
            let placeholder = flag.placeholder.map(escaped);
            let placeholder = placeholder.map(|text| format!(" \\fI{text}\\fR"));
            text.push_str(&format!(".TP\n{name}{}\n", placeholder.unwrap_or_default()));
            text.push_str(&paragraph(&description::sentences(&flag)));
        }
    }
    fill(template, "@FLAGS@", &text)
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@DATE@", DATE)
}

/// Lines of text in which flags are bold.
fn paragraph(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '-';
        let end = word.find(|letter| !is_part(letter)).unwrap_or(word.len());
        let (flag, rest) = word.split_at(end);
        if flag.starts_with("--") {
            format!("\\fB{}\\fR{}", escaped(flag), escaped(rest))
        } else {
            escaped(word)
        }
    });
    let words: Vec<String> = words.collect();
    let lines = wrap("", 0, WIDTH, &words.join(" "));
    // A line that begins with one of these is a request.
    let lines = lines.lines().map(|line| {
        let is_request = line.starts_with(['.', '\'']);
        format!("{}{line}\n", if is_request { "\\&" } else { "" })
    });
    lines.collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '~' => escaped.push_str("\\(ti"),
            '^' => escaped.push_str("\\(ha"),
            '`' => escaped.push_str("\\(ga"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// When the pages that are no lists of flags were last changed.
const DATE: &str = "2026-11-29";
const WIDTH: usize = 78;
