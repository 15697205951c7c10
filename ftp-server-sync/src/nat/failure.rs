//! Why a client did not connect to its passive port: decided by what has happened, and not by
//! addresses alone.
//!
//! Pure: the evidence comes as a value. Each cause that a flag cures has the value of that flag.

mod text;

use std::net::{IpAddr, Ipv4Addr};

use ftp_proto::{AnnounceReason, ClientOrigin, Diagnosis, PassiveOffer, PortNumber, Reach};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::reached_ports::PortHistory;
use crate::net::interfaces::Interfaces;
use crate::net::port_range::PortRange;
use crate::net::reach::is_public;

/// What is known when a client did not connect.
#[derive(Clone, Debug)]
pub(crate) struct FailureEvidence<'a> {
    pub(crate) offer: PassiveOffer,
    /// The server's end of the control connection.
    pub(crate) local: IpAddr,
    /// The client, or who passes its control connection on.
    pub(crate) peer: IpAddr,
    /// Who came to the port instead.
    pub(crate) strangers: &'a [IpAddr],
    /// Those of them that had come to an earlier port of this client.
    pub(crate) returned: Vec<IpAddr>,
    pub(crate) history: PortHistory,
    /// The client's control connection was lost.
    pub(crate) is_lost: bool,
    pub(crate) interfaces: &'a Interfaces,
    /// The network of this machine's route to the client, unless that is a default route.
    pub(crate) route: Option<IpNet>,
    /// What clients outside are given, as the value of a flag.
    pub(crate) public: Option<String>,
    pub(crate) passive_ports: Option<PortRange>,
    pub(crate) outer_ports: Option<PortRange>,
}

/// Why a client did not connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FailureCause {
    /// Nothing is known but the addresses.
    Addresses {
        diagnosis: Diagnosis,
        reason: AnnounceReason,
        /// Passive ports are limited to a range, which a router can forward.
        has_range: bool,
    },
    /// The client was gone.
    ClientGone,
    /// Others came to the port: another address of the client, or several.
    OtherAddress {
        came: Vec<IpAddr>,
        gateway: IpNet,
        /// It is this site's router alone, which may be shown to the client.
        is_router: bool,
    },
    /// The control connection comes through a gateway, and the data connection does not.
    ThroughGateway {
        gateway: IpAddr,
        kind: GatewayKind,
        came: Vec<IpAddr>,
    },
    /// The control connection comes from this machine itself, and clients are given an address that
    /// leads to themselves. `public`: for the rule that cures.
    OwnProxy { clients: IpNet, public: String },
    /// The same, and the address is right or not in the reply: the port does not get through.
    OwnProxyPort { peer: IpAddr },
    /// The same port was reached lately. `trusts`: the announced address, if the client may have
    /// trusted that one, and others not.
    ClientSide { trusts: Option<IpAddr> },
    /// Of the range, some ports are reached, and others never.
    PartOfRange {
        reached: PortRange,
        /// Enough of them to use no others.
        is_enough: bool,
        port: u16,
        /// The value of `--outer-ports`, if it must change too.
        outer: Option<PortRange>,
        /// Only this client has failed, and has never reached a port: it may have a firewall.
        is_alone: bool,
    },
    /// Clients reach the ports only if the reply does not contain the announced address.
    WrongAddress {
        announced: IpAddr,
        reason: AnnounceReason,
    },
    /// The client reaches the ports only if the reply contains the announced address.
    ExtendedPassive,
    /// A neighbour that may translate for clients outside.
    Neighbour { neighbour: IpAddr, public: String },
    /// A private network that is routed, and whose clients are given the router's address.
    RoutedNetwork { clients: IpNet },
    /// The client came by another address of this machine than the one that is announced leads to.
    OtherOwnAddress { local: Ipv4Addr, public: String },
}

/// Where a control connection came from that may be another one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatewayKind {
    Router,
    ThisMachine,
    /// It may be the client itself.
    Unknown,
}

