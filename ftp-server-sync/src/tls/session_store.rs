//! The TLS sessions of one control connection. Only its own handshakes store any here.

use std::sync::Mutex;

use rustls::server::StoresServerSessions;

use super::tickets::Registration;
use crate::locks::lock;

/// The sessions of one control connection: one of TLS 1.2, or one of TLS 1.3 for each ticket.
#[derive(Debug)]
pub(super) struct SessionStore {
    sessions: Mutex<Vec<StoredSession>>,
    registration: Registration,
}

struct StoredSession {
    key: Box<[u8]>,
    value: Box<[u8]>,
}

impl std::fmt::Debug for StoredSession {
    /// Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredSession")
    }
}

impl SessionStore {
    pub(super) fn new(registration: Registration) -> Self {
        let sessions = Mutex::default();
        Self {
            sessions,
            registration,
        }
    }

    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }
}

impl StoresServerSessions for SessionStore {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= SESSIONS_MAX {
            return false;
        }
        self.registration.add(&key);
        sessions.reserve_exact(1);
        let (key, value) = (key.into(), value.into());
        sessions.push(StoredSession { key, value });
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let sessions = lock(&self.sessions);
        let found = sessions.iter().find(|stored| *stored.key == *key)?;
        Some(found.value.to_vec())
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

/// More than a control connection ever stores.
const SESSIONS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use super::super::tickets::TicketRegistry;
    use super::*;

    fn store() -> SessionStore {
        let registry: Arc<TicketRegistry> = Arc::default();
        SessionStore::new(registry.register(1, IpAddr::from([192, 0, 2, 7])))
    }

    #[test]
    fn one_session_serves_many_data_connections() {
        let store = store();
        assert!(store.put(b"key".to_vec(), b"secret".to_vec()));
        for _ in 0..3 {
            assert_eq!(store.take(b"key"), Some(b"secret".to_vec()));
            assert_eq!(store.get(b"key"), Some(b"secret".to_vec()));
        }
        assert_eq!(store.get(b"other"), None);
    }

    #[test]
    fn the_store_is_bounded() {
        let store = store();
        for number in 0..SESSIONS_MAX {
            assert!(store.put(vec![number as u8], Vec::new()));
        }
        assert!(!store.put(b"more".to_vec(), Vec::new()));
    }

    #[test]
    fn debug_output_has_no_secrets() {
        let store = store();
        store.put(b"key".to_vec(), b"secret".to_vec());
        let shown = format!("{store:?}");
        let as_numbers = "115, 101, 99"; // "sec": one number alone may be a part of a hash
        assert!(
            !shown.contains("secret") && !shown.contains(as_numbers),
            "{shown}"
        );
    }
}
