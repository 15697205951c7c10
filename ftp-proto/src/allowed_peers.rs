//! Who may be the peer of a data connection in passive mode.

use alloc::sync::Arc;
use core::net::IpAddr;

use ipnet::IpNet;

use crate::config::Config;

/// Whose connection to a passive port it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the connection of a stranger must be closed"]
pub enum PeerVerdict {
    /// The client's, as far as its address shows.
    Client,
    /// Another host's. Close it and keep listening, because the client may still connect.
    Stranger,
}

/// Which peers are accepted as the client of a session:
/// [`Session::allowed_peers`](crate::Session::allowed_peers). A value, for a pool of ports that
/// must choose a session before it can ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedPeers {
    peer: IpAddr,
    others: Others,
}

/// Who else may connect, beside the control connection's peer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Others {
    None,
    Any,
    /// Any address, if the control or the data connection comes from one of these networks.
    Gateways(Arc<[IpNet]>),
}

impl AllowedPeers {
    /// What these settings allow to a client at this address.
    #[must_use]
    pub fn new(config: &Config, peer: IpAddr) -> Self {
        if config.permit_foreign_addresses {
            Self::any(peer)
        } else {
            Self::through_gateways(peer, &config.trusted_gateways)
        }
    }

    /// The control connection's peer only.
    #[must_use]
    pub fn only(peer: IpAddr) -> Self {
        Self::with(peer, Others::None)
    }

    /// Any address: the first connection counts (FXP).
    #[must_use]
    pub fn any(peer: IpAddr) -> Self {
        Self::with(peer, Others::Any)
    }

    /// The control connection's peer. If one of the two connections comes from a gateway in one of
    /// these networks, the other one may come from any address.
    #[must_use]
    pub fn through_gateways(peer: IpAddr, gateways: &[IpNet]) -> Self {
        if gateways.is_empty() {
            return Self::only(peer);
        }
        Self::with(peer, Others::Gateways(gateways.into()))
    }

    fn with(peer: IpAddr, others: Others) -> Self {
        let peer = peer.to_canonical();
        Self { peer, others }
    }

    /// The control connection's peer.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Whose connection it is that comes from this address.
    pub fn judge(&self, from: IpAddr) -> PeerVerdict {
        let from = from.to_canonical();
        let is_client = from == self.peer
            || match &self.others {
                Others::None => false,
                Others::Any => true,
                Others::Gateways(gateways) => {
                    let is_gateway =
                        |address: &IpAddr| gateways.iter().any(|network| network.contains(address));
                    is_gateway(&from) || is_gateway(&self.peer)
                }
            };
        if is_client {
            PeerVerdict::Client
        } else {
            PeerVerdict::Stranger
        }
    }

    /// Whether sessions of other clients may listen on the same port: only if the address of a
    /// connection shows which session it is for.
    #[must_use]
    pub fn can_share_port(&self) -> bool {
        self.others == Others::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn network(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn which_addresses_may_connect() {
        let peer = ip("192.0.2.7");
        let gateways = [network("172.17.0.1/32"), network("192.168.77.0/24")];
        for (allowed_peers, allowed, refused) in [
            (
                AllowedPeers::only(peer),
                &["192.0.2.7", "::ffff:192.0.2.7"][..],
                &["192.0.2.8", "172.17.0.1", "2001:db8::7"][..],
            ),
            (
                AllowedPeers::only(ip("::ffff:192.0.2.7")),
                &["192.0.2.7"],
                &["192.0.2.8"],
            ),
            (AllowedPeers::any(peer), &["192.0.2.7", "192.0.2.8"], &[]),
            (
                AllowedPeers::through_gateways(peer, &gateways),
                &["192.0.2.7", "172.17.0.1", "192.168.77.1"],
                &["192.0.2.8", "172.17.0.2"],
            ),
            (
                AllowedPeers::through_gateways(ip("172.17.0.1"), &gateways),
                &["172.17.0.1", "192.0.2.8", "192.168.77.1"],
                &[],
            ),
            (
                AllowedPeers::through_gateways(peer, &[]),
                &["192.0.2.7"],
                &["192.0.2.8", "172.17.0.1"],
            ),
        ] {
            for from in allowed {
                let verdict = allowed_peers.judge(ip(from));
                assert_eq!(verdict, PeerVerdict::Client, "{allowed_peers:?} {from}");
            }
            for from in refused {
                let verdict = allowed_peers.judge(ip(from));
                assert_eq!(verdict, PeerVerdict::Stranger, "{allowed_peers:?} {from}");
            }
        }
    }

    #[test]
    fn the_settings_decide() {
        let peer = ip("192.0.2.7");
        let gateway = network("172.17.0.1/32");
        let mut config = Config::default();
        let allowed = |config: &Config| AllowedPeers::new(config, peer);
        assert_eq!(allowed(&config), AllowedPeers::only(peer));
        config.trusted_gateways = [gateway].into();
        assert_eq!(
            allowed(&config),
            AllowedPeers::through_gateways(peer, &[gateway])
        );
        config.permit_foreign_addresses = true;
        assert_eq!(allowed(&config), AllowedPeers::any(peer));
    }

    #[test]
    fn only_an_address_that_identifies_the_client_shares_a_port() {
        let (peer, gateway) = (ip("192.0.2.7"), network("172.17.0.1/32"));
        assert!(AllowedPeers::only(peer).can_share_port());
        assert!(AllowedPeers::through_gateways(peer, &[]).can_share_port());
        assert!(!AllowedPeers::through_gateways(peer, &[gateway]).can_share_port());
        assert!(!AllowedPeers::any(peer).can_share_port());
    }
}
