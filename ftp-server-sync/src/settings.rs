//! What the operator decided, checked, and the core's `Config` made from it.
//!
//! A value of this type can be served as it stands: `flags` refuses everything else.

mod address;
pub(crate) mod file;
pub(crate) mod watched_files;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use ftp_proto::{Config, Masquerade, OuterPorts};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use log::LevelFilter;

pub use crate::accounts::users::{Password, Users};
use crate::fs::attributes::own_umask;
use crate::net::interfaces::Interfaces;
pub use crate::net::listen::Listen;
pub use crate::net::port_range::PortRange;
use crate::passive::Expected;
pub(crate) use address::unusable;
pub use address::{AddressSource, ClientAddress, Names};

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
    pub masquerade_address: Option<AddressSource>,
    /// Public address by local address.
    pub masquerade_map: BTreeMap<Ipv4Addr, AddressSource>,
    /// What clients of certain networks are told; each network once.
    pub masquerade_clients: Vec<(IpNet, ClientAddress)>,
    /// How often the names among these addresses are looked up again.
    pub masquerade_refresh: Duration,
    /// Which clients are told the address that they connected to.
    pub local_networks: LocalNetworks,
    /// Where passive listeners bind; `None`: the kernel chooses.
    pub passive_ports: Option<PortRange>,
    /// The ports that the router forwards to the passive ones, as many; `None`: the same numbers.
    pub outer_ports: Option<PortRange>,
    /// The port that the router forwards to the control port.
    pub outer_port: u16,
    /// Gateways from which a client's control or data connection may come instead of from itself.
    pub trusted_gateways: Vec<IpAddr>,
    /// TLS; `None`: everything is in clear text.
    pub tls: Option<TlsSettings>,
    /// How much is allowed at once.
    pub limits: Limits,
    /// How fast each session's data may move.
    pub rates: Rates,
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

/// What is protected by TLS, and by which certificate (RFC 4217).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate with its key; `None`: one that the server makes and keeps.
    pub certificate: Option<CertificateFiles>,
    /// Where it keeps that.
    pub state_directory: PathBuf,
    /// No login in clear text.
    pub control_required: bool,
    /// No transfer in clear text.
    pub data_required: bool,
    /// Data connections must resume the TLS session of their control connection.
    pub resumption_required: bool,
    /// Clients must have a certificate that one of these authorities has signed.
    pub client_ca: Option<PathBuf>,
}

/// Where a certificate is, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those that lead to its authority.
    pub chain: PathBuf,
    /// Its private key: PKCS#1, PKCS#8 or SEC1. May be the same file.
    pub key: PathBuf,
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

/// Bytes per second; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// From clients: uploads.
    pub inward: Option<NonZeroU64>,
    /// To clients: downloads and listings.
    pub outward: Option<NonZeroU64>,
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
    /// Time that a client has to connect before an abandoned port counts as never connected. No flag sets it.
    pub never_connected_after: Duration,
}

impl Settings {
    /// The core's settings on this machine. A name that is not among the `names` is told to nobody:
    /// clients get the address that they connected to.
    pub(crate) fn config(&self, interfaces: &Interfaces, names: &Names) -> Config {
        let defaults = Config::default();
        Config {
            banner: self.banner.clone().unwrap_or(defaults.banner),
            masquerade: Masquerade {
                clients: self
                    .masquerade_clients
                    .iter()
                    .map(|(network, told)| (*network, told.rule(names)))
                    .collect(),
                local_networks: self.local_networks.resolve(&interfaces.networks),
                gateways: interfaces
                    .gateways
                    .iter()
                    .map(IpAddr::to_canonical)
                    .collect(),
                map: self
                    .masquerade_map
                    .iter()
                    .map(|(local, public)| (*local, public.resolved(names)))
                    .collect(),
                address: self
                    .masquerade_address
                    .as_ref()
                    .map(|public| public.resolved(names)),
                learned: None,
                outer_ports: self.outer_ports(),
            },
            permit_foreign_addresses: self.permit_foreign_addresses,
            permit_privileged_ports: self.permit_privileged_ports,
            login_attempts_max: self.limits.login_attempts_max,
            login_timeout: self.timeouts.idle,
            idle_timeout: self.timeouts.idle,
            data_open_timeout: self.timeouts.data_open,
            data_stall_timeout: self.timeouts.data_stall,
            umask: own_umask().unwrap_or(defaults.umask),
            tls: self.tls.is_some(),
            tls_control_required: self.tls.as_ref().is_some_and(|tls| tls.control_required),
            tls_data_required: self.tls.as_ref().is_some_and(|tls| tls.data_required),
        }
    }

