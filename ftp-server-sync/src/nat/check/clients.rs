//! The replies to each kind of client: those of the core itself, on simulated connections.
//!
//! A session of the core runs for each kind of client with the settings to be checked. So the
//! replies here cannot differ from those of a running server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use ftp_proto::{
    Account, Action, Bound, ClientRule, Config, Endpoints, Outcome, Output, Rights, Session,
};
use ipnet::{IpNet, Ipv4Net};

use crate::net::interfaces::Interfaces;
use crate::settings::{KnownAddresses, LocalNetworks, PortRange, Settings};

/// Local addresses at which clients get the same replies.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LocalAddresses {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) clients: Vec<ClientKind>,
}

/// One kind of client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientKind {
    pub(super) label: String,
    /// The address of the simulated client.
    pub(super) peer: Option<IpAddr>,
    /// Or why no client of this kind can be simulated.
    pub(super) result: Result<ClientReplies, String>,
}

/// The replies to such a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientReplies {
    /// The announced address and port in words, and the rule behind them.
    pub(super) meaning: String,
    /// To PASV and to EPSV.
    pub(super) replies: Vec<String>,
}

/// Simulates each kind of client at each address that clients can connect to. `learned` is the
/// router's public address, if the router itself says so.
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
    for address in settings.local_addresses(interfaces) {
        let clients = match address {
            IpAddr::V6(_) => vec![simulation.ipv6_client(address)],
            IpAddr::V4(local) if local.is_loopback() => {
                vec![simulation.client("this machine", local, Ok(local))]
            }
            IpAddr::V4(local) => simulation.ipv4_clients(local),
        };
        match groups.iter_mut().find(|group| group.clients == clients) {
            Some(group) => group.addresses.push(address),
            None => groups.push(LocalAddresses {
                addresses: vec![address],
                clients,
            }),
        }
    }
    groups
}

/// The data port in the replies: the first of the range.
pub(super) fn example_port(settings: &Settings) -> u16 {
    settings
        .passive_ports
        .map_or(EPHEMERAL_PORT, PortRange::first)
}

struct Simulation<'a> {
    settings: &'a Settings,
    interfaces: &'a Interfaces,
    config: Arc<Config>,
}

