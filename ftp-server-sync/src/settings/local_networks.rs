//! The networks whose clients count as local.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks whose clients count as local.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalNetworks {
    /// The networks of this machine: those of its interfaces, and the private ones that its routes
    /// reach without a gateway.
    Auto,
    /// No network, not even loopback.
    None,
    /// These networks, and loopback.
    Networks(Vec<IpNet>),
    /// The networks of this machine, and these.
    AutoAnd(Vec<IpNet>),
}

impl LocalNetworks {
    /// The networks that the operator has named.
    pub fn named(&self) -> &[IpNet] {
        match self {
            Self::Auto | Self::None => &[],
            Self::Networks(networks) | Self::AutoAnd(networks) => networks,
        }
    }

    /// The networks, where `own_networks` are those of this machine.
    pub fn resolve(&self, own_networks: &[IpNet]) -> Vec<IpNet> {
        let own_networks = match self {
            Self::None => return Vec::new(),
            Self::Networks(_) => &[],
            Self::Auto | Self::AutoAnd(_) => own_networks,
        };
        let mut all = vec![
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
        ];
        for network in own_networks.iter().chain(self.named()) {
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
    fn local_networks_contain_loopback_unless_there_are_none() {
        let interfaces = networks(&["192.168.77.2/24", "127.0.0.1/8", "192.168.77.3/24"]);
        let explicit = LocalNetworks::Networks(networks(&["10.8.0.0/24"]));
        let both = LocalNetworks::AutoAnd(networks(&["10.8.0.0/24", "192.168.77.0/24"]));
        assert_eq!(
            LocalNetworks::Auto.resolve(&interfaces),
            networks(&["127.0.0.0/8", "::1/128", "192.168.77.0/24"])
        );
        assert_eq!(
            both.resolve(&interfaces),
            networks(&["127.0.0.0/8", "::1/128", "192.168.77.0/24", "10.8.0.0/24"])
        );
        assert_eq!(LocalNetworks::None.resolve(&interfaces), []);
        assert_eq!(
            explicit.resolve(&interfaces),
            networks(&["127.0.0.0/8", "::1/128", "10.8.0.0/24"])
        );
    }
}
