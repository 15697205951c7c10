//! The running sessions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use mio::Waker;

use super::admission::Place;
use super::handle::Handle;
use super::session_threads::SessionThreads;
use crate::net::client_network::ClientNetwork;
use crate::session::{SentCommands, SessionCommand, SharedLoginState, Start};

/// The sessions that run, each on a thread of its own.
#[derive(Debug)]
pub(super) struct Sessions {
    threads: SessionThreads,
    running: HashMap<u64, RunningSession>,
    /// How many of them each address has; none has 0.
    of_networks: HashMap<ClientNetwork, usize>,
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
    commands: Arc<SentCommands>,
    waker: Arc<Waker>,
}

impl Sessions {
    /// None runs yet. `handle` gets their ends.
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            threads: SessionThreads::new(handle),
            running: HashMap::new(),
            of_networks: HashMap::new(),
            started: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// How many an address has.
    pub(super) fn count_of(&self, network: ClientNetwork) -> usize {
        self.of_networks.get(&network).copied().unwrap_or(0)
    }

    /// How many have a transfer.
    pub(super) fn transfers(&self) -> usize {
        let running = self.running.values();
        let transferring = running.filter(|session| session.login_state.has_transfer());
        transferring.count()
    }

    /// Those that have a place, in no order. One that is over has none, nor one that gives way,
    /// unless its client has logged in meanwhile.
    pub(super) fn places(&self) -> Vec<Place> {
        let running = self.running.iter();
        let places = running.filter_map(|(&number, session)| {
            let state = session.login_state.get();
            let place = Place {
                number,
                network: session.network,
                state,
            };
            let gives_way = session.is_evicted && !state.is_logged_in();
            (!gives_way && !session.login_state.is_over()).then_some(place)
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

    /// Starts a session.
    ///
    /// # Errors
    ///
    /// If the system has no descriptor or no thread for it. What has not started is returned too,
    /// so that the client gets a reply.
    pub(super) fn start(
        &mut self,
        peer: IpAddr,
        start: impl FnOnce(Arc<SentCommands>, Arc<SharedLoginState>) -> Start,
    ) -> Result<(), (io::Error, Option<Box<Start>>)> {
        let commands = Arc::new(SentCommands::default());
        let login_state = Arc::new(SharedLoginState::default());
        let start = Box::new(start(commands.clone(), login_state.clone()));
        let number = start.number;
        let waker = self.threads.start(start)?;
        let session = RunningSession {
            client: peer,
            network: ClientNetwork::of(peer),
            login_state,
            is_evicted: false,
            commands,
            waker,
        };
        *self.of_networks.entry(session.network).or_default() += 1;
        self.running.insert(number, session);
        Ok(())
    }

    /// Removes a session that has reported its end. Returns the address of its client.
    pub(super) fn remove(&mut self, number: u64) -> Option<IpAddr> {
        let session = self.running.remove(&number)?;
        if let Entry::Occupied(mut count) = self.of_networks.entry(session.network) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        Some(session.client)
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
        self.commands.send(command);
        // It may have just ended.
        let _ = self.waker.wake();
    }
}
