//! The part of HTTP/1.1 that a reader of metrics needs: one request per connection, no body.
//!
//! Anyone who reaches the socket can connect, so everything has a bound: connections, bytes, time.
//! One thread serves all of them, and waits in its poll only.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use log::error;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::process::ProcessFacts;
use super::text::metrics;
use crate::logging::clock::unix_seconds;
use crate::logging::system_text::SystemText;
use crate::status::snapshot::{ServerPhase, SnapshotSource};

/// A socket for readers of metrics; the thread that serves them ends with this value.
#[derive(Debug)]
pub(crate) struct MetricsServer {
    listener: Option<TcpListener>,
    address: SocketAddr,
    thread: Option<ServingThread>,
    time_max: Duration,
    start_seconds: i64,
}

#[derive(Debug)]
struct ServingThread {
    thread: JoinHandle<()>,
    waker: Waker,
    is_over: Arc<AtomicBool>,
}

impl MetricsServer {
    /// Listens. Readers wait until [`start`](Self::start).
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).map_err(|error| {
            let text = format!("{}{}", SystemText(&error), remedy(error.kind()));
            io::Error::new(error.kind(), format!("--metrics {address}: {text}"))
        })?;
        Ok(Self {
            address: listener.local_addr()?,
            listener: Some(listener),
            thread: None,
            time_max: TIME_MAX,
            // The process has just been started.
            start_seconds: unix_seconds(),
        })
    }

    /// With the real port, where 0 was given.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves from now on, in a thread.
    pub(crate) fn start(&mut self, source: Arc<dyn SnapshotSource>) -> io::Result<()> {
        let Some(listener) = self.listener.take() else {
            return Ok(());
        };
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let service = MetricsService {
            answers: Answers {
                source,
                start_seconds: self.start_seconds,
            },
            connections: Vec::new(),
            next_token: FIRST_CONNECTION,
            time_max: self.time_max,
            is_over: is_over.clone(),
        };
        let builder = thread::Builder::new().name("metrics".to_owned());
        let thread = builder.stack_size(STACK_BYTES).spawn(move || {
            if let Err(error) = service.serve(poll, listener) {
                error!("--metrics ends: {}", SystemText(&error));
            }
        })?;
        self.thread = Some(ServingThread {
            thread,
            waker,
            is_over,
        });
        Ok(())
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        if let Some(serving) = self.thread.take() {
            serving.is_over.store(true, Ordering::Release);
            // It waits in its poll only, so it ends at once.
            if serving.waker.wake().is_ok() {
                let _ = serving.thread.join();
            }
        }
    }
}

/// A reader.
struct Connection {
    token: Token,
    stream: TcpStream,
    request: Vec<u8>,
    /// What is still to be sent, once the request is complete.
    response: Option<Vec<u8>>,
    /// Only its end is waited for: a close with unread bytes would destroy the response.
    is_answered: bool,
    deadline: Instant,
}

/// How many of those that wait were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepted {
    All,
    /// There may be more.
    More,
}

/// What answers are made from.
struct Answers {
    source: Arc<dyn SnapshotSource>,
    start_seconds: i64,
}

/// The thread's part.
struct MetricsService {
    answers: Answers,
    connections: Vec<Connection>,
    next_token: usize,
    /// From a connection to the end of its response.
    time_max: Duration,
    is_over: Arc<AtomicBool>,
}

impl MetricsService {
    fn serve(mut self, mut poll: Poll, mut listener: TcpListener) -> io::Result<()> {
        let mut events = Events::with_capacity(CONNECTIONS_MAX + 2);
        // Edge-triggered: stays true until the listener would have blocked.
        let mut is_ready = false;
        let mut retry_at: Option<Instant> = None;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        while !self.is_over.load(Ordering::Acquire) {
            let deadlines = self.connections.iter().map(|one| one.deadline);
            let due = deadlines.chain(retry_at).min();
            let timeout = match due {
                _ if is_ready => Some(Duration::ZERO),
                due => due.map(|due| due.saturating_duration_since(Instant::now())),
            };
            match poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = Instant::now();
            self.connections.retain(|one| one.deadline > now);
            for event in &events {
                self.on_event(event.token());
            }
            is_ready |= events.iter().any(|event| event.token() == LISTENER);
            if is_ready || retry_at.is_some_and(|at| at <= now) {
                let accepted = self.accept(&listener, poll.registry());
                retry_at = accepted.as_ref().err().map(|_| now + ACCEPT_PAUSE);
                is_ready = matches!(accepted, Ok(Accepted::More));
            }
        }
        Ok(())
    }

    fn on_event(&mut self, token: Token) {
        let index = self.connections.iter().position(|one| one.token == token);
        if let Some(index) = index
            && self.connections[index].advance(&self.answers).is_err()
        {
            self.connections.remove(index);
        }
    }

