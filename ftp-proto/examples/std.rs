//! An FTP server on blocking sockets, with one thread for each client. `shared/mod.rs` shows how to start it. It offers
//! no TLS.
//!
//! A thread has up to three things to wait for: the control connection, the data connection and the time. Without a
//! poll it can wait for one of them alone, so each wait is short enough for the others:
//!
//! - Without a data connection it waits for a command, with a read timeout until the session's timer expires.
//! - While it waits for a data connection, the read timeout is [`TICK`], after which it tries to accept.
//! - During a transfer it waits for the data connection, for a `TICK` at most, and looks at the control connection
//!   without waiting: ABOR and STAT must act while data moves. lftp sends ABOR behind an urgent Telnet code, and Python's
//!   ftplib sends the whole line as urgent data; with `SO_OOBINLINE` both come in their place among the other bytes.

mod shared;

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::{
    Action, DataConnection, DataEvent, DataId, Endpoints, Outcome, Output, PeerVerdict, Refusal,
    Reply, Session, Timers, TransferError, TransferId, TransferRequest, TransferStart, limits,
};
use shared::{Flags, Transfer};
use socket2::{Domain, SockRef, Socket, Type};

fn main() -> io::Result<()> {
    let flags = Flags::parse();
    if flags.tls {
        eprintln!("this example has no TLS: see the example tokio");
        std::process::exit(2);
    }
    let listener = flags.control_listener()?;
    let config = Arc::new(flags.config());
    let flags = Arc::new(flags);
    loop {
        let client = listener.accept().and_then(|(mut stream, peer)| {
            // Each thread has one.
            if Arc::strong_count(&flags) > SESSIONS_MAX {
                let mut reply = Vec::new();
                Reply::too_many_connections().encode(&mut reply);
                return stream.write_all(&reply);
            }
            let endpoints = Endpoints::new(stream.local_addr()?, peer);
            let session = Session::new(Arc::clone(&config), endpoints);
            let mut driver = Driver::new(session, Arc::clone(&flags), stream)?;
            thread::Builder::new().spawn(move || driver.run())?;
            Ok(())
        });
        if let Err(error) = client {
            eprintln!("a client cannot be served: {error}");
            // There may be too many open files or threads; the next attempt must not follow at once.
            thread::sleep(TICK);
        }
    }
}

/// A session and its sockets.
struct Driver {
    session: Session,
    flags: Arc<Flags>,
    timers: Timers<Instant>,
    control: TcpStream,
    /// Received, and not used yet.
    input: Vec<u8>,
    /// Replies that are not sent yet.
    output: Vec<u8>,
    end: Option<End>,
    is_closed: bool,
    data: Data,
    data_id: Option<DataId>,
    transfer: Option<Running>,
}

/// How the control connection has ended.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// The client sends no more, and may still read.
    Closed,
    Lost,
}

/// The data connection, or what it comes from.
enum Data {
    None,
    Listening(TcpListener),
    Connecting(mpsc::Receiver<io::Result<TcpStream>>),
    Open(TcpStream),
}

struct Running {
    id: TransferId,
    transfer: Transfer,
    is_started: bool,
    /// Of a download: read from the file, and from `sent` on not sent yet.
    buffer: Vec<u8>,
    sent: usize,
    bytes_total: u64,
}

impl Driver {
    fn new(session: Session, flags: Arc<Flags>, control: TcpStream) -> io::Result<Self> {
        let socket = SockRef::from(&control);
        // Without this, the kernel takes urgent bytes out of what we read.
        socket.set_out_of_band_inline(true)?;
        // Each write is all replies to what was read: waiting for more would only delay them.
        socket.set_tcp_nodelay(true)?;
        // Routers forget idle connections, as this one is during a long transfer.
        socket.set_keepalive(true)?;
        Ok(Self {
            session,
            flags,
            timers: Timers::new(),
            control,
            input: Vec::new(),
            output: Vec::new(),
            end: None,
            is_closed: false,
            data: Data::None,
            data_id: None,
            transfer: None,
        })
    }

    fn run(&mut self) {
        loop {
            self.drain();
            if self.is_closed {
                return;
            }
            let now = Instant::now();
            let due = self.timers.update(self.session.poll_timeout(), now);
            if let Some(timeout) = self.timers.expired(now) {
                self.session.handle_timeout(timeout);
                continue;
            }
            if self.use_input() || self.check_end() {
                continue;
            }
            // All commands are answered: one write for all replies, before anything is waited for.
            self.flush();
            let has_moved = self.advance_data();
            let wait = match &self.data {
                _ if has_moved || self.is_moving() => Duration::ZERO,
                Data::Listening(_) | Data::Connecting(_) => TICK,
                Data::None | Data::Open(_) => {
                    due.map_or(Duration::MAX, |due| due.saturating_duration_since(now))
                }
            };
            self.receive(wait);
        }
    }

