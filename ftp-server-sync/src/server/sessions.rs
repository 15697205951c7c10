//! The running sessions: one thread each.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use mio::Waker;

use super::admission::Place;
use super::handle::{Handle, Message};
use crate::net::client_network::ClientNetwork;
use crate::session::{self, SessionCommand, SharedLoginState, Start};

/// The sessions whose threads run.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    running: HashMap<u64, RunningSession>,
    started: u64,
}

/// A session as the main thread sees it.
#[derive(Debug)]
struct RunningSession {
    client: IpAddr,
    network: ClientNetwork,
    login_state: Arc<SharedLoginState>,
    /// It has been asked to give its place to another client.
    is_evicted: bool,
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

    /// Those that have a place, in no order. One that gives way has none, unless its client has
    /// logged in meanwhile.
    pub(super) fn places(&self) -> Vec<Place> {
        let running = self.running.iter();
        let places = running.filter_map(|(&number, session)| {
            let state = session.login_state.get();
            let place = Place {
                number,
                network: session.network,
                state,
            };
            (!session.is_evicted || state.is_logged_in()).then_some(place)
        });
        places.collect()
    }

    /// Asks a session to give its place to another client, unless its own has logged in meanwhile.
    pub(super) fn evict(&mut self, number: u64) {
        if let Some(session) = self.running.get_mut(&number) {
            session.is_evicted = true;
            session.send(SessionCommand::Evict);
        }
    }

    /// Asks a session to end, because the operator wants that.
    pub(super) fn kick(&self, number: u64) {
        if let Some(session) = self.running.get(&number) {
            session.send(SessionCommand::Kick);
        }
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
        start: impl FnOnce(Receiver<SessionCommand>, Arc<SharedLoginState>) -> Start,
    ) -> Result<(), (io::Error, Start)> {
        let (commands, receiver) = unbounded();
        let login_state = Arc::new(SharedLoginState::default());
        let start = start(receiver, login_state.clone());
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
            client: peer,
            network: ClientNetwork::of(peer),
            login_state,
            is_evicted: false,
            commands,
            waker,
            thread,
        };
        self.running.insert(number, session);
        Ok(())
    }

    /// Removes a session that has reported its end. The error is the client of a session whose
    /// thread has panicked.
    pub(super) fn remove(&mut self, number: u64) -> Result<(), IpAddr> {
        match self.running.remove(&number) {
            Some(session) => session.thread.join().map_err(|_| session.client),
            None => Ok(()),
        }
    }

    /// The address of a session's client.
    pub(super) fn client(&self, number: u64) -> Option<IpAddr> {
        let session = self.running.get(&number)?;
        Some(session.client)
    }

    /// Sends a command to every session.
    pub(super) fn send_all(&self, command: SessionCommand) {
        for session in self.running.values() {
            session.send(command);
        }
    }
}

impl RunningSession {
    fn send(&self, command: SessionCommand) {
        // Sending fails only if the session has just ended.
        let _ = self.commands.send(command);
        let _ = self.waker.wake();
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.handle.send(Message::Ended(self.number));
    }
}

/// The stack of a session's thread. Only the pages that are used need memory.
const STACK_BYTES: usize = 256 * 1024;
