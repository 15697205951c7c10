//! What the log and the client read about a cause.
//!
//! A client never reads the address of another one, nor a public address that it was not given:
//! anyone may connect. Of other addresses it reads this site's router alone.

use std::net::IpAddr;

use ftp_proto::{AnnounceReason, Diagnosis};
use ipnet::IpNet;

use super::{FailureCause, GatewayKind, UNKNOWN};
use crate::net::port_range::PortRange;

impl FailureCause {
    /// For the log: completes "… did not connect: …".
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Addresses {
                diagnosis,
                reason,
                has_range,
            } => by_addresses(*diagnosis, *reason, *has_range),
            Self::ClientGone => "the client was gone".to_owned(),
            Self::OtherAddress { came, gateway, .. } => other_address(came, *gateway),
            Self::ThroughGateway {
                gateway,
                kind,
                came,
            } => through_gateway(*gateway, *kind, came),
            Self::OwnProxy { clients, public } => format!(
                "the client came through a proxy or a tunnel on this machine, so that the announced \
                 address leads it to itself; let that pass the passive ports on too, and add \
                 --masquerade-client {}={public}",
                network(*clients)
            ),
            Self::OwnProxyPort { peer } => format!(
                "the client came from {peer}, this machine; if a proxy or a tunnel passes clients on, \
                 let it pass the passive ports on too"
            ),
            Self::ClientSide { trusts } => client_side(*trusts),
            Self::PartOfRange {
                reached,
                is_enough: true,
                port,
                outer,
                is_alone,
            } => part_of_range(*reached, *port, *outer, *is_alone),
            Self::PartOfRange {
                reached,
                port,
                outer,
                is_alone,
                ..
            } => part_of_forwarding(outer.unwrap_or(*reached), *port, *is_alone),
            Self::WrongAddress { announced, reason } => format!(
                "clients that are not given the address {announced} reach the port, so that \
                 address is wrong; {}",
                correct(*reason)
            ),
            Self::ExtendedPassive => "the client reaches ports after PASV and not after EPSV, so \
                                      its data connections have another address than its control \
                                      connection; add --deny-commands EPSV"
                .to_owned(),
            Self::Neighbour { neighbour, public } => format!(
                "if {neighbour} is a router or a proxy for clients outside, add \
                 --masquerade-client {neighbour}={public}; else check whether a firewall blocks the port"
            ),
            Self::RoutedNetwork { clients } => format!(
                "the client is in another private network, and is given the router's address; if it \
                 reaches this server directly, add --masquerade-client {}=local",
                network(*clients)
            ),
            Self::OtherOwnAddress { local, public } => format!(
                "the client connected to {local}, and the announced address leads to another address of \
                 this machine; add --masquerade-address-map {local}={public}"
            ),
        }
    }

    /// For the client's reply: completes "… arrived in passive mode; …". `None`: what the core says
    /// by itself is all.
    pub(crate) fn remedy(&self) -> Option<String> {
        match self {
            Self::Addresses {
                diagnosis: diagnosis @ Diagnosis::PrivateAddress,
                ..
            } => Some(format!("{diagnosis}: {}", self.advice())),
            Self::Addresses { .. } => Some(self.advice()).filter(|advice| advice.contains(" --")),
            Self::ClientGone => None,
            Self::ThroughGateway {
                gateway,
                kind: GatewayKind::Router,
                ..
            } => Some(format!(
                "the control connection came through {gateway}, and another address came to the \
                 port; if that is the same client, add --trust-gateway {gateway}"
            )),
            Self::OtherAddress {
                gateway,
                is_router: true,
                ..
            } => {
                let router = network(*gateway);
                Some(format!(
                    "{router} came to the port instead; if that is the same client or its \
                     gateway, add --trust-gateway {router}"
                ))
            }
            Self::OtherAddress { .. } | Self::ThroughGateway { .. } => Some(
                "another address came instead; the server's log has it, for --trust-gateway"
                    .to_owned(),
            ),
            // A client that came through a tunnel may not know where this server is.
            Self::OwnProxy { clients, .. } => Some(
                Self::OwnProxy {
                    clients: *clients,
                    public: UNKNOWN.to_owned(),
                }
                .advice(),
            ),
            Self::Neighbour { neighbour, .. } => Some(
                Self::Neighbour {
                    neighbour: *neighbour,
                    public: UNKNOWN.to_owned(),
                }
                .advice(),
            ),
            _ => Some(self.advice()),
        }
    }

    /// Whether the site is certainly not at fault.
    pub(crate) fn is_harmless(&self) -> bool {
        matches!(self, Self::ClientGone | Self::ClientSide { trusts: None })
    }

    /// Whether one client alone says nothing about the site.
    pub(crate) fn needs_others(&self) -> bool {
        matches!(self, Self::ClientSide { trusts: Some(_) })
    }

    /// Whether the port may not be reachable, so that the failure says something about the site.
    pub(crate) fn may_be_the_port(&self) -> bool {
        match self {
            Self::Addresses { .. } => !self.is_private_address(),
            Self::ClientSide { .. } | Self::PartOfRange { .. } => true,
            _ => false,
        }
    }

    /// Whether the announced address alone is at fault, whatever the port.
    pub(crate) fn is_private_address(&self) -> bool {
        matches!(
            self,
            Self::Addresses {
                diagnosis: Diagnosis::PrivateAddress,
                ..
            }
        )
    }

    /// Whether something has happened that shows it, also if the client ended the wait itself.
    pub(crate) fn is_evident(&self) -> bool {
        match self {
            Self::OtherAddress { .. }
            | Self::ThroughGateway { .. }
            | Self::WrongAddress { .. }
            | Self::ExtendedPassive => true,
            Self::PartOfRange { is_alone, .. } => !is_alone,
            other => other.is_private_address(),
        }
    }

    /// The value of the flag that cures it, if it is not the same for all that fail for this
    /// reason.
    pub(crate) fn value(&self) -> Option<String> {
        match self {
            Self::OtherAddress { gateway, .. } => Some(network(*gateway)),
            Self::ThroughGateway { gateway, .. } => Some(gateway.to_string()),
            Self::OwnProxy { clients, .. } | Self::RoutedNetwork { clients } => {
                Some(network(*clients))
            }
            Self::Neighbour { neighbour, .. } => Some(neighbour.to_string()),
            Self::OtherOwnAddress { local, .. } => Some(local.to_string()),
            _ => None,
        }
    }

    /// Causes of one kind, with the same value of the flag, are counted together.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Addresses { diagnosis, .. } => match diagnosis {
                Diagnosis::PrivateAddress => "private address",
                Diagnosis::NotForwarded => "not forwarded",
                Diagnosis::OtherNetwork => "other network",
                _ => "blocked",
            },
            Self::ClientGone => "client gone",
            Self::OtherAddress { .. } => "other address",
            Self::ThroughGateway { .. } => "gateway",
            Self::OwnProxy { .. } => "own proxy",
            Self::OwnProxyPort { .. } => "port of own proxy",
            Self::ClientSide { trusts: None } => "client side",
            Self::ClientSide { trusts: Some(_) } => "client side or address",
            Self::PartOfRange {
                is_alone: false, ..
            } => "part of range",
            Self::PartOfRange { is_alone: true, .. } => "port or client",
            Self::WrongAddress { .. } => "wrong address",
            Self::ExtendedPassive => "extended passive mode",
            Self::Neighbour { .. } => "neighbour",
            Self::RoutedNetwork { .. } => "routed network",
            Self::OtherOwnAddress { .. } => "other own address",
        }
    }
}

