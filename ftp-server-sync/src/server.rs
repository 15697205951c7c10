//! The acceptor: listeners, the table of sessions, signals, and the end.

mod certificate;
mod fd_limit;
pub(crate) mod listeners;
mod reload;
mod signals;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use ftp_proto::{Reply, canonical};
use log::{error, info, warn};
use mio::net::TcpStream;
use mio::{Events, Poll, Token, Waker};

use crate::fs::root::Root;
use crate::nat::address_source::{Answer, PublicAddresses};
use crate::nat::never_connected_log::Advice;
use crate::net::interfaces::Interfaces;
use crate::net::watch::{Debounce, Watch};
use crate::passive::PassivePool;
use crate::server::listeners::Listeners;
use crate::server::signals::{Request, Signals};
use crate::session::connection::WAKER as SESSION_WAKER;
use crate::session::server_state::{Current, ServerState};
use crate::session::{self, SessionCommand, Start};
use crate::settings::Settings;
use crate::settings::watched_files::WatchedFiles;
use crate::tls::Identity;

use reload::UNWATCHED;

/// Reads the settings anew; an error is what to tell the operator.
pub type Reload = Box<dyn FnMut() -> Result<Settings, String> + Send>;

/// A server that listens already, and serves once it [`run`](Self::run)s.
pub struct Server {
    poll: Poll,
    events: Events,
    listeners: Listeners,
    shared: Arc<ServerState>,
    sessions: HashMap<u64, Entry>,
    sessions_begun: u64,
    messages: Receiver<Message>,
    handle: Handle,
    names: PublicAddresses,
    /// Where the kernel does not let us watch, networks are as they were at the last reload.
    watch: Option<Watch>,
    settling: Debounce,
    certificate: WatchedFiles,
    signals: Signals,
    reload: Option<Reload>,
    /// When to try again after accepting failed for want of descriptors or memory.
    accept_again: Option<Instant>,
    ending: Ending,
}

/// Ends a server from another thread, or has it read its settings anew.
#[derive(Clone, Debug)]
pub struct Handle {
    sender: Sender<Message>,
    waker: Arc<Waker>,
}

/// How far the server's end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    No,
    /// Transfers may end until then.
    Grace(Instant),
    /// Everything has been told to end, and must have by then.
    Now(Instant),
}

/// A session as the acceptor knows it.
#[derive(Debug)]
struct Entry {
    peer: IpAddr,
    orders: Sender<SessionCommand>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

#[derive(Clone, Debug)]
enum Message {
    ShutDown,
    Reload,
    Resolved(Answer),
    /// The session's thread is about to end.
    Ended(u64),
}

/// Reports a session's end however its thread ends, a panic included.
struct EndGuard {
    number: u64,
    handle: Handle,
}

const WAKER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);
const INTERFACES: Token = Token(usize::MAX - 2);

