//! The TLS sessions of one control connection: its data connections can resume them, and no others
//! can.
//!
//! Only a handshake of this control connection stores a session here. So `handshake_kind() ==
//! Resumed` on a data connection proves that its peer knows the secret of this control connection.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::ServerConfig;
use super::protection::Protection;
use super::session_store::SessionStore;
use super::tickets::TicketRegistry;

/// What the TLS configurations of a control connection and of its data connections are made of.
/// They are made when they are needed: an idle session has none.
#[derive(Debug)]
pub(crate) struct Resumption {
    /// Of all sessions, with the certificate.
    base: ServerConfig,
    store: Arc<SessionStore>,
    client: IpAddr,
    /// What the registry has.
    login: Option<Box<[u8]>>,
}

impl Resumption {
    /// For the control connection of the session of this number, with a client at this address.
    /// `base` contains the certificate. Its settings of sessions, tickets and ALPN are replaced.
    pub(crate) fn new(
        base: &ServerConfig,
        registry: &Arc<TicketRegistry>,
        number: u64,
        client: IpAddr,
    ) -> Self {
        Self {
            base: base.clone(),
            store: Arc::new(SessionStore::new(registry.register(number, client))),
            client,
            login: None,
        }
    }

    /// The configuration of the control connection.
    pub(crate) fn control(&self) -> ServerConfig {
        let mut config = rustls::ServerConfig::clone(&self.base);
        config.session_storage = self.store.clone();
        config.send_tls13_tickets = TICKETS;
        config.alpn_protocols = names(&CONTROL_PROTOCOLS);
        config.into()
    }

    /// Who is logged in now; `None` before the login.
    pub(crate) fn set_login(&mut self, login: Option<&[u8]>) {
        if self.login.as_deref() != login {
            self.login = login.map(Box::from);
            self.store.registration().set_login(login);
        }
    }

    /// What a data connection needs. It must resume if that is required, and if it, or its client,
    /// comes from one of the gateways.
    pub(crate) fn data(&self, resumption_required: bool, gateways: &[IpNet]) -> Protection {
        let mut config = rustls::ServerConfig::clone(&self.base);
        config.alpn_protocols = names(&DATA_PROTOCOLS);
        // A client may close without reading the tickets. The system would then reset the
        // connection, and an upload would lose its end.
        config.send_tls13_tickets = 0;
        let own = &self.store;
        Protection::new(config, own, self.client, resumption_required, gateways)
    }
}

fn names(protocols: &[&str]) -> Vec<Vec<u8>> {
    let bytes = |protocol: &&str| protocol.as_bytes().to_vec();
    protocols.iter().map(bytes).collect()
}

/// What a client may ask for by ALPN (RFC 7301). rustls refuses a client that asks for other
/// protocols only, and serves one that asks for none. Otherwise an attacker could lead a browser's
/// HTTPS connection here, and have it accept replies of FTP as an answer of the web server whose
/// certificate is for the same name (ALPACA).
const CONTROL_PROTOCOLS: [&str; 1] = ["ftp"];

/// The first one is preferred. Some clients ask for the same on both connections.
const DATA_PROTOCOLS: [&str; 2] = ["ftp-data", "ftp"];

/// Some clients use each ticket only once: they have a second one. Other clients need one.
const TICKETS: usize = 2;