    /// Accepts some of those that wait: however many come, those that are connected get their turn,
    /// and this thread ends when it is asked to. An error means: later again.
    fn accept(&mut self, listener: &TcpListener, registry: &Registry) -> io::Result<Accepted> {
        for _ in 0..ACCEPTS_PER_TURN {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Accepted::All),
                Err(error) if is_of_one_client(&error) => continue,
                // Usually there is no descriptor left.
                Err(error) => return Err(error),
            };
            if self.connections.len() == CONNECTIONS_MAX {
                // The oldest gives way: a reader of metrics needs milliseconds.
                self.connections.remove(0);
            }
            let token = Token(self.next_token);
            self.next_token = self.next_token.wrapping_add(1).max(FIRST_CONNECTION);
            let both = Interest::READABLE | Interest::WRITABLE;
            registry.register(&mut stream, token, both)?;
            self.connections.push(Connection {
                token,
                stream,
                request: Vec::new(),
                response: None,
                is_answered: false,
                deadline: Instant::now() + self.time_max,
            });
        }
        Ok(Accepted::More)
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    let kinds = [ErrorKind::Interrupted, ErrorKind::ConnectionAborted];
    kinds.contains(&error.kind())
}

impl Connection {
    /// Reads and writes as far as it can. An error means: close it.
    fn advance(&mut self, answers: &Answers) -> io::Result<()> {
        if self.response.is_none() && !self.is_answered {
            self.read_request(answers)?;
        }
        if self.response.is_some() {
            self.write_response()?;
        }
        if self.is_answered {
            self.read_to_end()?;
        }
        Ok(())
    }

    fn read_request(&mut self, answers: &Answers) -> io::Result<()> {
        let mut bytes = [0; REQUEST_BYTES_MAX];
        loop {
            let room = REQUEST_BYTES_MAX - self.request.len();
            match self.stream.read(&mut bytes[..room]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.request.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            self.response = respond(&self.request, answers);
            if self.response.is_some() {
                return Ok(());
            }
        }
    }

    fn write_response(&mut self) -> io::Result<()> {
        while let Some(left) = self.response.as_mut().filter(|left| !left.is_empty()) {
            match self.stream.write(left) {
                Ok(count) => drop(left.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.response = None;
        self.is_answered = true;
        self.stream.shutdown(std::net::Shutdown::Write)
    }

    fn read_to_end(&mut self) -> io::Result<()> {
        let mut bytes = [0; 1024];
        // One that never stops is closed at its deadline, and others get their turn before.
        for _ in 0..READS_PER_TURN {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("a request with a long body"))
    }
}

/// The response to a request; `None` while it is not complete.
fn respond(request: &[u8], answers: &Answers) -> Option<Vec<u8>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let is_complete = match parsed.parse(request) {
        Ok(status) => status.is_complete(),
        Err(httparse::Error::TooManyHeaders) => return Some(too_large()),
        Err(_) => return Some(response("400 Bad Request", TEXT, "bad request\n", true)),
    };
    if !is_complete {
        return (request.len() >= REQUEST_BYTES_MAX).then(too_large);
    }
    let with_body = match parsed.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => {
            let head = "405 Method Not Allowed\r\nAllow: GET, HEAD";
            return Some(response(head, TEXT, "only GET and HEAD\n", true));
        }
    };
    let path = parsed.path.unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    Some(match path {
        "/metrics" => {
            let process = ProcessFacts::read(answers.start_seconds);
            let text = metrics(&answers.source.overview(), &process);
            response("200 OK", METRICS, &text, with_body)
        }
        "/healthz" => match answers.source.phase() {
            ServerPhase::Serving => response("200 OK", TEXT, "ok\n", with_body),
            ServerPhase::Draining => {
                response("503 Service Unavailable", TEXT, "draining\n", with_body)
            }
            ServerPhase::ShuttingDown => response(
                "503 Service Unavailable",
                TEXT,
                "shutting down\n",
                with_body,
            ),
        },
        _ => {
            let text = "not found; there are /metrics and /healthz\n";
            response("404 Not Found", TEXT, text, with_body)
        }
    })
}

fn too_large() -> Vec<u8> {
    let text = "the request is too long\n";
    response("431 Request Header Fields Too Large", TEXT, text, true)
}

/// `status` may have further headers behind it.
fn response(status: &str, kind: &str, body: &str, with_body: bool) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut bytes = head.into_bytes();
    if with_body {
        bytes.extend_from_slice(body.as_bytes());
    }
    bytes
}

/// What helps when the address cannot be listened on.
fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PermissionDenied => "; ports below 1024 need root or CAP_NET_BIND_SERVICE",
        ErrorKind::AddrInUse => "; another program listens there; give another port",
        ErrorKind::AddrNotAvailable => {
            "; give an address of this machine, or a port alone for 127.0.0.1"
        }
        _ => "",
    }
}

const TEXT: &str = "text/plain; charset=utf-8";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST_CONNECTION: usize = 2;

/// A few readers come at the same time, each for a moment.
const CONNECTIONS_MAX: usize = 16;
/// Fewer than connections: none gives way before its request was looked at.
const ACCEPTS_PER_TURN: usize = 8;
/// A request, with the headers that browsers send.
const REQUEST_BYTES_MAX: usize = 4096;
const HEADERS_MAX: usize = 64;
/// From the connection to the end of the response.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Until there may be a descriptor again.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
const READS_PER_TURN: usize = 64;
/// A snapshot with its text is on the heap.
const STACK_BYTES: usize = 128 * 1024;

#[cfg(test)]
mod tests;