impl Server {
    /// Opens the shared directory and listens.
    ///
    /// # Errors
    ///
    /// What the system said, with the directory or the address that it was about, or what is wrong with
    /// the certificate.
    pub fn bind(settings: Settings) -> io::Result<Self> {
        let storage = Root::open(&settings.directory)?;
        let certificate = certificate::watch(&settings);
        let poll = Poll::new()?;
        // Before the first look, so that no change falls between the two.
        let watch = Watch::open(poll.registry(), INTERFACES)
            .inspect_err(|error| warn!("{UNWATCHED}: {error}"))
            .ok();
        let interfaces = Interfaces::read()?;
        let identity = Identity::load(&settings, &interfaces).map_err(io::Error::other)?;
        let mut listeners = Listeners::default();
        let passive_ports = settings.passive_ports;
        listeners.follow(&settings.listen, passive_ports, poll.registry())?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, messages) = unbounded();
        let pool = PassivePool::new(settings.passive_ports);
        let mut names = PublicAddresses::default();
        names.follow(&settings, Instant::now());
        let current = Current::new(settings, storage, interfaces, names.known(), identity);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            listeners,
            shared: ServerState::new(pool, current).into(),
            sessions: HashMap::new(),
            sessions_begun: 0,
            messages,
            handle: Handle { sender, waker },
            names,
            watch,
            settling: Debounce::default(),
            certificate,
            signals: Signals::default(),
            reload: None,
            accept_again: None,
            ending: Ending::No,
        })
    }

    /// Where it listens; a port that was given as 0 is the real one here.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let bound = self.listeners.bound().into_iter();
        bound.map(|(address, _)| address).collect()
    }

    /// Makes SIGTERM and SIGINT end this server, SIGHUP reload its settings and SIGUSR1 log its
    /// sessions. For the process as a whole, so for `main` alone.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn obey_signals(&mut self) -> io::Result<()> {
        self.signals = Signals::register(self.poll.registry(), SIGNALS)?;
        Ok(())
    }

    /// Where new settings come from, for SIGHUP and [`Handle::reload`].
    pub fn reload_with(&mut self, reload: Reload) {
        self.reload = Some(reload);
    }

    /// To end the server from another thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until it is told to end, and until the last session is over then.
    ///
    /// # Errors
    ///
    /// When the poll itself fails; sessions have been told to end.
    pub fn run(mut self) -> io::Result<()> {
        loop {
            self.read_messages();
            if self.is_over() {
                return Ok(());
            }
            self.keep_current();
            self.accept_all();
            let patience = self.next_timeout();
            match self.poll.poll(&mut self.events, patience) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.end_now();
                    return Err(error);
                }
                Ok(()) => self.note_events(),
            }
        }
    }

    fn next_timeout(&self) -> Option<Duration> {
        let ending = match self.ending {
            Ending::No => None,
            Ending::Grace(deadline) | Ending::Now(deadline) => Some(deadline),
        };
        let due = [
            ending,
            self.accept_again,
            self.names.wake_at(),
            self.settling.look_at(),
            self.certificate.look_at(),
        ];
        let due = due.into_iter().flatten().min();
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn note_events(&mut self) {
        let (mut signalled, mut interfaces_changed) = (false, false);
        for event in &self.events {
            match event.token() {
                WAKER => {}
                SIGNALS => signalled = true,
                INTERFACES => interfaces_changed = true,
                token => self.listeners.note(token),
            }
        }
        if interfaces_changed {
            self.on_interfaces_changed();
        }
        if signalled {
            for request in self.signals.take() {
                self.obey(request);
            }
        }
    }

    fn obey(&mut self, request: Request) {
        match (request, self.ending) {
            (Request::End, Ending::No) => {
                info!("told to end by a signal");
                self.end_gracefully();
            }
            (Request::End, _) => {
                info!("told to end at once by a second signal");
                self.end_now();
            }
            (Request::Reload, Ending::No) => self.reload_settings(),
            (Request::Reload, _) => info!("not reloading: the server is ending"),
            (Request::Report, _) => {
                for line in self.names.report() {
                    info!("{line}");
                }
                info!("{} sessions", self.sessions.len());
                self.report_missed();
                self.tell_all(SessionCommand::Report);
            }
        }
    }

    fn report_missed(&self) {
        let has_range = self.shared.current().settings.passive_ports.is_some();
        for line in self.shared.missed.report(Advice { has_range }) {
            info!("{line}");
        }
    }

    fn read_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::ShutDown => self.end_now(),
                Message::Reload => self.reload_settings(),
                Message::Resolved(answer) => self.take_answer(answer),
                Message::Ended(number) => {
                    if let Some(entry) = self.sessions.remove(&number)
                        && entry.thread.join().is_err()
                    {
                        error!("#{number} the session ended by a fault of the server");
                    }
                }
            }
        }
    }

    fn accept_all(&mut self) {
        let now = Instant::now();
        if self.accept_again.is_some_and(|again| now < again) {
            return;
        }
        self.accept_again = None;
        loop {
            match self.listeners.accept() {
                Ok(Some((stream, peer, listen))) => {
                    self.admit(stream, peer, listen.implicit_tls);
                }
                Ok(None) => return,
                // Out of descriptors, most likely: those who wait are not lost.
                Err(error) => {
                    error!("cannot accept connections: {error}");
                    self.accept_again = Some(now + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    /// Gives a new client its thread, unless there are too many.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, implicit_tls: bool) {
        let peer = canonical(peer);
        // Sessions that have ended since make room.
        self.read_messages();
        if self.ending != Ending::No {
            // The sessions have been told already: a new one would not hear of it.
            return;
        }
        if let Some(reply) = self.too_many(peer.ip()) {
            return refuse(stream, peer, implicit_tls, &reply);
        }
        self.sessions_begun += 1;
        let number = self.sessions_begun;
        let (poll, waker) = match poll_and_waker() {
            Ok(both) => both,
            // Out of descriptors, most likely.
            Err(error) => {
                error!("#{number} cannot serve {peer}: {error}");
                return refuse(stream, peer, implicit_tls, &Reply::too_many_connections());
            }
        };
        let start = |orders| Start {
            number,
            shared: self.shared.clone(),
            stream,
            implicit_tls,
            poll,
            waker: waker.clone(),
            orders,
        };
        match self.start_session(start, peer.ip()) {
            Ok(entry) => drop(self.sessions.insert(number, entry)),
            Err(error) => error!("#{number} cannot serve {peer}: {error}"),
        }
    }

    fn too_many(&self, peer: IpAddr) -> Option<Reply> {
        let current = self.shared.current();
        let limits = &current.settings.limits;
        if self.sessions.len() >= limits.connections_max as usize {
            return Some(Reply::too_many_connections());
        }
        let most = limits.connections_per_address_max? as usize;
        let same = self.sessions.values().filter(|entry| entry.peer == peer);
        (same.count() >= most).then(Reply::too_many_from_address)
    }

    fn start_session(
        &self,
        start: impl FnOnce(Receiver<SessionCommand>) -> Start,
        peer: IpAddr,
    ) -> io::Result<Entry> {
        let (orders, orders_here) = unbounded();
        let start = start(orders_here);
        let (number, waker) = (start.number, start.waker.clone());
        let guard = EndGuard {
            number,
            handle: self.handle.clone(),
        };
        let thread = thread::Builder::new()
            .name(format!("session {number}"))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let _guard = guard;
                session::run(start);
            })?;
        Ok(Entry {
            peer,
            orders,
            waker,
            thread,
        })
    }

    /// Stops accepting; transfers may come to their end for a while.
    fn end_gracefully(&mut self) {
        let grace = self.shared.current().settings.shutdown_grace;
        if grace.is_zero() {
            return self.end_now();
        }
        self.ending = Ending::Grace(Instant::now() + grace);
        self.listeners.close_all();
        self.tell_all(SessionCommand::EndAfterTransfer);
    }

    /// Stops accepting and ends every session; a second call changes nothing.
    fn end_now(&mut self) {
        if let Ending::Now(_) = self.ending {
            return;
        }
        self.ending = Ending::Now(Instant::now() + ENDING_PATIENCE);
        self.listeners.close_all();
        self.tell_all(SessionCommand::End);
    }

    fn tell_all(&self, order: SessionCommand) {
        for entry in self.sessions.values() {
            // A session that cannot be told has just ended by itself.
            let _ = entry.orders.send(order);
            let _ = entry.waker.wake();
        }
    }

    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        match self.ending {
            Ending::No => return false,
            _ if self.sessions.is_empty() => {}
            Ending::Grace(deadline) if now >= deadline => {
                warn!("ending {} sessions whose time is over", self.sessions.len());
                self.end_now();
                return false;
            }
            Ending::Now(deadline) if now >= deadline => {
                warn!("{} sessions did not end in time", self.sessions.len());
            }
            Ending::Grace(_) | Ending::Now(_) => return false,
        }
        info!("ended");
        true
    }
}

