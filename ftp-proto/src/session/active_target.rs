//! The address that a data connection in active mode leads to.
//!
//! It is the address that PORT or EPRT names, or the control connection's. It is never a third one,
//! unless the settings permit foreign addresses.

use core::net::{IpAddr, SocketAddr};

use super::context::Context;
use super::one_to_one_nat::OneToOneNat;
use crate::offer::ClientOrigin;
use crate::reach::Reach;
use crate::reply::Reply;

/// The address of PORT or EPRT, as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ActiveTarget {
    pub(super) address: SocketAddr,
    /// The private address that the client named, if its control connection's is used instead.
    pub(super) named: Option<IpAddr>,
}

impl Context {
    /// Where to connect to if PORT or EPRT names this address.
    pub(super) fn active_target(&self, named: SocketAddr) -> Result<ActiveTarget, Reply> {
        let (ip, peer) = (named.ip(), self.endpoints.peer().ip());
        let config = &self.config;
        // Nothing shows which of the clients behind the gateway would get the data.
        if config.is_trusted_gateway(ip) {
            return Err(Reply::GATEWAY_ADDRESS);
        }
        if ip == peer {
            return Ok(ActiveTarget {
                address: self.peer_with(named.port()),
                named: None,
            });
        }
        if config.permit_foreign_addresses {
            return Ok(ActiveTarget {
                address: named,
                named: None,
            });
        }
        if config.is_trusted_gateway(peer) {
            return Err(Reply::GATEWAY_ADDRESS);
        }
        if self.may_be_behind_nat(ip) && self.one_to_one_nat != OneToOneNat::Missing {
            return Ok(ActiveTarget {
                address: self.peer_with(named.port()),
                named: Some(ip),
            });
        }
        Err(Reply::FOREIGN_ADDRESS)
    }

    /// Whether a client outside may have this address behind its router. A loopback address is no
    /// such address: the client does not know its own one, or a program on its machine passes its
    /// connections on.
    fn may_be_behind_nat(&self, named: IpAddr) -> bool {
        let is_private = match Reach::of(named) {
            Reach::Link | Reach::Site | Reach::Provider => true,
            Reach::Host | Reach::Public => false,
        };
        let origin = ClientOrigin::of(self.endpoints.peer().ip(), &self.config.masquerade);
        is_private && origin == ClientOrigin::Outside
    }

    /// The control connection's address with this port. A link-local address keeps the scope of its
    /// link, which EPRT cannot name.
    fn peer_with(&self, port: u16) -> SocketAddr {
        let mut peer = self.endpoints.peer();
        peer.set_port(port);
        peer
    }
}
