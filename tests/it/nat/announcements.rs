//! What servers announce: 227 and 229 replies in what a client printed.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use super::home_network::FORWARDED;
use crate::support::client::Announcement;
use crate::support::process::Finished;

/// Checks that every reply with this code names a forwarded port (and, in a 227, this address).
#[track_caller]
pub(super) fn assert_announced(output: &Finished, code: u16, address: Ipv4Addr) {
    assert_announced_in(output, code, address, FORWARDED);
}

/// The same where the ports are others than usual.
#[track_caller]
pub(super) fn assert_announced_in(
    output: &Finished,
    code: u16,
    address: Ipv4Addr,
    ports: RangeInclusive<u16>,
) {
    let text = output.text();
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
pub(super) fn assert_not_connected(output: &Finished) {
    let text = output.text();
    let reasons = ["timed out", "time-out", "TimeoutError", "refused"];
    assert!(
        reasons.iter().any(|reason| text.contains(reason)),
        "another failure:\n{text}"
    );
}

/// The addresses of all 227 replies that a client printed.
pub(super) fn addresses(output: &Finished) -> Vec<Ipv4Addr> {
    announcements(&output.text())
        .into_iter()
        .filter_map(|announcement| announcement.address)
        .collect()
}

/// All 227 and 229 replies in what a client printed.
pub(super) fn announcements(text: &str) -> Vec<Announcement> {
    text.lines().filter_map(Announcement::parse).collect()
}
