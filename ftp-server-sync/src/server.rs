//! The acceptor: listeners, the table of sessions, signals, and the end.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use ftp_proto::{Reply, canonical};
use log::{error, info, warn};
use mio::net::{TcpListener, TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Token, Waker};
use signal_hook::consts::{SIGINT, SIGTERM};
use socket2::{Domain, Protocol, Socket, Type};

use crate::connection::WAKER as SESSION_WAKER;
use crate::descriptors;
use crate::passive::PassivePool;
use crate::public_address;
use crate::session::{self, Order, Start};
use crate::settings::{Listen, Settings};
use crate::shared::Shared;
use crate::storage::Storage;
use crate::warnings::{summary, warnings};

/// A server that listens already, and serves once it [`run`](Self::run)s.
#[derive(Debug)]
pub struct Server {
    poll: Poll,
    events: Events,
    listeners: Vec<Listener>,
    shared: Arc<Shared>,
    sessions: HashMap<u64, Entry>,
    sessions_begun: u64,
    messages: Receiver<Message>,
    handle: Handle,
    signals: Option<UnixStream>,
    /// When to try again after accepting failed for want of descriptors or memory.
    accept_again: Option<Instant>,
    /// When everything must be over.
    ending: Option<Instant>,
}

/// Ends a server from another thread.
#[derive(Clone, Debug)]
pub struct Handle {
    sender: Sender<Message>,
    waker: Arc<Waker>,
}

#[derive(Debug)]
struct Listener {
    socket: TcpListener,
    /// Edge-triggered: stays true until the socket would have blocked.
    ready: bool,
}

/// A session as the acceptor knows it.
#[derive(Debug)]
struct Entry {
    peer: IpAddr,
    orders: Sender<Order>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
enum Message {
    ShutDown,
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

impl Server {
    /// Opens the shared directory and listens.
    ///
    /// # Errors
    ///
    /// What the system said, with the directory or the address that it was about.
    pub fn bind(settings: Settings) -> io::Result<Self> {
        let directory = settings.directory.display();
        let storage = Storage::open(&settings.directory)
            .map_err(|error| describe(error, &format!("cannot share {directory}")))?;
        let poll = Poll::new()?;
        let mut listeners = Vec::new();
        for listen in &settings.listen {
            let mut socket = bind(listen, &settings)?;
            poll.registry()
                .register(&mut socket, Token(listeners.len()), Interest::READABLE)?;
            listeners.push(Listener {
                socket,
                ready: true,
            });
        }
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, messages) = unbounded();
        let networks = public_address::local_networks()?;
        let config = settings.config(&networks, &public_address::gateways());
        let shared = Shared {
            config: config.into(),
            storage,
            pool: PassivePool::new(settings.passive_ports.clone()),
            settings,
        };
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            listeners,
            shared: shared.into(),
            sessions: HashMap::new(),
            sessions_begun: 0,
            messages,
            handle: Handle { sender, waker },
            signals: None,
            accept_again: None,
            ending: None,
        })
    }

    /// Where it listens; a port that was given as 0 is the real one here.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| listener.socket.local_addr().ok())
            .collect()
    }

    /// Logs what is served, and a warning for each thing that will not work.
    pub fn log_start(&self) -> io::Result<()> {
        let settings = &self.shared.settings;
        for line in summary(settings, &self.addresses()) {
            info!("{line}");
        }
        if let Some(warning) = descriptors::raise_limit(settings.limits.connections_max) {
            warn!("{warning}");
        }
        let addresses = public_address::local_addresses()?;
        for line in warnings(settings, &addresses, &public_address::gateways()) {
            match line.strip_prefix("note: ") {
                Some(note) => info!("note: {note}"),
                None => warn!("{line}"),
            }
        }
        Ok(())
    }

    /// Makes SIGTERM and SIGINT end this server. For the process as a whole, so for `main` alone.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn end_on_signals(&mut self) -> io::Result<()> {
        let (reader, writer) = StdUnixStream::pair()?;
        reader.set_nonblocking(true)?;
        for signal in [SIGTERM, SIGINT] {
            signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
        }
        let mut reader = UnixStream::from_std(reader);
        let registry = self.poll.registry();
        registry.register(&mut reader, SIGNALS, Interest::READABLE)?;
        self.signals = Some(reader);
        Ok(())
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
            self.accept_all();
            let patience = [self.ending, self.accept_again]
                .into_iter()
                .flatten()
                .min()
                .map(|due| due.saturating_duration_since(Instant::now()));
            match self.poll.poll(&mut self.events, patience) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.shut_down();
                    return Err(error);
                }
                Ok(()) => self.note_events(),
            }
        }
    }

    fn note_events(&mut self) {
        let mut signalled = false;
        for event in &self.events {
            match event.token() {
                WAKER => {}
                SIGNALS => signalled = true,
                Token(index) => {
                    if let Some(listener) = self.listeners.get_mut(index) {
                        listener.ready = true;
                    }
                }
            }
        }
        if signalled && self.take_signal() {
            info!("told to end by a signal");
            self.shut_down();
        }
    }

    fn take_signal(&mut self) -> bool {
        let mut bytes = [0; 16];
        match &mut self.signals {
            Some(signals) => matches!(signals.read(&mut bytes), Ok(count) if count > 0),
            None => false,
        }
    }

    fn read_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::ShutDown => self.shut_down(),
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
        let mut index = 0;
        // Admitting reads messages, and an order to end takes the listeners away.
        while let Some(listener) = self.listeners.get_mut(index) {
            if !listener.ready {
                index += 1;
                continue;
            }
            match listener.socket.accept() {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => listener.ready = false,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // Out of descriptors, most likely: those who wait are not lost.
                    _ => {
                        error!("cannot accept connections: {error}");
                        self.accept_again = Some(now + ACCEPT_PAUSE);
                        return;
                    }
                },
            }
        }
    }

    /// Gives a new client its thread, unless there are too many.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let peer = canonical(peer);
        // Sessions that have ended since make room.
        self.read_messages();
        if self.ending.is_some() {
            // The sessions have been told already: a new one would not hear of it.
            return;
        }
        if let Some(reply) = self.too_many(peer.ip()) {
            return refuse(stream, peer, &reply);
        }
        self.sessions_begun += 1;
        let number = self.sessions_begun;
        let poll = match Poll::new() {
            Ok(poll) => poll,
            Err(error) => {
                error!("#{number} cannot serve {peer}: {error}");
                return refuse(stream, peer, &Reply::too_many_connections());
            }
        };
        match self.start_session(number, stream, poll, peer.ip()) {
            Ok(entry) => drop(self.sessions.insert(number, entry)),
            Err(error) => error!("#{number} cannot serve {peer}: {error}"),
        }
    }

    fn too_many(&self, peer: IpAddr) -> Option<Reply> {
        let limits = &self.shared.settings.limits;
        if self.sessions.len() >= limits.connections_max as usize {
            return Some(Reply::too_many_connections());
        }
        let most = limits.connections_per_address_max? as usize;
        let same = self.sessions.values().filter(|entry| entry.peer == peer);
        (same.count() >= most).then(Reply::too_many_from_address)
    }

    fn start_session(
        &self,
        number: u64,
        stream: TcpStream,
        poll: Poll,
        peer: IpAddr,
    ) -> io::Result<Entry> {
        let waker = Arc::new(Waker::new(poll.registry(), SESSION_WAKER)?);
        let (orders, orders_here) = unbounded();
        let start = Start {
            number,
            shared: self.shared.clone(),
            stream,
            poll,
            waker: waker.clone(),
            orders: orders_here,
        };
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

    /// Stops accepting and tells every session; a second call changes nothing.
    fn shut_down(&mut self) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(Instant::now() + ENDING_PATIENCE);
        self.listeners.clear();
        for entry in self.sessions.values() {
            // A session that cannot be told has just ended by itself.
            let _ = entry.orders.send(Order::ShutDown);
            let _ = entry.waker.wake();
        }
    }

    fn is_over(&self) -> bool {
        match self.ending {
            Some(deadline) if self.sessions.is_empty() || Instant::now() >= deadline => {
                if !self.sessions.is_empty() {
                    warn!("{} sessions did not end in time", self.sessions.len());
                }
                info!("ended");
                true
            }
            _ => false,
        }
    }
}

