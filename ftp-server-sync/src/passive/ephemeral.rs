//! Listeners where the operator gave no range: on any free port of the system's ephemeral range.
//!
//! The kernel would choose one too, but it looks for a port on which nothing lingers. After thousands
//! of transfers in a minute nearly all ports have a connection in TIME_WAIT: its search was measured to
//! take 2 ms, and would fail in the end. A port that is named may be used at once.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use mio::net::TcpListener;

use super::listener::listen;

/// The ports that the kernel chooses from.
pub(super) fn range() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    parse(&text).unwrap_or(DEFAULT)
}

/// Listens at `address`, whose port is ignored.
pub(super) fn listen_anywhere(
    mut address: SocketAddr,
    range: &RangeInclusive<u16>,
) -> io::Result<TcpListener> {
    for attempt in 0..ATTEMPTS {
        let span = u64::from(range.end() - range.start()) + 1;
        let offset = RandomState::new().hash_one(attempt) % span;
        address.set_port(range.start() + u16::try_from(offset).unwrap_or(0));
        match listen(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    address.set_port(0);
    listen(address)
}

fn parse(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (first > 0 && first <= last).then_some(first..=last)
}

const DEFAULT: RangeInclusive<u16> = 32768..=60999;

/// Random ports that are tried before the kernel has to search.
const ATTEMPTS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_read_or_assumed() {
        assert_eq!(parse("32768\t60999\n"), Some(32768..=60999));
        for bad in ["", "5", "x y", "60999 32768", "0 5", "1 70000"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn taken_ports_are_passed_over() {
        let address = "127.83.0.9:0".parse().expect("an address");
        let first = listen_anywhere(address, &(20821..=20822)).expect("a free port");
        let second = listen_anywhere(address, &(20821..=20822)).expect("the other, or any");
        assert!((20821..=20822).contains(&first.local_addr().expect("bound").port()));
        assert_ne!(
            first.local_addr().expect("bound"),
            second.local_addr().expect("bound")
        );
    }
}
