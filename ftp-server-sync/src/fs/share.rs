//! What is shared: a directory, by its path.
//!
//! The path may name another directory at any time: a disk is mounted over it or is gone, or a link
//! leads elsewhere. So it is looked up at each login, and before each operation compared with the
//! directory that is open. A share that is gone is refused: an empty list of its files would make a
//! program that mirrors it delete all copies.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ftp_proto::text::printable_word;
use ftp_proto::{FtpPath, Refusal};
use log::{Level, debug, info, log, warn};
use rustix::fs::Access;
use rustix::io::Errno;

use super::absence::Absence;
use super::access::check_access;
use super::download::Download;
use super::mounts::{MountPoint, MountTable, UnmountedShare, real_path};
use super::named::NamedDirectory;
use super::quota::usage::HomeUsage;
use super::root::{Root, check_listable};
use super::share_rules::ShareRules;
use crate::locks::lock;
use crate::logging::system_text::SystemText;
use crate::sandbox;

/// A directory that is shared, and which of its names clients see. Cloning shares what is known
/// about the directory.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    place: Arc<Place>,
    rules: Arc<ShareRules>,
}

/// The share as one session uses it.
#[derive(Debug)]
pub(crate) struct SessionShare {
    share: Share,
    /// The directory that was open at the last look. `None`: there was no look, or no directory.
    root: Option<(NamedDirectory, Root)>,
    /// How often the session has lost the directory, or found another one.
    changes: u64,
}

/// A path, and the directory that it names.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    state: Mutex<State>,
    /// Whether the last look found the path as it should be.
    is_usual: AtomicBool,
    /// What quotas count in it.
    usage: Arc<HomeUsage>,
}

#[derive(Debug)]
struct State {
    /// The directory in force; `None` while it is not available.
    opened: Option<Arc<Opened>>,
    /// The directory that was in force last.
    last: Option<NamedDirectory>,
    /// Where its file system was mounted.
    mount: MountPoint,
    condition: Condition,
}

/// An open directory, and where it was found.
#[derive(Debug)]
struct Opened {
    directory: Arc<Dir>,
    named: NamedDirectory,
    mount: MountPoint,
    /// The directory that contains it, by a path without symbolic links.
    parent: PathBuf,
}

/// What is in the log about a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Available,
    /// This process may not follow the path any more. The directory that was opened before stays
    /// in force.
    Unreachable,
    Unavailable,
}

impl Share {
    /// Opens a directory. One that is only a mount point, according to this machine's
    /// configuration, is not available until something is mounted there.
    ///
    /// # Errors
    ///
    /// The system's error, with the directory's path, if it is missing, not a directory, or not
    /// readable.
    pub(crate) fn open(path: &Path, rules: ShareRules) -> io::Result<Self> {
        let opened = Opened::at(path).map_err(|error| {
            let text = format!("cannot share {}: {}", path.display(), SystemText(&error));
            io::Error::new(error.kind(), text)
        })?;
        let mut state = State {
            last: Some(opened.named),
            mount: opened.mount.clone(),
            opened: Some(opened.into()),
            condition: Condition::Available,
        };
        if let Some(unmounted) = UnmountedShare::find(path)
            && unmounted.is_certain()
        {
            state = State {
                opened: None,
                last: None,
                mount: MountPoint::expected(unmounted.point),
                // The log at start has a line of its own.
                condition: Condition::Unavailable,
            };
        }
        let is_usual = state.condition == Condition::Available;
        let place = Place {
            path: path.to_owned(),
            state: state.into(),
            is_usual: is_usual.into(),
            usage: Arc::default(),
        };
        Ok(Self {
            place: place.into(),
            rules: rules.into(),
        })
    }

    /// The same for a directory that need not be there: it is not available until it is. The log
    /// at start has a line about it.
    pub(crate) fn open_later(path: &Path, rules: Arc<ShareRules>) -> Self {
        if let Ok(share) = Self::open(path, ShareRules::default()) {
            return Self { rules, ..share };
        }
        let state = State {
            opened: None,
            last: None,
            mount: MountTable::read().mount_point(Path::new("/")),
            condition: Condition::Unavailable,
        };
        let place = Place {
            path: path.to_owned(),
            state: state.into(),
            is_usual: false.into(),
            usage: Arc::default(),
        };
        Self {
            place: place.into(),
            rules,
        }
    }

    /// The same directory with other rules.
    #[must_use]
    pub(crate) fn with_rules(&self, rules: Arc<ShareRules>) -> Self {
        Self {
            place: self.place.clone(),
            rules,
        }
    }

    /// The rules, which the shares of other directories have too.
    pub(crate) fn rules(&self) -> &Arc<ShareRules> {
        &self.rules
    }

