//! The networks whose clients count as local.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks whose clients count as local.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalNetworks {
    /// The networks of this machine's interfaces.
    Auto,
    /// No network, not even loopback.
    None,
    /// These networks, and loopback.
    Networks(Vec<IpNet>),
}

impl LocalNetworks {
    /// The networks, where `interface_networks` are those of this machine.
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
    fn local_networks_contain_loopback_unless_there_are_none() {
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
