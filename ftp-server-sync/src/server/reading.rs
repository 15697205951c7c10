//! Settings and users are read again in a thread, which also opens their directories: one on a disk
//! that does not answer, such as a network drive that is gone, holds that thread. The main thread
//! waits for it only for a moment, and accepts clients meanwhile.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::fs::{CWD, Mode, OFlags};

use super::handle::{Handle, Message};
use super::shares;
use crate::locks::lock;
use crate::session::Current;
use crate::settings::Settings;
use crate::settings::load_users::load_users;
use crate::settings::watched_files::WatchedFiles;

/// Reads the settings again. The error is a text for the log.
pub(super) type Reload = Box<dyn FnMut() -> Result<Settings, String> + Send>;

/// What reads the settings, and what is being read.
#[derive(Default)]
pub(super) struct SettingsReader {
    /// `None`: there is nothing to read settings from.
    pub(super) reload: Option<Arc<Mutex<Reload>>>,
    pub(super) running: Option<Reading>,
}

/// A thread that reads.
pub(super) struct Reading {
    pub(super) result: Receiver<FreshSettings>,
    visited: Visited,
    /// When the log has a line about it.
    pub(super) warn_at: Option<Instant>,
    /// The settings are to be read once more.
    pub(super) is_outdated: bool,
}

/// What was read.
pub(super) enum FreshSettings {
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

impl Reading {
    /// Starts a thread, which sends [`Message::SettingsRead`] at its end.
    ///
    /// # Errors
    ///
    /// The system has none.
    pub(super) fn start(
        wanted: Wanted,
        reload: Option<Arc<Mutex<Reload>>>,
        current: Arc<Current>,
        handle: Handle,
        warn_at: Instant,
    ) -> io::Result<Self> {
        let (sender, result) = bounded(1);
        let visited = Visited::default();
        let reader = Reader {
            result: Some(sender),
            handle,
            current,
            reload,
            visited: visited.clone(),
        };
        let builder = thread::Builder::new().name("reload".to_owned());
        builder.spawn(move || reader.run(wanted))?;
        Ok(Self {
            result,
            visited,
            warn_at: Some(warn_at),
            is_outdated: false,
        })
    }

    /// The directory that is being opened, or was the last one.
    pub(super) fn visited(&self) -> PathBuf {
        lock(&self.visited).clone().unwrap_or_default()
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