    /// Sends replies and performs actions, in their order.
    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Reply(reply) => {
                    reply.encode(&mut self.output);
                    if self.output.len() > OUTPUT_MAX {
                        self.flush();
                    }
                }
                Output::Action(action) => self.perform(action),
            }
        }
    }

    fn answer(&mut self, outcome: Outcome) {
        if let Err(misuse) = self.session.handle_outcome(outcome) {
            eprintln!("a bug in this example: {misuse}");
        }
    }

    fn perform(&mut self, action: Action) {
        let storage = &self.flags.storage;
        match &action {
            Action::Authenticate { user, password } => {
                let outcome = storage.authenticate(user, password);
                if let Outcome::Authenticated(None) = outcome {
                    // Guessing takes time. Only this client waits.
                    thread::sleep(WRONG_PASSWORD_DELAY);
                }
                self.answer(outcome);
            }
            Action::File(request) => {
                for outcome in storage.answer(request) {
                    self.answer(outcome);
                }
            }
            Action::OpenPassive(data) => self.open_passive(*data),
            Action::CloseData(data) => {
                if self.data_id == Some(*data) {
                    self.data = Data::None;
                }
            }
            Action::OpenTransfer(request) => self.open_transfer(request),
            Action::StartTransfer(start) => {
                // The client must be able to read 150 before the data.
                self.flush();
                self.start_transfer(start);
            }
            Action::AbortTransfer(id) => self.abort_transfer(*id),
            Action::Close => {
                self.transfer = None;
                self.data = Data::None;
                self.flush();
                self.close();
            }
            Action::CloseNow => self.is_closed = true,
            // Not requested, as `Config::tls` is false. Every action that is not performed must be declined.
            Action::StartProtectedTransfer(_) | Action::StartTls => {
                if let Some(outcome) = action.decline() {
                    self.answer(outcome);
                }
            }
        }
    }

    fn open_passive(&mut self, data: DataId) {
        let listening = self
            .flags
            .passive_listener(self.session.endpoints().local());
        let outcome = listening.and_then(|listener| {
            let bound = listener.set_nonblocking(true);
            let bound = bound.and_then(|()| listener.local_addr());
            let port = bound.map_err(|_| Refusal::Failed)?.port();
            self.data = Data::Listening(listener);
            self.data_id = Some(data);
            Ok(port)
        });
        self.answer(Outcome::PassiveOpened(outcome));
    }

    fn open_transfer(&mut self, request: &TransferRequest) {
        let opened = self.flags.storage.open(request).map(|(transfer, opened)| {
            self.transfer = Some(Running {
                id: request.id,
                transfer,
                is_started: false,
                buffer: Vec::new(),
                sent: 0,
                bytes_total: 0,
            });
            opened
        });
        self.answer(Outcome::TransferOpened(opened));
    }

    fn start_transfer(&mut self, start: &TransferStart) {
        if let Some(running) = &mut self.transfer {
            running.is_started = true;
        }
        self.data_id = Some(start.data);
        // In passive mode the connection is there, or comes to the listener.
        if let DataConnection::Active(to) = start.connection {
            let from = self.session.endpoints().local();
            self.data = Data::Connecting(connect(from, to));
        }
    }

    fn abort_transfer(&mut self, id: TransferId) {
        let Some(running) = self.transfer.as_mut().filter(|running| running.id == id) else {
            return;
        };
        if !running.is_started {
            self.transfer = None;
            return;
        }
        let mut result = Err(TransferError::Aborted);
        // Some clients send a file and close everything at once. If the upload has arrived, it is complete.
        if self.session.is_closed()
            && let (Transfer::Upload(_), Data::Open(stream)) = (&running.transfer, &mut self.data)
        {
            let mut last = (0..ABORT_STEPS_MAX).map(|_| running.step(stream));
            if let Some(Step::Ended(ended)) = last.find(|step| !matches!(step, Step::Moved)) {
                result = ended;
            }
        }
        self.end_transfer(result);
    }

    /// Closes the data connection, and then reports the end: the client may rely on the 226.
    fn end_transfer(&mut self, result: Result<(), TransferError>) {
        self.data = Data::None;
        if let Some(running) = self.transfer.take() {
            self.answer(Outcome::TransferEnded {
                transfer: running.id,
                result,
            });
        }
    }

    /// Whether a transfer moves bytes, so that it does the waiting.
    fn is_moving(&self) -> bool {
        let is_started = self
            .transfer
            .as_ref()
            .is_some_and(|running| running.is_started);
        is_started && matches!(self.data, Data::Open(_))
    }

    /// Gives the session one command line.
    fn use_input(&mut self) -> bool {
        if !self.session.wants_input() {
            return false;
        }
        let used = self.session.handle_input(&self.input);
        self.input.drain(..used);
        used > 0
    }

    /// Ends the session if the client is gone and what it has sent is used. Lines that cannot be used yet do not count:
    /// a transfer ends with its client.
    fn check_end(&mut self) -> bool {
        let is_upload = matches!(
            &self.transfer,
            Some(Running {
                transfer: Transfer::Upload(_),
                ..
            })
        );
        match self.end {
            None => return false,
            // It may send its file still.
            Some(End::Closed) if is_upload && self.is_moving() => return false,
            Some(End::Closed | End::Lost) => self.session.handle_eof(),
        }
        true
    }

    /// Reads commands, after this time at the latest. It reads on while the session wants no input, because the end of
    /// the connection comes behind the commands; but not without limit, so that TCP stops the client.
    fn receive(&mut self, wait: Duration) {
        if self.end.is_some() || self.input.len() > INPUT_MAX {
            // Only a transfer can be the reason.
            return thread::sleep(wait.min(TICK));
        }
        let mut buffer = [0; limits::LINE_BYTES_MAX];
        let result = if wait.is_zero() {
            let set = self.control.set_nonblocking(true);
            let result = set.and_then(|()| self.control.read(&mut buffer));
            self.control.set_nonblocking(false).and(result)
        } else {
            let set = self.control.set_read_timeout(Some(wait.min(WAIT_MAX)));
            set.and_then(|()| self.control.read(&mut buffer))
        };
        match result {
            Ok(0) => self.end = Some(End::Closed),
            Ok(count) => self.input.extend_from_slice(&buffer[..count]),
            Err(error) if is_pending(&error) => {}
            Err(_) => self.end = Some(End::Lost),
        }
    }

    /// Sends the replies. A client that does not read them blocks only this thread, and no longer than the session's timer
    /// lasts; then it counts as gone. After `Close` that is the timer for the last replies.
    fn flush(&mut self) {
        let limit = self.session.poll_timeout().map(|timeout| timeout.after);
        let limit = limit.unwrap_or(WAIT_MAX).clamp(TICK, WAIT_MAX);
        let set = self.control.set_write_timeout(Some(limit));
        let sent = set.and_then(|()| self.control.write_all(&self.output));
        if sent.is_err() {
            self.end = Some(End::Lost);
        }
        self.output.clear();
    }

    /// Closes the control connection. With unread bytes in it the kernel would send a reset, and the client might lose the
    /// last reply.
    fn close(&mut self) {
        self.is_closed = true;
        let _ = self.control.shutdown(Shutdown::Write);
        let _ = self.control.set_nonblocking(true);
        let mut buffer = [0; limits::LINE_BYTES_MAX];
        for _ in 0..DISCARDS_MAX {
            if !matches!(self.control.read(&mut buffer), Ok(1..)) {
                return;
            }
        }
    }

    /// Establishes the data connection, or moves bytes. True if something has happened.
    fn advance_data(&mut self) -> bool {
        match mem::replace(&mut self.data, Data::None) {
            Data::None => false,
            Data::Listening(listener) => match accept(&listener, &self.session) {
                // The listener is closed: nobody else can come.
                Some(stream) => self.connected(stream),
                None => {
                    self.data = Data::Listening(listener);
                    false
                }
            },
            Data::Connecting(receiver) => match receiver.try_recv() {
                Ok(Ok(stream)) => self.connected(stream),
                Err(TryRecvError::Empty) => {
                    self.data = Data::Connecting(receiver);
                    false
                }
                Ok(Err(_)) | Err(TryRecvError::Disconnected) => {
                    self.end_transfer(Err(TransferError::NotConnected));
                    true
                }
            },
            Data::Open(mut stream) => {
                let Some(running) = self.transfer.as_mut().filter(|running| running.is_started)
                else {
                    self.data = Data::Open(stream);
                    return false;
                };
                let step = running.step(&mut stream);
                let bytes_total = running.bytes_total;
                self.data = Data::Open(stream);
                match step {
                    Step::Waited => return false,
                    Step::Moved => self.report(DataEvent::Progress(bytes_total)),
                    Step::Ended(result) => self.end_transfer(result),
                }
                true
            }
        }
    }

    fn connected(&mut self, stream: TcpStream) -> bool {
        let prepared = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(TICK)))
            .and_then(|()| stream.set_write_timeout(Some(TICK)))
            .and_then(|()| stream.peer_addr());
        match prepared {
            Ok(peer) => {
                self.data = Data::Open(stream);
                self.report(DataEvent::Connected(peer.ip()));
            }
            // It is gone already. In passive mode before the transfer, the transfer will find no connection.
            Err(_) => self.end_transfer(Err(TransferError::NotConnected)),
        }
        true
    }

    fn report(&mut self, event: DataEvent) {
        if let Some(data) = self.data_id {
            self.session.handle_data(data, event);
        }
    }
}