impl Simulation<'_> {
    fn ipv4_clients(&self, local: Ipv4Addr) -> Vec<ClientKind> {
        let own_network = self.network_of(local);
        let neighbour = match own_network {
            None => Err("its interface has no network".to_owned()),
            Some(network) => self.free_address_in(network),
        };
        let router = own_network
            .and_then(|network| self.router_in(network))
            .ok_or_else(|| "no default gateway is known in its network".to_owned());
        let mut clients = vec![
            self.client("outside", local, Ok(self.outside_address())),
            self.client("local network", local, neighbour),
            self.client("hairpin", local, router),
        ];
        for network in self.networks_in_flags() {
            if Some(network) != own_network {
                let label = network.to_string();
                clients.push(self.client(&label, local, self.free_address_in(network)));
            }
        }
        clients
    }

    fn client(&self, label: &str, local: Ipv4Addr, peer: Result<Ipv4Addr, String>) -> ClientKind {
        ClientKind {
            label: label.to_owned(),
            peer: peer.as_ref().ok().copied().map(IpAddr::V4),
            result: peer.map(|peer| self.replies(local.into(), peer.into())),
        }
    }

    /// IPv6 clients get the same replies from every network.
    fn ipv6_client(&self, local: IpAddr) -> ClientKind {
        ClientKind {
            label: "over IPv6".to_owned(),
            peer: None,
            result: Ok(self.replies(local, IpAddr::V6(OUTSIDE_V6.into()))),
        }
    }

    fn replies(&self, local: IpAddr, peer: IpAddr) -> ClientReplies {
        let endpoints = Endpoints::new(
            SocketAddr::new(local, self.settings.control_port()),
            SocketAddr::new(peer, CLIENT_PORT),
        );
        // No range of ports begins with 0.
        let inner = NonZeroU16::new(example_port(self.settings)).unwrap_or(NonZeroU16::MIN);
        let replies = run_session(self.config.clone(), endpoints, inner);
        let rules = &self.config.masquerade;
        let announced = rules.lookup(&endpoints);
        let port = rules.announced_port(announced.port, Bound::new(inner));
        let target = match announced.address {
            IpAddr::V4(address) => format!("{address} port {port}"),
            IpAddr::V6(_) => format!("port {port} of the same address"),
        };
        ClientReplies {
            meaning: format!("{target}, by {}", announced.reason),
            replies,
        }
    }

    /// The network of the interface that has this address.
    fn network_of(&self, local: Ipv4Addr) -> Option<Ipv4Net> {
        let networks = self.interfaces.networks.iter().filter_map(ipv4_network);
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
        if let LocalNetworks::Networks(local) = &self.settings.local_networks {
            networks.extend(local.iter().filter_map(ipv4_network));
        }
        networks.sort_unstable();
        networks.dedup();
        networks
    }

    /// An address in the network that is not in use as far as is known, and to which no rule for a
    /// smaller network applies.
    fn free_address_in(&self, network: Ipv4Net) -> Result<Ipv4Addr, String> {
        let smaller: Vec<Ipv4Net> = self
            .networks_in_flags()
            .into_iter()
            .filter(|other| other.prefix_len() > network.prefix_len())
            .collect();
        let is_free = |address: &Ipv4Addr| {
            !self.is_taken(*address) && !smaller.iter().any(|other| other.contains(address))
        };
        network
            .hosts()
            .take(CANDIDATES_MAX)
            .find(is_free)
            .ok_or_else(|| "no address is free for such a client".to_owned())
    }

    /// An address on the Internet to which no rule for a network applies.
    fn outside_address(&self) -> Ipv4Addr {
        let has_rule = |address: Ipv4Addr| {
            let applies =
                |network: &Ipv4Net| network.prefix_len() > 0 && network.contains(&address);
            let interfaces = self.interfaces.networks.iter().filter_map(ipv4_network);
            interfaces
                .chain(self.networks_in_flags())
                .any(|network| applies(&network))
        };
        let candidates = OUTSIDE.map(Ipv4Addr::from);
        let found = candidates.iter().find(|&&address| !has_rule(address));
        *found.unwrap_or(&candidates[0])
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

/// Runs a session that logs in and sends PASV and EPSV. Returns the replies to these two.
fn run_session(config: Arc<Config>, endpoints: Endpoints, port: NonZeroU16) -> Vec<String> {
    let mut session = Session::new(config, endpoints);
    let mut replies = Vec::new();
    let mut unused: &[u8] = b"USER anonymous\r\nPASS check@\r\nPASV\r\nEPSV\r\n";
    loop {
        while let Some(output) = session.poll_output() {
            let outcome = match output {
                Output::Reply(reply) => {
                    let mut bytes = Vec::new();
                    reply.encode(&mut bytes);
                    replies.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
                    continue;
                }
                Output::Action(Action::Authenticate { .. }) => {
                    Outcome::Authenticated(Some(Account::new(Rights::READ_ONLY)))
                }
                Output::Action(Action::OpenPassive(_)) => {
                    Outcome::PassiveOpened(Ok(Bound::new(port)))
                }
                Output::Action(_) => continue,
            };
            // Each outcome answers the action before it, so it is accepted.
            let accepted = session.handle_outcome(outcome);
            debug_assert!(accepted.is_ok(), "{accepted:?}");
        }
        match session.handle_input(unused) {
            0 => break,
            used => unused = &unused[used..],
        }
    }
    // The replies before are the greeting and those to the login.
    let last_two = replies.len().saturating_sub(2);
    replies.split_off(last_two)
}

fn ipv4_network(network: &IpNet) -> Option<Ipv4Net> {
    match network {
        IpNet::V4(network) => Some(*network),
        IpNet::V6(_) => None,
    }
}

/// Addresses for documentation (RFC 5737), and one for benchmarks (RFC 2544): no host has them.
const OUTSIDE: [[u8; 4]; 4] = [
    [198, 51, 100, 7],
    [203, 0, 113, 7],
    [192, 0, 2, 7],
    [198, 18, 0, 7],
];
const OUTSIDE_V6: [u16; 8] = [0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 7];
const CLIENT_PORT: u16 = 50_000;
/// The first port of the range from which the kernel usually chooses.
const EPHEMERAL_PORT: u16 = 32_768;
/// In a large network, not every address is tried.
const CANDIDATES_MAX: usize = 4096;
