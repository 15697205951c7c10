//! The passive ports: who may listen on which, and who waits for one.
//!
//! No port outside the range is ever bound, and the lock is never held across a system call: ports
//! are marked under it, and bound, or their next owners woken, outside it.

mod books;
mod ephemeral;

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ftp_proto::canonical;
use log::{debug, info, warn};
use mio::Waker;
use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

use books::{Applicant, Books, Bound, Ending, WaitsReport};

/// The ports that passive listeners may use, shared by all sessions.
///
/// The key of a port is (local address, port): each local address has the whole range to itself.
#[derive(Debug)]
pub struct PassivePool {
    range: Option<RangeInclusive<u16>>,
    /// Where to listen without a range.
    ephemeral: RangeInclusive<u16>,
    books: Mutex<Books>,
}

/// What came of asking for a port.
#[derive(Debug)]
#[must_use = "dropping it gives the port, or the place in the queue, back"]
pub enum Request {
    /// The port is ours to bind.
    Granted(Lease),
    /// All ports are taken: the ticket's waker is called when one is assigned to it.
    Queued(Ticket),
}

/// What came of asking for a listener.
#[derive(Debug)]
#[must_use = "dropping it closes the listener, or gives the place in the queue back"]
pub enum Opening {
    /// A listener whose port may be announced.
    Opened(PassiveListener),
    /// All ports are taken; call [`Ticket::open`] when the waker was called, and every second or so.
    Queued(Ticket),
}

/// The right to bind one port, given back on drop.
#[derive(Debug)]
#[must_use = "dropping it gives the port back"]
pub struct Lease {
    pool: Arc<PassivePool>,
    applicant: Applicant,
    /// None: any port will do, and there is nothing to give back.
    port: Option<u16>,
    ending: Ending,
}

/// A place in the queue for a port, left on drop.
#[derive(Debug)]
#[must_use = "dropping it leaves the queue"]
pub struct Ticket {
    pool: Arc<PassivePool>,
    applicant: Applicant,
    served: bool,
}

/// A listening socket together with the lease of its port.
#[derive(Debug)]
pub struct PassiveListener {
    // The order of these two matters: the port must be closed before anybody else may have it.
    listener: TcpListener,
    lease: Lease,
    port: u16,
    announced: Instant,
    waiting: Option<Arc<AtomicUsize>>,
}

/// Why a lease did not become a listener.
#[derive(Debug)]
pub enum BindError {
    /// Another program holds the port. The pool has set it aside for a while and has asked again
    /// for this client, at its old place in the queue: here is what came of that.
    Held(Request),
    /// It is not the port's fault: another one would not help.
    Failed(io::Error),
}

/// How the range is used, summed over all local addresses. Without a range, all zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The size of the range; every local address has so many.
    pub ports: usize,
    /// Leased ports.
    pub in_use: usize,
    /// Clients in the queue.
    pub waiting: usize,
    /// Ports that another program held when they were last tried.
    pub blocked: usize,
}

impl PassivePool {
    /// A pool of these ports; without a range any free one is taken, and nobody ever waits.
    /// An empty range is never granted, and port 0 is not a port.
    pub fn new(range: Option<RangeInclusive<u16>>) -> Arc<Self> {
        let ports = range.iter().cloned().flatten().filter(|&port| port != 0);
        let books = Books::new(ports.collect());
        Arc::new(Self {
            range,
            ephemeral: ephemeral::range(),
            books: Mutex::new(books),
        })
    }

    /// Asks for a port to listen on at `local`, the control connection's own address (its port is
    /// ignored, the scope of a link-local address is not). Never blocks: whoever gets a ticket is
    /// called through `waker`. So is the owner of a lease when others begin to wait for its port.
    pub fn request(
        self: &Arc<Self>,
        local: SocketAddr,
        peer: IpAddr,
        waker: Arc<Waker>,
        now: Instant,
    ) -> Request {
        let mut applicant = Applicant {
            local: listening_address(local),
            peer: peer.to_canonical(),
            waker,
            arrival: 0,
            since: now,
            waited: false,
        };
        if self.range.is_none() {
            return Request::Granted(self.lease(applicant, None));
        }
        let port = self.with_books(now, |books| {
            applicant.arrival = books.arrive();
            books.request(&mut applicant, now)
        });
        self.answer(applicant, port)
    }

