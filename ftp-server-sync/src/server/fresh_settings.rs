//! Settings and users that are read again in a thread, and taken by the main thread.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use ftp_proto::text::printable_word;
use log::{debug, info, warn};

use super::findings::on_disk;
use super::fresh_users::read_users;
use super::reading::{FreshSettings, Reading, Wanted};
use super::{Server, Shutdown, shares};
use crate::locks::lock;
use crate::logging::system_text::SystemText;

impl Server {
    /// Has the settings, or the users, read. They are taken now, or when the thread is ready.
    pub(super) fn read_again(&mut self, wanted: Wanted, now: Instant) {
        let mut wanted = wanted;
        if let Some(running) = &mut self.reader.running {
            // Each may be held by a disk.
            if Arc::strong_count(&self.reader.threads) > READINGS_MAX {
                if wanted == Wanted::Settings && running.outdated != Some(wanted) {
                    info!("reloading once the directories of the last reload have answered");
                }
                if running.outdated != Some(Wanted::Settings) {
                    running.outdated = Some(wanted);
                }
                return;
            }
            // What it reads is outdated, and is dropped.
            if running.wanted == Wanted::Settings {
                wanted = Wanted::Settings;
            }
        }
        let current = self.state.current();
        let warn_at = now + WARN_AFTER;
        match Reading::start(wanted, &self.reader, current, self.handle.clone(), warn_at) {
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
        let current = self.state.current();
        match (wanted, self.reader.reload.clone()) {
            (Wanted::Settings, Some(reload)) => {
                let users_file = shares::watch(&current.settings, now);
                let settings = (lock(&reload))();
                let settings = settings.map(|settings| {
                    let on_disk = on_disk(&settings);
                    (settings, on_disk)
                });
                self.take_settings(users_file, settings);
            }
            (Wanted::Users, _) => self.take_users(read_users(&current, |_| ()), now),
            (Wanted::Settings, None) => {}
        }
    }

    /// Takes what the thread has read, if it has ended. Otherwise the users of the file are taken
    /// as far as that needs no disk.
    pub(super) fn take_fresh_settings(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        let Some(running) = &mut self.reader.running else {
            return;
        };
        let found = loop {
            match running.result.recv_deadline(until) {
                Ok(FreshSettings::EarlyUsers(users)) => running.early = Some(users),
                found => break found,
            }
        };
        if matches!(found, Err(RecvTimeoutError::Timeout)) {
            if let Some(users) = running.early.take()
                && self.shutdown == Shutdown::No
            {
                running.is_early_taken = true;
                self.take_early_users(users);
            }
            return;
        }
        let outdated = running.outdated.map(|outdated| match running.wanted {
            Wanted::Settings => Wanted::Settings,
            Wanted::Users => outdated,
        });
        self.reader.running = None;
        if self.shutdown != Shutdown::No {
            let problem = self.shutdown.why_not_reload();
            return self.shown.on_reloaded(Err(problem));
        }
        if let Some(wanted) = outdated {
            return self.read_again(wanted, Instant::now());
        }
        match found {
            Ok(FreshSettings::Settings(users_file, settings)) => {
                self.take_settings(users_file, *settings);
                if self.reader.before.is_some() {
                    // The users were taken early, and the settings were not.
                    self.read_again(Wanted::Users, Instant::now());
                }
            }
            Ok(FreshSettings::Users(users)) => self.take_users(*users, Instant::now()),
            Ok(FreshSettings::EarlyUsers(_)) => {}
            Err(_) => {
                self.service_manager.ready();
                let problem = "reading the settings has failed; the old ones stay";
                warn!("internal error: {problem}");
                self.shown.on_reloaded(Err(problem));
            }
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
            "the old settings stay in force, and users in new directories cannot log in, until {} \
             answers: see whether its disk does, or unmount it; users who are removed from --users {}",
            printable_word(place.as_os_str().as_bytes()),
            if running.is_early_taken {
                "cannot log in any more"
            } else {
                "can still log in"
            }
        );
    }
}

/// How long the main thread waits: enough for disks that answer.
const MOMENT: Duration = Duration::from_millis(500);

/// A disk that has to start needs some seconds.
const WARN_AFTER: Duration = Duration::from_secs(15);

/// How many threads may read at a time: all but one of them are held by a disk.
const READINGS_MAX: usize = 5;
