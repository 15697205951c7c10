//! What the session of a system user and the other threads know of each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::accounts::system_users::SystemUser;
use crate::fs::share_rules::ShareRules;

/// A user of the system who has logged in.
#[derive(Debug)]
pub(super) struct SystemSession {
    pub(super) user: SystemUser,
    /// Those from before the thread lost its rights.
    rules: ShareRules,
    /// Set by a thread that asks the system: the system has no such user any more.
    is_withdrawn: AtomicBool,
}

impl SystemSession {
    pub(super) fn new(user: &SystemUser, rules: ShareRules) -> Self {
        Self {
            user: user.clone(),
            rules,
            is_withdrawn: AtomicBool::default(),
        }
    }

    /// The system has no such user any more.
    pub(super) fn withdraw(&self) {
        self.is_withdrawn.store(true, Ordering::Release);
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.is_withdrawn.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn for_tests(name: &str) -> Self {
        let user = SystemUser {
            name: name.to_owned(),
            uid: 1,
            gid: 1,
            groups: vec![1],
            home: "/".into(),
        };
        Self::new(&user, ShareRules::default())
    }

    /// The rules of the server for the user's thread.
    pub(super) fn rules(&self, rules: &ShareRules) -> Arc<ShareRules> {
        rules.with_own_files_of(&self.rules).into()
    }
}