impl Handle {
    /// Ends the server: running transfers are aborted, clients are told 421.
    pub fn shutdown(&self) {
        self.send(Message::ShutDown);
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

/// Tells a client that there is no room, if that can be said without waiting.
fn refuse(mut stream: TcpStream, peer: SocketAddr, reply: &Reply) {
    warn!("refused {peer}: too many connections");
    let mut bytes = Vec::new();
    reply.encode(&mut bytes);
    let _ = stream.write(&bytes);
}

fn bind(listen: &Listen, settings: &Settings) -> io::Result<TcpListener> {
    for _ in 0..BIND_ATTEMPTS_MAX {
        let socket = match listen_on(listen.address, listen.dual_stack) {
            Err(error) if lacks_family(&error) && listen.fallback.is_some() => {
                let fallback = listen.fallback.unwrap_or(listen.address);
                listen_on(fallback, false).map_err(|error| cannot_listen(error, fallback))?
            }
            other => other.map_err(|error| cannot_listen(error, listen.address))?,
        };
        let port = socket.local_addr()?.port();
        let is_passive = |range: &std::ops::RangeInclusive<u16>| range.contains(&port);
        // Only a port of the kernel's choice can be one; the flags have seen to the others.
        if !settings.passive_ports.as_ref().is_some_and(is_passive) {
            return Ok(socket);
        }
    }
    Err(io::Error::other(
        "no control port outside the passive range",
    ))
}

fn listen_on(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A machine without IPv6 says either.
fn lacks_family(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

fn cannot_listen(error: io::Error, address: SocketAddr) -> io::Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => "; ports below 1024 need root or CAP_NET_BIND_SERVICE",
        ErrorKind::AddrInUse => "; another program listens there",
        _ => "",
    };
    let text = format!("cannot listen on {address}: {error}{advice}");
    io::Error::new(error.kind(), text)
}

fn describe(error: io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

const EVENTS_MAX: usize = 64;

const BACKLOG: i32 = 1024;

/// Tries at a control port of the kernel's choice that lies outside the passive range.
const BIND_ATTEMPTS_MAX: usize = 100;

/// After accepting failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// For sessions to end when the server does.
const ENDING_PATIENCE: Duration = Duration::from_secs(8);

/// Of a session's thread. Only the pages that are used cost memory.
const STACK_BYTES: usize = 256 * 1024;
