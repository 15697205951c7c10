//! Which sessions may listen on one port at the same time.
//!
//! The address of a connection shows which session it is for only if no other client could come
//! from there. A provider's NAT may send the two connections of a client from two addresses of one
//! network, so that an address does not distinguish neighbours: they take turns. Between clients of
//! `--local-networks` and the server there is no such NAT.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use ftp_proto::AllowedPeers;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The session that asks for a port, and its client.
#[derive(Clone, Debug)]
pub(crate) struct Requester {
    /// The session's number.
    pub(crate) session: u64,
    pub(crate) allowed_peers: AllowedPeers,
    /// The client's address is in `--local-networks`, and is not a loopback address: those count as
    /// neighbours like any others.
    pub(crate) is_local: bool,
    /// Connections from there say in a header whose they are.
    pub(crate) balancers: Arc<[IpNet]>,
}

impl Requester {
    pub(super) fn address(&self) -> IpAddr {
        self.allowed_peers.peer()
    }

    /// Whether it needs a port of its own. Behind a balancer, a connection shows whose it is only
    /// once its header has come: by then another session of the same client may listen there.
    fn is_exclusive(&self) -> bool {
        !self.allowed_peers.can_share_port() || !self.balancers.is_empty()
    }
}

/// Whether both sessions may listen on one port at the same time.
pub(super) fn can_share_port(one: &Requester, other: &Requester) -> bool {
    if one.is_exclusive() || other.is_exclusive() {
        return false;
    }
    if one.is_local && other.is_local {
        one.address() != other.address()
    } else {
        neighbourhood(one.address()) != neighbourhood(other.address())
    }
}

/// The network whose addresses one NAT may use for one client.
fn neighbourhood(address: IpAddr) -> IpNet {
    match address.to_canonical() {
        IpAddr::V4(address) => Ipv4Net::new_assert(address, 24).trunc().into(),
        IpAddr::V6(address) => Ipv6Net::new_assert(address, 64).trunc().into(),
    }
}

/// Sessions, to be asked in constant time what [`can_share_port`] says about them.
#[derive(Debug, Default)]
pub(super) struct RequesterSet {
    is_any: bool,
    is_any_exclusive: bool,
    neighbourhoods: HashSet<IpNet>,
    /// Of the sessions that are not local.
    neighbourhoods_outside: HashSet<IpNet>,
    local_addresses: HashSet<IpAddr>,
}

impl RequesterSet {
    pub(super) fn of<'a>(requesters: impl IntoIterator<Item = &'a Requester>) -> Self {
        let mut set = Self::default();
        for requester in requesters {
            set.insert(requester);
        }
        set
    }

    pub(super) fn insert(&mut self, requester: &Requester) {
        self.is_any = true;
        self.is_any_exclusive |= requester.is_exclusive();
        let neighbourhood = neighbourhood(requester.address());
        self.neighbourhoods.insert(neighbourhood);
        if requester.is_local {
            self.local_addresses.insert(requester.address());
        } else {
            self.neighbourhoods_outside.insert(neighbourhood);
        }
    }

    /// Whether all of them can share a port with this one.
    pub(super) fn can_all_share_port(&self, requester: &Requester) -> bool {
        if !self.is_any {
            return true;
        }
        if self.is_any_exclusive || requester.is_exclusive() {
            return false;
        }
        let neighbourhood = neighbourhood(requester.address());
        if requester.is_local {
            !self.neighbourhoods_outside.contains(&neighbourhood)
                && !self.local_addresses.contains(&requester.address())
        } else {
            !self.neighbourhoods.contains(&neighbourhood)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(address: &str, is_local: bool) -> Requester {
        Requester {
            session: 0,
            allowed_peers: AllowedPeers::only(address.parse().unwrap()),
            is_local,
            balancers: Arc::default(),
        }
    }

    #[track_caller]
    fn check(one: &Requester, other: &Requester, expected: bool) {
        assert_eq!(can_share_port(one, other), expected, "{one:?} {other:?}");
        assert_eq!(can_share_port(other, one), expected, "{other:?} {one:?}");
    }

    #[test]
    fn neighbours_do_not_share_a_port() {
        for (one, other, expected) in [
            ("192.0.2.7", "192.0.2.7", false),
            ("192.0.2.7", "192.0.2.255", false),
            ("192.0.2.7", "192.0.3.7", true),
            ("192.0.2.7", "::ffff:192.0.2.8", false),
            ("192.0.2.7", "::ffff:192.0.3.8", true),
            ("127.0.0.2", "127.0.0.3", false),
            ("2001:db8:1:2::3", "2001:db8:1:2:ffff::4", false),
            ("2001:db8:1:2::3", "2001:db8:1:3::3", true),
            ("192.0.2.7", "2001:db8:1:2::3", true),
        ] {
            check(&client(one, false), &client(other, false), expected);
        }
    }

    #[test]
    fn local_clients_share_a_port_unless_they_have_one_address() {
        let local = |address| client(address, true);
        check(&local("192.168.77.3"), &local("192.168.77.4"), true);
        check(&local("192.168.77.3"), &local("192.168.77.3"), false);
        check(&local("192.168.77.3"), &local("::ffff:192.168.77.3"), false);
        let outside = client("192.168.77.4", false);
        check(&local("192.168.77.3"), &outside, false);
        check(&local("192.168.78.3"), &outside, true);
    }

    #[test]
    fn a_session_that_allows_other_addresses_shares_no_port() {
        let [one, other] = ["192.0.2.7", "198.51.100.8"].map(|address| address.parse().unwrap());
        let gateways = [ip_network("172.17.0.1/32")];
        let only = client("192.0.2.7", false);
        for is_local in [false, true] {
            for allowed_peers in [
                AllowedPeers::any(other),
                AllowedPeers::through_gateways(other, &gateways),
            ] {
                let exclusive = Requester {
                    session: 0,
                    allowed_peers,
                    is_local,
                    balancers: Arc::default(),
                };
                check(&only, &exclusive, false);
                let any = AllowedPeers::any(one);
                let another = Requester {
                    allowed_peers: any,
                    ..exclusive.clone()
                };
                check(&exclusive, &another, false);
            }
        }
    }

    fn ip_network(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn requester() -> impl Strategy<Value = Requester> {
        let address =
            (0..3u8, 0..3u8).prop_map(|(third, last)| IpAddr::from([192, 0, third, last]));
        (address, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
            |(address, is_local, is_exclusive)| Requester {
                session: 0,
                allowed_peers: if is_exclusive {
                    AllowedPeers::any(address)
                } else {
                    AllowedPeers::only(address)
                },
                is_local,
                balancers: Arc::default(),
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_set_agrees_with_its_members(
            members in prop::collection::vec(requester(), 0..5),
            other in requester(),
        ) {
            let all = members.iter().all(|member| can_share_port(member, &other));
            prop_assert_eq!(RequesterSet::of(&members).can_all_share_port(&other), all);
        }
    }
}
