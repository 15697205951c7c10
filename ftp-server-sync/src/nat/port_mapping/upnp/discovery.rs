//! The search for the router's description on the network.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

use super::ssdp::{location, search};
use super::url::HttpUrl;
use crate::nat::port_mapping::router::LinkEnds;

/// Where the router describes itself; `None` if it does not answer in time. `targets` are kinds of
/// devices and services; some routers answer only one of them.
pub(super) fn find(
    ends: LinkEnds,
    targets: &[&str],
    until: Instant,
) -> io::Result<Option<HttpUrl>> {
    let mut router = ends.router;
    router.set_port(PORT);
    let (from, group, header) = group_of(ends);
    let socket = UdpSocket::bind(from)?;
    for target in targets {
        let search = search(header, target);
        // Some routers answer only one of them.
        for host in [router, group] {
            socket.send_to(search.as_bytes(), host)?;
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
            Ok((count, sender)) if is_same_host(sender, router) => {
                if let Some(url) = location(&buffer[..count], router) {
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

/// Where the search comes from, the group of all devices, and how the header names it.
///
/// Over IPv6 the system chooses the address for the link: a router would not answer from the
/// address that is asked, its link-local one, to one of a wider scope.
fn group_of(ends: LinkEnds) -> (SocketAddr, SocketAddr, &'static str) {
    match ends.router {
        SocketAddr::V4(_) => (ends.own, (GROUP, PORT).into(), "239.255.255.250:1900"),
        SocketAddr::V6(router) => {
            let group = SocketAddrV6::new(GROUP_V6, PORT, 0, router.scope_id());
            let any = (Ipv6Addr::UNSPECIFIED, 0).into();
            (any, group.into(), "[FF02::C]:1900")
        }
    }
}

/// The port may be another one. A link-local address is one on this link only.
fn is_same_host(sender: SocketAddr, router: SocketAddr) -> bool {
    let scope = |address: SocketAddr| match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    };
    let (own, other): (IpAddr, IpAddr) = (sender.ip(), router.ip());
    own == other && scope(sender) == scope(router)
}

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);
const PORT: u16 = 1900;

const DESCRIPTION_MIN: Duration = Duration::from_millis(500);
const DATAGRAM_BYTES_MAX: usize = 2048;
const DATAGRAMS_MAX: usize = 64;