impl FailureEvidence<'_> {
    /// What has happened, as far as the evidence shows.
    pub(crate) fn cause(&self) -> FailureCause {
        if self.is_lost {
            return FailureCause::ClientGone;
        }
        self.someone_else()
            .or_else(|| self.own_proxy())
            .or_else(|| self.private_address())
            .or_else(|| self.address_of_reply())
            .or_else(|| self.neighbour())
            .or_else(|| self.client_side())
            .or_else(|| self.part_of_range())
            .or_else(|| self.routed_network())
            .or_else(|| self.other_own_address())
            .unwrap_or(self.by_addresses())
    }

    fn by_addresses(&self) -> FailureCause {
        FailureCause::Addresses {
            diagnosis: self.offer.diagnosis,
            reason: self.offer.announcement.reason,
            has_range: self.passive_ports.is_some(),
        }
    }

    /// The address is certainly wrong, whatever else there is.
    fn private_address(&self) -> Option<FailureCause> {
        (self.offer.diagnosis == Diagnosis::PrivateAddress).then(|| self.by_addresses())
    }

    /// Others came to the port.
    fn someone_else(&self) -> Option<FailureCause> {
        let (came, peer) = (self.evident_strangers(), self.peer);
        let first = *came.first()?;
        let kind = if self.is_router(peer) {
            GatewayKind::Router
        } else if self.is_own(peer) {
            GatewayKind::ThisMachine
        } else {
            GatewayKind::Unknown
        };
        let is_outside = came.iter().all(|address| is_public(*address));
        if kind != GatewayKind::Unknown || (!is_public(peer) && is_outside) {
            let gateway = peer;
            return Some(FailureCause::ThroughGateway {
                gateway,
                kind,
                came,
            });
        }
        let gateway = match came.len() {
            // A device changes its IPv6 address in its network as often as it likes.
            1 if first.is_ipv4() || !is_near(first, peer) => first.into(),
            _ => network_of(&came, peer)?,
        };
        let is_router = came.len() == 1 && self.is_router(first);
        Some(FailureCause::OtherAddress {
            came,
            gateway,
            is_router,
        })
    }

    /// Those that may be the client or its gateway. Ports are scanned all the time, so that anyone
    /// else from outside must have come for the same client before.
    fn evident_strangers(&self) -> Vec<IpAddr> {
        let is_neighbour = |address: IpAddr| is_public(address) && is_near(address, self.peer);
        let mut came = self.strangers.to_vec();
        // Where the announced address is wrong, no other one can be the client.
        let is_wrong = self.offer.diagnosis == Diagnosis::PrivateAddress;
        came.retain(|address| {
            let has_returned = self.returned.contains(address) && !is_wrong;
            !is_public(*address) || is_neighbour(*address) || has_returned
        });
        // One inside is a gateway. Beside it, those outside scan ports.
        if came.iter().any(|address| !is_public(*address)) {
            came.retain(|address| !is_public(*address));
        } else if came.iter().any(|address| is_neighbour(*address)) {
            came.retain(|address| is_neighbour(*address));
        }
        came
    }

    /// A connection of this machine to itself cannot fail: clients are behind a proxy.
    fn own_proxy(&self) -> Option<FailureCause> {
        let peer = self.peer;
        if !self.is_own(peer) {
            return None;
        }
        let announced = self.offer.announcement.address;
        let IpAddr::V4(address) = peer else {
            return Some(FailureCause::OwnProxyPort { peer });
        };
        if !self.offer.with_address || !self.is_own(announced) {
            return Some(FailureCause::OwnProxyPort { peer });
        }
        let clients = if address.is_loopback() {
            Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into()
        } else {
            peer.into()
        };
        Some(FailureCause::OwnProxy {
            clients,
            public: self.public_or_own(),
        })
    }

    /// One of the two kinds of replies leads elsewhere.
    fn address_of_reply(&self) -> Option<FailureCause> {
        let history = &self.history;
        let announcement = self.offer.announcement;
        if self.offer.with_address {
            // Some clients ignore the address: those that get through with it do not show that it
            // is right. One that gets through only without it shows that it is wrong.
            let is_its_own_way = history.client_without_address && !history.client_with_address;
            let is_reached = history.is_reached || history.is_reached_without_address;
            let is_wrong = announcement.port == PortNumber::Outer
                && ((history.is_reached_without_address && !history.any_with_address)
                    || (is_reached && is_its_own_way));
            return is_wrong.then_some(FailureCause::WrongAddress {
                announced: announcement.address,
                reason: announcement.reason,
            });
        }
        let leads_elsewhere = history.client_with_address && !history.any_without_address;
        leads_elsewhere.then_some(FailureCause::ExtendedPassive)
    }

    fn client_side(&self) -> Option<FailureCause> {
        let (history, announcement) = (&self.history, self.offer.announcement);
        // What others miss too is no fault of the client.
        if !history.is_reached || history.others_missed_since {
            return None;
        }
        let may_be_wrong = self.offer.with_address
            && announcement.address != self.local
            && !history.client_with_address;
        Some(FailureCause::ClientSide {
            trusts: may_be_wrong.then_some(announcement.address),
        })
    }

    /// Some ports are reached, and this one is not.
    fn part_of_range(&self) -> Option<FailureCause> {
        let (history, port, range) = (&self.history, self.offer.port, self.passive_ports?);
        if history.reached.contains(&port) {
            return None;
        }
        let part = longest_part(history)?;
        let outer = match self.offer.announcement.port {
            PortNumber::Outer => self.outer_ports,
            PortNumber::Inner => None,
        };
        let all = outer.unwrap_or(range);
        let is_known =
            |port: u16| history.reached.contains(&port) || history.missed.contains(&port);
        let is_enough = history.reached.range(part.first()..=part.last()).count() >= ENOUGH
            || (all.first()..=all.last()).all(is_known);
        let reached = match outer {
            None => part,
            Some(outer) => {
                let inner = |port: u16| range.first().checked_add(port.checked_sub(outer.first())?);
                PortRange::new(inner(part.first())?, inner(part.last())?).ok()?
            }
        };
        Some(FailureCause::PartOfRange {
            reached,
            is_enough,
            port,
            outer: outer.map(|_| part),
            is_alone: !self.has_reached() && !history.others_missed,
        })
    }

    /// Whether the client has reached a port lately.
    fn has_reached(&self) -> bool {
        self.history.client_with_address || self.history.client_without_address
    }

    /// A client in the local network is given the local address, where no router is in between.
    fn neighbour(&self) -> Option<FailureCause> {
        let is_given_local_address = matches!(
            self.offer.announcement.reason,
            AnnounceReason::LocalClient(_)
        );
        let may_translate = self.offer.origin == ClientOrigin::Local
            && is_given_local_address
            && self.offer.with_address
            && !self.has_reached();
        let public = self.public.clone().filter(|_| may_translate)?;
        Some(FailureCause::Neighbour {
            neighbour: self.peer,
            public,
        })
    }

    /// A client in another private network is given the address of a router that it need not pass.
    fn routed_network(&self) -> Option<FailureCause> {
        let is_routed = self.offer.origin == ClientOrigin::Private
            && self.is_given_public_address()
            && !self.is_router(self.peer);
        if !is_routed {
            return None;
        }
        let IpAddr::V4(peer) = self.peer else {
            return None;
        };
        let clients = self.route.unwrap_or_else(|| {
            let of_provider = |address| Reach::of(address) == Reach::Provider;
            // An overlay network gives its members any address of this range.
            if of_provider(self.peer) && of_provider(self.local) {
                PROVIDER.into()
            } else {
                Ipv4Net::new_assert(peer, 24).trunc().into()
            }
        });
        Some(FailureCause::RoutedNetwork { clients })
    }

    /// The announced address leads to another address of this machine, where the port is not open.
    fn other_own_address(&self) -> Option<FailureCause> {
        let IpAddr::V4(local) = self.local else {
            return None;
        };
        let is_for_all = self.offer.announcement.reason == AnnounceReason::MasqueradeAddress;
        if !is_for_all || !self.is_given_public_address() {
            return None;
        }
        let public = if is_public(local) {
            local.to_string()
        } else if self.history.other_local.is_some() && self.history.reached.is_empty() {
            UNKNOWN.to_owned()
        } else {
            return None;
        };
        Some(FailureCause::OtherOwnAddress { local, public })
    }

    /// The reply contains a public address that is not the one which the client connected to.
    fn is_given_public_address(&self) -> bool {
        let announcement = self.offer.announcement;
        self.offer.with_address
            && announcement.port == PortNumber::Outer
            && is_public(announcement.address)
            && announcement.address != self.local
    }

    fn is_own(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.interfaces.has(address)
    }

    fn is_router(&self, address: IpAddr) -> bool {
        let mut gateways = self.interfaces.gateways.iter().map(IpAddr::to_canonical);
        gateways.any(|gateway| gateway == address)
    }

    /// What clients outside are given, or the address by which others reach this machine.
    fn public_or_own(&self) -> String {
        if let Some(public) = &self.public {
            return public.clone();
        }
        let own = self.interfaces.addresses.iter().map(IpAddr::to_canonical);
        let own: Vec<Ipv4Addr> = own
            .filter_map(|address| match address {
                IpAddr::V4(address) if !address.is_loopback() => Some(address),
                _ => None,
            })
            .collect();
        let own = self.interfaces.reachable_by_router(&own);
        let first = own.first();
        first.map_or_else(|| UNKNOWN.to_owned(), Ipv4Addr::to_string)
    }
}

