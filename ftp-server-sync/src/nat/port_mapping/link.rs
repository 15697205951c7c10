//! Datagrams to the router and back, and what wakes the thread that waits for them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Protocol, Socket, Type};

use super::lease_clock::LeaseTimer;
use super::router::{ANNOUNCEMENT_PORT, LinkEnds};

/// The sockets to a router, one for each family of addresses, and the poll of the thread.
#[derive(Debug)]
pub(super) struct Link {
    poll: Poll,
    events: Events,
    /// For [`wait`](Self::wait); `None`: the system has no more of them.
    timer: Option<LeaseTimer>,
    /// When it is closed, its last event is lost: it must last as long as the poll.
    _waker: Arc<Waker>,
    /// Set while the thread is to end: then no answer is waited for.
    ending: Arc<AtomicBool>,
    open: Vec<OpenLink>,
    /// What the router has sent that is no answer.
    ignored: BTreeSet<String>,
}

#[derive(Debug)]
struct OpenLink {
    ends: LinkEnds,
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
        let timer = LeaseTimer::new(poll.registry(), TIMER).ok();
        let link = Self {
            poll,
            timer,
            events: Events::with_capacity(16),
            _waker: waker.clone(),
            ending,
            open: Vec::new(),
            ignored: BTreeSet::new(),
        };
        Ok((link, waker))
    }

    /// Connects to this router, and to no other of its family any more. Datagrams that do not come
    /// from its address and port do not arrive.
    pub(super) fn connect(&mut self, ends: LinkEnds) -> io::Result<()> {
        if self.open.iter().any(|open| open.ends == ends) {
            return Ok(());
        }
        let is_other = |open: &OpenLink| open.ends.router.is_ipv4() != ends.router.is_ipv4();
        self.open.retain(is_other);
        self.ignored.clear();
        let mut socket = UdpSocket::bind(ends.own)?;
        socket.connect(ends.router)?;
        let registry = self.poll.registry();
        registry.register(&mut socket, ANSWERS, Interest::READABLE)?;
        // Without them the next renewal notices a restart.
        let mut announcements = announcement_socket(ends).ok();
        if let Some(socket) = &mut announcements {
            registry.register(socket, ANNOUNCEMENTS, Interest::READABLE)?;
        }
        self.open.push(OpenLink {
            ends,
            socket,
            announcements,
        });
        Ok(())
    }

    /// Sends the request to a router that is connected, again after each of the intervals but the
    /// last, until `read` takes a datagram. It returns the problem of one that is no answer, and
    /// `None` for one that is nothing special.
    pub(super) fn exchange<T, P: Display>(
        &mut self,
        router: SocketAddr,
        request: &[u8],
        intervals: &[Duration],
        mut read: impl FnMut(&[u8]) -> Result<T, Option<P>>,
    ) -> Result<T, NoAnswer> {
        let mut until = Instant::now();
        for interval in intervals {
            self.send(router, request)?;
            until += *interval;
            loop {
                if self.is_ending() {
                    return Err(NoAnswer::Ending);
                }
                while let Some(datagram) = self.receive(router)? {
                    match read(&datagram) {
                        Ok(answer) => return Ok(answer),
                        Err(problem) => self.ignore(problem),
                    }
                    // A flood of datagrams must not keep the thread here.
                    if self.is_ending() || Instant::now() >= until {
                        break;
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

    /// Waits until the waker is called, the router announces something, or the time is over, which
    /// runs while this machine is suspended. Returns what was announced.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> Vec<Vec<u8>> {
        // Those that arrived during an exchange: the poll has reported them once.
        let early = self.announced();
        if !early.is_empty() {
            return early;
        }
        let timer = self.timer.as_ref();
        let is_set = timer.is_some_and(|timer| timer.set(timeout).is_ok());
        let timeout = timeout.filter(|_| !is_set);
        if self.poll_for(timeout).is_err() {
            return early;
        }
        self.announced()
    }

    fn announced(&self) -> Vec<Vec<u8>> {
        self.open.iter().flat_map(OpenLink::announced).collect()
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

    fn ignore(&mut self, problem: Option<impl Display>) {
        // The texts differ in a number at most.
        if self.ignored.len() < IGNORED_MAX {
            let problem = problem.map(|problem| problem.to_string());
            self.ignored.extend(problem);
        }
    }

    fn open_link(&self, router: SocketAddr) -> Result<&OpenLink, NoAnswer> {
        let mut open = self.open.iter();
        let found = open.find(|open| open.ends.router == router);
        found.ok_or(NoAnswer::Silence)
    }

    fn send(&self, router: SocketAddr, request: &[u8]) -> Result<(), NoAnswer> {
        let open = self.open_link(router)?;
        // An earlier datagram may have met a closed port: that is reported once.
        let sent = open.socket.send(request);
        let sent = sent.or_else(|_| open.socket.send(request));
        sent.map(drop).map_err(no_answer)
    }

    /// The next datagram that has arrived.
    fn receive(&self, router: SocketAddr) -> Result<Option<Vec<u8>>, NoAnswer> {
        let open = self.open_link(router)?;
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

impl OpenLink {
    /// What this router has announced.
    fn announced(&self) -> Vec<Vec<u8>> {
        let Some(socket) = &self.announcements else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..DATAGRAMS_MAX {
            match socket.recv_from(&mut buffer) {
                Ok((count, sender)) if sender == self.ends.router => {
                    found.push(buffer[..count].to_vec());
                }
                // Of another router, or of someone who would like to be one.
                Ok(_) => {}
                Err(_) => break,
            }
        }
        found
    }
}

fn no_answer(error: io::Error) -> NoAnswer {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable => NoAnswer::Silence,
        _ => NoAnswer::Failed(error),
    }
}

/// Routers announce restarts to all hosts of their network (RFC 6887, section 14.1).
fn announcement_socket(ends: LinkEnds) -> io::Result<UdpSocket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let domain = Domain::for_address(ends.router);
    let socket = Socket::new(domain, kind, Some(Protocol::UDP))?;
    // Other programs on this machine may wait for them too.
    socket.set_reuse_address(true)?;
    let any: IpAddr = match (ends.own.ip(), ends.router) {
        (IpAddr::V4(own), _) => {
            socket.join_multicast_v4(&ALL_HOSTS, &own)?;
            Ipv4Addr::UNSPECIFIED.into()
        }
        (IpAddr::V6(_), SocketAddr::V6(router)) => {
            socket.set_only_v6(true)?;
            socket.join_multicast_v6(&ALL_NODES, router.scope_id())?;
            Ipv6Addr::UNSPECIFIED.into()
        }
        (IpAddr::V6(_), SocketAddr::V4(_)) => return Err(ErrorKind::InvalidInput.into()),
    };
    socket.bind(&SocketAddr::new(any, ANNOUNCEMENT_PORT).into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// 2 s in all: RFC 6886, section 3.1, doubles the pause from 250 ms on, for much longer; here the
/// next attempt comes later.
pub(super) const INTERVALS: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1250),
];

/// The server ends meanwhile.
pub(super) const REMOVAL_INTERVALS: [Duration; 2] =
    [Duration::from_millis(250), Duration::from_millis(500)];

const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const WAKER: Token = Token(0);
const ANSWERS: Token = Token(1);
const ANNOUNCEMENTS: Token = Token(2);
const TIMER: Token = Token(3);

/// RFC 6887, section 7, permits 1100. The kernel cuts longer ones, which are then no messages.
const DATAGRAM_BYTES_MAX: usize = 1104;
/// Announcements that are read at a time.
const DATAGRAMS_MAX: usize = 64;
/// Different texts about what was no answer.
const IGNORED_MAX: usize = 8;
