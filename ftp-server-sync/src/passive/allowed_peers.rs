//! Which connections a session accepts on its passive port.

use std::net::IpAddr;
use std::sync::Arc;

/// Who may connect to a session's passive port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllowedPeers {
    peer: IpAddr,
    others: Others,
}

/// Who else may connect, beside the control connection's peer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Others {
    None,
    Any,
    /// Any address, if the control or the data connection comes from one of these.
    Gateways(Arc<[IpAddr]>),
}

impl AllowedPeers {
    /// The control connection's peer only.
    pub(crate) fn only(peer: IpAddr) -> Self {
        Self::new(peer, Others::None)
    }

    /// Any address: the first connection counts (FXP).
    pub(crate) fn any(peer: IpAddr) -> Self {
        Self::new(peer, Others::Any)
    }

    /// The control connection's peer. If one of the two connections comes from one of these gateways, the
    /// other one may come from any address.
    pub(crate) fn through_gateways(peer: IpAddr, gateways: &[IpAddr]) -> Self {
        let canonical = gateways.iter().map(IpAddr::to_canonical);
        match gateways {
            [] => Self::only(peer),
            _ => Self::new(peer, Others::Gateways(canonical.collect())),
        }
    }

    fn new(peer: IpAddr, others: Others) -> Self {
        let peer = peer.to_canonical();
        Self { peer, others }
    }

    /// The control connection's peer.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Whether a connection from this address is for this session.
    pub(crate) fn allows(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        from == self.peer
            || match &self.others {
                Others::None => false,
                Others::Any => true,
                Others::Gateways(gateways) => {
                    gateways.contains(&from) || gateways.contains(&self.peer)
                }
            }
    }

    /// Whether sessions of other clients may listen on the same port: only if the address of a connection
    /// shows which session it is for.
    pub(crate) fn can_share_port(&self) -> bool {
        self.others == Others::None
    }

    /// Whether both sessions may listen on one port at the same time.
    pub(super) fn can_share_port_with(&self, other: &Self) -> bool {
        self.can_share_port() && other.can_share_port() && self.peer != other.peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn which_addresses_may_connect() {
        let peer = ip("192.0.2.7");
        let gateways = [ip("172.17.0.1"), ip("::ffff:192.168.77.1")];
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
                assert!(allowed_peers.allows(ip(from)), "{allowed_peers:?} {from}");
            }
            for from in refused {
                assert!(!allowed_peers.allows(ip(from)), "{allowed_peers:?} {from}");
            }
        }
    }

    #[test]
    fn which_sessions_may_share_a_port() {
        let [one, other] = [ip("192.0.2.7"), ip("192.0.2.8")];
        let gateways = [ip("172.17.0.1")];
        let only = AllowedPeers::only;
        assert!(only(one).can_share_port_with(&only(other)));
        assert!(!only(one).can_share_port_with(&only(one)));
        for relaxed in [
            AllowedPeers::any(other),
            AllowedPeers::through_gateways(other, &gateways),
        ] {
            assert!(!only(one).can_share_port_with(&relaxed));
            assert!(!relaxed.can_share_port_with(&only(one)));
            assert!(!relaxed.can_share_port_with(&AllowedPeers::any(one)));
        }
        assert!(AllowedPeers::through_gateways(one, &[]).can_share_port());
    }
}
