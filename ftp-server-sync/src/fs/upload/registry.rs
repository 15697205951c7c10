//! All uploads of a server: two never write one file.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ftp_proto::{Kept, Refusal};
use mio::Waker;

use super::past::PastUploads;
use super::running::Running;
use super::target::TargetKey;
use crate::locks::lock;

/// The uploads that run, and what is known of those that have run.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    running: Mutex<HashMap<TargetKey, Arc<Running>>>,
    pub(super) past: PastUploads,
}

/// Who uploads.
#[derive(Clone, Debug)]
pub(crate) struct Uploader {
    pub(super) uploads: Arc<Uploads>,
    /// The name of the login.
    login: Vec<u8>,
    /// Of the session's thread.
    waker: Arc<Waker>,
}

/// The right to write a file. It ends when this is released or dropped.
#[derive(Debug)]
pub(super) struct Claim {
    uploads: Arc<Uploads>,
    key: TargetKey,
    pub(super) running: Arc<Running>,
}

impl Uploader {
    pub(crate) fn new(uploads: Arc<Uploads>, login: Vec<u8>, waker: Arc<Waker>) -> Self {
        Self {
            uploads,
            login,
            waker,
        }
    }

    /// A login of a server of its own.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::of_login(&Arc::default(), "user")
    }

    #[cfg(test)]
    pub(crate) fn of_login(uploads: &Arc<Uploads>, login: &str) -> Self {
        let poll = mio::Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), mio::Token(0)).unwrap();
        Self::new(uploads.clone(), login.into(), waker.into())
    }

    /// Whether an upload to this name runs.
    pub(super) fn is_running(&self, key: &TargetKey) -> bool {
        lock(&self.uploads.running).contains_key(key)
    }

    /// Claims a name. The second value: another upload gave way for that, so that the name may lead
    /// to another file.
    ///
    /// # Errors
    ///
    /// [`Refusal::Busy`]: another upload of the name runs.
    pub(super) fn claim(&self, key: TargetKey) -> Result<(Claim, bool), Refusal> {
        let other = lock(&self.uploads.running).get(&key).cloned();
        // Without the lock of the map: it may take time.
        let gave_way = match &other {
            Some(other) => Some(other.give_way(&self.login).ok_or(Refusal::Busy)?),
            None => None,
        };
        let running = Arc::new(Running::new(self.login.clone(), self.waker.clone()));
        let mut all = lock(&self.uploads.running);
        let found = all.get(&key);
        if found.is_some_and(|found| !other.is_some_and(|other| Arc::ptr_eq(found, &other))) {
            return Err(Refusal::Busy);
        }
        all.insert(key.clone(), running.clone());
        let uploads = self.uploads.clone();
        let claim = Claim {
            uploads,
            key,
            running,
        };
        if let Some(other) = gave_way
            && other.had_begun
        {
            claim.set_left(other.kept, other.is_from_start);
        }
        Ok((claim, gave_way.is_some()))
    }
}

impl Claim {
    /// Whether the file with the name is not the beginning of what the client wants to continue.
    pub(super) fn has_failed(&self) -> bool {
        self.uploads.past.has_failed(&self.key)
    }

    /// The upload had begun, and failed. `is_from_start`: it continued no file.
    pub(super) fn set_left(&self, kept: Kept, is_from_start: bool) {
        match kept {
            Kept::OldFile => self.uploads.past.set_failed(self.key.clone()),
            // It is the beginning of what the client sends.
            Kept::Bytes(_) if is_from_start => self.uploads.past.set_resumable(&self.key),
            _ => {}
        }
    }

    /// The upload is complete.
    pub(super) fn set_complete(&self) {
        self.uploads.past.set_resumable(&self.key);
    }

    /// Others may write the file from now on.
    pub(super) fn release(&self) {
        let mut all = lock(&self.uploads.running);
        let found = all.get(&self.key);
        if found.is_some_and(|found| Arc::ptr_eq(found, &self.running)) {
            all.remove(&self.key);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.release();
    }
}
