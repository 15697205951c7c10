//! The replies to each kind of client: those of the core itself, on simulated connections.
//!
//! A session of the core runs for each kind of client with the settings to be checked. So the
//! replies here cannot differ from those of a running server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use ftp_proto::{AnnounceReason, Bound, ClientRule, Config, Endpoints};
use ipnet::{IpNet, Ipv4Net};

use super::simulated_session;
use crate::net::interfaces::Interfaces;
use crate::net::order;
use crate::settings::{AccessRefusal, KnownAddresses, PortRange, Settings};

/// Local addresses at which clients get the same replies, except that these may contain the address
/// that the client connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalAddresses {
    pub(super) addresses: Vec<IpAddr>,
    /// What clients at the first address are given.
    pub(super) offers: Vec<Offer>,
}

/// What some kinds of clients are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// The announced address and port in words, and the rule behind them.
    pub(super) meaning: String,
    /// To PASV and to EPSV; none to clients that are refused.
    pub(super) replies: Vec<String>,
    pub(super) clients: Vec<Client>,
    /// The meaning without the client's network and the address that it connected to.
    pattern: String,
}

/// One kind of client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) label: String,
    /// The address of the simulated client.
    pub(super) peer: Option<IpAddr>,
}

/// Simulates each kind of client at each address that clients can connect to: the addresses that a
/// router leads to come first, the loopback address last. `learned` is the router's public address,
/// if the router itself says so.
pub(super) fn simulate(
    settings: &Settings,
    interfaces: &Interfaces,
    known: &KnownAddresses,
    learned: Option<Ipv4Addr>,
) -> Vec<LocalAddresses> {
    let mut config = settings.config(interfaces, known);
    config.masquerade.learned = learned;
    let simulation = Simulation {
        settings,
        interfaces,
        config: Arc::new(config),
    };
    let mut groups: Vec<LocalAddresses> = Vec::new();
    for address in shown_addresses(settings, interfaces) {
        let group = simulation.at(address);
        match groups.iter_mut().find(|other| other.includes(&group)) {
            Some(other) => other.addresses.push(address),
            None => groups.push(group),
        }
    }
    groups
}

/// The local addresses in the order of the report. IPv6 addresses of one link are left out: clients
/// there get what all clients over IPv6 get.
pub(super) fn shown_addresses(settings: &Settings, interfaces: &Interfaces) -> Vec<IpAddr> {
    let mut addresses = settings.local_addresses(interfaces);
    addresses.retain(|address| match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    });
    let ipv4 = |address: &IpAddr| match address {
        IpAddr::V4(address) if !address.is_loopback() => Some(*address),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    let others: Vec<Ipv4Addr> = addresses.iter().filter_map(ipv4).collect();
    let routed = interfaces.reachable_by_router(&others);
    order::sort_by_key(&mut addresses, |address| match address {
        IpAddr::V4(address) if address.is_loopback() => 3,
        IpAddr::V6(_) => 2,
        IpAddr::V4(address) => u8::from(!routed.contains(address)),
    });
    addresses
}

/// The data port in the replies: the first of the range.
pub(super) fn example_port(settings: &Settings) -> u16 {
    settings
        .passive_ports
        .map_or(EPHEMERAL_PORT, PortRange::first)
}

impl LocalAddresses {
    /// Whether all kinds of clients at the other address are given the same at this one.
    fn includes(&self, other: &Self) -> bool {
        let same_place = |address: IpAddr| (address.is_ipv4(), address.is_loopback());
        let is_same = match (self.addresses[0], other.addresses[0]) {
            (IpAddr::V6(_), IpAddr::V6(_)) => true,
            (one, two) => same_place(one) == same_place(two),
        };
        let kinds = |offer: &Offer| -> Vec<(String, String)> {
            let labels = offer.clients.iter().map(|client| client.label.clone());
            labels.map(|label| (offer.pattern.clone(), label)).collect()
        };
        let own: Vec<_> = self.offers.iter().flat_map(kinds).collect();
        let mut others = other.offers.iter().flat_map(kinds);
        is_same && others.all(|kind| own.contains(&kind))
    }

    fn add(&mut self, client: Client, offer: Offer) {
        let mut offers = self.offers.iter_mut();
        match offers.find(|other| other.meaning == offer.meaning && other.replies == offer.replies)
        {
            Some(other) => other.clients.push(client),
            None => self.offers.push(Offer {
                clients: vec![client],
                ..offer
            }),
        }
    }
}

struct Simulation<'a> {
    settings: &'a Settings,
    interfaces: &'a Interfaces,
    config: Arc<Config>,
}