    /// The addresses that clients can be connected to: those that are listened on, or this machine's
    /// where all are; sorted, each once.
    pub(crate) fn local_addresses(&self, interfaces: &Interfaces) -> Vec<IpAddr> {
        let mut found = BTreeSet::new();
        for listen in &self.listen {
            let address = listen.address.ip();
            if !address.is_unspecified() {
                found.insert(address.to_canonical());
                continue;
            }
            let all = interfaces.addresses.iter().map(IpAddr::to_canonical);
            let same_family = |own: &IpAddr| own.is_ipv4() == address.is_ipv4();
            found.extend(all.filter(|own| listen.dual_stack || same_family(own)));
        }
        found.into_iter().collect()
    }

    /// The control port, which clients with and without TLS begin at; 0 for any free one.
    pub fn control_port(&self) -> u16 {
        self.port(false).unwrap_or_default()
    }

    /// The port of implicit TLS, if there is one; 0 for any free one.
    pub fn implicit_port(&self) -> Option<u16> {
        self.port(true)
    }

    fn port(&self, implicit_tls: bool) -> Option<u16> {
        let mut listen = self.listen.iter();
        let found = listen.find(|listen| listen.implicit_tls == implicit_tls)?;
        Some(found.address.port())
    }

    /// The host names that stand where addresses may; sorted, each once.
    pub fn names(&self) -> BTreeSet<&str> {
        let by_client = self.masquerade_clients.iter().map(|(_, told)| told);
        let by_client = by_client.filter_map(|told| match told {
            ClientAddress::Public(public) => Some(public),
            ClientAddress::Local => None,
        });
        self.masquerade_address
            .iter()
            .chain(self.masquerade_map.values())
            .chain(by_client)
            .filter_map(|public| match public {
                AddressSource::Name(name) => Some(name.as_str()),
                AddressSource::Address(_) => None,
            })
            .collect()
    }

    /// Whose data connections a client at this address gets on its passive port.
    pub(crate) fn expected(&self, peer: IpAddr) -> Expected {
        match self.permit_foreign_addresses {
            true => Expected::anybody(peer),
            false => Expected::through(peer, &self.trusted_gateways),
        }
    }

    fn outer_ports(&self) -> Option<OuterPorts> {
        let (inner, outer) = (self.passive_ports?, self.outer_ports?);
        Some(OuterPorts {
            inner_first: inner.first(),
            outer_first: outer.first(),
            count: inner.count(),
        })
    }
}

impl Timeouts {
    /// Real clients wait for 5 s at least, most of them for much longer.
    pub const NEVER_CONNECTED_AFTER_DEFAULT: Duration = Duration::from_secs(4);
}

impl TlsSettings {
    /// The files that somebody may replace while the server runs.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let certificate = self.certificate.iter();
        let certificate = certificate.flat_map(|files| [&files.chain, &files.key]);
        certificate.chain(&self.client_ca).cloned()
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

    #[test]
    fn which_addresses_are_listened_on() {
        let addresses = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let interfaces = Interfaces {
            addresses: addresses(&[
                "127.0.0.1",
                "::1",
                "::ffff:10.0.0.2",
                "10.0.0.2",
                "2001:db8::2",
            ]),
            ..Interfaces::default()
        };
        let v4 = ["10.0.0.2", "127.0.0.1"];
        let v6 = ["::1", "2001:db8::2"];
        for (listen, expected) in [
            (&[][..], [v4, v6].concat()),
            (&["::"], [v4, v6].concat()),
            (&["0.0.0.0"], v4.to_vec()),
            (
                &["::", "10.0.0.2"],
                ["10.0.0.2"].iter().chain(&v6).copied().collect(),
            ),
            (&["10.0.0.9"], vec!["10.0.0.9"]),
        ] {
            let line = listen.iter().flat_map(|address| ["-i", address]);
            let parsed = crate::cli::parse(line.map(Into::into), |_| None);
            let Ok(crate::cli::Invocation::Serve(settings)) = parsed else {
                panic!("{listen:?}: {parsed:?}");
            };
            assert_eq!(
                settings.local_addresses(&interfaces),
                addresses(&expected),
                "{listen:?}"
            );
        }
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
