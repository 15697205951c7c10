//! Listening sockets for control connections.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::TcpListener;

use super::port_range::PortRange;
use super::socket;
use crate::logging::system_text::SystemText;

/// One listening socket for control connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where to bind.
    pub address: SocketAddr,
    /// This IPv6 socket accepts IPv4 clients too.
    pub dual_stack: bool,
    /// Where to bind instead on a machine without IPv6.
    pub fallback: Option<SocketAddr>,
    /// Clients begin with TLS at once (implicit TLS).
    pub implicit_tls: bool,
}

impl Listen {
    /// The sockets for these addresses of the machine; without any, one for all addresses.
    pub fn sockets(interfaces: &[IpAddr], port: u16, implicit_tls: bool) -> Vec<Self> {
        if interfaces.is_empty() {
            return vec![Self {
                address: SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
                dual_stack: true,
                fallback: Some(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
                implicit_tls,
            }];
        }
        let ipv4_given = interfaces.iter().any(IpAddr::is_ipv4);
        interfaces
            .iter()
            .map(|&address| Self {
                address: SocketAddr::new(address, port),
                dual_stack: address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !ipv4_given,
                fallback: None,
                implicit_tls,
            })
            .collect()
    }

    /// Opens the socket. If the kernel chooses the port, it is never one of `passive_ports`.
    ///
    /// # Errors
    ///
    /// What the system says, with the address and, if there is one, the remedy.
    pub(crate) fn open(&self, passive_ports: Option<PortRange>) -> io::Result<TcpListener> {
        for _ in 0..OPEN_ATTEMPTS_MAX {
            let socket = self.open_any()?;
            let port = socket.local_addr()?.port();
            if !passive_ports.is_some_and(|range| range.contains(port)) {
                return Ok(socket);
            }
        }
        Err(io::Error::other(
            "the kernel offers no control port outside the passive ports; give one with --port",
        ))
    }

    fn open_any(&self) -> io::Result<TcpListener> {
        match (socket::listen(self.address, self.dual_stack), self.fallback) {
            (Err(error), Some(fallback)) if socket::is_family_missing(&error) => {
                let socket = socket::listen(fallback, false);
                socket.map_err(|error| cannot_listen(&error, fallback))
            }
            (socket, _) => socket.map_err(|error| cannot_listen(&error, self.address)),
        }
    }
}

/// Opens all these sockets as a server would, and closes them again.
///
/// # Errors
///
/// As for [`Listen::open`].
pub(crate) fn probe(sockets: &[Listen], passive_ports: Option<PortRange>) -> io::Result<()> {
    let opened: io::Result<Vec<TcpListener>> = sockets
        .iter()
        .map(|listen| listen.open(passive_ports))
        .collect();
    opened.map(drop)
}

fn cannot_listen(error: &io::Error, address: SocketAddr) -> io::Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => "; ports below 1024 need root or CAP_NET_BIND_SERVICE",
        ErrorKind::AddrInUse => "; another program listens there, or this server runs already",
        ErrorKind::AddrNotAvailable => "; give an address of this machine with --interface",
        _ => "",
    };
    let text = format!("cannot listen on {address}: {}{advice}", SystemText(error));
    io::Error::new(error.kind(), text)
}

/// Attempts to get a port from the kernel that is outside the passive ports.
const OPEN_ATTEMPTS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(interfaces: &[&str], expected: &[(&str, bool)], fallback: Option<&str>) {
        let addresses: Vec<IpAddr> = interfaces
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let listen = |&(address, dual_stack): &(&str, bool)| Listen {
            address: address.parse().unwrap(),
            dual_stack,
            fallback: fallback.map(|text| text.parse().unwrap()),
            implicit_tls: true,
        };
        let expected: Vec<Listen> = expected.iter().map(listen).collect();
        assert_eq!(
            Listen::sockets(&addresses, 21, true),
            expected,
            "{interfaces:?}"
        );
    }

    #[test]
    fn each_address_has_a_socket() {
        check(&[], &[("[::]:21", true)], Some("0.0.0.0:21"));
        check(&["::"], &[("[::]:21", true)], None);
        let both = [("[::]:21", false), ("10.0.0.1:21", false)];
        check(&["::", "10.0.0.1"], &both, None);
        check(&["0.0.0.0"], &[("0.0.0.0:21", false)], None);
        check(&["2001:db8::1"], &[("[2001:db8::1]:21", false)], None);
    }
}
