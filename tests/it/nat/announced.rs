//! What servers announce: 227 and 229 replies in what a client printed.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use super::home::FORWARDED;
use crate::support::process::Finished;

/// A 227 or 229 reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) code: String,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) port: u16,
}

/// Checks that every reply with this code names a forwarded port (and, in a 227, this address).
#[track_caller]
pub(super) fn assert_announced(story: &Finished, code: &str, address: Ipv4Addr) {
    assert_announced_in(story, code, address, FORWARDED);
}

/// The same where the ports are others than usual.
#[track_caller]
pub(super) fn assert_announced_in(
    story: &Finished,
    code: &str,
    address: Ipv4Addr,
    ports: RangeInclusive<u16>,
) {
    let text = story.text();
    let announced = announcements(&text);
    assert!(!announced.is_empty(), "no 227 or 229 in:\n{text}");
    for announcement in announced {
        assert_eq!(announcement.code, code, "{text}");
        assert!(
            announcement.address.is_none_or(|found| found == address),
            "not {address}:\n{text}"
        );
        assert!(
            ports.contains(&announcement.port),
            "not forwarded: {}\n{text}",
            announcement.port
        );
    }
}

/// Checks that the client failed for want of a data connection.
#[track_caller]
pub(super) fn assert_not_connected(story: &Finished) {
    let text = story.text();
    let reasons = ["timed out", "time-out", "TimeoutError", "refused"];
    assert!(
        reasons.iter().any(|reason| text.contains(reason)),
        "another failure:\n{text}"
    );
}

/// The addresses of all 227 replies that a client printed.
pub(super) fn addresses(story: &Finished) -> Vec<Ipv4Addr> {
    announcements(&story.text())
        .into_iter()
        .filter_map(|announcement| announcement.address)
        .collect()
}

/// All 227 and 229 replies in what a client printed.
pub(super) fn announcements(text: &str) -> Vec<Announcement> {
    text.lines().filter_map(announcement).collect()
}

pub(super) fn announcement(line: &str) -> Option<Announcement> {
    let start = ["227 ", "229 "].iter().find_map(|code| line.find(code))?;
    let (code, rest) = line[start..].split_at(3);
    let inner = rest.split_once('(')?.1.split_once(')')?.0;
    if code == "229" {
        let port = inner.trim_matches('|').parse().ok()?;
        return Some(Announcement {
            code: code.to_owned(),
            address: None,
            port,
        });
    }
    let numbers: Vec<u8> = inner
        .split(',')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [a, b, c, d, high, low] = numbers[..] else {
        return None;
    };
    Some(Announcement {
        code: code.to_owned(),
        address: Some(Ipv4Addr::new(a, b, c, d)),
        port: u16::from_be_bytes([high, low]),
    })
}