    /// What quotas count in it.
    pub(crate) fn usage(&self) -> &Arc<HomeUsage> {
        &self.place.usage
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.place.path
    }

    /// The share after the settings have been read again. What is known about a directory stays: a
    /// reload while a disk is missing does not share the empty mount point.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub(crate) fn updated(&self, path: &Path, rules: ShareRules) -> io::Result<Self> {
        if path == self.place.path {
            Ok(Self {
                place: self.place.clone(),
                rules: rules.into(),
            })
        } else {
            Self::open(path, rules)
        }
    }

    /// Whether this process may list the directory, by whatever path it was found.
    ///
    /// # Errors
    ///
    /// The system's error, with the path and the remedy.
    pub(crate) fn check_listable(&self) -> io::Result<()> {
        match &lock(&self.place.state).opened {
            Some(opened) => check_listable(&opened.directory, &self.place.path),
            None => Ok(()),
        }
    }

    /// Whether this thread may look up names in the directory.
    ///
    /// # Errors
    ///
    /// The system's error, with the path.
    pub(crate) fn check_searchable(&self) -> io::Result<()> {
        let state = lock(&self.place.state);
        let Some(opened) = &state.opened else {
            return Ok(());
        };
        // It was opened as a name, which takes no right to it.
        check_access(&opened.directory, Access::EXEC_OK).map_err(|error| {
            let error = io::Error::from(error);
            let (path, reason) = (self.place.path.display(), SystemText(&error));
            io::Error::new(error.kind(), format!("cannot enter {path}: {reason}"))
        })
    }

    /// Looks at the server's own files as long as it may.
    pub(crate) fn remember_own_files(&self) {
        self.rules.own_files.remember();
    }

    /// The paths of the server's own files that are in this directory, for the operator.
    pub(crate) fn own_files_inside(&self) -> Vec<PathBuf> {
        self.rules.own_files.inside(&self.place.path)
    }
}

impl SessionShare {
    /// Nothing is opened yet.
    pub(crate) fn new(share: Share) -> Self {
        Self {
            share,
            root: None,
            changes: 0,
        }
    }

    /// Serves the directory by these rules from now on.
    pub(crate) fn update_rules(&mut self, rules: Arc<ShareRules>) {
        self.share.rules = rules.clone();
        if let Some((_, root)) = &mut self.root {
            *root = root.clone().with_rules(rules);
        }
    }

    /// The directory that the path names now. To be called at a login, and before each operation.
    ///
    /// # Errors
    ///
    /// [`Refusal::ShareUnavailable`] if there is none.
    pub(crate) fn root(&mut self) -> Result<Root, Refusal> {
        let known = self.root.take();
        let named = known.as_ref().map(|(named, _)| *named);
        let found = self.share.place.look(named);
        let (named, root) = match (found, known) {
            (Ok(None), Some(known)) => known,
            (Ok(Some(opened)), known) => {
                let named = opened.named;
                let is_change = known.is_some_and(|(known, _)| known != named);
                self.changes += u64::from(is_change);
                let rules = self.share.rules.clone();
                let directory = opened.directory.clone();
                let usage = self.share.place.usage.clone();
                (named, Root::new(directory, named.identity(), rules, usage))
            }
            (Ok(None) | Err(_), _) => {
                self.changes += 1;
                return Err(Refusal::ShareUnavailable);
            }
        };
        self.root = Some((named, root.clone()));
        Ok(root)
    }

    /// Opens a file to send if one look shows that the directory is still the one at its path, and
    /// that the file is in it. `None`: to be done by [`root`](Self::root).
    pub(super) fn download(
        &self,
        path: &FtpPath,
        offset: u64,
        end: Option<u64>,
    ) -> Option<Download> {
        let place = &self.share.place;
        let (_, root) = self.root.as_ref()?;
        if !place.is_usual.load(Ordering::Acquire) {
            return None;
        }
        root.download_by_share(&place.path, path, offset, end)
    }

    /// The path of the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.share.place.path
    }

    /// How often the session has lost the directory, or found another one.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Looks whether the share is still the directory that it was when there had been `changes`.
    /// Otherwise a file that was opened then is not in the share now.
    pub(crate) fn is_unchanged(&mut self, changes: u64) -> bool {
        self.root().is_ok() && self.changes == changes
    }
}

