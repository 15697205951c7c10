//! Settings and users are read again in a thread, which also opens their directories: one on a disk
//! that does not answer, such as a network drive that is gone, holds that thread. The main thread
//! waits for it only for a moment, and accepts clients meanwhile.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};
use ftp_proto::text::printable_word;
use log::{debug, info, warn};
use rustix::fs::{CWD, Mode, OFlags};

use super::handle::{Handle, Message};
use super::{Reload, Server, Shutdown, shares};
use crate::locks::lock;
use crate::logging::system_text::SystemText;
use crate::session::Current;
use crate::settings::Settings;
use crate::settings::load_users::load_users;
use crate::settings::watched_files::WatchedFiles;

/// What reads the settings, and what is being read.
#[derive(Default)]
pub(super) struct SettingsReader {
    /// `None`: there is nothing to read settings from.
    pub(super) reload: Option<Arc<Mutex<Reload>>>,
    running: Option<Reading>,
}

struct Reading {
    result: Receiver<FreshSettings>,
    /// The directory that is being opened.
    visited: Visited,
    /// When the log has a line about it.
    warn_at: Option<Instant>,
    /// The settings are to be read once more.
    is_outdated: bool,
}

/// What was read.
enum FreshSettings {
    /// The users file as it was before it was read, and the settings.
    Settings(WatchedFiles, Box<Result<Settings, String>>),
    /// The directories of the users file are open: it can be read now.
    Users,
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Settings,
    Users,
}

type Visited = Arc<Mutex<Option<PathBuf>>>;

/// The thread's part. The main thread is woken at its end, however it ends.
struct Reader {
    result: Option<Sender<FreshSettings>>,
    handle: Handle,
    current: Arc<Current>,
    reload: Option<Arc<Mutex<Reload>>>,
    visited: Visited,
}

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
        let (sender, result) = bounded(1);
        let visited = Visited::default();
        let reader = Reader {
            result: Some(sender),
            handle: self.handle.clone(),
            current: self.state.current(),
            reload: self.reader.reload.clone(),
            visited: visited.clone(),
        };
        self.reader.running = Some(Reading {
            result,
            visited,
            warn_at: Some(now + WARN_AFTER),
            is_outdated: false,
        });
        let builder = thread::Builder::new().name("reload".to_owned());
        if let Err(error) = builder.spawn(move || reader.run(wanted)) {
            self.reader.running = None;
            let error = SystemText(&error);
            debug!("reading the settings in the main thread, as there is no other: {error}");
            return self.read_here(wanted, now);
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
        let visited = lock(&running.visited).clone();
        let place = visited.unwrap_or_default();
        warn!(
            "the old settings and users stay in force until {} answers: see whether its disk does, \
             or unmount it",
            printable_word(place.as_os_str().as_bytes())
        );
    }
}

impl Reader {
    fn run(mut self, wanted: Wanted) {
        let fresh = match wanted {
            Wanted::Settings => self.read_settings(),
            Wanted::Users => self.read_users(),
        };
        if let Some(result) = self.result.take() {
            // The server may have ended.
            let _ = result.send(fresh);
        }
    }

    fn read_settings(&self) -> FreshSettings {
        // Before the file is read.
        let users_file = shares::watch(&self.current.settings, Instant::now());
        let settings = match &self.reload {
            Some(reload) => (lock(reload))(),
            None => Err("there is nothing to read settings from".to_owned()),
        };
        if let Ok(settings) = &settings {
            self.visit(&settings.directory);
            settings
                .users
                .directories()
                .for_each(|path| self.visit(path));
        }
        FreshSettings::Settings(users_file, settings.into())
    }

    fn read_users(&self) -> FreshSettings {
        let settings = &self.current.settings;
        self.visit(&settings.directory);
        settings
            .users
            .directories()
            .for_each(|path| self.visit(path));
        let file = settings.users_file.as_ref();
        let users = file.map(|file| load_users(file, settings.users.clone()));
        // What is wrong with the file is reported when it is read for good.
        if let Some(Ok(users)) = users {
            users.directories().for_each(|path| self.visit(path));
        }
        FreshSettings::Users
    }

    /// Opens a directory, so that the system knows it, or has given it up, when the main thread
    /// does the same.
    fn visit(&self, path: &Path) {
        *lock(&self.visited) = Some(path.to_owned());
        // What is wrong with it is found out again.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let _ = rustix::fs::openat(CWD, path, flags, Mode::empty());
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Before the main thread looks.
        self.result = None;
        self.handle.send(Message::SettingsRead);
    }
}

/// How long the main thread waits: enough for disks that answer.
const MOMENT: Duration = Duration::from_millis(500);

/// A disk that has to start needs some seconds.
const WARN_AFTER: Duration = Duration::from_secs(15);
