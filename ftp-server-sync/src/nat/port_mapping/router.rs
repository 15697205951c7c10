//! Which router is asked, and from which address.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use crate::net::gateways::{default_gateway, gateway_interfaces_v4};
use crate::net::interfaces::Interfaces;
use crate::settings::file::reason;

/// A router, and this machine's address towards it, which the router forwards to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Router {
    pub(crate) address: Ipv4Addr,
    pub(crate) own: Ipv4Addr,
}

/// This machine's address, and where the router answers. Both are of the same family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkEnds {
    /// The port is 0: the system chooses one.
    pub(super) own: SocketAddr,
    pub(super) router: SocketAddr,
}

impl Router {
    /// The default gateway, or that of one interface. `listen` are the addresses that the server
    /// listens on: the router could forward to another one, where nothing listens.
    ///
    /// # Errors
    ///
    /// A text with a remedy.
    pub(crate) fn find(
        interface: Option<&str>,
        listen: &BTreeSet<Ipv4Addr>,
    ) -> Result<Self, String> {
        let gateway = default_gateway(interface)
            .map_err(|error| format!("the routes of this machine cannot be read: {error}"))?;
        let address = gateway.ok_or_else(|| match interface {
            Some(interface) => {
                let others = gateway_interfaces_v4().unwrap_or_default();
                not_an_interface(interface, &others)
            }
            None => "this machine has no default route over IPv4, so that there is no router to \
                     ask"
            .to_owned(),
        })?;
        let own = own_address(address, listen)?;
        Ok(Self { address, own })
    }

    /// Where it answers PCP and NAT-PMP, and from where it is asked.
    pub(super) fn ends(self) -> LinkEnds {
        LinkEnds {
            own: (self.own, 0).into(),
            router: (self.address, ROUTER_PORT).into(),
        }
    }
}

fn not_an_interface(interface: &str, others: &[String]) -> String {
    let problem = format!("there is no interface {interface} with a default route over IPv4");
    match others {
        [] => format!("{problem}, nor any other one, so that there is no router to ask"),
        others => format!(
            "{problem}; give one of these with --port-mapping-interface: {}",
            others.join(", ")
        ),
    }
}

fn own_address(router: Ipv4Addr, listen: &BTreeSet<Ipv4Addr>) -> Result<Ipv4Addr, String> {
    let from = if listen.contains(&Ipv4Addr::UNSPECIFIED) {
        Ipv4Addr::UNSPECIFIED
    } else {
        let listen: Vec<Ipv4Addr> = listen.iter().copied().collect();
        let interfaces = Interfaces::read().map_err(|error| error.to_string())?;
        let reachable = interfaces.reachable_by_router(&listen);
        *reachable.first().ok_or(
            "the server listens on no IPv4 address that the router could forward to; add one with \
             --interface",
        )?
    };
    // The kernel chooses the address; nothing is sent.
    let choose = || -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind((from, 0))?;
        socket.connect((router, ROUTER_PORT))?;
        socket.local_addr()
    };
    let own = choose().map_err(|error| {
        let reason = reason(&error);
        format!("the router {router} cannot be reached from this machine: {reason}")
    })?;
    match own.ip() {
        IpAddr::V4(own) if !own.is_loopback() && own != router => Ok(own),
        _ => Err(format!("the router {router} is this machine itself")),
    }
}

/// RFC 6886, section 1.1; RFC 6887, section 19.1.
pub(crate) const ROUTER_PORT: u16 = 5351;
/// Where routers announce that they have restarted.
pub(crate) const ANNOUNCEMENT_PORT: u16 = 5350;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_without_a_router_is_named_with_those_that_have_one() {
        let others = ["eth0".to_owned(), "wlan0".to_owned()];
        assert_eq!(
            not_an_interface("eth9", &others),
            "there is no interface eth9 with a default route over IPv4; give one of these with \
             --port-mapping-interface: eth0, wlan0"
        );
        assert_eq!(
            not_an_interface("eth9", &[]),
            "there is no interface eth9 with a default route over IPv4, nor any other one, so that there is \
             no router to ask"
        );
    }
}
