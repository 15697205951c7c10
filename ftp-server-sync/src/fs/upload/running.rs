//! An upload while it exists: its session moves it, and another session of the same login may take
//! its name over when it has stalled.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use ftp_proto::Kept;
use mio::Waker;

use super::prepared::Prepared;
use super::receiving::{Receiving, StoreError, UploadFailure};
use crate::locks::lock;

/// One upload.
#[derive(Debug)]
pub(super) struct Running {
    /// Who may take the name over.
    login: Vec<u8>,
    /// Of the session's thread.
    waker: Arc<Waker>,
    slot: Mutex<Slot>,
}

#[derive(Debug)]
struct Slot {
    state: State,
    /// When the last byte came, or the upload was prepared.
    moved: Instant,
    /// It continues no file.
    is_from_start: bool,
    /// The client has sent QUIT.
    has_quit: bool,
}

#[derive(Debug)]
enum State {
    /// The name is taken, and what the upload will do is not known yet.
    Claimed,
    Prepared(Prepared),
    Receiving(Receiving),
    /// Another session has taken the name over, and this is what had been kept then.
    GaveWay(Kept),
    /// This is what is left.
    Ended(Kept),
}

/// How an upload was when another session took its name over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GaveWay {
    pub(super) had_begun: bool,
    /// It continued no file.
    pub(super) is_from_start: bool,
    /// What it has left.
    pub(super) kept: Kept,
}

impl Running {
    pub(super) fn new(login: Vec<u8>, waker: Arc<Waker>) -> Self {
        let slot = Slot {
            state: State::Claimed,
            moved: Instant::now(),
            is_from_start: true,
            has_quit: false,
        };
        Self {
            login,
            waker,
            slot: slot.into(),
        }
    }

    /// Nothing happens if another session has taken the name over: a slow disk may take longer to
    /// prepare an upload than that waits.
    pub(super) fn set_prepared(&self, prepared: Prepared) {
        let mut slot = lock(&self.slot);
        if let State::Claimed = slot.state {
            slot.is_from_start = prepared.is_from_start();
            slot.state = State::Prepared(prepared);
            slot.moved = Instant::now();
        }
    }

    /// Stores bytes that have come: `write` writes `count` bytes to the file.
    ///
    /// # Errors
    ///
    /// Any of the system, or a limit; the upload has to be ended then.
    pub(super) fn store(
        &self,
        count: usize,
        write: &mut dyn FnMut(&mut File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let mut slot = lock(&self.slot);
        slot.moved = Instant::now();
        slot.receiving()?.store(count, write)
    }

    /// Every byte has come.
    ///
    /// # Errors
    ///
    /// Any of the system, with what is left.
    pub(super) fn complete(&self) -> Result<(), (StoreError, Kept)> {
        let mut slot = lock(&self.slot);
        if let Err(error) = slot.receiving() {
            return Err((error.into(), slot.end(UploadFailure::Server)));
        }
        match std::mem::replace(&mut slot.state, State::Ended(Kept::Nothing)) {
            State::Receiving(receiving) => receiving.complete(),
            _ => Ok(()),
        }
    }

    /// Ends the upload before it is complete. Ended already: nothing happens.
    pub(super) fn fail(&self, cause: UploadFailure) -> Kept {
        lock(&self.slot).end(cause)
    }

    /// Ends the upload, as if its connection were lost, if it has stalled and is of this login.
    /// `None` if it goes on.
    pub(super) fn give_way(&self, login: &[u8]) -> Option<GaveWay> {
        let mut slot = match self.slot.try_lock() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // It is just being written.
            Err(TryLockError::WouldBlock) => return None,
        };
        if self.login != login || !slot.has_stalled() {
            return None;
        }
        let had_begun = matches!(slot.state, State::Receiving(_));
        let kept = slot.end(UploadFailure::Broken);
        slot.state = State::GaveWay(kept);
        // Its session finds out by its data timeout otherwise.
        let _ = self.waker.wake();
        Some(GaveWay {
            had_begun,
            is_from_start: slot.is_from_start,
            kept,
        })
    }

    /// The client has sent QUIT: its data connection may still come.
    pub(super) fn set_quit(&self) {
        lock(&self.slot).has_quit = true;
    }

    /// Whether it continues no file.
    pub(super) fn is_from_start(&self) -> bool {
        lock(&self.slot).is_from_start
    }

    /// Whether another session has taken the name over.
    pub(super) fn gave_way(&self) -> bool {
        matches!(lock(&self.slot).state, State::GaveWay(_))
    }
}

impl Slot {
    /// Whether nothing is lost, as far as can be known, if the upload ends. A client whose data
    /// connection was refused sends QUIT, and tries again in another session.
    fn has_stalled(&self) -> bool {
        let is_left = self.has_quit && matches!(self.state, State::Prepared(_));
        is_left || self.moved.elapsed() >= STALLED_AFTER
    }

    /// The upload, which begins now if it has not begun.
    fn receiving(&mut self) -> io::Result<&mut Receiving> {
        if let State::Prepared(prepared) = &self.state {
            let if_it_fails = State::Ended(prepared.kept());
            if let State::Prepared(prepared) = std::mem::replace(&mut self.state, if_it_fails) {
                self.state = State::Receiving(prepared.begin()?);
            }
        }
        match &mut self.state {
            State::Receiving(receiving) => Ok(receiving),
            State::Claimed | State::Prepared(_) | State::GaveWay(_) | State::Ended(_) => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
    }

    fn end(&mut self, cause: UploadFailure) -> Kept {
        let kept = match std::mem::replace(&mut self.state, State::Claimed) {
            State::Receiving(receiving) => receiving.fail(cause),
            State::Prepared(prepared) => prepared.kept(),
            State::GaveWay(kept) => {
                self.state = State::GaveWay(kept);
                return kept;
            }
            State::Ended(kept) => kept,
            State::Claimed => Kept::Nothing,
        };
        self.state = State::Ended(kept);
        kept
    }
}

/// How long no byte has come when an upload has stalled: much longer than a client waits that has a
/// connection, and much shorter than a camera without one.
const STALLED_AFTER: Duration = Duration::from_secs(10);

#[cfg(test)]
impl Running {
    /// As if no byte had come for long.
    pub(super) fn stall(&self) {
        lock(&self.slot).moved -= STALLED_AFTER;
    }
}