impl Handle {
    /// Ends the server: running transfers are aborted, clients are told 421.
    pub fn shutdown(&self) {
        self.send(Message::ShutDown);
    }

    /// Has the server read its settings anew, as SIGHUP does.
    pub fn reload(&self) {
        self.send(Message::Reload);
    }

    fn send(&self, message: Message) {
        // Both fail only when the server is gone already.
        let _ = self.sender.send(message);
        let _ = self.waker.wake();
    }
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.handle.send(Message::Ended(self.number));
    }
}

/// What a session waits with, and what wakes it.
fn poll_and_waker() -> io::Result<(Poll, Arc<Waker>)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), SESSION_WAKER)?;
    Ok((poll, waker.into()))
}

/// Tells a client that there is no room, if that can be said without waiting: one that begins with TLS
/// would not understand it.
fn refuse(mut stream: TcpStream, peer: SocketAddr, implicit_tls: bool, reply: &Reply) {
    warn!("refused {peer}: too many connections");
    if implicit_tls {
        return;
    }
    let mut bytes = Vec::new();
    reply.encode(&mut bytes);
    let _ = stream.write(&bytes);
}

const EVENTS_MAX: usize = 64;

/// After accepting failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// For sessions to end when the server does.
const ENDING_PATIENCE: Duration = Duration::from_secs(8);

/// Of a session's thread. Only the pages that are used cost memory.
const STACK_BYTES: usize = 256 * 1024;