/// What a step of a transfer has done.
enum Step {
    Moved,
    /// Nothing, for one [`TICK`].
    Waited,
    Ended(Result<(), TransferError>),
}

impl Running {
    /// Moves some bytes, or waits until it can.
    fn step(&mut self, stream: &mut TcpStream) -> Step {
        match &mut self.transfer {
            Transfer::Download(download) => {
                if self.sent == self.buffer.len() {
                    self.buffer.clear();
                    self.sent = 0;
                    match download.read(&mut self.buffer) {
                        Ok(true) => {}
                        Ok(false) => return Step::Ended(Ok(())),
                        Err(error) => return Step::Ended(Err(error)),
                    }
                }
                // Without bytes it was a search for files to list.
                match stream.write(&self.buffer[self.sent..]) {
                    Ok(count) => {
                        self.sent += count;
                        self.bytes_total += count as u64;
                        Step::Moved
                    }
                    Err(error) => Step::failed(&error),
                }
            }
            Transfer::Upload(upload) => {
                self.buffer.resize(DATA_BYTES, 0);
                match stream.read(&mut self.buffer) {
                    Ok(0) => Step::Ended(upload.finish()),
                    Ok(count) => {
                        self.bytes_total += count as u64;
                        match upload.write(&self.buffer[..count]) {
                            Ok(()) => Step::Moved,
                            Err(error) => Step::Ended(Err(error)),
                        }
                    }
                    Err(error) => Step::failed(&error),
                }
            }
        }
    }
}

