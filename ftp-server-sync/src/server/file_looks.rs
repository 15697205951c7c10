//! Looks at files that may be replaced, and reads those that have changed, in a thread: a network
//! drive that does not answer holds that thread, and not the main one. There is one thread, and
//! none before there is such a file: while a look is held, none of the files is looked at.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, unbounded};

use super::handle::{Handle, Message};
use crate::locks::lock;
use crate::nat::address_source::file::{AddressFiles, SeenAddresses};
use crate::session::Current;
use crate::settings::watched_files::{FileStates, WatchedFiles};
use crate::tls::Identity;

/// The thread, and the look that goes on.
#[derive(Debug, Default)]
pub(super) struct FileLooks {
    /// Looks for the thread, which ends without this.
    thread: Option<Sender<Look>>,
    pub(super) running: Option<RunningLook>,
    /// No look begins before.
    pub(super) pause_end: Option<Instant>,
    visited: Visited,
}

/// A look that goes on.
#[derive(Debug)]
pub(super) struct RunningLook {
    result: Receiver<Seen>,
    /// When the log has a line about it.
    pub(super) warn_at: Option<Instant>,
    /// The settings were replaced meanwhile.
    is_outdated: bool,
}

/// What to look at: copies of what the main thread has, without what is not due.
pub(super) struct FilesToSee {
    pub(super) current: Arc<Current>,
    pub(super) certificate: Option<WatchedFiles>,
    pub(super) users: Option<WatchedFiles>,
    pub(super) addresses: AddressFiles,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) certificate: Option<SeenCertificate>,
    pub(super) users: Option<FileStates>,
    pub(super) addresses: Vec<SeenAddresses>,
}

/// The files of the certificates as they were seen.
#[derive(Debug)]
pub(super) struct SeenCertificate {
    pub(super) states: FileStates,
    /// What they contain, if they have changed. The error is a text for the log.
    pub(super) identity: Option<Result<Option<Identity>, String>>,
}

/// How a look stands.
#[derive(Debug)]
pub(super) enum LookEnd {
    /// It goes on, or there is none.
    NotYet,
    Done(Seen),
    /// What was seen is out of date, or the thread has ended by a fault of the server.
    Nothing,
}

/// The thread's part of a look. The main thread is woken at its end, however it ends.
struct Look {
    files: FilesToSee,
    result: Option<Sender<Seen>>,
    handle: Handle,
    visited: Visited,
}

type Visited = Arc<Mutex<PathBuf>>;

impl FileLooks {
    /// Begins a look, which sends [`Message::FilesSeen`] at its end.
    ///
    /// # Errors
    ///
    /// The system has no thread.
    pub(super) fn start(
        &mut self,
        files: FilesToSee,
        handle: Handle,
        warn_at: Instant,
    ) -> io::Result<()> {
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => start_thread()?,
        };
        let (sender, result) = bounded(1);
        let look = Look {
            files,
            result: Some(sender),
            handle,
            visited: self.visited.clone(),
        };
        // If the thread has ended, the result says so.
        let _ = thread.send(look);
        self.thread = Some(thread);
        self.running = Some(RunningLook {
            result,
            warn_at: Some(warn_at),
            is_outdated: false,
        });
        Ok(())
    }

    /// What was seen, if the look has ended.
    pub(super) fn take(&mut self) -> LookEnd {
        let Some(running) = &self.running else {
            return LookEnd::NotYet;
        };
        let end = match running.result.try_recv() {
            Err(TryRecvError::Empty) => return LookEnd::NotYet,
            Err(TryRecvError::Disconnected) => {
                self.thread = None;
                LookEnd::Nothing
            }
            Ok(_) if running.is_outdated => LookEnd::Nothing,
            Ok(seen) => LookEnd::Done(seen),
        };
        self.running = None;
        end
    }

    /// What a look has seen that goes on is not taken: the files were read meanwhile, or others are
    /// in force.
    pub(super) fn set_outdated(&mut self) {
        if let Some(running) = &mut self.running {
            running.is_outdated = true;
        }
    }

    /// The file that is looked at, or was the last one.
    pub(super) fn visited(&self) -> PathBuf {
        lock(&self.visited).clone()
    }
}

/// It ends with its sender.
fn start_thread() -> io::Result<Sender<Look>> {
    let (sender, looks) = unbounded::<Look>();
    let builder = thread::Builder::new().name("files".to_owned());
    builder.spawn(move || looks.into_iter().for_each(Look::perform))?;
    Ok(sender)
}

impl Look {
    fn perform(mut self) {
        let visit = |path: &Path| path.clone_into(&mut lock(&self.visited));
        let FilesToSee {
            current,
            certificate,
            users,
            addresses,
        } = &self.files;
        let seen = Seen {
            certificate: certificate.as_ref().map(|files| {
                let states = files.states(visit);
                let identity = files
                    .is_changed(&states)
                    .then(|| Identity::load(&current.settings, &current.interfaces));
                let identity = identity.map(|loaded| loaded.map_err(|error| error.to_string()));
                SeenCertificate { states, identity }
            }),
            users: users.as_ref().map(|files| files.states(visit)),
            addresses: addresses.see(visit),
        };
        if let Some(result) = self.result.take() {
            // The server may have ended.
            let _ = result.send(seen);
        }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        // Before the main thread looks.
        self.result = None;
        self.handle.send(Message::FilesSeen);
    }
}
