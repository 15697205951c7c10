//! One control connection's own TLS: its data connections resume its session, and no others.
//!
//! A session that is stored here was made by a handshake of this control connection; only this one puts
//! any in. So `handshake_kind() == Resumed` on a data connection proves that its peer holds the secret
//! of this control connection.

use std::sync::{Arc, Mutex};

use rustls::server::StoresServerSessions;

use super::ServerConfig;
use crate::sync::lock;

/// What TLS on a control connection, and on its data connections, is made from.
#[derive(Debug)]
pub(crate) struct Resumption {
    control: ServerConfig,
    data: ServerConfig,
}

impl Resumption {
    /// `base` says who we are; what it says about sessions and tickets is replaced.
    pub(crate) fn new(base: &ServerConfig) -> Self {
        let mut control = rustls::ServerConfig::clone(base);
        let store = Arc::new(Store::default());
        control.session_storage = store.clone();
        control.send_tls13_tickets = TICKETS;
        let mut data = control.clone();
        data.session_storage = Arc::new(ReadOnly(store));
        // Clients that close without having read them would have us reset the connection, and an upload
        // would lose its end.
        data.send_tls13_tickets = 0;
        Self {
            control: control.into(),
            data: data.into(),
        }
    }

    pub(crate) fn control(&self) -> ServerConfig {
        self.control.clone()
    }

    pub(crate) fn data(&self) -> ServerConfig {
        self.data.clone()
    }
}

/// The sessions of one control connection: one of TLS 1.2, or as many of TLS 1.3 as tickets.
#[derive(Debug, Default)]
struct Store {
    sessions: Mutex<Vec<Stored>>,
}

struct Stored {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl std::fmt::Debug for Stored {
    /// Secrets are shown nowhere.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stored")
    }
}

impl StoresServerSessions for Store {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= SESSIONS_MAX {
            return false;
        }
        sessions.push(Stored { key, value });
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let sessions = lock(&self.sessions);
        let found = sessions.iter().find(|stored| stored.key == key)?;
        Some(found.value.clone())
    }

    /// Nothing is taken away: one session serves any number of data connections. What single use guards
    /// against is early data that is sent again, and none is accepted.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// For data connections. A stranger's full handshake leaves nothing behind that could be resumed.
#[derive(Debug)]
struct ReadOnly(Arc<Store>);

impl StoresServerSessions for ReadOnly {
    fn put(&self, _: Vec<u8>, _: Vec<u8>) -> bool {
        false
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.take(key)
    }

    fn can_cache(&self) -> bool {
        false
    }
}

/// Clients that use each ticket once only have a second one; those that do not, need one.
const TICKETS: usize = 2;

/// More than a control connection ever puts in.
const SESSIONS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_serves_many_data_connections() {
        let store = Arc::new(Store::default());
        assert!(store.put(b"key".to_vec(), b"secret".to_vec()));
        let data = ReadOnly(store.clone());
        for _ in 0..3 {
            assert_eq!(data.take(b"key"), Some(b"secret".to_vec()));
            assert_eq!(data.get(b"key"), Some(b"secret".to_vec()));
        }
        assert_eq!(data.get(b"other"), None);
    }

    #[test]
    fn data_connections_store_nothing() {
        let store = Arc::new(Store::default());
        let data = ReadOnly(store.clone());
        assert!(!data.can_cache());
        assert!(!data.put(b"key".to_vec(), b"secret".to_vec()));
        assert_eq!(store.get(b"key"), None);
    }

    #[test]
    fn the_store_is_bounded() {
        let store = Store::default();
        for number in 0..SESSIONS_MAX {
            assert!(store.put(vec![number as u8], Vec::new()));
        }
        assert!(!store.put(b"more".to_vec(), Vec::new()));
    }

    #[test]
    fn secrets_are_not_shown() {
        let store = Store::default();
        store.put(b"key".to_vec(), b"secret".to_vec());
        let shown = format!("{store:?}");
        assert!(!shown.contains("115"), "{shown}");
    }
}