impl Step {
    fn failed(error: &io::Error) -> Self {
        match is_pending(error) {
            true => Self::Waited,
            false => Self::Ended(Err(TransferError::ConnectionLost)),
        }
    }
}

/// The client's connection, if it is there. Connections of strangers are closed, and do not end the wait for the client.
fn accept(listener: &TcpListener, session: &Session) -> Option<TcpStream> {
    loop {
        match listener.accept() {
            Ok((stream, peer)) => match session.judge_peer(peer.ip()) {
                PeerVerdict::Client => return Some(stream),
                PeerVerdict::Stranger => drop(stream),
            },
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(_) => return None,
        }
    }
}

/// Connects from the address that the client knows, on a thread of its own: std can wait for a connection, but not
/// look whether it is there. The thread may outlive the transfer.
fn connect(mut from: SocketAddr, to: SocketAddr) -> mpsc::Receiver<io::Result<TcpStream>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        from.set_port(0);
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None);
        let connected = socket.and_then(|socket| {
            socket.bind(&from.into())?;
            socket.connect_timeout(&to.into(), CONNECT_MAX)?;
            Ok(TcpStream::from(socket))
        });
        // The receiver is gone if the transfer has been aborted meanwhile.
        let _ = sender.send(connected);
    });
    receiver
}

/// Whether the same call may succeed later. A timeout has the first two kinds, depending on the system.
fn is_pending(error: &io::Error) -> bool {
    use ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// How long something happens unnoticed while the thread waits for something else.
const TICK: Duration = Duration::from_millis(20);

/// The longest wait, for sessions without a timer.
const WAIT_MAX: Duration = Duration::from_secs(3600);

const WRONG_PASSWORD_DELAY: Duration = Duration::from_secs(1);

/// The session's timer ends the wait earlier.
const CONNECT_MAX: Duration = Duration::from_secs(60);

const SESSIONS_MAX: usize = 500;

/// Commands that are received and not used yet, so that the end of the connection behind them is seen.
const INPUT_MAX: usize = 64 * 1024;

/// Replies that are collected before they are sent.
const OUTPUT_MAX: usize = 16 * 1024;

const DATA_BYTES: usize = 64 * 1024;

/// How much of an upload is still taken when its client is gone, in pieces of `DATA_BYTES`.
const ABORT_STEPS_MAX: usize = 1024;

/// Reads before the control connection is closed.
const DISCARDS_MAX: usize = 64;
