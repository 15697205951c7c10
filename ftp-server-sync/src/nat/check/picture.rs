//! What leads where: from the Internet through the router, from networks, and from this machine.
//!
//! The router's side is what its rules have to do, which this machine cannot see.

use std::net::{IpAddr, Ipv4Addr};

use ftp_proto::Reach;
use ipnet::IpNet;

use super::clients::shown_addresses;
use crate::logging::wrap::wrap;
use crate::nat::diagnose::addresses::admits_only_private_addresses;
use crate::nat::evidence::Evidence;
use crate::settings::{AddressSource, ClientAddress, LocalNetworks, Settings};

/// The lines, each at most `width` columns long.
pub(super) fn picture(settings: &Settings, evidence: &Evidence, width: usize) -> String {
    let site = Site { settings, evidence };
    let paths = site.paths();
    let stages = || paths.iter().flat_map(|path| &path.stages);
    let longest = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or_default();
    let outer = longest(&mut stages().map(|stage| stage.outer.len()));
    let inner = longest(&mut stages().map(|stage| stage.inner.len()));
    let from_max = width.saturating_sub(INDENT.len() + outer + inner + 2 * ARROW.len() + 4);
    let origins: Vec<String> = paths.iter().map(|path| path.origin(from_max)).collect();
    let from = FROM_MIN.max(longest(&mut origins.iter().map(String::len)));
    let mut text = wrap("", 0, width, &site.ports());
    for (path, origin) in paths.iter().zip(origins) {
        let mut head = format!("{INDENT}{origin:<from$} {ARROW}");
        let column = head.len() + 1;
        for Stage {
            outer: router,
            arrow,
            inner,
        } in &path.stages
        {
            text.push_str(&format!(
                "{head:<column$}{router:<outer$} {arrow} {inner}\n"
            ));
            head.clear();
        }
        for line in wrap("", column, width, &path.to)
            .lines()
            .filter(|_| path.stages.is_empty())
        {
            text.push_str(&format!("{head:<column$}{}\n", line.trim_start()));
            head.clear();
        }
    }
    text
}

/// Where some clients come from, and what they reach.
struct Path {
    from: String,
    /// The interface, if they come from its network.
    interface: Option<String>,
    /// What a router forwards; none where there is no router between.
    stages: Vec<Stage>,
    /// The addresses that are reached without a router.
    to: String,
}

/// One port or range of a router, and what it leads to.
struct Stage {
    outer: String,
    arrow: &'static str,
    inner: String,
}

struct Site<'a> {
    settings: &'a Settings,
    evidence: &'a Evidence,
}

