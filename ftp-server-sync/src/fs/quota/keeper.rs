//! The homes of users with quotas: counted in a thread, and stored for the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use ftp_proto::text::printable_word;
use log::{debug, info, warn};

use super::counting::count;
use super::stored::{CountFile, StoredCounts};
use crate::fs::share::{SessionShare, Share};
use crate::logging::system_text::SystemText;
use crate::settings::QUOTA_FILE;
use crate::settings::file::reason;

/// Counts and stores as long as it exists.
#[derive(Debug)]
pub(crate) struct QuotaKeeper {
    /// The homes of users with quotas.
    homes: BTreeSet<PathBuf>,
    running: Option<RunningKeeper>,
    /// Sessions may have changed homes: what is stored from before does not hold any more.
    has_begun: bool,
    /// For the thread's stack.
    stack_bytes: usize,
}

#[derive(Debug)]
struct RunningKeeper {
    sender: Sender<Request>,
    /// Is disconnected when the thread has ended.
    end: Receiver<Infallible>,
    stop: Arc<AtomicBool>,
    /// What the file had at start.
    stored: StoredCounts,
}

#[derive(Debug)]
enum Request {
    /// A home that some user with a quota has. `counts`: it has to be counted.
    Keep { share: Share, counts: bool },
    /// Only these homes are kept.
    Retain(BTreeSet<PathBuf>),
    /// All homes have to be counted.
    CountAll,
    /// The process ends. `is_complete`: no session changes anything any more.
    End { is_complete: bool },
}

/// The thread's part.
#[derive(Debug)]
struct Worker {
    requests: Receiver<Request>,
    stop: Arc<AtomicBool>,
    /// `None`: nothing can be stored.
    file: Option<CountFile>,
    homes: BTreeMap<PathBuf, KeptHome>,
    saved: Instant,
    /// What the file has.
    written: StoredCounts,
}

#[derive(Debug)]
struct KeptHome {
    share: Share,
    /// How often it will still be counted, because it has not been, or changed meanwhile.
    attempts: u32,
    /// The last count was not disturbed.
    is_exact: bool,
}

impl Default for QuotaKeeper {
    fn default() -> Self {
        Self {
            homes: BTreeSet::new(),
            running: None,
            has_begun: false,
            stack_bytes: STACK_BYTES,
        }
    }
}

impl QuotaKeeper {
    /// Keeps the counts of these homes and no others; those that it has counted are not
    /// counted again. The first call with a home opens the file in the state directory.
    pub(crate) fn update<'a>(&mut self, state: &Path, homes: impl Iterator<Item = &'a Share>) {
        let before = std::mem::take(&mut self.homes);
        let is_start = !std::mem::replace(&mut self.has_begun, true);
        for share in homes {
            let usage = share.usage();
            let is_new = usage.track();
            let is_first = self.homes.insert(share.path().to_owned());
            if !is_first || (!is_new && before.contains(share.path())) {
                continue;
            }
            let running = match &mut self.running {
                Some(running) => running,
                none => match RunningKeeper::start(state, self.stack_bytes) {
                    Ok(started) => none.insert(started),
                    Err(error) => {
                        // All of them are new to the next call.
                        self.homes.clear();
                        return log_no_thread(&error);
                    }
                },
            };
            let stored = running.stored.counts.remove(share.path());
            let is_complete = is_start && running.stored.is_complete;
            if let Some(stored) = stored {
                usage.set_stored(stored, is_complete);
            }
            let request = Request::Keep {
                share: share.clone(),
                counts: usage.counted().is_none(),
            };
            let _ = running.sender.send(request);
        }
        if let Some(running) = &mut self.running {
            let _ = running.sender.send(Request::Retain(self.homes.clone()));
            // Later they would be out of date.
            running.stored = StoredCounts::default();
        } else if is_start {
            mark_in_use(state);
        }
    }

    /// Counts all homes again.
    pub(crate) fn recount(&self) {
        if let Some(running) = &self.running {
            let _ = running.sender.send(Request::CountAll);
        }
    }

    /// Stores the counts for the next start. `is_complete`: no session runs any more.
    pub(crate) fn end(&mut self, is_complete: bool) {
        if let Some(running) = self.running.take() {
            running.stop.store(true, Ordering::Relaxed);
            let _ = running.sender.send(Request::End { is_complete });
            // A home on a disk that does not answer may hold the thread: the file then still says
            // that it is in use, so that the homes are counted at the next start.
            if let Err(RecvTimeoutError::Timeout) = running.end.recv_timeout(END_WAIT_MAX) {
                let seconds = END_WAIT_MAX.as_secs();
                warn!(
                    "what quotas count has not been stored within {seconds} s: the homes will be \
                     counted at the next start; see whether the disks of the homes answer"
                );
            }
        }
    }
}

impl RunningKeeper {
    fn start(state: &Path, stack_bytes: usize) -> io::Result<Self> {
        let (file, stored) = open(state);
        let (sender, requests) = unbounded();
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            requests,
            stop: stop.clone(),
            file,
            homes: BTreeMap::new(),
            saved: Instant::now(),
            written: StoredCounts::default(),
        };
        let (guard, end) = bounded(0);
        let builder = thread::Builder::new().name("quotas".to_owned());
        builder.stack_size(stack_bytes).spawn(move || {
            let _guard: Sender<Infallible> = guard;
            worker.run();
        })?;
        Ok(Self {
            sender,
            end,
            stop,
            stored,
        })
    }
}

fn log_no_thread(error: &io::Error) {
    warn!(
        "quotas do not count yet what is in the homes: cannot start a thread: {}; permit more \
         threads (ulimit -u, TasksMax of systemd), then reload the settings",
        SystemText(error)
    );
}

