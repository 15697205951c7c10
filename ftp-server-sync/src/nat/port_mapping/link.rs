//! Datagrams to the router and back, and what wakes the thread that waits for them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};

use super::router::{ANNOUNCEMENT_PORT, Router};

/// The socket to one router, and the poll of the thread.
#[derive(Debug)]
pub(super) struct Link {
    poll: Poll,
    events: Events,
    /// When it is closed, its last event is lost: it must last as long as the poll.
    _waker: Arc<Waker>,
    /// Set while the thread is to end: then no answer is waited for.
    ending: Arc<AtomicBool>,
    open: Option<OpenLink>,
    /// What the router has sent that is no answer.
    ignored: BTreeSet<String>,
}

#[derive(Debug)]
struct OpenLink {
    router: Router,
    socket: UdpSocket,
    announcements: Option<UdpSocket>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// None came in time, or nothing listens there.
    Silence,
    /// The thread is to end.
    Ending,
    /// The system's error.
    Failed(io::Error),
}

impl Link {
    /// Not connected to any router. The waker ends [`wait`](Self::wait), and an exchange if
    /// `ending` is set.
    pub(super) fn new(ending: Arc<AtomicBool>) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let link = Self {
            poll,
            events: Events::with_capacity(16),
            _waker: waker.clone(),
            ending,
            open: None,
            ignored: BTreeSet::new(),
        };
        Ok((link, waker))
    }

    /// Connects to this router, and to no other any more. Datagrams that do not come from its
    /// address and port do not arrive.
    pub(super) fn connect(&mut self, router: Router) -> io::Result<()> {
        let is_same = |open: &OpenLink| open.router == router;
        if self.open.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        self.open = None;
        self.ignored.clear();
        let mut socket = UdpSocket::bind((router.own, 0).into())?;
        socket.connect(router.port())?;
        let registry = self.poll.registry();
        registry.register(&mut socket, ANSWERS, Interest::READABLE)?;
        // Without them the next renewal notices a restart.
        let mut announcements = announcement_socket(router.own).ok();
        if let Some(socket) = &mut announcements {
            registry.register(socket, ANNOUNCEMENTS, Interest::READABLE)?;
        }
        self.open = Some(OpenLink {
            router,
            socket,
            announcements,
        });
        Ok(())
    }

    /// Sends the request, again after each of the intervals but the last, until `read` takes a
    /// datagram.
    pub(super) fn exchange<T, P: Display>(
        &mut self,
        request: &[u8],
        intervals: &[Duration],
        mut read: impl FnMut(&[u8]) -> Result<T, P>,
    ) -> Result<T, NoAnswer> {
        let mut until = Instant::now();
        for interval in intervals {
            self.send(request)?;
            until += *interval;
            loop {
                if self.is_ending() {
                    return Err(NoAnswer::Ending);
                }
                while let Some(datagram) = self.receive()? {
                    match read(&datagram) {
                        Ok(answer) => return Ok(answer),
                        Err(problem) => self.ignore(&problem),
                    }
                }
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                self.poll_for(Some(left)).map_err(NoAnswer::Failed)?;
            }
        }
        Err(NoAnswer::Silence)
    }

    /// Waits until the waker is called, the router announces something, or the time is over.
    /// Returns what was announced.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Vec<Vec<u8>> {
        if self.poll_for(timeout).is_err() {
            return Vec::new();
        }
        let Some(open) = &self.open else {
            return Vec::new();
        };
        let (Some(socket), from) = (&open.announcements, open.router.port()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..DATAGRAMS_MAX {
            match socket.recv_from(&mut buffer) {
                Ok((count, sender)) if sender == from => found.push(buffer[..count].to_vec()),
                // Of another router, or of someone who would like to be one.
                Ok(_) => {}
                Err(_) => break,
            }
        }
        found
    }

    /// What the router has sent that was no answer, since the last call.
    pub(super) fn take_ignored(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.ignored)
    }

    /// Whether the thread is to end.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Ends what the thread was asked to end: from now on, answers are waited for.
    pub(super) fn begin_removal(&self) {
        self.ending.store(false, Ordering::Release);
    }

    fn ignore(&mut self, problem: &dyn Display) {
        // The texts differ in a number at most.
        if self.ignored.len() < IGNORED_MAX {
            self.ignored.insert(problem.to_string());
        }
    }

    fn send(&mut self, request: &[u8]) -> Result<(), NoAnswer> {
        let open = self.open.as_ref().ok_or(NoAnswer::Silence)?;
        // An earlier datagram may have met a closed port: that is reported once.
        let sent = open.socket.send(request);
        let sent = sent.or_else(|_| open.socket.send(request));
        sent.map(drop).map_err(no_answer)
    }

    /// The next datagram that has arrived.
    fn receive(&mut self) -> Result<Option<Vec<u8>>, NoAnswer> {
        let open = self.open.as_ref().ok_or(NoAnswer::Silence)?;
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        match open.socket.recv(&mut buffer) {
            Ok(count) => Ok(Some(buffer[..count].to_vec())),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
                // A router that starts may listen a moment later.
                ErrorKind::ConnectionRefused => Ok(None),
                _ => Err(NoAnswer::Failed(error)),
            },
        }
    }

    fn poll_for(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }
}

fn no_answer(error: io::Error) -> NoAnswer {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable => NoAnswer::Silence,
        _ => NoAnswer::Failed(error),
    }
}

/// Routers announce restarts to all hosts of their network (RFC 6887, section 14.1).
fn announcement_socket(own: Ipv4Addr) -> io::Result<UdpSocket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::UDP))?;
    // Other programs on this machine may wait for them too.
    socket.set_reuse_address(true)?;
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, ANNOUNCEMENT_PORT));
    socket.bind(&address.into())?;
    socket.join_multicast_v4(&ALL_HOSTS, &own)?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// 2 s in all: RFC 6886, section 3.1, doubles the pause from 250 ms on, for much longer; here the
/// next attempt comes later.
pub(super) const INTERVALS: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1250),
];

const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);

const WAKER: Token = Token(0);
const ANSWERS: Token = Token(1);
const ANNOUNCEMENTS: Token = Token(2);

/// RFC 6887, section 7, permits 1100. The kernel cuts longer ones, which are then no messages.
const DATAGRAM_BYTES_MAX: usize = 1104;
/// Announcements that are read at a time.
const DATAGRAMS_MAX: usize = 64;
/// Different texts about what was no answer.
const IGNORED_MAX: usize = 8;