impl Site<'_> {
    /// The heading, with the ports of this machine.
    fn ports(&self) -> String {
        let settings = self.settings;
        let number = |port| match port {
            0 => "any free port".to_owned(),
            port => format!("port {port}"),
        };
        let mut ports = vec![format!("{} (control)", number(settings.control_port()))];
        let implicit = settings.implicit_port();
        ports.extend(implicit.map(|port| format!("{} (implicit TLS)", number(port))));
        let data = match &settings.passive_ports {
            None => "any free port (data)".to_owned(),
            Some(range) if range.count() == 1 => format!("port {range} (data)"),
            Some(range) => format!("ports {range} (data)"),
        };
        format!("What leads where, to {} and {data}:", ports.join(", "))
    }

    fn paths(&self) -> Vec<Path> {
        let addresses = shown_addresses(self.settings, &self.evidence.interfaces);
        let ipv4 = addresses.iter().filter_map(|address| match address {
            IpAddr::V4(address) if !address.is_loopback() => Some(*address),
            _ => None,
        });
        let ipv4: Vec<Ipv4Addr> = ipv4.collect();
        let mut paths = self.internet(&ipv4);
        paths.extend(self.networks_in_flags(&ipv4));
        for &address in &ipv4 {
            paths.extend(self.own_network(address));
        }
        paths.extend(self.local_networks(&ipv4));
        let list = |is: fn(&IpAddr) -> bool| {
            let list = addresses.iter().filter(|address| is(address));
            list.map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
        };
        let direct = [
            ("over IPv6", list(|a| a.is_ipv6() && !a.is_loopback())),
            ("this machine", list(IpAddr::is_loopback)),
        ];
        let direct = direct.into_iter().filter(|(_, to)| !to.is_empty());
        paths.extend(direct.map(|(from, to)| Path::direct(from.to_owned(), to)));
        paths
    }

    /// Over the router's public addresses, or to public ones of this machine.
    fn internet(&self, ipv4: &[Ipv4Addr]) -> Vec<Path> {
        let routed = self.evidence.interfaces.reachable_by_router(ipv4);
        let map = &self.settings.masquerade_map;
        let (mapped, others): (Vec<Ipv4Addr>, Vec<Ipv4Addr>) =
            ipv4.iter().partition(|address| map.contains_key(address));
        let mut paths: Vec<Path> = mapped
            .iter()
            .map(|address| self.through(INTERNET.to_owned(), &map[address], &[*address]))
            .collect();
        let others: Vec<Ipv4Addr> = others
            .into_iter()
            .filter(|address| routed.contains(address))
            .collect();
        let public = |address: &&Ipv4Addr| Reach::of((**address).into()) == Reach::Public;
        // What the operator gives comes before what the router answers.
        let answered = self
            .evidence
            .router
            .as_ref()
            .and_then(|router| router.as_ref().ok());
        let learned = answered.and_then(|router| router.public.address());
        let learned = learned.map(AddressSource::Address);
        match self
            .settings
            .masquerade_address
            .as_ref()
            .or(learned.as_ref())
        {
            _ if others.is_empty() => {}
            Some(source) => paths.push(self.through(INTERNET.to_owned(), source, &others)),
            None => {
                let public: Vec<Ipv4Addr> = others.iter().filter(public).copied().collect();
                let to = if admits_only_private_addresses(self.settings) {
                    REFUSED.to_owned()
                } else if public.is_empty() && self.settings.port_mapping.is_on() {
                    NO_ANSWER.to_owned()
                } else if public.is_empty() {
                    NO_PUBLIC_ADDRESS.to_owned()
                } else {
                    first_few(&public)
                };
                paths.push(Path::direct(INTERNET.to_owned(), to));
            }
        }
        paths
    }

    /// Networks whose clients are given an address of their own.
    fn networks_in_flags(&self, ipv4: &[Ipv4Addr]) -> Vec<Path> {
        let routed = self.evidence.interfaces.reachable_by_router(ipv4);
        let rules = self.settings.masquerade_clients.iter();
        let rules = rules.filter(|_| !routed.is_empty());
        rules
            .map(|(network, address)| match address {
                ClientAddress::Public(source) => self.through(network.to_string(), source, &routed),
                ClientAddress::Local => Path::direct(network.to_string(), first_few(&routed)),
            })
            .collect()
    }

    /// The network of an interface, or the one behind it where its address has none.
    fn own_network(&self, address: Ipv4Addr) -> Option<Path> {
        let interfaces = &self.evidence.interfaces;
        let networks = interfaces.local_networks();
        let network = networks
            .iter()
            .filter(|network| network.contains(&IpAddr::V4(address)))
            .max_by_key(|network| network.prefix_len() % network.max_prefix_len())?;
        Some(Path {
            interface: interfaces.names.get(&IpAddr::V4(address)).cloned(),
            ..Path::direct(network.to_string(), address.to_string())
        })
    }

    /// Other networks whose clients are local: those that the operator names, and those that routes
    /// lead to.
    fn local_networks(&self, ipv4: &[Ipv4Addr]) -> Vec<Path> {
        let interfaces = &self.evidence.interfaces;
        let local = &self.settings.local_networks;
        let routed = match local {
            LocalNetworks::Auto | LocalNetworks::AutoAnd(_) => &interfaces.routed_networks[..],
            LocalNetworks::None | LocalNetworks::Networks(_) => &[],
        };
        let has_own = |network: &IpNet| ipv4.iter().any(|own| network.contains(&IpAddr::V4(*own)));
        let networks = routed.iter().chain(local.named());
        let others = networks.filter(|network| network.addr().is_ipv4() && !has_own(network));
        let to = first_few(&interfaces.reachable_by_router(ipv4));
        others
            .filter(|_| !to.is_empty())
            .map(|network| Path::direct(network.to_string(), to.clone()))
            .collect()
    }

    /// Through the router that has this public address, which forwards to one of `inner`.
    fn through(&self, from: String, public: &AddressSource, inner: &[Ipv4Addr]) -> Path {
        let settings = self.settings;
        let public = public.known(&self.evidence.known);
        if let Some(address) = public
            && self.evidence.interfaces.has(address.into())
        {
            return Path::direct(from, format!("{address}, an address of this machine"));
        }
        let router = public.map_or("router".to_owned(), |address| format!("router {address}"));
        let private = inner.first().map_or(String::new(), Ipv4Addr::to_string);
        let stage = |outer: &dyn std::fmt::Display, port: String| Stage {
            outer: format!("{router}:{outer}"),
            arrow: ARROW,
            inner: format!("{private}:{port}"),
        };
        let number = |port| match port {
            0 => "?".to_owned(),
            port => port.to_string(),
        };
        let mut stages = vec![stage(&settings.outer_port, number(settings.control_port()))];
        let implicit = settings.implicit_port();
        stages.extend(implicit.map(|port| stage(&number(port), number(port))));
        if let Some(range) = settings.passive_ports {
            let outer = settings.outer_ports.unwrap_or(range);
            stages.push(stage(&outer, range.to_string()));
        }
        if inner.len() > 1 {
            stages.push(Stage {
                outer: String::new(),
                arrow: " or",
                inner: first_few(&inner[1..]),
            });
        }
        Path {
            stages,
            ..Path::direct(from, String::new())
        }
    }
}

impl Path {
    fn direct(from: String, to: String) -> Self {
        Self {
            from,
            interface: None,
            stages: Vec::new(),
            to,
        }
    }

    /// Where they come from, with the interface if there is room.
    fn origin(&self, length_max: usize) -> String {
        let name = self.interface.iter();
        let mut with_name = name.map(|name| format!("{} ({name})", self.from));
        let with_name = with_name.next().filter(|text| text.len() <= length_max);
        with_name.unwrap_or_else(|| self.from.clone())
    }
}

/// The first few addresses, and how many more there are.
fn first_few(addresses: &[Ipv4Addr]) -> String {
    let shown = addresses.iter().take(ADDRESSES_SHOWN);
    let mut texts: Vec<String> = shown.map(Ipv4Addr::to_string).collect();
    let more = addresses.len() - texts.len();
    texts.extend((more > 0).then(|| format!("{more} more")));
    texts.join(", ")
}

const INDENT: &str = "  ";
const INTERNET: &str = "Internet";
const NO_PUBLIC_ADDRESS: &str = "no way that is known; a router's public address is given with \
    --masquerade-address";
const REFUSED: &str = "refused, in no network of --allow";
const NO_ANSWER: &str = "no way that is known: the router names no address on the Internet";
const ARROW: &str = "-->";
/// The column of the arrows stays where it is in most sites.
const FROM_MIN: usize = 17;
const ADDRESSES_SHOWN: usize = 2;
