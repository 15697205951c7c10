//! Golden files of questions and answers, and the machines that the questions are about.

use std::fmt::Debug;
use std::str::FromStr;

use crate::net::interfaces::Interfaces;

/// Each line of `golden` that begins with `$ ` is a question, and the lines after it are its answer. Checks that
/// `answer` still gives the same answers, and that there are at least `count` questions.
#[track_caller]
pub(crate) fn check(
    file: &str,
    golden: &str,
    count: usize,
    mut answer: impl FnMut(&str) -> String,
) {
    let questions: Vec<&str> = golden
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .collect();
    let actual: String = questions
        .iter()
        .map(|question| format!("$ {question}\n{}", answer(question)))
        .collect();
    assert!(
        questions.len() >= count,
        "only {} questions in {file}",
        questions.len()
    );
    assert!(actual == golden, "{file} differs; now:\n{actual}");
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