impl Simulation<'_> {
    /// All kinds of clients that connect to this address.
    fn at(&self, address: IpAddr) -> LocalAddresses {
        let mut group = LocalAddresses {
            addresses: vec![address],
            offers: Vec::new(),
        };
        match address {
            // IPv6 clients get the same replies from every network.
            IpAddr::V6(_) => self.add(&mut group, "over IPv6", None),
            IpAddr::V4(local) if local.is_loopback() => {
                self.add(&mut group, THIS_MACHINE, Some(local));
            }
            IpAddr::V4(local) => self.add_ipv4_clients(&mut group, local),
        }
        // Behind such an address there may be clients elsewhere.
        let hides_others = |client: &Client| [THIS_MACHINE, LOCAL].contains(&&*client.label);
        for offer in &mut group.offers {
            if offer.clients.iter().any(hides_others) {
                offer.clients.push(Client {
                    label: THROUGH.to_owned(),
                    peer: None,
                });
            }
        }
        group
    }

    fn add_ipv4_clients(&self, group: &mut LocalAddresses, local: Ipv4Addr) {
        let own_network = self.network_of(local);
        self.add(group, "outside", Some(self.outside_address()));
        if let Some(peer) = self.routed_address() {
            self.add(group, ROUTED, Some(peer));
        }
        // Without a public address, there is none to connect to.
        let router = own_network.filter(|_| self.settings.masquerades());
        if let Some(router) = router.and_then(|network| self.router_in(network)) {
            self.add(group, HAIRPIN, Some(router));
        }
        let neighbour = match own_network {
            Some(network) => (LOCAL, self.free_address_in(network)),
            None => (TUNNEL, self.address_near(local)),
        };
        if let (label, Some(peer)) = neighbour {
            self.add(group, label, Some(peer));
        }
        self.add(group, THIS_MACHINE, Some(local));
        for network in self.networks_in_flags() {
            if Some(network) != own_network
                && let Some(peer) = self.free_address_in(network)
            {
                self.add(group, &network.to_string(), Some(peer));
            }
        }
        let gateways = self.settings.trusted_gateways.iter();
        for gateway in gateways.filter_map(ipv4_network) {
            let peer = self.free_address_in(gateway);
            self.add(group, GATEWAY, peer.or(gateway.hosts().next()));
        }
    }

    fn add(&self, group: &mut LocalAddresses, label: &str, peer: Option<Ipv4Addr>) {
        let (local, peer) = (group.addresses[0], peer.map(IpAddr::V4));
        let client = Client {
            label: label.to_owned(),
            peer,
        };
        let peer = peer.unwrap_or_else(|| self.outside_address_v6());
        if local.is_ipv4() == peer.is_ipv4() {
            group.add(client, self.offer(local, peer));
        }
    }

    fn offer(&self, local: IpAddr, peer: IpAddr) -> Offer {
        if let Err(refusal) = self.settings.access.check(peer) {
            let meaning = match refusal {
                AccessRefusal::Denied(network) => format!("refused, by --deny {network}"),
                AccessRefusal::NotAllowed => "refused, in no network of --allow".to_owned(),
            };
            return Offer {
                pattern: meaning.clone(),
                meaning,
                replies: Vec::new(),
                clients: Vec::new(),
            };
        }
        let endpoints = Endpoints::new(
            SocketAddr::new(local, self.settings.control_port()),
            SocketAddr::new(peer, CLIENT_PORT),
        );
        // No range of ports begins with 0.
        let inner = NonZeroU16::new(example_port(self.settings)).unwrap_or(NonZeroU16::MIN);
        let replies = simulated_session::replies(self.config.clone(), endpoints, inner);
        let rules = &self.config.masquerade;
        let announced = rules.lookup(&endpoints);
        let port = rules.announced_port(announced.port, Bound::new(inner));
        let target = match announced.address {
            IpAddr::V4(address) => format!("{address} port {port}"),
            IpAddr::V6(_) => format!("port {port} of the same address"),
        };
        let pattern_of_target = if announced.address == local {
            "its own address".to_owned()
        } else {
            target.clone()
        };
        let pattern_of_rule = match announced.reason {
            AnnounceReason::LocalClient(_) => "local client".to_owned(),
            reason => reason.to_string(),
        };
        Offer {
            meaning: format!("{target}, by {}", announced.reason),
            replies,
            clients: Vec::new(),
            pattern: format!("{pattern_of_target}, by {pattern_of_rule}"),
        }
    }

    /// The network of the interface that has this address.
    fn network_of(&self, local: Ipv4Addr) -> Option<Ipv4Net> {
        let own = self.interfaces.local_networks();
        let networks = own.iter().filter_map(ipv4_network);
        networks
            .filter(|network| network.contains(&local) && network.prefix_len() < 32)
            .max_by_key(Ipv4Net::prefix_len)
    }

    fn router_in(&self, network: Ipv4Net) -> Option<Ipv4Addr> {
        let gateways = self.interfaces.gateways.iter();
        gateways
            .filter_map(|gateway| match gateway.to_canonical() {
                IpAddr::V4(gateway) => Some(gateway),
                IpAddr::V6(_) => None,
            })
            .find(|gateway| network.contains(gateway))
    }

    /// The networks that flags name.
    fn networks_in_flags(&self) -> Vec<Ipv4Net> {
        let by_rule = self.settings.masquerade_clients.iter();
        let mut networks: Vec<Ipv4Net> = by_rule
            .filter_map(|(network, _)| ipv4_network(network))
            .collect();
        let local = self.settings.local_networks.named();
        networks.extend(local.iter().filter_map(ipv4_network));
        order::sort(&mut networks);
        networks.dedup();
        networks
    }

    /// An address in the network that is not in use as far as is known, and to which no rule for a
    /// smaller network applies.
    fn free_address_in(&self, network: Ipv4Net) -> Option<Ipv4Addr> {
        let smaller: Vec<Ipv4Net> = self
            .networks_in_flags()
            .into_iter()
            .filter(|other| other.prefix_len() > network.prefix_len())
            .collect();
        let is_free = |address: &Ipv4Addr| {
            !self.is_taken(*address) && !smaller.iter().any(|other| other.contains(address))
        };
        network.hosts().take(CANDIDATES_MAX).find(is_free)
    }

    /// The other end of a tunnel is not known; it has an address beside this one in most cases.
    fn address_near(&self, local: Ipv4Addr) -> Option<Ipv4Addr> {
        let around = Ipv4Net::new(local, TUNNEL_BITS).ok()?;
        self.free_address_in(around.trunc())
    }

    /// An address on the Internet to which no rule for a network applies.
    fn outside_address(&self) -> Ipv4Addr {
        let candidates = OUTSIDE.map(Ipv4Addr::from);
        let found = candidates
            .into_iter()
            .find(|&address| !self.has_rule(address));
        found.unwrap_or(candidates[0])
    }

    /// An IPv6 address, one that is allowed if some are.
    fn outside_address_v6(&self) -> IpAddr {
        let mut allowed = self.settings.access.allowed.iter().map(IpNet::addr);
        let allowed = allowed.find(IpAddr::is_ipv6);
        allowed.unwrap_or(IpAddr::V6(OUTSIDE_V6.into()))
    }

    /// A private address to which no rule for a network applies.
    fn routed_address(&self) -> Option<Ipv4Addr> {
        let mut candidates = ELSEWHERE.into_iter().map(Ipv4Addr::from);
        candidates.find(|&address| !self.has_rule(address))
    }

    fn has_rule(&self, address: Ipv4Addr) -> bool {
        let own = self.interfaces.local_networks();
        let interfaces = own.iter().filter_map(ipv4_network);
        let mut networks = interfaces.chain(self.networks_in_flags());
        networks.any(|network| network.prefix_len() > 0 && network.contains(&address))
    }

    /// Whether the address is this machine's, a router's, or one that a rule announces.
    fn is_taken(&self, address: Ipv4Addr) -> bool {
        let own = self.interfaces.addresses.iter();
        let mut hosts = own.chain(&self.interfaces.gateways);
        let mut rules = self.config.masquerade.clients.iter();
        hosts.any(|host| host.to_canonical() == IpAddr::V4(address))
            || rules.any(|(_, rule)| *rule == ClientRule::Announce(address.into()))
    }
}

