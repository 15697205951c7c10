//! What each kind of client is told: the replies of the core itself, on made-up connections.
//!
//! A session runs for each kind, with the settings that would be served, so that what is shown here
//! cannot differ from what is served.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ftp_proto::{Action, ClientRule, Config, Endpoints, Outcome, Output, Permissions, Session};
use ipnet::{IpNet, Ipv4Net};

use crate::net::interfaces::Interfaces;
use crate::settings::{LocalNetworks, Names, PortRange, Settings};

/// Addresses to connect to at which clients are told the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) kinds: Vec<Kind>,
}

/// One kind of client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) label: String,
    pub(super) peer: Option<IpAddr>,
    /// Or why no client of this kind can be shown.
    pub(super) answer: Result<Answer, String>,
}

/// What such a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The address and the port in words, and the rule.
    pub(super) meaning: String,
    /// To PASV and to EPSV.
    pub(super) replies: Vec<String>,
}

/// The kinds of clients at each address that is listened on.
pub(super) fn places(settings: &Settings, interfaces: &Interfaces, names: &Names) -> Vec<Place> {
    let witness = Witness {
        settings,
        interfaces,
        config: Arc::new(settings.config(interfaces, names)),
    };
    let mut places: Vec<Place> = Vec::new();
    for address in settings.local_addresses(interfaces) {
        let kinds = match address {
            IpAddr::V6(_) => vec![witness.over_ipv6(address)],
            IpAddr::V4(local) if local.is_loopback() => {
                vec![witness.kind("this machine", local, Ok(local))]
            }
            IpAddr::V4(local) => witness.kinds(local),
        };
        match places.iter_mut().find(|place| place.kinds == kinds) {
            Some(place) => place.addresses.push(address),
            None => places.push(Place {
                addresses: vec![address],
                kinds,
            }),
        }
    }
    places
}

/// The data port of the replies: the first of the range.
pub(super) fn example_port(settings: &Settings) -> u16 {
    settings
        .passive_ports
        .map_or(EPHEMERAL_PORT, PortRange::first)
}

struct Witness<'a> {
    settings: &'a Settings,
    interfaces: &'a Interfaces,
    config: Arc<Config>,
}

impl Witness<'_> {
    fn kinds(&self, local: Ipv4Addr) -> Vec<Kind> {
        let own = self.network_of(local);
        let neighbour = match own {
            None => Err("its interface has no network".to_owned()),
            Some(network) => self.somebody_in(network),
        };
        let router = own
            .and_then(|network| self.router_in(network))
            .ok_or_else(|| "no default gateway is known in its network".to_owned());
        let mut kinds = vec![
            self.kind("outside", local, Ok(self.outsider())),
            self.kind("local network", local, neighbour),
            self.kind("hairpin", local, router),
        ];
        for network in self.networks_of_flags() {
            if Some(network) != own {
                kinds.push(self.kind(&network.to_string(), local, self.somebody_in(network)));
            }
        }
        kinds
    }

    fn kind(&self, label: &str, local: Ipv4Addr, peer: Result<Ipv4Addr, String>) -> Kind {
        Kind {
            label: label.to_owned(),
            peer: peer.as_ref().ok().copied().map(IpAddr::V4),
            answer: peer.map(|peer| self.answer(local.into(), peer.into())),
        }
    }

    /// IPv6 clients are told the same wherever they come from.
    fn over_ipv6(&self, local: IpAddr) -> Kind {
        Kind {
            label: "over IPv6".to_owned(),
            peer: None,
            answer: Ok(self.answer(local, IpAddr::V6(OUTSIDER_V6.into()))),
        }
    }

    fn answer(&self, local: IpAddr, peer: IpAddr) -> Answer {
        let endpoints = Endpoints::new(
            SocketAddr::new(local, self.settings.control_port()),
            SocketAddr::new(peer, CLIENT_PORT),
        );
        let inner = example_port(self.settings);
        let (session, replies) = converse(self.config.clone(), endpoints, inner);
        let announced = session.announcement();
        let port = self.config.masquerade.announced_port(announced.port, inner);
        let target = match announced.address {
            IpAddr::V4(address) => format!("{address} port {port}"),
            IpAddr::V6(_) => format!("port {port} of the same address"),
        };
        Answer {
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

    /// The networks that flags speak of.
    fn networks_of_flags(&self) -> Vec<Ipv4Net> {
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

    /// A client in the network that is no router, not this machine, and under no narrower rule.
    fn somebody_in(&self, network: Ipv4Net) -> Result<Ipv4Addr, String> {
        let narrower: Vec<Ipv4Net> = self
            .networks_of_flags()
            .into_iter()
            .filter(|other| other.prefix_len() > network.prefix_len())
            .collect();
        let is_free = |address: &Ipv4Addr| {
            !self.is_known(*address) && !narrower.iter().any(|other| other.contains(address))
        };
        network
            .hosts()
            .take(CANDIDATES)
            .find(is_free)
            .ok_or_else(|| "no address for such a client is left".to_owned())
    }

    /// A client somewhere on the Internet.
    fn outsider(&self) -> Ipv4Addr {
        let special = |address: Ipv4Addr| {
            let narrow = |network: &Ipv4Net| network.prefix_len() > 0 && network.contains(&address);
            let interfaces = self.interfaces.networks.iter().filter_map(ipv4_network);
            interfaces
                .chain(self.networks_of_flags())
                .any(|network| narrow(&network))
        };
        let candidates = OUTSIDERS.map(Ipv4Addr::from);
        let found = candidates.iter().find(|&&address| !special(address));
        *found.unwrap_or(&candidates[0])
    }

    /// This machine, a router, or whom a rule announces.
    fn is_known(&self, address: Ipv4Addr) -> bool {
        let own = self.interfaces.addresses.iter();
        let mut hosts = own.chain(&self.interfaces.gateways);
        let mut rules = self.config.masquerade.clients.iter();
        hosts.any(|host| host.to_canonical() == IpAddr::V4(address))
            || rules.any(|(_, rule)| *rule == ClientRule::Announce(address))
    }
}

/// Logs in, asks in both ways, and returns the replies to that.
fn converse(config: Arc<Config>, endpoints: Endpoints, port: u16) -> (Session, Vec<String>) {
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
                    Outcome::Authenticated(Some(Permissions::READ_ONLY))
                }
                Output::Action(Action::OpenPassive) => Outcome::PassiveOpened(Ok(port)),
                Output::Action(_) => continue,
            };
            // Each answers the question that was just asked.
            let answered = session.handle_outcome(outcome);
            debug_assert!(answered.is_ok(), "{answered:?}");
        }
        match session.handle_input(unused) {
            0 => break,
            used => unused = &unused[used..],
        }
    }
    // The greeting and the login come first.
    let last_two = replies.len().saturating_sub(2);
    (session, replies.split_off(last_two))
}

fn ipv4_network(network: &IpNet) -> Option<Ipv4Net> {
    match network {
        IpNet::V4(network) => Some(*network),
        IpNet::V6(_) => None,
    }
}

/// Addresses for documentation, RFC 5737, and one more that is nobody's.
const OUTSIDERS: [[u8; 4]; 4] = [
    [198, 51, 100, 7],
    [203, 0, 113, 7],
    [192, 0, 2, 7],
    [198, 18, 0, 7],
];
const OUTSIDER_V6: [u16; 8] = [0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 7];
const CLIENT_PORT: u16 = 50_000;
/// The first of those that the kernel usually chooses from.
const EPHEMERAL_PORT: u16 = 32_768;
/// Of a large network not every address is tried.
const CANDIDATES: usize = 4096;
