//! The thread that serves the status socket.
//!
//! It never waits for one client, and neither the server nor a session waits for it. What changes
//! the server is done by the main thread, whose answer comes later.

mod connection;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use mio::net::UnixListener;
use mio::{Events, Interest, Poll, Token, Waker};

use super::reply::{StatusAnswer, StatusOrder, StatusReply, StatusRequest};
use super::snapshot::SnapshotSource;
use super::socket::{SocketFile, StatusSocket};
use connection::{Connection, Step};

/// Does what clients of the socket ask for.
pub(crate) trait StatusOrders: Send {
    /// Has the server do this. The answer may be sent later, from any thread.
    fn order(&self, order: StatusOrder, answer: PendingAnswer);
}

/// The answer to an order. One that is dropped says that nothing was done.
#[derive(Debug)]
pub(crate) struct PendingAnswer {
    client: usize,
    answers: Sender<(usize, StatusAnswer)>,
    waker: Arc<Waker>,
    is_sent: bool,
}

/// The socket, as long as it is served.
#[derive(Debug)]
pub(crate) struct StatusService {
    _file: SocketFile,
    waker: Arc<Waker>,
    is_over: Arc<AtomicBool>,
    /// Is closed when the thread ends.
    ended: Receiver<()>,
}

/// The thread's part.
struct Thread {
    _ended: Sender<()>,
    poll: Poll,
    waker: Arc<Waker>,
    is_over: Arc<AtomicBool>,
    listener: UnixListener,
    /// A connection may wait. Edge-triggered: no event comes for it again.
    must_accept_again: bool,
    clients: BTreeMap<usize, Connection>,
    clients_seen: usize,
    source: Arc<dyn SnapshotSource>,
    orders: Box<dyn StatusOrders>,
    sender: Sender<(usize, StatusAnswer)>,
    answers: Receiver<(usize, StatusAnswer)>,
}

/// How many of those that wait were accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepted {
    All,
    /// There may be more.
    More,
    /// The system has refused one, which still waits.
    Refused,
}

impl StatusService {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system has no thread or no descriptor for it.
    pub(crate) fn start(
        socket: StatusSocket,
        source: Arc<dyn SnapshotSource>,
        orders: Box<dyn StatusOrders>,
    ) -> io::Result<Self> {
        let StatusSocket { listener, file } = socket;
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let mut listener = UnixListener::from_std(listener);
        (poll.registry()).register(&mut listener, LISTENER, Interest::READABLE)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (sender, answers) = unbounded();
        let (ends, ended) = bounded(1);
        let thread = Thread {
            _ended: ends,
            poll,
            waker: waker.clone(),
            is_over: is_over.clone(),
            listener,
            must_accept_again: true,
            clients: BTreeMap::new(),
            clients_seen: 0,
            source,
            orders,
            sender,
            answers,
        };
        thread::Builder::new()
            .name(THREAD.to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || thread.run())?;
        Ok(Self {
            _file: file,
            waker,
            is_over,
            ended,
        })
    }
}

impl Drop for StatusService {
    /// Waits until the last answers are sent, as the process may end after this. They are few and
    /// short; it does not wait for a thread that is busy.
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let _ = self.waker.wake();
        let _ = self.ended.recv_timeout(END_MAX);
    }
}

