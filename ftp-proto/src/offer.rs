//! What a 227 or a 229 announces to a client, and what is probably wrong if the client does not
//! connect.
//!
//! The addresses alone decide. Only a private address is certainly wrong; in all other cases the
//! text says what to check.

use core::fmt;
use core::net::IpAddr;

use crate::address::Endpoints;
use crate::masquerade::{AnnounceReason, Announcement, Masquerade, PortNumber};
use crate::reach::Reach;

/// What a 227 or a 229 announced to a client. Its `Display` is what the reply contained:
/// `203.0.113.1:60004`, or `port 60004`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PassiveOffer {
    /// The address, and the rule that decided it.
    pub announcement: Announcement,
    /// The port number that was announced.
    pub port: u16,
    /// Whether the reply contained the address. A 229 does not: its client connects to the address
    /// of the control connection.
    pub with_address: bool,
    /// Where the client is, by its address.
    pub origin: ClientOrigin,
    /// What is probably wrong if the client does not connect.
    pub diagnosis: Diagnosis,
}

/// Where a client is, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientOrigin {
    /// In one of the local networks, and not a router.
    Local,
    /// In another network that cannot be reached from the Internet.
    Private,
    /// Anywhere else.
    Outside,
}

/// What is probably wrong if a client does not connect. Its `Display` says what to check or to
/// change, and completes "… did not connect: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Diagnosis {
    /// The server announced an address that cannot be reached from the Internet to a client
    /// outside.
    PrivateAddress,
    /// A router is in between, and may not forward the port.
    NotForwarded,
    /// The server announced an address in one private network to a client in another.
    OtherNetwork,
    /// No router translates addresses in between, but a firewall may drop connections.
    Blocked,
}

impl PassiveOffer {
    pub(crate) fn new(
        rules: &Masquerade,
        endpoints: &Endpoints,
        announcement: Announcement,
        port: u16,
        with_address: bool,
    ) -> Self {
        let origin = ClientOrigin::of(endpoints.peer().ip(), rules);
        Self {
            announcement,
            port,
            with_address,
            origin,
            diagnosis: Diagnosis::of(&announcement, with_address, origin),
        }
    }

    /// The kind of the announced address, if it cannot be reached from the Internet.
    #[must_use]
    pub fn private_kind(&self) -> Option<&'static str> {
        private_kind(self.announcement.address)
    }
}

impl fmt::Display for PassiveOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.with_address, self.announcement.address) {
            (true, address) => write!(f, "{address}:{}", self.port),
            (false, _) => write!(f, "port {}", self.port),
        }
    }
}

impl ClientOrigin {
    pub(crate) fn of(peer: IpAddr, rules: &Masquerade) -> Self {
        if rules.local_network(peer).is_some() {
            Self::Local
        } else if private_kind(peer).is_some() {
            Self::Private
        } else {
            Self::Outside
        }
    }
}

impl Diagnosis {
    fn of(announcement: &Announcement, with_address: bool, origin: ClientOrigin) -> Self {
        let is_private = private_kind(announcement.address).is_some();
        match (announcement.reason, announcement.port) {
            (AnnounceReason::Ipv6, _) => Self::Blocked,
            _ if with_address && is_private && origin == ClientOrigin::Outside => {
                Self::PrivateAddress
            }
            (_, PortNumber::Outer) => Self::NotForwarded,
            // These rules say that the client reaches the server's own address: no router is in
            // between.
            (AnnounceReason::LocalClient(_) | AnnounceReason::ClientRule(_), _) => Self::Blocked,
            _ if origin == ClientOrigin::Local || !is_private => Self::Blocked,
            _ if with_address => Self::OtherNetwork,
            _ => Self::NotForwarded,
        }
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrivateAddress => "the server should announce its public address",
            Self::NotForwarded => "check the port forwarding of the router",
            Self::OtherNetwork => "check that the client can reach this address",
            Self::Blocked => "check whether a firewall blocks the port",
        })
    }
}

