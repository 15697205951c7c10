//! Users of the system who are logged in are looked up again in a thread: a directory service that
//! does not answer holds that thread, and not the main one.

use std::time::{Duration, Instant};

use log::warn;

use super::system_check::{SystemUsersCheck, start};
use super::{Server, Shutdown};
use crate::logging::system_text::SystemText;
use crate::session::SessionCommand;

impl Server {
    /// Has the system asked again about its users who are logged in.
    pub(super) fn check_system_users(&mut self, now: Instant) {
        let check = &mut self.system_users;
        if check.is_running {
            check.is_outdated = true;
            return;
        }
        if !self.state.has_system_sessions() {
            return;
        }
        match start(self.state.clone(), self.handle.clone()) {
            Ok(()) => {
                *check = SystemUsersCheck {
                    is_running: true,
                    is_outdated: false,
                    warn_at: Some(now + WARN_AFTER),
                }
            }
            Err(error) => warn!(
                "cannot look up the users of the system who are logged in, their sessions go on: \
                 {}; reload the settings again",
                SystemText(&error)
            ),
        }
    }

    /// The look-ups have ended: sessions of users who are gone end now.
    pub(super) fn on_system_users_checked(&mut self) {
        let check = std::mem::take(&mut self.system_users);
        // Sessions look at replaced settings only.
        let current = self.state.current();
        self.state.replace((*current).clone());
        self.sessions.send_all(SessionCommand::UpdateSettings);
        if check.is_outdated && self.shutdown == Shutdown::No {
            self.check_system_users(Instant::now());
        }
    }

    /// When [`warn_of_system_users`](Self::warn_of_system_users) has something to do.
    pub(super) fn system_users_due(&self) -> Option<Instant> {
        self.system_users.warn_at
    }

    /// Logs, once, that the system does not answer.
    pub(super) fn warn_of_system_users(&mut self, now: Instant) {
        let warn_at = &mut self.system_users.warn_at;
        if warn_at.take_if(|at| now >= *at).is_some() {
            warn!(
                "--system-users: the system does not answer whether the users who are logged in \
                 still exist: until it does, their sessions go on; see whether the services in \
                 /etc/nsswitch.conf answer"
            );
        }
    }
}

/// A directory service in a network may take some seconds.
const WARN_AFTER: Duration = Duration::from_secs(15);
