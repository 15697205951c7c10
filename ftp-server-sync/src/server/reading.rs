//! Settings and users are read again in a thread, which also opens their directories: one on a disk
//! that does not answer, such as a network drive that is gone, holds that thread. The main thread
//! waits for it only for a moment, and accepts clients meanwhile. The users file comes first: users
//! who are removed from it need not wait for the disks of others.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::fs::{CWD, Mode, OFlags};

use super::findings::on_disk;
use super::fresh_users::{FreshUsers, read_users};
use super::handle::{Handle, Message};
use super::shares;
use crate::locks::lock;
use crate::nat::evidence::Evidence;
use crate::session::Current;
use crate::settings::load_users::load_users;
use crate::settings::watched_files::WatchedFiles;
use crate::settings::{Settings, Users};

/// Reads the settings again. The error is a text for the log.
pub(super) type Reload = Box<dyn FnMut() -> Result<Settings, String> + Send>;

/// What reads the settings, and what is being read.
#[derive(Default)]
pub(super) struct SettingsReader {
    /// `None`: there is nothing to read settings from.
    pub(super) reload: Option<Arc<Mutex<Reload>>>,
    pub(super) running: Option<Reading>,
    /// What was in force before users were taken whose directories have not answered yet.
    pub(super) before: Option<Arc<Current>>,
    /// Each thread that reads has a clone.
    pub(super) threads: Arc<()>,
}

/// A thread that reads.
pub(super) struct Reading {
    pub(super) wanted: Wanted,
    pub(super) result: Receiver<FreshSettings>,
    visited: Visited,
    /// When the log has a line about it.
    pub(super) warn_at: Option<Instant>,
    /// The users of the file, whose directories have not answered yet.
    pub(super) early: Option<Users>,
    /// They have been taken.
    pub(super) is_early_taken: bool,
    /// What is to be read once more.
    pub(super) outdated: Option<Wanted>,
}

/// What was read.
pub(super) enum FreshSettings {
    /// The users of the file, before one of their directories is opened. More follows.
    EarlyUsers(Users),
    /// The users file as it was before it was read, and the settings.
    Settings(WatchedFiles, Box<Result<(Settings, Evidence), String>>),
    Users(Box<Result<FreshUsers, String>>),
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
    _counted: Arc<()>,
}

impl Reading {
    /// Starts a thread, which sends [`Message::SettingsRead`] at its end.
    ///
    /// # Errors
    ///
    /// The system has none.
    pub(super) fn start(
        wanted: Wanted,
        reader: &SettingsReader,
        current: Arc<Current>,
        handle: Handle,
        warn_at: Instant,
    ) -> io::Result<Self> {
        // No message waits for the main thread.
        let (sender, result) = bounded(2);
        let visited = Visited::default();
        let reader = Reader {
            result: Some(sender),
            handle,
            current,
            reload: reader.reload.clone(),
            visited: visited.clone(),
            _counted: reader.threads.clone(),
        };
        let builder = thread::Builder::new().name("reload".to_owned());
        builder.spawn(move || reader.run(wanted))?;
        Ok(Self {
            wanted,
            early: None,
            is_early_taken: false,
            result,
            visited,
            warn_at: Some(warn_at),
            outdated: None,
        })
    }

    /// The directory that is being opened, or was the last one.
    pub(super) fn visited(&self) -> PathBuf {
        lock(&self.visited).clone().unwrap_or_default()
    }
}

impl Reader {
    fn run(mut self, wanted: Wanted) {
        if let Some(users) = early_users(&self.current) {
            self.send(FreshSettings::EarlyUsers(users));
            self.handle.send(Message::SettingsRead);
        }
        let fresh = match wanted {
            Wanted::Settings => self.read_settings(),
            Wanted::Users => {
                self.visit(&self.current.settings.directory);
                FreshSettings::Users(read_users(&self.current, |path| self.visit(path)).into())
            }
        };
        self.send(fresh);
        self.result = None;
    }

    fn send(&self, fresh: FreshSettings) {
        if let Some(result) = &self.result {
            // The server may have ended, or read again meanwhile.
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
        let settings = settings.map(|settings| {
            self.visit(&settings.directory);
            settings
                .users
                .directories()
                .for_each(|path| self.visit(path));
            let files = settings.files_to_read_again();
            files.iter().for_each(|path| self.visit_file(path));
            let on_disk = on_disk(&settings);
            (settings, on_disk)
        });
        FreshSettings::Settings(users_file, settings.into())
    }

    /// Opens a directory, so that the system knows it, or has given it up, when the main thread
    /// does the same.
    fn visit(&self, path: &Path) {
        *lock(&self.visited) = Some(path.to_owned());
        // What is wrong with it is found out again.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let _ = rustix::fs::openat(CWD, path, flags, Mode::empty());
    }

    /// The same for a file that the main thread reads.
    fn visit_file(&self, path: &Path) {
        path.clone_into(lock(&self.visited).get_or_insert_default());
        // A pipe without a writer would hold the open.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::openat(CWD, path, flags, Mode::empty()).map(File::from)
            && file.metadata().is_ok_and(|metadata| metadata.is_file())
        {
            let _ = io::copy(&mut file.take(FILE_BYTES_MAX), &mut io::sink());
        }
    }
}

/// More than any of them may have.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// The users of the file. What is wrong with it is reported when all of it is read.
fn early_users(current: &Current) -> Option<Users> {
    let settings = &current.settings;
    let file = settings.users_file.as_ref()?;
    load_users(file, settings.users.clone()).ok()
}

impl Drop for Reader {
    fn drop(&mut self) {
        // Before the main thread looks.
        self.result = None;
        self.handle.send(Message::SettingsRead);
    }
}
