//! What the router is to forward.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::net::order;
use crate::net::port_probe::describe_ports;
use crate::settings::{Listen, MappingProtocol, Settings};

/// The ports to be forwarded, and how the router is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MappingJob {
    pub(crate) protocols: Vec<MappingProtocol>,
    pub(crate) interface: Option<String>,
    /// The IPv4 addresses that the server listens on; the unspecified one for all of this machine.
    pub(crate) listen: BTreeSet<Ipv4Addr>,
    /// The IPv6 addresses, in the same way.
    pub(crate) listen_v6: BTreeSet<Ipv6Addr>,
    /// Each inner port once, the control port first.
    pub(crate) ports: Vec<WantedPort>,
    pub(crate) lease: Duration,
    /// What a server that runs has recorded.
    pub(crate) record_file: PathBuf,
}

/// A port of this machine that the router is to forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WantedPort {
    pub(crate) inner: u16,
    /// The number that the router should have for it.
    pub(crate) outer: u16,
    pub(crate) purpose: PortPurpose,
}

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortPurpose {
    Control,
    ImplicitTls,
    Passive,
}

impl MappingJob {
    /// What these settings ask for; `None`: the router is not asked. `bound` has the real ports of
    /// the control sockets.
    pub(crate) fn new(settings: &Settings, bound: &[(SocketAddr, Listen)]) -> Option<Self> {
        let mapping = &settings.port_mapping;
        if !mapping.is_on() {
            return None;
        }
        let listen =
            bound
                .iter()
                .filter_map(|(address, listen)| match address.ip().to_canonical() {
                    IpAddr::V4(address) if address.is_loopback() => None,
                    IpAddr::V4(address) => Some(address),
                    IpAddr::V6(_) => listen.dual_stack.then_some(Ipv4Addr::UNSPECIFIED),
                });
        let listen_v6 = bound
            .iter()
            .filter_map(|(address, _)| match address.ip().to_canonical() {
                IpAddr::V6(address) if !address.is_loopback() => Some(address),
                _ => None,
            });
        let port = |implicit_tls: bool| {
            let bound = bound.iter();
            let found = bound.filter(|(_, listen)| listen.implicit_tls == implicit_tls);
            // With `-p 0` each has another port, and no router leads to a loopback one.
            let best = found.min_by_key(|(address, _)| address.ip().is_loopback());
            best.map(|(address, _)| address.port())
        };
        let mut ports = Vec::new();
        if may_map_control_port(settings) {
            ports.extend(port(false).map(|inner| WantedPort {
                inner,
                outer: settings.outer_port,
                purpose: PortPurpose::Control,
            }));
            ports.extend(port(true).map(|inner| WantedPort {
                inner,
                outer: inner,
                purpose: PortPurpose::ImplicitTls,
            }));
        }
        if let Some(inner) = settings.passive_ports {
            // Both ranges have the same size.
            let outer = settings.outer_ports.unwrap_or(inner).ports();
            ports.extend(inner.ports().zip(outer).map(|(inner, outer)| WantedPort {
                inner,
                outer,
                purpose: PortPurpose::Passive,
            }));
        }
        Some(Self {
            protocols: mapping.protocols.clone(),
            interface: mapping.interface.clone(),
            listen: order::set_of(listen),
            listen_v6: order::set_of(listen_v6),
            ports,
            lease: mapping.lease,
            record_file: mapping.record_file(),
        })
    }
}

impl MappingJob {
    /// Whether this port of the machine is to be forwarded.
    pub(super) fn wants(&self, inner: u16) -> bool {
        self.ports.iter().any(|port| port.inner == inner)
    }
}

/// Ports in words, such as "the control port 2121, the passive ports 60000-60009".
pub(super) fn describe_wanted<'a>(ports: impl Iterator<Item = &'a WantedPort>) -> String {
    let mut parts = Vec::new();
    let mut passive = BTreeSet::new();
    for port in ports {
        let number = port.inner;
        match port.purpose {
            PortPurpose::Control => parts.push(format!("the control port {number}")),
            PortPurpose::ImplicitTls => parts.push(format!("port {number} (implicit TLS)")),
            PortPurpose::Passive => drop(passive.insert(number)),
        }
    }
    if !passive.is_empty() {
        parts.push(format!("the passive ports {}", describe_ports(&passive)));
    }
    parts.join(", ")
}

/// Whether everyone on the Internet may reach the control port: only if a password is asked for, or
/// the operator says so.
pub(crate) fn may_map_control_port(settings: &Settings) -> bool {
    !settings.users.has_anonymous() || settings.port_mapping.anonymous
}

/// More passive ports take a router long, and few routers have room for them.
pub(crate) const RANGE_LARGE: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::settings;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let settings = settings(line);
        let bound: Vec<(SocketAddr, Listen)> = settings
            .listen
            .iter()
            .map(|listen| (listen.address, *listen))
            .collect();
        let job = MappingJob::new(&settings, &bound);
        let text = job.map(|job| {
            let ports = job.ports.iter();
            let ports = ports.map(|port| format!("{}={}", port.outer, port.inner));
            let listen = job.listen.iter().map(Ipv4Addr::to_string);
            let all: Vec<String> = listen.chain(ports).collect();
            all.join(" ")
        });
        assert_eq!(text.unwrap_or("none".to_owned()), expected, "{line}");
    }

    #[test]
    fn the_ports_of_the_settings_are_wanted() {
        check("-r 60000-60001", "none");
        check("-r 60000-60001 --port-mapping off", "none");
        let on = "-r 60000-60001 --port-mapping auto";
        let user = "-u bob -P x";
        check(
            &format!("{on} {user} -p 2121"),
            "0.0.0.0 21=2121 60000=60000 60001=60001",
        );
        check(
            &format!("{on} {user} --outer-port 2100 --outer-ports 50000-50001 -i 10.0.0.5"),
            "10.0.0.5 2100=2121 50000=60000 50001=60001",
        );
        check(
            &format!("{on} {user} -i ::1 -i 127.0.0.1"),
            "21=2121 60000=60000 60001=60001",
        );
    }

    /// With `-p 0`.
    #[test]
    fn a_loopback_listener_is_not_forwarded() {
        let settings =
            settings("-r 60000 --port-mapping auto -u bob -P x -i 127.0.0.1 -i 10.0.0.5");
        let bound = settings.listen.iter().zip([40_001, 40_002]);
        let bound: Vec<(SocketAddr, Listen)> = bound
            .map(|(listen, port)| (SocketAddr::new(listen.address.ip(), port), *listen))
            .collect();
        let job = MappingJob::new(&settings, &bound).unwrap();
        assert_eq!(job.ports[0].inner, 40_002);
    }

    /// The whole Internet would get in.
    #[test]
    fn the_control_port_needs_a_password() {
        let on = "-r 60000 --port-mapping auto -i 10.0.0.5";
        check(on, "10.0.0.5 60000=60000");
        check(
            &format!("{on} -u bob -P x --anonymous"),
            "10.0.0.5 60000=60000",
        );
        let all = "10.0.0.5 21=2121 60000=60000";
        check(&format!("{on} --port-mapping-anonymous"), all);
        check(&format!("{on} -u bob -P x"), all);
    }
}
