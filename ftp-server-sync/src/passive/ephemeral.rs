//! Listeners without `--passive-ports`: on any free port of the system's ephemeral range.
//!
//! The kernel can choose a port too, but it searches for one without connections in TIME_WAIT.
//! After thousands of transfers in a minute nearly all ports have one: the search was measured to
//! take 2 ms, and would fail in the end. A port that is asked for by number can be used at once.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::LazyLock;

use ftp_proto::ports::choose;
use mio::net::TcpListener;

use crate::net::port_range::PortRange;
use crate::net::socket::listen;

/// Listens on some port of `address`, whose port is ignored. Returns the port too.
pub(super) fn listen_anywhere(address: SocketAddr) -> io::Result<(TcpListener, u16)> {
    listen_among(*RANGE, address)
}

/// Listens on a random port of the range that is free, or else on one that the kernel chooses.
fn listen_among(range: PortRange, mut address: SocketAddr) -> io::Result<(TcpListener, u16)> {
    for attempt in 0..ATTEMPTS {
        let random = RandomState::new().hash_one(attempt);
        let Some(port) = choose(range.ports(), random) else {
            break;
        };
        address.set_port(port);
        match listen(address, false) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            other => return other.map(|socket| (socket, port)),
        }
    }
    address.set_port(0);
    let socket = listen(address, false)?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}

/// The ports from which the kernel chooses.
static RANGE: LazyLock<PortRange> = LazyLock::new(|| {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    parse(&text).unwrap_or(DEFAULT)
});

fn parse(text: &str) -> Option<PortRange> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    PortRange::new(first, last).ok()
}

/// The default of Linux, for where the file cannot be read.
const DEFAULT: PortRange = match PortRange::new(32768, 60999) {
    Ok(range) => range,
    Err(_) => unreachable!(),
};

/// Random ports that are tried before the kernel searches.
const ATTEMPTS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_read_from_the_system() {
        assert_eq!(parse("32768\t60999\n"), PortRange::new(32768, 60999).ok());
        for bad in ["", "5", "x y", "60999 32768", "0 5", "1 70000"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ports_in_use_are_skipped() {
        let address = "127.83.0.9:0".parse().expect("an address");
        let range = PortRange::new(20821, 20822).unwrap();
        let open = || listen_among(range, address).expect("a free port");
        let (first, second, third) = (open(), open(), open());
        assert!(range.contains(first.1) && !range.contains(third.1));
        assert_ne!(first.1, second.1);
        for (socket, port) in [first, second, third] {
            assert_eq!(socket.local_addr().expect("bound").port(), port);
        }
    }
}