impl Thread {
    fn run(mut self) {
        let mut events = Events::with_capacity(CLIENTS_MAX + 2);
        loop {
            let is_over = self.is_over.load(Ordering::Acquire);
            let accepted = if self.must_accept_again {
                self.accept_some()
            } else {
                Accepted::All
            };
            self.must_accept_again = accepted != Accepted::All;
            self.take_answers();
            let timeout = self.advance_all(Instant::now(), accepted);
            if is_over {
                return;
            }
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Nothing is left that could be done.
                Err(_) => return,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.must_accept_again = true,
                    WAKER => {}
                    Token(client) => {
                        if let Some(connection) = self.clients.get_mut(&client) {
                            connection.on_event(event);
                        }
                    }
                }
            }
        }
    }

    /// Accepts some of those that wait: however many come, those that are connected get their turn.
    fn accept_some(&mut self) -> Accepted {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listener.accept() {
                Ok((mut stream, _)) if self.clients.len() >= CLIENTS_MAX => {
                    let text = format!("{CLIENTS_MAX} programs are connected already");
                    let reply = StatusReply::new(StatusAnswer::Error(text));
                    let _ = stream.write(&reply.line());
                }
                Ok((mut stream, _)) => {
                    let client = self.clients_seen;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    let registry = self.poll.registry();
                    if registry.register(&mut stream, Token(client), both).is_ok() {
                        self.clients_seen += 1;
                        let connection = Connection::new(stream, Instant::now());
                        self.clients.insert(client, connection);
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Accepted::All,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // Usually no descriptor is left: later there may be one.
                    _ => return Accepted::Refused,
                },
            }
        }
        Accepted::More
    }

    fn take_answers(&mut self) {
        while let Ok((client, answer)) = self.answers.try_recv() {
            if let Some(connection) = self.clients.get_mut(&client) {
                connection.answer(answer, Instant::now());
            }
        }
    }

    /// Serves each client as far as that is possible without waiting. Returns how long nothing has
    /// to be done unless an event comes.
    fn advance_all(&mut self, now: Instant, accepted: Accepted) -> Option<Duration> {
        let mut due = match accepted {
            Accepted::All => None,
            Accepted::More => Some(now),
            Accepted::Refused => Some(now + ACCEPT_PAUSE),
        };
        let clients: Vec<usize> = self.clients.keys().copied().collect();
        for client in clients {
            let Some(connection) = self.clients.get_mut(&client) else {
                continue;
            };
            let next = match connection.advance(now) {
                Step::Ended => None,
                Step::Wait(next) => Some(next),
                Step::Line(line) => {
                    self.perform(client, &line);
                    Some(Some(now))
                }
            };
            match next {
                None => drop(self.clients.remove(&client)),
                Some(next) => due = due.into_iter().chain(next).min(),
            }
        }
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn perform(&mut self, client: usize, line: &str) {
        let Some(connection) = self.clients.get_mut(&client) else {
            return;
        };
        let answer = match StatusRequest::parse(line) {
            Err(error) => StatusAnswer::Error(error),
            Ok(StatusRequest::Who) => StatusAnswer::Snapshot(self.source.snapshot().into()),
            Ok(StatusRequest::Order(order)) => {
                connection.expect_answer();
                let answer = PendingAnswer {
                    client,
                    answers: self.sender.clone(),
                    waker: self.waker.clone(),
                    is_sent: false,
                };
                return self.orders.order(order, answer);
            }
        };
        connection.answer(answer, Instant::now());
    }
}

impl PendingAnswer {
    /// It has been done.
    pub(crate) fn done(self, text: impl Into<String>) {
        self.send(StatusAnswer::Done(text.into()));
    }

    /// It has not been done, for this reason.
    pub(crate) fn error(self, text: impl Into<String>) {
        self.send(StatusAnswer::Error(text.into()));
    }

    fn send(mut self, answer: StatusAnswer) {
        self.is_sent = true;
        // It fails only when the thread has ended.
        let _ = self.answers.send((self.client, answer));
        let _ = self.waker.wake();
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        if !self.is_sent {
            let text = "the server has not done it, as it ends".to_owned();
            let _ = self.answers.send((self.client, StatusAnswer::Error(text)));
            let _ = self.waker.wake();
        }
    }
}

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// Each holds a descriptor, and a reply of some kilobytes for each hundred sessions.
const CLIENTS_MAX: usize = 16;

const ACCEPTS_PER_TURN: usize = 8;

/// How long the end of the server waits for the thread at most.
const END_MAX: Duration = Duration::from_millis(300);

/// How long to wait when the system has no descriptor for a client.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The thread's name in `ps` and `top`.
const THREAD: &str = "status";

/// Only the pages that are used need memory.
const STACK_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests;
