//! Settings and users that are read again in a thread, and taken by the main thread.

use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, TryRecvError};
use ftp_proto::text::printable_word;
use log::{debug, info, warn};

use super::reading::{FreshSettings, Reading, Wanted};
use super::{Server, Shutdown, shares};
use crate::locks::lock;
use crate::logging::system_text::SystemText;

impl Server {
    /// Has the settings, or the users, read. They are taken now, or when the thread is ready.
    pub(super) fn read_again(&mut self, wanted: Wanted, now: Instant) {
        if let Some(running) = &mut self.reader.running {
            if wanted == Wanted::Settings {
                running.is_outdated = true;
                info!("reloading once the directories of the last reload have answered");
            }
            return;
        }
        let (reload, current) = (self.reader.reload.clone(), self.state.current());
        let warn_at = now + WARN_AFTER;
        match Reading::start(wanted, reload, current, self.handle.clone(), warn_at) {
            Ok(reading) => self.reader.running = Some(reading),
            Err(error) => {
                let error = SystemText(&error);
                debug!("reading the settings in the main thread, as there is no other: {error}");
                return self.read_here(wanted, now);
            }
        }
        self.take_fresh_settings(MOMENT);
    }

    fn read_here(&mut self, wanted: Wanted, now: Instant) {
        match (wanted, self.reader.reload.clone()) {
            (Wanted::Settings, Some(reload)) => {
                let users_file = shares::watch(&self.state.current().settings, now);
                let settings = (lock(&reload))();
                self.take_settings(users_file, settings);
            }
            (Wanted::Users, _) => self.take_users(now),
            (Wanted::Settings, None) => {}
        }
    }

    /// Takes what the thread has read, if it has ended.
    pub(super) fn take_fresh_settings(&mut self, wait: Duration) {
        let Some(running) = &self.reader.running else {
            return;
        };
        let found = if wait.is_zero() {
            running.result.try_recv().map_err(|error| match error {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            })
        } else {
            running.result.recv_timeout(wait)
        };
        if matches!(found, Err(RecvTimeoutError::Timeout)) {
            return;
        }
        let is_outdated = running.is_outdated;
        self.reader.running = None;
        if self.shutdown != Shutdown::No {
            return;
        }
        match found {
            Ok(FreshSettings::Settings(users_file, settings)) => {
                self.take_settings(users_file, *settings);
            }
            Ok(FreshSettings::Users) => self.take_users(Instant::now()),
            Err(_) => warn!("internal error: reading the settings has failed; the old ones stay"),
        }
        if is_outdated {
            self.read_again(Wanted::Settings, Instant::now());
        }
    }

    /// When [`warn_of_reading`](Self::warn_of_reading) has something to do.
    pub(super) fn reading_due(&self) -> Option<Instant> {
        self.reader.running.as_ref()?.warn_at
    }

    /// Logs, once, what a reading waits for.
    pub(super) fn warn_of_reading(&mut self, now: Instant) {
        let Some(running) = &mut self.reader.running else {
            return;
        };
        if running.warn_at.take_if(|at| now >= *at).is_none() {
            return;
        }
        let place = running.visited();
        warn!(
            "the old settings and users stay in force until {} answers: see whether its disk does, \
             or unmount it",
            printable_word(place.as_os_str().as_bytes())
        );
    }
}

/// How long the main thread waits: enough for disks that answer.
const MOMENT: Duration = Duration::from_millis(500);

/// A disk that has to start needs some seconds.
const WARN_AFTER: Duration = Duration::from_secs(15);
