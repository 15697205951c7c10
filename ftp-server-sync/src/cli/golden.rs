//! Golden files of questions and answers, and the machines and settings that they are about.

use std::fmt::Debug;
use std::str::FromStr;

use super::Invocation;
use crate::net::interfaces::Interfaces;
use crate::settings::Settings;

/// Each line of `golden` that begins with `$ ` is a question, and the lines after it are its
/// answer. Checks that `answer` still gives the same answers, and that there are at least `count`
/// questions. A program without TLS is not asked about it.
#[track_caller]
pub(crate) fn check(
    file: &str,
    golden: &str,
    count: usize,
    mut answer: impl FnMut(&str) -> String,
) {
    let mut entries: Vec<(&str, String)> = Vec::new();
    for line in golden.split_inclusive('\n') {
        match (line.strip_prefix("$ "), entries.last_mut()) {
            (Some(question), _) => entries.push((question.trim_end_matches('\n'), String::new())),
            (None, Some((_, answer))) => answer.push_str(line),
            (None, None) => panic!("{file} does not begin with a question"),
        }
    }
    assert!(
        entries.len() >= count,
        "only {} questions in {file}",
        entries.len()
    );
    if cfg!(not(feature = "tls")) {
        entries.retain(|(question, _)| !question.contains("--tls"));
    }
    let text = |question: &str, answer: &str| format!("$ {question}\n{answer}");
    let expected: String = entries
        .iter()
        .map(|(question, answer)| text(question, answer))
        .collect();
    let actual: String = entries
        .iter()
        .map(|(question, _)| text(question, &answer(question)))
        .collect();
    assert!(actual == expected, "{file} differs; now:\n{actual}");
}

/// What these flags say. In the line, spaces separate the arguments.
#[track_caller]
pub(crate) fn settings(line: &str) -> Settings {
    let arguments = line.split_whitespace().map(Into::into);
    match super::parse(arguments, |_| None) {
        Ok(Invocation::Serve(settings)) => *settings,
        other => panic!("{line}: {other:?}"),
    }
}

/// A machine with these addresses, networks and gateways. In each list, spaces separate the items.
pub(crate) fn interfaces(addresses: &str, networks: &str, gateways: &str) -> Interfaces {
    Interfaces {
        addresses: parsed(addresses),
        networks: parsed(networks),
        gateways: parsed(gateways),
        ..Interfaces::default()
    }
}

fn parsed<T: FromStr<Err: Debug>>(texts: &str) -> Vec<T> {
    let texts = texts.split_whitespace();
    texts.map(|text| text.parse().unwrap()).collect()
}
