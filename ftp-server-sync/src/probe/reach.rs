//! Where a reply may lead a probe.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ftp_proto::Reach;

/// Why a data connection to `target` is not tried, if it is not. A server must not make this
/// machine open connections that its own firewall permits to this machine alone, or to services of
/// other hosts.
pub(super) fn not_tried(target: SocketAddr, server: IpAddr) -> Option<&'static str> {
    let address = target.ip();
    if address == server {
        return None;
    }
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    let leads_out = |reach| Reach::of(address) == reach && Reach::of(server) != reach;
    if address.is_unspecified() {
        Some("it is no address of any host")
    } else if address.is_multicast() || is_broadcast {
        Some("it is the address of many hosts")
    } else if leads_out(Reach::Host) {
        Some("it is a loopback address, which leads each client to itself")
    } else if leads_out(Reach::Link) {
        Some("it is a link-local address")
    } else if target.port() < PORT_MIN {
        Some("it is a port below 1024 of another host")
    } else {
        None
    }
}

/// Below are the ports of services.
const PORT_MIN: u16 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_services_and_this_machine_are_left_alone() {
        for (target, server, is_tried) in [
            ("203.0.113.1:21", "203.0.113.1", true),
            ("203.0.113.2:60000", "203.0.113.1", true),
            ("192.168.77.2:1024", "203.0.113.1", true),
            ("192.168.77.2:1023", "203.0.113.1", false),
            ("127.0.0.1:60000", "203.0.113.1", false),
            ("127.0.0.2:60000", "127.0.0.1", true),
            ("169.254.169.254:8080", "203.0.113.1", false),
            ("169.254.1.2:60000", "169.254.1.1", true),
            ("0.0.0.0:60000", "203.0.113.1", false),
            ("224.0.0.1:60000", "203.0.113.1", false),
            ("255.255.255.255:60000", "203.0.113.1", false),
        ] {
            let result = not_tried(target.parse().unwrap(), server.parse().unwrap());
            assert_eq!(result.is_none(), is_tried, "{target} {server}: {result:?}");
        }
    }
}
