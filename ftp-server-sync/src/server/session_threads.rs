//! The threads of sessions. One whose session has ended waits a while for the next one: to make and
//! to end a thread, with its stack and its poll, takes longer than a login.
//!
//! No thread serves a second session that may have something left of the first: after a panic, or
//! with the rights of a user of the system, it ends.

use std::ffi::CString;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mio::Waker;

use super::handle::{Handle, Message};
use crate::locks::lock;
use crate::logging::session_name::set_thread_session;
use crate::privileges::has_become_user;
use crate::session::{self, SessionPoll, Start};

/// Starts sessions, on threads that wait or on new ones.
#[derive(Debug)]
pub(super) struct SessionThreads {
    parked: Arc<Mutex<Parked>>,
    /// Gets the ends of sessions.
    handle: Handle,
}

/// The threads that wait for a session.
#[derive(Debug, Default)]
struct Parked {
    threads: Vec<ParkedThread>,
    /// The server ends.
    is_over: bool,
}

/// How a thread that waits is reached. What takes it out of the list decides what it does.
#[derive(Clone, Debug)]
struct ParkedThread {
    next: Arc<NextSession>,
    waker: Arc<Waker>,
}

/// Where a thread finds its next session.
type NextSession = Mutex<Option<Box<Start>>>;

/// The thread of a session, as it sees itself.
struct SessionThread {
    poll: SessionPoll,
    next: Arc<NextSession>,
    parked: Arc<Mutex<Parked>>,
    handle: Handle,
}

/// Reports the end of a session however its thread ends, a panic included.
#[derive(Debug)]
struct EndGuard<'a> {
    number: u64,
    handle: &'a Handle,
    /// Its thread waits for the next one.
    is_parked: bool,
}

impl SessionThreads {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            parked: Arc::default(),
            handle,
        }
    }

    /// Starts a session. Returns the waker of its poll.
    ///
    /// # Errors
    ///
    /// If the system has no descriptor or no thread for it. What has not started is returned too,
    /// so that the client gets a reply.
    pub(super) fn start(
        &self,
        start: Box<Start>,
    ) -> Result<Arc<Waker>, (io::Error, Option<Box<Start>>)> {
        // The last one: its memory is in the caches.
        let parked = lock(&self.parked).threads.pop();
        if let Some(ParkedThread { next, waker }) = parked {
            *lock(&next) = Some(start);
            // It fails only if the poll is gone, and the thread waits in it.
            let _ = waker.wake();
            return Ok(waker);
        }
        let number = start.number;
        let next = Arc::new(NextSession::new(Some(start)));
        // A closure that gets no thread is dropped, with all that it alone holds.
        let spawned = self.spawn(number, next.clone());
        spawned.map_err(|error| (error, lock(&next).take()))
    }

    fn spawn(&self, number: u64, next: Arc<NextSession>) -> io::Result<Arc<Waker>> {
        let poll = SessionPoll::new()?;
        let waker = poll.waker();
        let mut thread = Box::new(SessionThread {
            poll,
            next,
            parked: self.parked.clone(),
            handle: self.handle.clone(),
        });
        thread::Builder::new()
            .name(format!("session {number}"))
            .stack_size(STACK_BYTES)
            .spawn(move || thread.serve())?;
        Ok(waker)
    }
}

/// The server ends: its threads need not wait any more.
impl Drop for SessionThreads {
    fn drop(&mut self) {
        let mut parked = lock(&self.parked);
        parked.is_over = true;
        for thread in parked.threads.drain(..) {
            let _ = thread.waker.wake();
        }
    }
}

impl SessionThread {
    /// Serves one session after the other. By reference: a value would be on the stack twice.
    fn serve(&mut self) {
        let mut next = self.take_next();
        let mut is_first = true;
        while let Some(start) = next {
            let number = start.number;
            set_thread_session(number);
            if !is_first && let Ok(name) = CString::new(format!("session {number}")) {
                let _ = rustix::thread::set_name(&name);
            }
            is_first = false;
            let handle = self.handle.clone();
            let mut end = EndGuard {
                number,
                handle: &handle,
                is_parked: false,
            };
            session::run(start, &mut self.poll);
            end.is_parked = self.park();
            let is_parked = end.is_parked;
            drop(end);
            next = is_parked.then(|| self.await_next()).flatten();
        }
    }

    fn take_next(&self) -> Option<Box<Start>> {
        lock(&self.next).take()
    }

    /// Offers this thread for the next session, unless it should end.
    #[inline(never)]
    fn park(&mut self) -> bool {
        if has_become_user() || self.poll.renew().is_err() {
            return false;
        }
        let mut parked = lock(&self.parked);
        let may_wait = !parked.is_over && parked.threads.len() < PARKED_MAX;
        if may_wait {
            parked.threads.push(ParkedThread {
                next: self.next.clone(),
                waker: self.poll.waker(),
            });
        }
        may_wait
    }

    /// The next session; `None` if there is none for a while.
    #[inline(never)]
    fn await_next(&mut self) -> Option<Box<Start>> {
        let deadline = Instant::now() + PARKED_TIME;
        loop {
            if let Some(start) = self.take_next() {
                return Some(start);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            // One that is not in the list any more gets a session at once, unless the server ends.
            if left.is_zero() && self.leave() || lock(&self.parked).is_over {
                return self.take_next();
            }
            if self.poll.wait(left.max(TAKEN_TIME)).is_err() && self.leave() {
                return None;
            }
        }
    }

    /// Takes this thread out of the list. False if the main thread has done that.
    fn leave(&self) -> bool {
        let threads = &mut lock(&self.parked).threads;
        let is_own = |thread: &ParkedThread| Arc::ptr_eq(&thread.next, &self.next);
        let own = threads.iter().position(is_own);
        own.map(|index| threads.remove(index)).is_some()
    }
}

/// What the main thread still holds of sessions that have ended is of no use any more.
impl Drop for SessionThread {
    fn drop(&mut self) {
        self.handle.wake();
    }
}

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        let message = Message::Ended {
            number: self.number,
            has_panicked: thread::panicking(),
        };
        if self.is_parked {
            self.handle.send_for_later(message);
        } else {
            self.handle.send(message);
        }
    }
}

/// The stack of a session's thread. Only the pages that are used need memory.
const STACK_BYTES: usize = 256 * 1024;

/// As many clients as a small server has at a time. Each thread that waits keeps some memory and
/// two descriptors, of those that are reserved for a session.
const PARKED_MAX: usize = 8;

/// Long enough between the sessions of one client, such as a program that connects for each file.
const PARKED_TIME: Duration = Duration::from_millis(500);

/// How long a thread waits at a time that has been taken out of the list.
const TAKEN_TIME: Duration = Duration::from_millis(100);