/// The longest run of ports that has no port in it to which clients did not connect, from the first
/// to the last one that was reached.
fn longest_part(history: &PortHistory) -> Option<PortRange> {
    let missed = history.missed.difference(&history.reached);
    let bounds: Vec<u16> = missed.copied().chain([u16::MAX]).collect();
    let mut parts = Vec::new();
    let mut from = 0;
    for bound in bounds {
        if from <= bound {
            let mut within = history.reached.range(from..=bound);
            let (first, last) = (within.next(), history.reached.range(from..=bound).last());
            if let (Some(&first), Some(&last)) = (first, last) {
                parts.extend(PortRange::new(first, last));
            }
        }
        from = bound.saturating_add(1);
    }
    parts.into_iter().max_by_key(|part| part.count())
}

/// The smallest network that contains them, with the client if that is near; `None` if they are not
/// near each other: others than the client scan ports, too.
fn network_of(came: &[IpAddr], peer: IpAddr) -> Option<IpNet> {
    let first = *came.first()?;
    let near = Some(peer).filter(|peer| is_near(first, *peer));
    let all = came.iter().copied().chain(near);
    let shared = all
        .clone()
        .map(|address| shared_bits(first, address))
        .min()?;
    let (least, most) = if first.is_ipv4() { (24, 32) } else { (64, 64) };
    let length = shared.clamp(least, most);
    let network = match first {
        IpAddr::V4(address) => IpNet::V4(Ipv4Net::new(address, length).ok()?),
        IpAddr::V6(address) => IpNet::V6(Ipv6Net::new(address, length).ok()?),
    };
    let network = network.trunc();
    all.clone()
        .all(|address| network.contains(&address))
        .then_some(network)
}

/// The number of bits that are the same from the beginning on.
fn shared_bits(one: IpAddr, other: IpAddr) -> u8 {
    let bits = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => 0,
    };
    u8::try_from(bits).unwrap_or_default()
}

/// Whether one household, or one pool of a provider, may have both.
fn is_near(one: IpAddr, other: IpAddr) -> bool {
    shared_bits(one, other) >= if one.is_ipv4() { 24 } else { 64 }
}

/// This number of ports is no accident, and enough to work with.
const ENOUGH: usize = 3;

/// In the place of a value that only the operator knows.
const UNKNOWN: &str = "PUBLIC";

/// The addresses of RFC 6598.
const PROVIDER: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);

#[cfg(test)]
mod tests;
