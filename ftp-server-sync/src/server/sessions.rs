//! The running sessions: one thread each.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use mio::Waker;

use super::handle::{Handle, Message};
use crate::session::{self, SessionCommand, Start};

/// The sessions whose threads run.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    running: HashMap<u64, RunningSession>,
    started: u64,
}

/// A session as the main thread sees it.
#[derive(Debug)]
struct RunningSession {
    peer: IpAddr,
    commands: Sender<SessionCommand>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

/// Reports the end of a session however its thread ends, a panic included.
struct EndGuard {
    number: u64,
    handle: Handle,
}

impl Sessions {
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    pub(super) fn count_from(&self, peer: IpAddr) -> usize {
        let running = self.running.values();
        running.filter(|session| session.peer == peer).count()
    }

    /// The number of the next session. Each number is used once.
    pub(super) fn next_number(&mut self) -> u64 {
        self.started += 1;
        self.started
    }

    /// Starts the thread of a session; `handle` hears of its end.
    ///
    /// # Errors
    ///
    /// If the system has no thread for it. The session that has not started is returned too, so
    /// that its client gets a reply.
    pub(super) fn start(
        &mut self,
        peer: IpAddr,
        handle: Handle,
        start: impl FnOnce(Receiver<SessionCommand>) -> Start,
    ) -> Result<(), (io::Error, Start)> {
        let (commands, receiver) = unbounded();
        let start = start(receiver);
        let (number, waker) = (start.number, start.waker.clone());
        // A closure that gets no thread is dropped, with all that it holds. So the session follows
        // once there is a thread.
        let (sender, starts) = bounded::<(Start, EndGuard)>(1);
        let spawned = thread::Builder::new()
            .name(format!("session {number}"))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let started = starts.recv();
                // Its memory is not needed any more.
                drop(starts);
                if let Ok((start, _guard)) = started {
                    session::run(start);
                }
            });
        let thread = match spawned {
            Ok(thread) => thread,
            Err(error) => return Err((error, start)),
        };
        // The thread waits for it, so this cannot fail.
        let _ = sender.send((start, EndGuard { number, handle }));
        let session = RunningSession {
            peer,
            commands,
            waker,
            thread,
        };
        self.running.insert(number, session);
        Ok(())
    }

    /// Removes a session that has reported its end. False if its thread has panicked.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        match self.running.remove(&number) {
            Some(session) => session.thread.join().is_ok(),
            None => true,
        }
    }

    /// Sends a command to every session.
    pub(super) fn send_all(&self, command: SessionCommand) {
        for session in self.running.values() {
            // Sending fails only if the session has just ended.
            let _ = session.commands.send(command);
            let _ = session.waker.wake();
        }
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.handle.send(Message::Ended(self.number));
    }
}

/// The stack of a session's thread. Only the pages that are used need memory.
const STACK_BYTES: usize = 256 * 1024;
