//! TLS on one data connection, and the decision whether it is the client's own after its
//! handshake.
//!
//! Resuming the TLS session of the control connection proves it. Without that, what the data
//! connection offered instead, and where it comes from, can still be reasons not to serve it.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ipnet::IpNet;
use rustls::server::StoresServerSessions;

use super::session_store::SessionStore;
use super::tickets::ForeignTicket;
use super::{ServerConfig, TlsStream};
use crate::locks::lock;

/// TLS on one data connection.
#[derive(Debug)]
pub(crate) struct Protection {
    config: ServerConfig,
    offered: Arc<OfferedSessions>,
    /// The peer of the control connection.
    client: IpAddr,
    resumption_required: bool,
    /// Connections from there, and those of clients from there, must resume too.
    gateways: Vec<IpNet>,
}

/// Why a protected data connection is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unproven(Doubt);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Doubt {
    Foreign(ForeignTicket),
    NotResumed,
    /// It comes through a trusted gateway to this client.
    ThroughGateway(IpAddr),
}

/// The session store of one data connection: that of its control connection, to read only. The
/// full handshake of a stranger stores no session that could be resumed.
#[derive(Debug)]
struct OfferedSessions {
    own: Arc<SessionStore>,
    /// What was offered instead, if it is another client's.
    foreign: Mutex<Option<ForeignTicket>>,
}

impl Protection {
    /// `config` is that of all data connections, without a session store.
    pub(super) fn new(
        mut config: rustls::ServerConfig,
        own: &Arc<SessionStore>,
        client: IpAddr,
        resumption_required: bool,
        gateways: &[IpNet],
    ) -> Self {
        let offered = Arc::new(OfferedSessions {
            own: own.clone(),
            foreign: Mutex::default(),
        });
        config.session_storage = offered.clone();
        Self {
            config: config.into(),
            offered,
            client: client.to_canonical(),
            resumption_required,
            gateways: gateways.into(),
        }
    }

    pub(crate) fn config(&self) -> ServerConfig {
        self.config.clone()
    }

    /// Whether the data connection from `peer` may be served as the client's own, now that its
    /// handshake is complete.
    ///
    /// # Errors
    ///
    /// What the log says if it may not. The client can read the reply that follows only if the
    /// connection stays open until then.
    pub(crate) fn check(&self, tls: &TlsStream, peer: IpAddr) -> Result<(), Unproven> {
        if tls.is_resumed() {
            return Ok(());
        }
        self.doubt(peer)
            .map_or(Ok(()), |doubt| Err(Unproven(doubt)))
    }

    /// The reason not to serve a connection that has resumed nothing.
    fn doubt(&self, peer: IpAddr) -> Option<Doubt> {
        let foreign = lock(&self.offered.foreign).take();
        let peer = peer.to_canonical();
        let is_gateway =
            |network: &IpNet| network.contains(&peer) || network.contains(&self.client);
        match foreign {
            Some(foreign) => Some(Doubt::Foreign(foreign)),
            None if self.resumption_required => Some(Doubt::NotResumed),
            None if self.gateways.iter().any(is_gateway) => {
                Some(Doubt::ThroughGateway(self.client))
            }
            None => None,
        }
    }
}

impl StoresServerSessions for OfferedSessions {
    fn put(&self, _: Vec<u8>, _: Vec<u8>) -> bool {
        false
    }

    /// Called with the session id of a client that speaks TLS 1.2.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let found = self.own.get(key);
        if found.is_none()
            && let Some(foreign) = self.own.registration().find_foreign(key, Instant::now())
        {
            lock(&self.foreign).get_or_insert(foreign);
        }
        found
    }

    /// Called with one ticket of a client that speaks TLS 1.3 after the other, until one can be
    /// resumed.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        false
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Doubt::Foreign(foreign) => write!(f, "it offers {foreign}"),
            Doubt::NotResumed => f.write_str(
                "it does not resume the TLS session of its control connection, which \
                 --tls-require-resumption demands",
            ),
            Doubt::ThroughGateway(client) => write!(
                f,
                "through a trusted gateway, a data connection of the client {client} must resume \
                 the TLS session of its control connection; if this client cannot resume TLS \
                 sessions, start with --gateway-resumption off"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tickets::TicketRegistry;
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A session with a ticket of this name, and its login.
    fn session(
        registry: &Arc<TicketRegistry>,
        number: u64,
        client: &str,
        login: &str,
    ) -> Arc<SessionStore> {
        let store = SessionStore::new(registry.register(number, ip(client)));
        store.registration().set_login(Some(login.as_bytes()));
        assert!(store.put(login.into(), b"secret".to_vec()));
        store.into()
    }

    fn offered(own: &Arc<SessionStore>) -> OfferedSessions {
        OfferedSessions {
            own: own.clone(),
            foreign: Mutex::default(),
        }
    }

    #[test]
    fn data_connections_store_nothing() {
        let own = session(&Arc::default(), 1, "192.0.2.7", "bob");
        let data = offered(&own);
        assert!(!data.can_cache());
        assert!(!data.put(b"key".to_vec(), b"secret".to_vec()));
        assert_eq!(own.get(b"key"), None);
        assert_eq!(data.take(b"bob"), Some(b"secret".to_vec()));
        assert_eq!(data.get(b"bob"), Some(b"secret".to_vec()));
    }

    /// Clients of TLS 1.3 may offer several tickets.
    #[test]
    fn any_foreign_ticket_of_several_counts() {
        let registry = Arc::default();
        let own = session(&registry, 1, "192.0.2.7", "bob");
        let _other = session(&registry, 2, "192.0.2.7", "alice");
        let data = offered(&own);
        for ticket in ["unknown", "alice", "unknown too"] {
            assert_eq!(data.take(ticket.as_bytes()), None);
        }
        let foreign = lock(&data.foreign).clone();
        assert_eq!(foreign, Some(ForeignTicket::OtherLogin(2)));
    }
}