fn ipv4_network(network: &IpNet) -> Option<Ipv4Net> {
    match network {
        IpNet::V4(network) => Some(*network),
        IpNet::V6(_) => None,
    }
}

/// What the report calls the kinds of clients.
pub(super) const HAIRPIN: &str = "hairpin";
pub(super) const ROUTED: &str = "routed network";
pub(super) const LOCAL: &str = "local network";
const TUNNEL: &str = "over its tunnel";
pub(super) const THIS_MACHINE: &str = "this machine";
pub(super) const THROUGH: &str = "through these";
pub(super) const GATEWAY: &str = "trusted gateway";

/// Addresses for documentation (RFC 5737), and one for benchmarks (RFC 2544): no host has them.
const OUTSIDE: [[u8; 4]; 4] = [
    [198, 51, 100, 7],
    [203, 0, 113, 7],
    [192, 0, 2, 7],
    [198, 18, 0, 7],
];
const OUTSIDE_V6: [u16; 8] = [0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 7];
/// Private addresses (RFC 1918), of which networks seldom contain all.
const ELSEWHERE: [[u8; 4]; 3] = [[172, 30, 0, 7], [10, 99, 0, 7], [192, 168, 199, 7]];
/// The prefix length of the smallest network that has another address beside each.
const TUNNEL_BITS: u8 = 30;
const CLIENT_PORT: u16 = 50_000;
/// The first port of the range from which the kernel usually chooses.
const EPHEMERAL_PORT: u16 = 32_768;
/// In a large network, not every address is tried.
const CANDIDATES_MAX: usize = 4096;
