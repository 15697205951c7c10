//! Whose connection a session takes on its passive port.

use std::net::IpAddr;
use std::sync::Arc;

/// Who may connect to a session's passive port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    peer: IpAddr,
    besides: Besides,
}

/// Who else, beside the control connection's peer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Besides {
    Nobody,
    Anybody,
    /// Anybody, if control or data come through one of these.
    Gateways(Arc<[IpAddr]>),
}

impl Expected {
    /// The control connection's peer, and nobody else.
    pub(crate) fn only(peer: IpAddr) -> Self {
        Self::new(peer, Besides::Nobody)
    }

    /// Whoever comes first (FXP).
    pub(crate) fn anybody(peer: IpAddr) -> Self {
        Self::new(peer, Besides::Anybody)
    }

    /// The control connection's peer; where the control or the data connection comes from one of these
    /// gateways, the other one may come from elsewhere.
    pub(crate) fn through(peer: IpAddr, gateways: &[IpAddr]) -> Self {
        let canonical = gateways.iter().map(IpAddr::to_canonical);
        match gateways {
            [] => Self::only(peer),
            _ => Self::new(peer, Besides::Gateways(canonical.collect())),
        }
    }

    fn new(peer: IpAddr, besides: Besides) -> Self {
        let peer = peer.to_canonical();
        Self { peer, besides }
    }

    /// The control connection's peer.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Whether a connection from this address is this session's.
    pub(crate) fn admits(&self, from: IpAddr) -> bool {
        let from = from.to_canonical();
        from == self.peer
            || match &self.besides {
                Besides::Nobody => false,
                Besides::Anybody => true,
                Besides::Gateways(gateways) => {
                    gateways.contains(&from) || gateways.contains(&self.peer)
                }
            }
    }

    /// Whether sessions of other clients may listen on the same port: only where a connection's
    /// address tells whose it is.
    pub(crate) fn may_share(&self) -> bool {
        self.besides == Besides::Nobody
    }

    /// Whether both may listen on one port at the same time.
    pub(super) fn gets_along_with(&self, other: &Self) -> bool {
        self.may_share() && other.may_share() && self.peer != other.peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_is_admitted() {
        let peer = ip("192.0.2.7");
        let gateways = [ip("172.17.0.1"), ip("::ffff:192.168.77.1")];
        for (expected, admitted, refused) in [
            (
                Expected::only(peer),
                &["192.0.2.7", "::ffff:192.0.2.7"][..],
                &["192.0.2.8", "172.17.0.1", "2001:db8::7"][..],
            ),
            (
                Expected::only(ip("::ffff:192.0.2.7")),
                &["192.0.2.7"],
                &["192.0.2.8"],
            ),
            (Expected::anybody(peer), &["192.0.2.7", "192.0.2.8"], &[]),
            (
                Expected::through(peer, &gateways),
                &["192.0.2.7", "172.17.0.1", "192.168.77.1"],
                &["192.0.2.8", "172.17.0.2"],
            ),
            (
                Expected::through(ip("172.17.0.1"), &gateways),
                &["172.17.0.1", "192.0.2.8", "192.168.77.1"],
                &[],
            ),
            (
                Expected::through(peer, &[]),
                &["192.0.2.7"],
                &["192.0.2.8", "172.17.0.1"],
            ),
        ] {
            for from in admitted {
                assert!(expected.admits(ip(from)), "{expected:?} {from}");
            }
            for from in refused {
                assert!(!expected.admits(ip(from)), "{expected:?} {from}");
            }
        }
    }

    #[test]
    fn who_may_share_a_port() {
        let [one, other] = [ip("192.0.2.7"), ip("192.0.2.8")];
        let gateways = [ip("172.17.0.1")];
        let only = Expected::only;
        assert!(only(one).gets_along_with(&only(other)));
        assert!(!only(one).gets_along_with(&only(one)));
        for relaxed in [
            Expected::anybody(other),
            Expected::through(other, &gateways),
        ] {
            assert!(!only(one).gets_along_with(&relaxed));
            assert!(!relaxed.gets_along_with(&only(one)));
            assert!(!relaxed.gets_along_with(&Expected::anybody(one)));
        }
        assert!(Expected::through(one, &[]).may_share());
    }
}
