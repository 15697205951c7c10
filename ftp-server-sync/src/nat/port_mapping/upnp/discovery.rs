//! The search for the router's description (SSDP).

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use super::http::HttpUrl;
use crate::nat::port_mapping::router::Router;

/// Where the router describes itself; `None` if it does not answer in time.
pub(super) fn find(router: Router, until: Instant) -> io::Result<Option<HttpUrl>> {
    // A multicast leaves through the interface of this address.
    let socket = UdpSocket::bind((router.own, 0))?;
    for target in TARGETS {
        let search = format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: {GROUP}:{PORT}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
             ST: {target}\r\n\r\n"
        );
        // Some routers answer only one of them.
        for host in [router.address, GROUP] {
            socket.send_to(search.as_bytes(), (host, PORT))?;
        }
    }
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    // Other devices of the network answer too.
    for _ in 0..DATAGRAMS_MAX {
        let left = until.saturating_duration_since(Instant::now());
        // Half of the time is for the description.
        let Some(left) = left
            .checked_sub(DESCRIPTION_MIN)
            .filter(|left| !left.is_zero())
        else {
            break;
        };
        socket.set_read_timeout(Some(left))?;
        match socket.recv_from(&mut buffer) {
            Ok((count, sender)) if sender.ip() == router.address => {
                if let Some(url) = location(&buffer[..count], router.address) {
                    return Ok(Some(url));
                }
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break;
            }
            // The router has no such port.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The place in an answer to the search, if it is at the router's own address.
fn location(datagram: &[u8], router: Ipv4Addr) -> Option<HttpUrl> {
    let text = std::str::from_utf8(datagram).ok()?;
    let mut lines = text.lines();
    let status = lines.next()?;
    if !status.starts_with("HTTP/1.") || status.split(' ').nth(1) != Some("200") {
        return None;
    }
    let mut locations = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then_some(value.trim())
    });
    HttpUrl::read(locations.next()?, router)
}

/// Version 2 answers to a search for the first one too.
const TARGETS: [&str; 2] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
const PORT: u16 = 1900;

const DESCRIPTION_MIN: Duration = Duration::from_millis(500);
const DATAGRAM_BYTES_MAX: usize = 2048;
const DATAGRAMS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_at_the_router_count() {
        let router = Ipv4Addr::new(192, 168, 77, 1);
        let check = |answer: &str, expected: Option<&str>| {
            let found = location(answer.as_bytes(), router);
            assert_eq!(
                found.map(|url| url.to_string()).as_deref(),
                expected,
                "{answer}"
            );
        };
        let good = "http://192.168.77.1:5000/rootDesc.xml";
        check(
            &format!("HTTP/1.1 200 OK\r\nST: x\r\nLocation: {good}\r\n\r\n"),
            Some(good),
        );
        check(
            &format!("HTTP/1.1 404 No\r\nLocation: {good}\r\n\r\n"),
            None,
        );
        check(
            &format!("NOTIFY * HTTP/1.1\r\nLocation: {good}\r\n\r\n"),
            None,
        );
        check(
            "HTTP/1.1 200 OK\r\nLocation: http://192.168.77.3/\r\n\r\n",
            None,
        );
        check("HTTP/1.1 200 OK\r\n\r\n", None);
        check("", None);
        assert!(location(b"HTTP/1.1 200 OK\r\nLocation: \xff", router).is_none());
    }
}