/// What this server changes is not counted: the counts that an earlier one has stored do not hold
/// any more.
fn mark_in_use(state: &Path) {
    let path = state.join(QUOTA_FILE);
    if !path.exists() {
        return;
    }
    match open_in_use(state) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            debug!("another server uses {}", path.display());
        }
        Err(error) => warn!(
            "cannot write {}: {}: before a user has a quota again, remove this file, so that the \
             homes are counted",
            path.display(),
            reason(&error)
        ),
    }
}

/// The file, and what it has. From now on, it says that it is in use.
fn open(state: &Path) -> (Option<CountFile>, StoredCounts) {
    match open_in_use(state) {
        Ok((file, stored)) => (Some(file), stored),
        Err(error) => {
            let reason = match error.kind() {
                io::ErrorKind::WouldBlock => "another server uses it".to_owned(),
                _ => reason(&error),
            };
            warn!(
                "cannot store what quotas count in {}: {reason}: homes are counted anew at each \
                 start; set the environment variable STATE_DIRECTORY to a directory of this server",
                state.display()
            );
            (None, StoredCounts::default())
        }
    }
}

fn open_in_use(state: &Path) -> io::Result<(CountFile, StoredCounts)> {
    let file = CountFile::open(state)?;
    let stored = file.read();
    file.write(&StoredCounts {
        is_complete: false,
        ..stored.clone()
    })?;
    Ok((file, stored))
}

impl Worker {
    fn run(mut self) {
        loop {
            match self.requests.recv_timeout(self.pause()) {
                Ok(Request::Keep { share, counts }) => {
                    let attempts = if counts { ATTEMPTS_MAX } else { 0 };
                    let home = KeptHome {
                        share,
                        attempts,
                        is_exact: !counts,
                    };
                    self.homes.insert(home.share.path().to_owned(), home);
                }
                Ok(Request::Retain(kept)) => self.homes.retain(|path, _| kept.contains(path)),
                Ok(Request::CountAll) => {
                    let homes = self.homes.values_mut();
                    homes.for_each(|home| home.attempts = ATTEMPTS_MAX);
                }
                Ok(Request::End { is_complete }) => return self.save(is_complete),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.work(),
            }
        }
    }

    /// How long requests are waited for.
    fn pause(&self) -> Duration {
        let mut waiting = self.homes.values().map(|home| home.attempts);
        if waiting.any(|attempts| attempts == ATTEMPTS_MAX) {
            Duration::ZERO
        } else if self.homes.values().any(|home| home.attempts > 0) {
            RETRY_AFTER
        } else {
            SAVE_AFTER
        }
    }

    fn work(&mut self) {
        for home in self.homes.values_mut() {
            if home.attempts > 0 && !self.stop.load(Ordering::Relaxed) {
                home.attempts -= 1;
                home.count(&self.stop);
            }
        }
        if self.saved.elapsed() >= SAVE_AFTER {
            self.save(false);
        }
    }

    /// `is_complete`: nothing changes any more.
    fn save(&mut self, is_complete: bool) {
        self.saved = Instant::now();
        let Some(file) = &self.file else {
            return;
        };
        let mut is_complete = is_complete;
        let mut counts = BTreeMap::new();
        for (path, home) in &self.homes {
            let usage = home.share.usage();
            is_complete &= home.is_exact && home.attempts == 0 && usage.is_at_rest();
            if let Some(used) = usage.counted() {
                counts.insert(path.clone(), used);
            }
        }
        let stored = StoredCounts {
            counts,
            is_complete,
        };
        if stored == self.written {
            return;
        }
        if let Err(error) = file.write(&stored) {
            warn!(
                "cannot store what quotas count: {}: the homes will be counted at the next start",
                SystemText(&error)
            );
        }
        self.written = stored;
    }
}

impl KeptHome {
    fn count(&mut self, stop: &AtomicBool) {
        let path = self.share.path();
        let shown = printable_word(path.as_os_str().as_bytes());
        let usage = self.share.usage();
        let Ok(root) = SessionShare::new(self.share.clone()).root() else {
            // It may come: a disk that is not mounted, or a home that is made at the login.
            self.attempts = ATTEMPTS_MAX - 1;
            return debug!("quota: {shown} is not there, and is counted later");
        };
        let start = usage.begin_count();
        let counted = match count(&*root.directory, stop) {
            Ok(counted) => counted,
            Err(_) if stop.load(Ordering::Relaxed) => return,
            Err(error) => return warn!("quota: cannot count {shown}: {}", SystemText(&error)),
        };
        let (bytes, files) = (counted.amount.bytes, counted.amount.files);
        self.is_exact = usage.end_count(start, counted.amount);
        if self.is_exact {
            self.attempts = 0;
            info!("quota: {shown} has {bytes} bytes in {files} files and directories");
        } else if self.attempts == 0 {
            warn!(
                "quota: {shown} changed each time that it was counted: its count may differ a \
                 little from what is there; reload the settings in a calmer hour to count again"
            );
        }
        if counted.unread > 0 {
            warn!(
                "quota: {} directories in {shown} could not be read, and do not count",
                counted.unread
            );
        }
    }
}

/// How often a home is counted that changes meanwhile, or is not there.
const ATTEMPTS_MAX: u32 = 8;

/// When it is counted again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How often counts are stored that hold, after a crash, until the homes have been counted.
const SAVE_AFTER: Duration = Duration::from_secs(60);

/// How long the end of the server waits for the thread.
const END_WAIT_MAX: Duration = Duration::from_secs(2);

/// Only the pages that are used need memory. A buffer of names is on the heap.
const STACK_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
