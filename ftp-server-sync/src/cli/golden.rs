//! Golden files of questions and answers, and the machines that they are asked on.

use std::fmt::Debug;
use std::str::FromStr;

use crate::net::interfaces::Interfaces;

/// Asks again what stands behind each `$ ` of `golden`, at least `count` times; all answers, line ends included, are
/// as they were.
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

/// A machine of these addresses, networks and gateways, each apart by spaces.
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