impl Place {
    /// The directory that the path names now; `None`: the one that is known to the caller. That
    /// takes one system call.
    fn look(&self, known: Option<NamedDirectory>) -> Result<Option<Arc<Opened>>, Refusal> {
        let named = NamedDirectory::at(&self.path);
        if self.is_usual.load(Ordering::Acquire)
            && known.is_some_and(|known| named.as_ref().is_ok_and(|named| *named == known))
        {
            return Ok(None);
        }
        let mut state = lock(&self.state);
        let before = (state.condition, state.last);
        let found = state.find(&self.path, named);
        if found.is_err() {
            state.opened = None;
            state.condition = Condition::Unavailable;
        }
        if found.is_err() || before != (state.condition, state.last) {
            state.log_change(before, &self.path, found.as_ref().err());
        }
        let is_usual = state.condition == Condition::Available;
        self.is_usual.store(is_usual, Ordering::Release);
        found.map(Some).map_err(|_| Refusal::ShareUnavailable)
    }
}

impl State {
    /// The directory that is in force now. `named`: what the path names.
    fn find(
        &mut self,
        path: &Path,
        named: Result<NamedDirectory, Errno>,
    ) -> Result<Arc<Opened>, Absence> {
        let named = match (named, &self.opened) {
            (Ok(named), _) => named,
            (Err(Errno::ACCESS), Some(opened)) if opened.is_unreachable() => {
                self.condition = Condition::Unreachable;
                return Ok(opened.clone());
            }
            (Err(errno), _) => return Err(Absence::Error(errno.into())),
        };
        let opened = match &self.opened {
            Some(opened) if opened.named == named => opened.clone(),
            _ => self.open(path)?,
        };
        self.condition = Condition::Available;
        Ok(opened)
    }

    /// Opens another directory than the one that is open.
    fn open(&mut self, path: &Path) -> Result<Arc<Opened>, Absence> {
        let opened = Opened::at(path).map_err(Absence::Error)?;
        let is_last = (self.last).is_some_and(|last| last.is_same_directory(&opened.named));
        if !is_last && !self.mount.is_mounted(&MountTable::read()) {
            return Err(Absence::NotMounted(self.mount.path.clone()));
        }
        self.last = Some(opened.named);
        self.mount = opened.mount.clone();
        let opened = Arc::new(opened);
        self.opened = Some(opened.clone());
        Ok(opened)
    }

    /// Logs what has changed since the last look, so that a share that stays away has one line and
    /// not one for each command.
    #[inline(never)]
    fn log_change(
        &self,
        (condition, last): (Condition, Option<NamedDirectory>),
        path: &Path,
        absence: Option<&Absence>,
    ) {
        let path = printable_word(path.as_os_str().as_bytes());
        let share = format!("the shared directory {path}");
        if let Some(absence) = absence {
            let is_new = condition != Condition::Unavailable;
            let level = if is_new { Level::Warn } else { Level::Debug };
            return log!(level, "{share} is not available: {absence}");
        }
        match (condition, self.condition) {
            (Condition::Available, Condition::Unreachable) => warn!(
                "the server may no longer follow the path {path}: the directory that was opened \
                 before stays shared, and one that is mounted there now is not; restore the right \
                 to search the directories above it, or restart the server"
            ),
            (Condition::Unreachable, Condition::Available) => {
                info!("the server may follow the path {path} again");
            }
            (Condition::Unavailable, _) => info!("{share} is available"),
            _ => match (last, self.last) {
                (Some(last), Some(named)) if last.is_same_directory(&named) => {}
                (Some(last), Some(named)) if last.is_same_mount(&named) => {
                    debug!("{share} is another directory now");
                }
                _ => info!("{share} is another directory now, on another file system"),
            },
        }
    }
}

impl Opened {
    fn at(path: &Path) -> io::Result<Self> {
        let mut attempts = 0;
        loop {
            let mounts = MountTable::read();
            let directory = Dir::open_ambient_dir(path, ambient_authority())?;
            let named = NamedDirectory::of(&directory)?;
            if sandbox::in_force().is_some() {
                // Out of the sandbox, what is named can be looked at, but not opened.
                directory.entries()?;
            }
            let real = real_path(path);
            let mount = MountTable::read().mount_point(&real);
            attempts += 1;
            // Something was mounted meanwhile: it may be about another directory.
            if mount != mounts.mount_point(&real) && attempts < ATTEMPTS_MAX {
                continue;
            }
            return Ok(Self {
                directory: directory.into(),
                named,
                mount,
                parent: real.parent().unwrap_or(&real).to_owned(),
            });
        }
    }

    /// Whether this process may not look up names in the directory that contains this one. The path
    /// may be refused for another reason too, such as a file system of another user that is mounted
    /// there: that is no longer the same directory.
    fn is_unreachable(&self) -> bool {
        NamedDirectory::at(&self.parent.join(".")) == Err(Errno::ACCESS)
    }
}

/// How often a directory is opened while mounts change.
const ATTEMPTS_MAX: u32 = 5;

#[cfg(test)]
mod tests;