fn private_kind(address: IpAddr) -> Option<&'static str> {
    Reach::of(address).kind()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masquerade::ClientRule;
    use alloc::string::ToString;
    use alloc::vec;
    use core::net::Ipv4Addr;

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    /// Rules like those of a small site behind a router.
    fn site() -> Masquerade {
        Masquerade {
            local_networks: vec![
                "127.0.0.0/8".parse().unwrap(),
                "192.168.77.0/24".parse().unwrap(),
            ],
            gateways: vec!["192.168.77.1".parse().unwrap()],
            ..Masquerade::default()
        }
    }

    fn masqueraded(address: &str) -> Masquerade {
        Masquerade {
            address: Some(ip(address).into()),
            ..site()
        }
    }

    fn with_rule(network: &str, rule: ClientRule) -> Masquerade {
        Masquerade {
            clients: vec![(network.parse().unwrap(), rule)],
            ..masqueraded("203.0.113.1")
        }
    }

    /// The diagnosis for a 227 and for a 229 to a client at `peer` that connected to `local`.
    #[track_caller]
    fn check(
        rules: &Masquerade,
        local: &str,
        peer: &str,
        origin: ClientOrigin,
        expected: [Diagnosis; 2],
    ) {
        let socket = |address: &str| (address.parse::<IpAddr>().unwrap(), 21).into();
        let endpoints = Endpoints::new(socket(local), socket(peer));
        let announcement = rules.lookup(&endpoints);
        for (with_address, expected) in [true, false].into_iter().zip(expected) {
            let offer = PassiveOffer::new(rules, &endpoints, announcement, 60_004, with_address);
            assert_eq!(offer.origin, origin, "{peer}");
            assert_eq!(offer.diagnosis, expected, "{peer} {with_address}");
        }
    }

    #[test]
    fn the_diagnosis_depends_on_the_addresses() {
        use ClientOrigin::{Local, Outside, Private};
        use Diagnosis::{Blocked, NotForwarded, OtherNetwork, PrivateAddress};
        let (server, outside) = ("192.168.77.2", "198.51.100.7");
        let naive = &site();
        check(
            naive,
            server,
            outside,
            Outside,
            [PrivateAddress, NotForwarded],
        );
        check(
            naive,
            server,
            "10.8.0.5",
            Private,
            [OtherNetwork, NotForwarded],
        );
        check(naive, server, "192.168.77.3", Local, [Blocked; 2]);
        // A hairpinned client.
        check(
            naive,
            server,
            "192.168.77.1",
            Private,
            [OtherNetwork, NotForwarded],
        );
        check(naive, "203.0.113.5", outside, Outside, [Blocked; 2]);
        check(
            naive,
            "100.64.0.5",
            outside,
            Outside,
            [PrivateAddress, NotForwarded],
        );
        check(naive, "127.0.0.1", "127.0.0.1", Local, [Blocked; 2]);

        let routed = &masqueraded("203.0.113.1");
        check(routed, server, outside, Outside, [NotForwarded; 2]);
        check(routed, server, "10.8.0.5", Private, [NotForwarded; 2]);
        check(routed, server, "192.168.77.1", Private, [NotForwarded; 2]);
        check(routed, server, "192.168.77.3", Local, [Blocked; 2]);
        // The operator gave the router's inner address, or the provider uses NAT.
        for wrong in ["192.168.77.1", "100.64.3.4", "169.254.3.4", "127.0.0.1"] {
            let rules = &masqueraded(wrong);
            check(
                rules,
                server,
                outside,
                Outside,
                [PrivateAddress, NotForwarded],
            );
            check(rules, server, "10.8.0.5", Private, [NotForwarded; 2]);
        }

        let vpn = &with_rule("10.8.0.0/24", ClientRule::Local);
        check(vpn, server, "10.8.0.5", Private, [Blocked; 2]);
        let announced = &with_rule("10.8.0.0/24", ClientRule::Announce(ip("10.8.0.1").into()));
        check(announced, server, "10.8.0.5", Private, [NotForwarded; 2]);
        let mistaken = &with_rule("198.51.100.0/24", ClientRule::Local);
        check(
            mistaken,
            server,
            outside,
            Outside,
            [PrivateAddress, Blocked],
        );
    }

    #[test]
    fn ipv6_is_not_translated() {
        let v6 = &Masquerade {
            local_networks: vec!["2001:db8:77::/64".parse().unwrap()],
            ..masqueraded("203.0.113.1")
        };
        for (peer, origin) in [
            ("2001:db8:1::9", ClientOrigin::Outside),
            ("2001:db8:77::3", ClientOrigin::Local),
            ("fd00::3", ClientOrigin::Private),
            ("fe80::3", ClientOrigin::Private),
            ("::1", ClientOrigin::Private),
        ] {
            check(v6, "2001:db8:77::2", peer, origin, [Diagnosis::Blocked; 2]);
        }
    }

    #[test]
    fn an_offer_is_displayed_as_the_reply_announced_it() {
        let socket = |text: &str| text.parse().unwrap();
        let endpoints = Endpoints::new(socket("192.168.77.2:21"), socket("198.51.100.7:40000"));
        let rules = masqueraded("203.0.113.1");
        let announcement = rules.lookup(&endpoints);
        let shown = |with_address| {
            PassiveOffer::new(&rules, &endpoints, announcement, 60_004, with_address).to_string()
        };
        assert_eq!(shown(true), "203.0.113.1:60004");
        assert_eq!(shown(false), "port 60004");
    }
}