    /// Asks for a port and binds it; a port that another program holds is passed over.
    ///
    /// # Errors
    ///
    /// What the system said when the fault is not in the port but, for instance, in the address.
    pub fn open(
        self: &Arc<Self>,
        local: SocketAddr,
        peer: IpAddr,
        waker: Arc<Waker>,
        now: Instant,
    ) -> io::Result<Opening> {
        let request = self.request(local, peer, waker, now);
        self.bind_first(request, now)
    }

    /// How many ports there are, are in use, and are waited for.
    pub fn usage(&self) -> Usage {
        self.books
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .usage()
    }

    /// Binds until a port is not held by another program. Each round sets one port aside, so there
    /// are at most as many rounds as ports, unless others keep bringing some back.
    fn bind_first(&self, mut request: Request, now: Instant) -> io::Result<Opening> {
        let rounds = self.range.as_ref().map_or(1, ExactSizeIterator::len);
        for _ in 0..rounds {
            let lease = match request {
                Request::Granted(lease) => lease,
                Request::Queued(ticket) => return Ok(Opening::Queued(ticket)),
            };
            request = match lease.bind(now) {
                Ok(listener) => return Ok(Opening::Opened(listener)),
                Err(BindError::Failed(error)) => return Err(error),
                Err(BindError::Held(request)) => request,
            };
        }
        match request {
            Request::Queued(ticket) => Ok(Opening::Queued(ticket)),
            Request::Granted(_) => Err(io::ErrorKind::AddrInUse.into()),
        }
    }

    fn answer(self: &Arc<Self>, applicant: Applicant, port: Option<u16>) -> Request {
        match port {
            Some(port) => Request::Granted(self.lease(applicant, Some(port))),
            None => Request::Queued(Ticket {
                pool: self.clone(),
                applicant,
                served: false,
            }),
        }
    }

    fn lease(self: &Arc<Self>, applicant: Applicant, port: Option<u16>) -> Lease {
        Lease {
            pool: self.clone(),
            applicant,
            port,
            ending: Ending::Unannounced,
        }
    }

    /// Looks into the books and marks them; what must be told to others is told without the lock.
    fn with_books<T>(&self, now: Instant, look: impl FnOnce(&mut Books) -> T) -> T {
        let (answer, wakes, report) = {
            let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            let answer = look(&mut books);
            (answer, books.take_wakes(), books.waits_due(now))
        };
        for waker in wakes {
            // Not fatal: whoever waits also asks by itself every second or so.
            if let Err(error) = waker.wake() {
                debug!("cannot wake a session about its passive port: {error}");
            }
        }
        if let Some(report) = report {
            self.warn_of_waits(&report);
        }
        answer
    }

    fn warn_of_waits(&self, report: &WaitsReport) {
        let Some(range) = &self.range else { return };
        let (first, last) = (range.start(), range.end());
        let longest = report.longest.as_secs_f64();
        if report.clients == 1 {
            warn!(
                "passive range {first}-{last} is too small: \
                 a client waited {longest:.1} s for a port"
            );
        } else {
            warn!(
                "passive range {first}-{last} is too small: {} clients waited for a port \
                 in the last {} s, up to {longest:.1} s",
                report.clients,
                report.over.as_secs_f64().ceil(),
            );
        }
    }
}

impl Lease {
    /// Listens on the port. The listener's time runs from `now`, when it is announced.
    ///
    /// # Errors
    ///
    /// [`BindError::Held`] when another program has the port, else [`BindError::Failed`].
    pub fn bind(self, now: Instant) -> Result<PassiveListener, BindError> {
        let mut address = self.applicant.local;
        let attempt = match self.port {
            Some(port) => {
                address.set_port(port);
                listen(address)
            }
            None => ephemeral::listen_anywhere(address, &self.pool.ephemeral),
        };
        self.settle(attempt, now)
    }

    /// Notes what came of the attempt to listen.
    fn settle(
        mut self,
        attempt: io::Result<TcpListener>,
        now: Instant,
    ) -> Result<PassiveListener, BindError> {
        let listener = match (attempt, self.port) {
            (Ok(listener), _) => listener,
            (Err(error), Some(port)) if is_held(&error) => {
                return Err(BindError::Held(self.ask_again(port, &error, now)));
            }
            (Err(error), _) => return Err(BindError::Failed(error)),
        };
        let (port, waiting) = match self.port {
            Some(port) => (port, self.note_bound(port, now)),
            None => {
                let address = listener.local_addr().map_err(BindError::Failed)?;
                (address.port(), None)
            }
        };
        self.ending = Ending::Unconnected;
        Ok(PassiveListener {
            listener,
            lease: self,
            port,
            announced: now,
            waiting,
        })
    }

