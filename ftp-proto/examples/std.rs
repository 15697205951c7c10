//! An FTP server on blocking sockets, with one thread for each client. `shared/mod.rs` shows how to
//! start it. It offers no TLS.
//!
//! A thread has up to three things to wait for, the control connection, the data connection and the
//! time, and can wait for one of them alone. So each wait is short enough for the others:
//!
//! - Without a data connection it waits for a command, with a read timeout until the session's
//!   timer expires.
//! - Until the data connection is there, that timeout is [`TICK`]; then it tries to accept.
//! - During a transfer it waits for the data connection, for a `TICK` at most, and looks at the
//!   control connection without waiting: ABOR and STAT must act while data moves. lftp sends ABOR
//!   behind an urgent Telnet code, Python's ftplib sends the whole line as urgent data; with
//!   `SO_OOBINLINE` both come in their place among the other bytes.

mod shared;

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use ftp_proto::{
    Action, Bound, DataConnection, DataEvent, DataId, Endpoints, Outcome, Output, PeerVerdict,
    Refusal, Reply, Session, Timers, TransferError, TransferId, TransferStart, limits,
};
use shared::{Flags, Pump, Step, connect_from};
use socket2::SockRef;

fn main() -> io::Result<()> {
    let flags = Flags::parse();
    if flags.tls {
        eprintln!("this example has no TLS: see the example tokio");
        std::process::exit(2);
    }
    let listener = flags.control_listener()?;
    let (config, flags) = (Arc::new(flags.config()), Arc::new(flags));
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
            // There may be too many open files or threads: not again at once.
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
    end: End,
    /// What the session knows of it.
    reported_end: End,
    data: Data,
    data_id: Option<DataId>,
    transfer: Option<Transfer>,
}

/// Whether and how the control connection has ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    None,
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

