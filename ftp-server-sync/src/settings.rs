//! What the operator decided, checked, and the core's `Config` made from it.
//!
//! A value of this type can be served as it stands: `flags` refuses everything else.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ftp_proto::{ClientRule, Config, Masquerade};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use log::LevelFilter;

use crate::users::Users;

/// The settings of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The control sockets; never empty.
    pub listen: Vec<Listen>,
    /// The directory that is shared, as an absolute path.
    pub directory: PathBuf,
    /// Who may log in.
    pub users: Users,
    /// Public address for PASV replies.
    pub masquerade_address: Option<Ipv4Addr>,
    /// Public address by local address.
    pub masquerade_map: BTreeMap<Ipv4Addr, Ipv4Addr>,
    /// What clients of certain networks are told; each network once.
    pub masquerade_clients: Vec<(IpNet, ClientRule)>,
    /// Which clients are told the address that they connected to.
    pub local_networks: LocalNetworks,
    /// Where passive listeners bind; `None`: the kernel chooses.
    pub passive_ports: Option<RangeInclusive<u16>>,
    /// How much is allowed at once.
    pub limits: Limits,
    /// How long things may last.
    pub timeouts: Timeouts,
    /// How long the answer to a wrong password is held back.
    pub login_delay: Duration,
    /// How long running transfers may go on when the server ends; zero: not at all.
    pub shutdown_grace: Duration,
    /// The text of the greeting; `None`: the core's own.
    pub banner: Option<String>,
    /// Whether PORT and EPRT may name another host than the client (FXP).
    pub permit_foreign_addresses: bool,
    /// Whether PORT and EPRT may name a port below 1024.
    pub permit_privileged_ports: bool,
    /// How much is logged.
    pub log_level: LevelFilter,
}

/// One control socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where to bind.
    pub address: SocketAddr,
    /// IPv4 clients are served on this IPv6 socket too.
    pub dual_stack: bool,
    /// Where to bind instead on a machine without IPv6.
    pub fallback: Option<SocketAddr>,
}

/// Which clients count as local.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalNetworks {
    /// Those in the networks of this machine's interfaces.
    Auto,
    /// None, not even this machine's own.
    None,
    /// Those in these networks, and on this machine itself.
    Networks(Vec<IpNet>),
}

/// Limits on connections and logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Control connections at the same time.
    pub connections_max: u32,
    /// Of these, from one address; `None`: no limit of its own.
    pub connections_per_address_max: Option<u32>,
    /// Failed logins in one session.
    pub login_attempts_max: u32,
}

/// Each `None` is "for ever".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Between two commands, and until login.
    pub idle: Option<Duration>,
    /// For a data connection to be opened, in either mode.
    pub data_open: Option<Duration>,
    /// Without a byte on a data connection.
    pub data_stall: Option<Duration>,
}

impl Settings {
    /// The core's settings on a machine with these networks and routers.
    pub fn config(&self, interface_networks: &[IpNet], gateways: &[IpAddr]) -> Config {
        let defaults = Config::default();
        Config {
            banner: self.banner.clone().unwrap_or(defaults.banner),
            masquerade: Masquerade {
                clients: self.masquerade_clients.clone(),
                local_networks: self.local_networks.resolve(interface_networks),
                gateways: gateways.iter().map(IpAddr::to_canonical).collect(),
                map: self.masquerade_map.clone(),
                address: self.masquerade_address,
                learned: None,
                outer_ports: None,
            },
            permit_foreign_addresses: self.permit_foreign_addresses,
            permit_privileged_ports: self.permit_privileged_ports,
            login_attempts_max: self.limits.login_attempts_max,
            login_timeout: self.timeouts.idle,
            idle_timeout: self.timeouts.idle,
            data_open_timeout: self.timeouts.data_open,
            data_stall_timeout: self.timeouts.data_stall,
            tls: false,
        }
    }
}

impl Listen {
    /// The sockets for the addresses that the operator gave; all addresses if there are none.
    pub fn sockets(interfaces: &[IpAddr], port: u16) -> Vec<Self> {
        if interfaces.is_empty() {
            return vec![Self {
                address: SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port),
                dual_stack: true,
                fallback: Some(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)),
            }];
        }
        let ipv4_given = interfaces.iter().any(IpAddr::is_ipv4);
        interfaces
            .iter()
            .map(|&address| Self {
                address: SocketAddr::new(address, port),
                dual_stack: address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !ipv4_given,
                fallback: None,
            })
            .collect()
    }
}

impl LocalNetworks {
    /// The networks themselves. Loopback is one of them, unless there shall be none.
    pub fn resolve(&self, interface_networks: &[IpNet]) -> Vec<IpNet> {
        let networks = match self {
            Self::Auto => interface_networks,
            Self::None => return Vec::new(),
            Self::Networks(networks) => networks,
        };
        let mut all = vec![
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
        ];
        for network in networks {
            let network = network.trunc();
            if !all.contains(&network) {
                all.push(network);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

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
        };
        let expected: Vec<Listen> = expected.iter().map(listen).collect();
        assert_eq!(Listen::sockets(&addresses, 21), expected, "{interfaces:?}");
    }

    #[test]
    fn which_sockets() {
        check(&[], &[("[::]:21", true)], Some("0.0.0.0:21"));
        check(&["::"], &[("[::]:21", true)], None);
        let both = [("[::]:21", false), ("10.0.0.1:21", false)];
        check(&["::", "10.0.0.1"], &both, None);
        check(&["0.0.0.0"], &[("0.0.0.0:21", false)], None);
        check(&["2001:db8::1"], &[("[2001:db8::1]:21", false)], None);
    }

    #[test]
    fn which_networks_are_local() {
        let interfaces = networks(&["192.168.77.2/24", "127.0.0.1/8", "192.168.77.3/24"]);
        let explicit = LocalNetworks::Networks(networks(&["10.8.0.0/24"]));
        assert_eq!(
            LocalNetworks::Auto.resolve(&interfaces),
            networks(&["127.0.0.0/8", "::1/128", "192.168.77.0/24"])
        );
        assert_eq!(LocalNetworks::None.resolve(&interfaces), []);
        assert_eq!(
            explicit.resolve(&interfaces),
            networks(&["127.0.0.0/8", "::1/128", "10.8.0.0/24"])
        );
    }
}