/// What to look at where only the addresses are known, with the flag to change where that is
/// certain.
fn by_addresses(diagnosis: Diagnosis, reason: AnnounceReason, has_range: bool) -> String {
    match (diagnosis, reason) {
        (Diagnosis::PrivateAddress, AnnounceReason::ClientRule(network)) => {
            format!("change the rule for {network} in --masquerade-client")
        }
        (Diagnosis::PrivateAddress, AnnounceReason::Map(_)) => {
            "give the router's public address in --masquerade-address-map".to_owned()
        }
        (Diagnosis::PrivateAddress, AnnounceReason::MasqueradeAddress) => {
            "give the router's public address with --masquerade-address".to_owned()
        }
        (Diagnosis::PrivateAddress, AnnounceReason::Unknown) => {
            "its name cannot be resolved, so the public address is not known".to_owned()
        }
        (Diagnosis::PrivateAddress, AnnounceReason::PortMapping) => {
            "the router is itself behind NAT; ask the provider for a public address".to_owned()
        }
        (Diagnosis::PrivateAddress, _) => "set --masquerade-address".to_owned(),
        (Diagnosis::NotForwarded, _) if !has_range => {
            format!("{diagnosis}; give a range that it forwards with --passive-ports")
        }
        (Diagnosis::OtherNetwork, _) => {
            format!("{diagnosis}; if it cannot, give another one with --masquerade-client")
        }
        (diagnosis, _) => diagnosis.to_string(),
    }
}

