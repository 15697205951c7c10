//! Listening sockets for control connections.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::TcpListener;

use super::interfaces::Interfaces;
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

/// Who opens the sockets of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocketSource {
    /// The server itself.
    #[default]
    Server,
    /// The program that has started the server: it has passed them.
    ServiceManager,
    /// inetd: it has accepted one connection and passed that.
    Inetd,
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
        socket::check_accept()?;
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
        ErrorKind::AddrInUse => {
            "; another program listens there, or this server runs already; end it, or give another port"
        }
        ErrorKind::AddrNotAvailable => return not_of_this_machine(error, address),
        _ => "",
    };
    let text = format!("cannot listen on {address}: {}{advice}", SystemText(error));
    io::Error::new(error.kind(), text)
}

/// An address that no interface has. It is often the router's public one, which goes elsewhere.
fn not_of_this_machine(error: &io::Error, address: SocketAddr) -> io::Error {
    let own = Interfaces::read().map(|interfaces| interfaces.addresses);
    let advice = advice_about(address.ip(), &own.unwrap_or_default());
    let text = format!(
        "cannot listen on {address}: {}; {advice}",
        SystemText(error)
    );
    io::Error::new(error.kind(), text)
}

fn advice_about(address: IpAddr, own: &[IpAddr]) -> String {
    let own = own.iter().map(IpAddr::to_canonical);
    let can_be_given = |own: &IpAddr| match own {
        IpAddr::V4(own) => !own.is_loopback(),
        IpAddr::V6(own) => !own.is_loopback() && !own.is_unicast_link_local(),
    };
    let given = own.filter(|own| own.is_ipv4() == address.is_ipv4() && can_be_given(own));
    let given: Vec<String> = given.map(|own| own.to_string()).collect();
    let has = match given.len() {
        0 => "which has no other of its kind; leave --interface out".to_owned(),
        1..=ADDRESSES_MAX => format!(
            "which has {}; give one of them with --interface",
            given.join(", ")
        ),
        _ => format!(
            "which has {} and others; give one of them with --interface",
            given[..ADDRESSES_MAX].join(", ")
        ),
    };
    let router = match address {
        IpAddr::V4(_) => "; a router's public address goes to --masquerade-address",
        IpAddr::V6(_) => "",
    };
    format!("{address} is not an address of this machine, {has}{router}")
}

/// More would hide the advice.
const ADDRESSES_MAX: usize = 8;

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

    #[test]
    fn an_address_of_another_machine_is_explained() {
        let address = |text: &&str| text.parse().unwrap();
        let check = |wanted: &str, own: &[&str], expected: &str| {
            let own: Vec<IpAddr> = own.iter().map(address).collect();
            assert_eq!(advice_about(wanted.parse().unwrap(), &own), expected);
        };
        let own = [
            "127.0.0.1",
            "::1",
            "192.168.77.2",
            "10.8.0.1",
            "2001:db8::2",
            "fe80::2",
        ];
        check(
            "203.0.113.1",
            &own,
            "203.0.113.1 is not an address of this machine, which has 192.168.77.2, 10.8.0.1; give one \
             of them with --interface; a router's public address goes to --masquerade-address",
        );
        check(
            "2001:db8::1",
            &own,
            "2001:db8::1 is not an address of this machine, which has 2001:db8::2; give one of them with \
             --interface",
        );
        check(
            "2001:db8::1",
            &["10.0.0.1", "fe80::2"],
            "2001:db8::1 is not an address of this machine, which has no other of its kind; leave \
             --interface out",
        );
        let many: Vec<String> = (1..=9).map(|last| format!("10.0.0.{last}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let own: Vec<IpAddr> = many.iter().map(address).collect();
        let advice = advice_about([192, 0, 2, 1].into(), &own);
        assert!(advice.contains("10.0.0.8 and others; give"), "{advice}");
    }

    #[test]
    fn the_system_refuses_such_an_address() {
        // An address for documentation, which no machine has.
        let [listen] = Listen::sockets(&[[192, 0, 2, 77].into()], 0, false)[..] else {
            panic!("one address has one socket");
        };
        let error = listen.open(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        let text = error.to_string();
        let start = "cannot listen on 192.0.2.77:0: ";
        let problem = "; 192.0.2.77 is not an address of this machine, which has ";
        assert!(text.starts_with(start) && text.contains(problem), "{text}");
    }
}