    fn note_bound(&self, port: u16, now: Instant) -> Option<Arc<AtomicUsize>> {
        let Bound { waiting, was_held } = self
            .pool
            .with_books(now, |books| books.bound(&self.applicant, port, now))?;
        if was_held {
            let address = self.applicant.local.ip();
            info!("passive port {port} of {address} is free again");
        }
        Some(waiting)
    }

    fn ask_again(mut self, port: u16, error: &io::Error, now: Instant) -> Request {
        // Taken first, so that dropping this lease cannot free a port that is set aside.
        self.port = None;
        let mut applicant = self.applicant.clone();
        let (is_news, next) = self.pool.with_books(now, |books| {
            let is_news = books.block(applicant.local, port, now + BLOCKED_FOR);
            (is_news, books.request(&mut applicant, now))
        });
        if is_news {
            let address = applicant.local.ip();
            let pause = BLOCKED_FOR.as_secs();
            warn!(
                "passive port {port} of {address} is held by another program ({error}); \
                 it will be tried again every {pause} s"
            );
        }
        self.pool.answer(applicant, next)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(port) = self.port.take() {
            self.pool.with_books(Instant::now(), |books| {
                books.give_back(&self.applicant, port, self.ending);
            });
        }
    }
}

impl Ticket {
    /// The port, if it is this ticket's turn. Also tries blocked ports whose time is over, so it
    /// should be called now and then even when the waker was not. A ticket is served once.
    pub fn take(&mut self, now: Instant) -> Option<Lease> {
        if self.served {
            return None;
        }
        let port = self
            .pool
            .with_books(now, |books| books.take(&self.applicant, now))?;
        self.served = true;
        Some(self.pool.lease(self.applicant.clone(), Some(port)))
    }

    /// Takes the port and binds it; not yet this ticket's turn: [`Opening::Queued`] gives it back.
    ///
    /// # Errors
    ///
    /// As for [`PassivePool::open`].
    pub fn open(mut self, now: Instant) -> io::Result<Opening> {
        match self.take(now) {
            Some(lease) => self.pool.bind_first(Request::Granted(lease), now),
            None => Ok(Opening::Queued(self)),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.served {
            let now = Instant::now();
            self.pool
                .with_books(now, |books| books.leave(&self.applicant, now));
        }
    }
}

impl PassiveListener {
    /// The socket, to accept on and to register with a poll.
    pub fn listener(&mut self) -> &mut TcpListener {
        &mut self.listener
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The client has connected: closes the listener and gives the port back in good standing.
    /// A listener that is dropped instead leaves a port that this client may still come to late, so
    /// the client gets it again only when no other one is free.
    pub fn connected(mut self) {
        self.lease.ending = Ending::Connected;
    }

    /// When to give up on the client because others wait for a port, None while nobody does.
    /// The owner's waker is called when this turns from None into an instant. When the instant has
    /// come, ask again before giving up: those who waited may have been served meanwhile.
    pub fn yield_deadline(&self) -> Option<Instant> {
        let waiting = self.waiting.as_ref()?;
        (waiting.load(Ordering::SeqCst) > 0).then_some(self.announced + YIELD_AFTER)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(_) => f.write_str("the port is held by another program"),
            Self::Failed(error) => write!(f, "cannot listen: {error}"),
        }
    }
}

impl Error for BindError {}

/// The canonical address without what does not tell listeners apart.
fn listening_address(local: SocketAddr) -> SocketAddr {
    let mut address = canonical(local);
    address.set_port(0);
    if let SocketAddr::V6(address) = &mut address {
        address.set_flowinfo(0);
    }
    address
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // Mapped addresses have become IPv4 before, so IPv4 clients have no business here.
        socket.set_only_v6(true)?;
    }
    // The port is leased again while transfers of its former owners still run on it.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

fn is_held(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

/// How long a lease may keep its port while others wait and its client does not come.
const YIELD_AFTER: Duration = Duration::from_secs(5);

/// How long a port that another program holds is left alone.
const BLOCKED_FOR: Duration = Duration::from_secs(10);

/// Strangers are not looked at before the transfer's command comes, and until then they must not keep
/// the right client out.
const BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests;