struct Transfer {
    id: TransferId,
    pump: Pump,
    is_started: bool,
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
            end: End::None,
            reported_end: End::None,
            data: Data::None,
            data_id: None,
            transfer: None,
        })
    }

    fn run(&mut self) {
        loop {
            self.drain();
            if self.session.is_closed() {
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
            let wait = self.advance_data();
            let left = due.map_or(WAIT_MAX, |due| due.saturating_duration_since(now));
            self.receive(wait.min(left));
        }
    }

    /// Sends replies and performs actions, in their order.
    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Reply(reply) => reply.encode(&mut self.output),
                Output::Action(action) => self.perform(action),
            }
        }
        if self.output.len() > BUFFER_MAX {
            self.flush();
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
            Action::CloseData(_) => self.data = Data::None,
            Action::OpenTransfer(request) => {
                let opened = storage.open(request).map(|(transfer, opened)| {
                    self.transfer = Some(Transfer {
                        id: request.id,
                        pump: Pump::new(transfer),
                        is_started: false,
                    });
                    opened
                });
                self.answer(Outcome::TransferOpened(opened));
            }
            Action::StartTransfer(start) => self.start_transfer(start),
            Action::AbortTransfer(_) => self.abort_transfer(),
            Action::Close => self.close(),
            // The time for the last replies is over. `flush` has measured it already.
            Action::CloseNow => {}
            // All file requests are answered at once.
            Action::AbortFile => {}
            // Not requested, as `Config::tls` is false: what is not performed is declined.
            Action::StartProtectedTransfer(_) | Action::StartTls => {
                if let Some(refusal) = action.decline() {
                    self.answer(refusal);
                }
            }
        }
    }

    fn answer(&mut self, outcome: Outcome) {
        if let Err(misuse) = self.session.handle_outcome(outcome) {
            eprintln!("a bug in this example: {misuse}");
        }
    }

    fn open_passive(&mut self, data: DataId) {
        let local = self.session.endpoints().local();
        let outcome = self.flags.passive_listener(local).and_then(|listener| {
            let set = listener.set_nonblocking(true);
            let bound = set.and_then(|()| listener.local_addr());
            let port = bound.map_err(|_| Refusal::Failed)?.port();
            (self.data, self.data_id) = (Data::Listening(listener), Some(data));
            Bound::try_from(port).map_err(|_| Refusal::Failed)
        });
        self.answer(Outcome::PassiveOpened(outcome));
    }

    fn start_transfer(&mut self, start: &TransferStart) {
        // The client must be able to read the 150 before the data.
        self.flush();
        if let Some(transfer) = &mut self.transfer {
            transfer.is_started = true;
        }
        self.data_id = Some(start.data);
        // In passive mode the connection is there, or comes to the listener.
        if let DataConnection::Active(to) = start.connection {
            let local = self.session.endpoints().local();
            let (sender, receiver) = mpsc::channel();
            // std can wait for a connection, but not look whether it is there.
            thread::spawn(move || sender.send(connect_from(local, to)));
            self.data = Data::Connecting(receiver);
        }
    }

    fn abort_transfer(&mut self) {
        // One that was only opened has no outcome.
        self.transfer.take_if(|transfer| !transfer.is_started);
        self.end_transfer(Err(TransferError::Aborted));
    }

    /// Closes the data connection, and then reports the end: the client may rely on the 226.
    fn end_transfer(&mut self, result: Result<(), TransferError>) {
        self.data = Data::None;
        if let Some(Transfer { id: transfer, .. }) = self.transfer.take() {
            self.answer(Outcome::TransferEnded { transfer, result });
        }
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

    /// Reports the end of the control connection. What came before it counts: a connection to the
    /// passive port, bytes of an upload, and lines, but not those that wait behind a download.
    fn check_end(&mut self) -> bool {
        let transfer = self.transfer.as_ref();
        let is_upload = transfer.is_some_and(|transfer| transfer.pump.is_upload());
        let has_lines = self.input.contains(&b'\n');
        let is_early = self.end == End::Closed && is_upload && has_lines;
        if self.end == self.reported_end || is_early {
            return false;
        }
        while matches!(self.data, Data::Listening(_)) && self.advance_data().is_zero() {}
        if is_upload && !self.session.has_quit() {
            self.take_arrived();
        }
        self.reported_end = self.end;
        match self.end {
            End::None => {}
            End::Closed => self.session.handle_eof(),
            End::Lost => self.session.handle_connection_lost(),
        }
        true
    }

    fn take_arrived(&mut self) {
        if let (Some(transfer), Data::Open(stream)) = (&mut self.transfer, &mut self.data) {
            let step = transfer.pump.take_arrived(stream);
            let event = DataEvent::Progress(transfer.pump.bytes_total());
            self.report(event);
            match step {
                Step::Moved | Step::Blocked => {}
                // Both connections have ended together.
                Step::AllReceived => self.end_transfer(Err(TransferError::Aborted)),
                Step::Ended(result) => self.end_transfer(result),
            }
        }
    }

    /// The data connection of an upload has ended cleanly. If the control connection has ended
    /// together with it, and no QUIT came, the client was killed, and the upload is not complete.
    fn end_upload(&mut self) {
        self.receive(Duration::ZERO);
        while self.use_input() {
            self.drain();
        }
        let is_new_end = self.end > self.reported_end;
        let Some(pump) = self.transfer.as_mut().map(|transfer| &mut transfer.pump) else {
            // One of the lines was ABOR.
            return;
        };
        let is_killed = is_new_end || pump.is_silent_since_end();
        let result = if is_killed && !self.session.has_quit() {
            Err(TransferError::Aborted)
        } else {
            pump.finish()
        };
        self.end_transfer(result);
    }

    /// Reads commands, and waits for them; up to a limit also while the session wants no input, as
    /// the end of the connection comes behind the commands.
    fn receive(&mut self, wait: Duration) {
        if self.end == End::Closed && !matches!(self.control.take_error(), Ok(None)) {
            // Reading would not show it any more.
            self.end = End::Lost;
        }
        if self.end > End::None || self.input.len() > BUFFER_MAX {
            // Only a transfer can be the reason, and has to go on.
            return thread::sleep(wait.min(TICK));
        }
        let control = &mut self.control;
        let mut buffer = [0; limits::LINE_BYTES_MAX];
        let set = match wait {
            Duration::ZERO => control.set_nonblocking(true),
            _ => control.set_read_timeout(Some(wait)),
        };
        let result = set.and_then(|()| control.read(&mut buffer));
        match control.set_nonblocking(false).and(result) {
            Ok(0) => self.end = End::Closed,
            // It may be less than what is there: a read also ends at an urgent byte.
            Ok(count) => self.input.extend_from_slice(&buffer[..count]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                _ => self.end = End::Lost,
            },
        }
    }

    /// Sends the replies. A client that does not read them blocks this thread alone, and no longer
    /// than the timer that runs takes; then it counts as gone.
    fn flush(&mut self) {
        let timeout = self.session.poll_timeout();
        let limit = timeout.map_or(WAIT_MAX, |timeout| timeout.after);
        let set = self.control.set_write_timeout(Some(limit.max(TICK)));
        let sent = match self.end {
            End::Lost => Ok(()),
            End::None | End::Closed => set.and_then(|()| self.control.write_all(&self.output)),
        };
        if sent.is_err() {
            self.end = End::Lost;
        }
        self.output.clear();
    }

    /// Closes everything. With unread bytes the kernel would reset the control connection.
    fn close(&mut self) {
        (self.transfer, self.data) = (None, Data::None);
        self.flush();
        let _ = self.control.shutdown(Shutdown::Write);
        let _ = self.control.set_nonblocking(true);
        let _ = io::copy(&mut (&self.control).take(DISCARD_MAX), &mut io::sink());
    }

    /// Establishes the data connection, or moves bytes. Returns how long to wait for commands now.
    fn advance_data(&mut self) -> Duration {
        match mem::replace(&mut self.data, Data::None) {
            Data::None => return WAIT_MAX,
            Data::Listening(listener) => match listener.accept() {
                // The listener is closed: no one else can come.
                Ok((stream, peer)) if self.session.judge_peer(peer.ip()) == PeerVerdict::Client => {
                    self.connected(stream, Ok(peer));
                }
                // No one, or a stranger: that connection is closed, and the client may come still.
                result => {
                    self.data = Data::Listening(listener);
                    return if result.is_ok() { Duration::ZERO } else { TICK };
                }
            },
            Data::Connecting(receiver) => match receiver.try_recv() {
                Ok(Ok(stream)) => {
                    let peer = stream.peer_addr();
                    self.connected(stream, peer);
                }
                Err(TryRecvError::Empty) => {
                    self.data = Data::Connecting(receiver);
                    return TICK;
                }
                _ => self.end_transfer(Err(TransferError::NotConnected)),
            },
            Data::Open(mut stream) => {
                let started = self.transfer.as_mut().filter(|found| found.is_started);
                let Some(Transfer { pump, .. }) = started else {
                    self.data = Data::Open(stream);
                    return WAIT_MAX;
                };
                let step = pump.step(&mut stream);
                let event = DataEvent::Progress(pump.bytes_total());
                self.data = Data::Open(stream);
                match step {
                    Step::Blocked => {}
                    Step::Moved => self.report(event),
                    Step::AllReceived => self.end_upload(),
                    Step::Ended(result) => self.end_transfer(result),
                }
            }
        }
        Duration::ZERO
    }

    fn connected(&mut self, stream: TcpStream, peer: io::Result<SocketAddr>) {
        let prepare = || {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(TICK))?;
            stream.set_write_timeout(Some(TICK))?;
            peer
        };
        match prepare() {
            Ok(peer) => {
                self.data = Data::Open(stream);
                self.report(DataEvent::Connected(peer.ip()));
            }
            Err(_) => self.end_transfer(Err(TransferError::NotConnected)),
        }
    }

    fn report(&mut self, event: DataEvent) {
        if let Some(data) = self.data_id {
            self.session.handle_data(data, event);
        }
    }
}

/// How long something may go unnoticed while the thread waits for something else.
const TICK: Duration = Duration::from_millis(20);
/// The longest wait, for sessions without a timer.
const WAIT_MAX: Duration = Duration::from_secs(3600);
const WRONG_PASSWORD_DELAY: Duration = Duration::from_secs(1);
const SESSIONS_MAX: usize = 500;
/// Commands that are not used yet, and replies that are not sent yet.
const BUFFER_MAX: usize = 64 * 1024;
const DISCARD_MAX: u64 = 1024 * 1024;
