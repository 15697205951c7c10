//! What all sessions of a server have in common.
//!
//! A change replaces the current settings as a whole: whoever has taken them keeps a consistent set
//! for as long as it likes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ftp_proto::Config;

use crate::fs::attributes::own_umask;
use crate::fs::root::Root;
use crate::nat::never_connected_log::NeverConnectedLog;
use crate::net::interfaces::Interfaces;
use crate::passive::PassivePool;
use crate::settings::{Names, Settings};
use crate::sync::lock;
use crate::tls::Identity;

/// The pool, the settings that are in force, and what has been missed under them.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) pool: Arc<PassivePool>,
    pub(crate) missed: NeverConnectedLog,
    current: Mutex<Arc<Current>>,
    /// Counts replacements, so that sessions need not take the lock to see that there was none.
    generation: AtomicU64,
}

/// One set of settings, what they meet on this machine now, and what follows from both.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) settings: Arc<Settings>,
    pub(crate) storage: Root,
    pub(crate) interfaces: Interfaces,
    pub(crate) names: Names,
    /// `None` without TLS.
    pub(crate) identity: Option<Identity>,
    pub(crate) config: Arc<Config>,
}

impl Current {
    pub(crate) fn new(
        settings: Settings,
        storage: Root,
        interfaces: Interfaces,
        names: Names,
        identity: Option<Identity>,
    ) -> Self {
        Self {
            config: config(&settings, &interfaces, &names).into(),
            settings: settings.into(),
            storage,
            interfaces,
            names,
            identity,
        }
    }

    /// The same on a machine that has changed.
    pub(crate) fn with_interfaces(&self, interfaces: Interfaces) -> Self {
        let config = config(&self.settings, &interfaces, &self.names).into();
        Self {
            config,
            interfaces,
            ..self.clone()
        }
    }

    /// The same with names that lead elsewhere.
    pub(crate) fn with_addresses(&self, names: Names) -> Self {
        let config = config(&self.settings, &self.interfaces, &names).into();
        Self {
            config,
            names,
            ..self.clone()
        }
    }

    /// The same with another certificate.
    pub(crate) fn with_identity(&self, identity: Option<Identity>) -> Self {
        Self {
            identity,
            ..self.clone()
        }
    }
}

impl ServerState {
    pub(crate) fn new(pool: Arc<PassivePool>, current: Current) -> Self {
        Self {
            pool,
            missed: NeverConnectedLog::default(),
            current: Mutex::new(current.into()),
            generation: AtomicU64::new(0),
        }
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        lock(&self.current).clone()
    }

    /// Which replacement is in force; to be read before [`current`](Self::current).
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn replace(&self, current: Current) {
        *lock(&self.current) = current.into();
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// The core's settings, with the umask of this process.
fn config(settings: &Settings, interfaces: &Interfaces, names: &Names) -> Config {
    let mut config = settings.config(interfaces, names);
    if let Some(umask) = own_umask() {
        config.umask = umask;
    }
    config
}
