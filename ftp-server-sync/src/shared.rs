//! What all sessions of a server have in common.
//!
//! A reload replaces the current settings as a whole: whoever has taken them keeps a consistent set
//! for as long as it likes.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ftp_proto::Config;

use crate::machine::Machine;
use crate::passive::PassivePool;
use crate::settings::{Names, Settings};
use crate::storage::Storage;

/// The pool, and the settings that are in force.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) pool: Arc<PassivePool>,
    current: Mutex<Arc<Current>>,
    /// Counts replacements, so that sessions need not take the lock to see that there was none.
    generation: AtomicU64,
}

/// One set of settings, and what was made of it.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) settings: Settings,
    pub(crate) config: Arc<Config>,
    pub(crate) storage: Storage,
}

impl Current {
    /// Opens what the settings name.
    ///
    /// # Errors
    ///
    /// What the system said, with the directory that it was about.
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let storage = Storage::open(&settings.directory).map_err(|error| {
            let directory = settings.directory.display();
            io::Error::new(error.kind(), format!("cannot share {directory}: {error}"))
        })?;
        let config = settings.config(&Machine::look()?, &Names::new());
        Ok(Self {
            config: config.into(),
            storage,
            settings,
        })
    }
}

impl Shared {
    pub(crate) fn new(pool: Arc<PassivePool>, current: Current) -> Self {
        Self {
            pool,
            current: Mutex::new(current.into()),
            generation: AtomicU64::new(0),
        }
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        let current = self.current.lock();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which replacement is in force; to be read before [`current`](Self::current).
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn replace(&self, current: Current) {
        let mut place = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *place = current.into();
        drop(place);
        self.generation.fetch_add(1, Ordering::Release);
    }
}