fn other_address(came: &[IpAddr], gateway: IpNet) -> String {
    let subject = match came.len() {
        1 => "that is",
        _ => "these are",
    };
    format!(
        "{} came to the port instead; if {subject} the same client or its gateway, add \
         --trust-gateway {}",
        list(came),
        network(gateway)
    )
}

fn through_gateway(gateway: IpAddr, kind: GatewayKind, came: &[IpAddr]) -> String {
    let came = list(came);
    if kind == GatewayKind::Unknown {
        format!(
            "{came} came to the port; if {gateway} passes clients from outside on, and that is the \
             same client, add --trust-gateway {gateway}"
        )
    } else {
        format!(
            "the client came through {gateway}, and {came} came to the port; if that is the same \
             client, add --trust-gateway {gateway}"
        )
    }
}

fn client_side(trusts: Option<IpAddr>) -> String {
    match trusts {
        Some(address) => format!(
            "others reach this port; the client's own firewall may block it, or the client trusts \
             the address {address}, which does not lead here"
        ),
        None => "this port was reached within the last hour, so the client's own firewall or \
                 router blocks it; nothing is to be changed here"
            .to_owned(),
    }
}

fn part_of_range(
    reached: PortRange,
    port: u16,
    outer: Option<PortRange>,
    is_alone: bool,
) -> String {
    let ports = outer.unwrap_or(reached);
    let outer = outer.map(|outer| format!(" --outer-ports {outer}"));
    let flag = format!("--passive-ports {reached}{}", outer.unwrap_or_default());
    if is_alone {
        format!(
            "others reached {ports} within the last hour; look at the client's own firewall, and if \
             the router does not forward {port}, set {flag}"
        )
    } else {
        format!(
            "of the range, {ports} is reached, and {port} is not; forward the whole range, or set \
             {flag}"
        )
    }
}

/// The same where too few ports were reached to use no others.
fn part_of_forwarding(ports: PortRange, port: u16, is_alone: bool) -> String {
    if is_alone {
        format!(
            "others reached {ports} within the last hour; look at the client's own firewall, and \
             whether the router forwards {port}"
        )
    } else {
        format!("of the range, {ports} is reached, and {port} is not; forward the whole range")
    }
}

/// Where the announced address is to be corrected.
fn correct(reason: AnnounceReason) -> String {
    let flag = match reason {
        AnnounceReason::Map(local) => format!("--masquerade-address-map {local}="),
        AnnounceReason::ClientRule(clients) => format!("--masquerade-client {clients}="),
        _ => "--masquerade-address ".to_owned(),
    };
    format!("give the one that clients connect to with {flag}{UNKNOWN}")
}

/// A network as the value of a flag: one address stands alone.
fn network(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

fn list(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    match &shown[..] {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => shown.join(", "),
    }
}
