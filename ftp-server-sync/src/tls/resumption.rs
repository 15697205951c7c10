//! The TLS sessions of one control connection: its data connections can resume them, and no others
//! can.
//!
//! Only a handshake of this control connection stores a session here. So `handshake_kind() ==
//! Resumed` on a data connection proves that its peer knows the secret of this control connection.

use std::sync::{Arc, Mutex};

use rustls::server::StoresServerSessions;

use super::ServerConfig;
use crate::locks::lock;

/// The TLS configurations of a control connection and of its data connections.
#[derive(Debug)]
pub(crate) struct Resumption {
    control: ServerConfig,
    data: ServerConfig,
}

impl Resumption {
    /// `base` contains the certificate. Its settings of sessions and tickets are replaced.
    pub(crate) fn new(base: &ServerConfig) -> Self {
        let mut control = rustls::ServerConfig::clone(base);
        let store = Arc::new(SessionStore::default());
        control.session_storage = store.clone();
        control.send_tls13_tickets = TICKETS;
        let mut data = control.clone();
        data.session_storage = Arc::new(ReadOnlyStore(store));
        // A client may close without reading the tickets. The system would then reset the
        // connection, and an upload would lose its end.
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

/// The sessions of one control connection: one of TLS 1.2, or one of TLS 1.3 for each ticket.
#[derive(Debug, Default)]
struct SessionStore {
    sessions: Mutex<Vec<StoredSession>>,
}

struct StoredSession {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl std::fmt::Debug for StoredSession {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredSession")
    }
}

impl StoresServerSessions for SessionStore {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= SESSIONS_MAX {
            return false;
        }
        sessions.push(StoredSession { key, value });
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let sessions = lock(&self.sessions);
        let found = sessions.iter().find(|stored| stored.key == key)?;
        Some(found.value.clone())
    }

    /// Does not remove the session, because any number of data connections may resume it. Single
    /// use would protect against replayed early data, which the server does not accept.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// For data connections: the full handshake of a stranger stores no session that could be resumed.
#[derive(Debug)]
struct ReadOnlyStore(Arc<SessionStore>);

impl StoresServerSessions for ReadOnlyStore {
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

/// Some clients use each ticket only once: they have a second one. Other clients need one.
const TICKETS: usize = 2;

/// More than a control connection ever stores.
const SESSIONS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_session_serves_many_data_connections() {
        let store = Arc::new(SessionStore::default());
        assert!(store.put(b"key".to_vec(), b"secret".to_vec()));
        let data = ReadOnlyStore(store.clone());
        for _ in 0..3 {
            assert_eq!(data.take(b"key"), Some(b"secret".to_vec()));
            assert_eq!(data.get(b"key"), Some(b"secret".to_vec()));
        }
        assert_eq!(data.get(b"other"), None);
    }

    #[test]
    fn data_connections_store_nothing() {
        let store = Arc::new(SessionStore::default());
        let data = ReadOnlyStore(store.clone());
        assert!(!data.can_cache());
        assert!(!data.put(b"key".to_vec(), b"secret".to_vec()));
        assert_eq!(store.get(b"key"), None);
    }

    #[test]
    fn the_store_is_bounded() {
        let store = SessionStore::default();
        for number in 0..SESSIONS_MAX {
            assert!(store.put(vec![number as u8], Vec::new()));
        }
        assert!(!store.put(b"more".to_vec(), Vec::new()));
    }

    #[test]
    fn debug_output_has_no_secrets() {
        let store = SessionStore::default();
        store.put(b"key".to_vec(), b"secret".to_vec());
        let shown = format!("{store:?}");
        assert!(!shown.contains("115"), "{shown}");
    }
}
