//! An FTP server in one thread: all sessions wait in one `mio::Poll`, and a slow disk delays them
//! all. It has no TLS, no log and no limit on the number of clients. `shared/mod.rs` shows how to
//! start it.
//!
//! Readiness is edge-triggered: an event says only once that something has changed. This server
//! keeps no record of what is ready. Whatever the event was, the turn of its session tries
//! everything until nothing moves: timers, commands, data. A turn has a limited number of steps; a
//! session that could go on comes again after all others.

mod shared;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{mem, process};

use ftp_proto::{
    Action, Bound, DataConnection, DataEvent, DataId, Endpoints, Outcome, Output, PeerVerdict,
    Refusal, Session, Timers, TransferError, TransferId, TransferStart, limits,
};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, event::Event, event::Source};
use shared::{Flags, Pump, Step, begin_connecting};
use socket2::SockRef;

fn main() -> io::Result<()> {
    let flags = Arc::new(Flags::parse());
    if flags.tls {
        eprintln!("this example has no TLS: see the example tokio");
        process::exit(2);
    }
    let mut poll = Poll::new()?;
    let registry = Arc::new(poll.registry().try_clone()?);
    let listener = flags.control_listener()?;
    listener.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(listener);
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut drivers: BTreeMap<usize, Driver> = BTreeMap::new();
    let mut last_number = 0;
    let mut events = Events::with_capacity(1024);
    loop {
        // The earliest timer of all sessions.
        let due = drivers.values().filter_map(|driver| driver.due).min();
        let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
        match poll.poll(&mut events, wait) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            if let Some(driver) = drivers.get_mut(&(event.token().0 / 2)) {
                driver.on_event(event);
            }
        }
        let now = Instant::now();
        drivers.retain(|_, driver| driver.due.is_none_or(|due| due > now) || driver.turn(now));
        // Without an event too: none comes again for those who found too many files open.
        while let Ok((stream, _)) = listener.accept() {
            last_number += 1;
            // An error means that the client has gone already.
            if let Ok(driver) = Driver::new(Token(2 * last_number), stream, &flags, &registry) {
                drivers.insert(last_number, driver);
            }
        }
    }
}

/// A session, its sockets and its file.
struct Driver {
    session: Session,
    flags: Arc<Flags>,
    registry: Arc<Registry>,
    control_token: Token,
    timers: Timers<Instant>,
    /// When the next turn is, if no event comes before.
    due: Option<Instant>,
    control: TcpStream,
    received: Vec<u8>,
    unsent: Vec<u8>,
    client: ClientEnd,
    /// What the session knows of it: nothing, or one of the last two.
    reported: ClientEnd,
    /// Until when a client that does not read its replies may keep an action waiting.
    deaf_until: Option<Instant>,
    /// The answer to a wrong password, and when to give it.
    delayed: Option<(Instant, Outcome)>,
    data: Data,
    /// Until `StartTransfer`: a connection may be there, but nothing moves.
    opened: Option<(TransferId, Pump)>,
    running: Option<(TransferId, Pump)>,
}

/// What is known about the client's end of the control connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ClientEnd {
    Open,
    /// An event says that no more will come, but there are unread bytes.
    Closing,
    /// All is read. The client may still read.
    Closed,
    Lost,
}

/// The data connection, or what it comes from.
enum Data {
    None,
    Listening(DataId, TcpListener),
    Connecting(DataId, TcpStream),
    Open(DataId, TcpStream),
}

impl Driver {
    fn new(
        control_token: Token,
        mut control: TcpStream,
        flags: &Arc<Flags>,
        registry: &Arc<Registry>,
    ) -> io::Result<Self> {
        let socket = SockRef::from(&control);
        // ABOR may be urgent data. With this option it comes in its place among the other bytes,
        // and is READABLE like them: no PRIORITY is needed.
        socket.set_out_of_band_inline(true)?;
        socket.set_tcp_nodelay(true)?;
        // Routers forget a connection that is idle, as this one is during a long transfer.
        socket.set_keepalive(true)?;
        registry.register(&mut control, control_token, BOTH)?;
        let endpoints = Endpoints::new(control.local_addr()?, control.peer_addr()?);
        Ok(Self {
            session: Session::new(flags.config().into(), endpoints),
            flags: flags.clone(),
            registry: registry.clone(),
            control_token,
            timers: Timers::new(),
            due: Some(Instant::now()),
            control,
            received: Vec::new(),
            unsent: Vec::new(),
            client: ClientEnd::Open,
            reported: ClientEnd::Open,
            deaf_until: None,
            delayed: None,
            data: Data::None,
            opened: None,
            running: None,
        })
    }

    fn on_event(&mut self, event: &Event) {
        self.due = Some(Instant::now());
        if event.token() == self.control_token && (event.is_read_closed() || event.is_error()) {
            self.client = match self.client {
                // A reset after the end: reading would not show it any more.
                ClientEnd::Closed if event.is_error() => ClientEnd::Lost,
                client => client.max(ClientEnd::Closing),
            };
        }
    }

    /// Does what can be done now, or a part of it. False: the control connection can be closed.
    fn turn(&mut self, now: Instant) -> bool {
        for _ in 0..TURN_STEPS {
            self.drain(now);
            if self.session.is_closed() && self.flush() {
                // With unread bytes the kernel would reset the connection.
                let _ = io::copy(&mut (&self.control).take(1 << 20), &mut io::sink());
                return false;
            }
            let progressed = self.check_timers(now)
                || self.use_input()
                || self.check_end(now)
                || self.advance_data(now);
            if !progressed {
                let delay = self.delayed.as_ref().map(|(due, _)| *due);
                let due = [delay, self.deaf_until, self.timers.due()];
                self.due = due.into_iter().flatten().min();
                break;
            }
        }
        true
    }

    /// Sends replies and performs actions: what follows a reply stays in the session until it is
    /// sent, but not at the end of the session, where `CloseNow` may follow.
    fn drain(&mut self, now: Instant) {
        while self.flush() || self.session.is_closed() {
            self.deaf_until = None;
            match self.session.poll_output() {
                None => return,
                Some(Output::Reply(reply)) => reply.encode(&mut self.unsent),
                Some(Output::Action(action)) => self.perform(action, now),
            }
        }
        self.deaf_until.get_or_insert(now + DEAF_MAX);
    }

    fn perform(&mut self, action: Action, now: Instant) {
        let files = &self.flags.storage;
        match action {
            Action::Authenticate { user, password } => match files.authenticate(&user, &password) {
                // Guessing takes time, and others do not wait.
                no @ Outcome::Authenticated(None) => self.delayed = Some((now + DELAY, no)),
                outcome => self.answer(outcome),
            },
            Action::File(request) => {
                let outcomes = files.answer(&request);
                outcomes.into_iter().for_each(|one| self.answer(one));
            }
            Action::OpenPassive(id) => {
                let listening = self.listen(id);
                self.answer(Outcome::PassiveOpened(listening));
            }
            // There is one at most.
            Action::CloseData(_) => self.data = Data::None,
            Action::OpenTransfer(request) => {
                let opened = files.open(&request).map(|(transfer, opened)| {
                    self.opened = Some((request.id, Pump::new(transfer)));
                    opened
                });
                self.answer(Outcome::TransferOpened(opened));
            }
            Action::StartTransfer(start) => self.start_transfer(start),
            Action::AbortTransfer(_) => self.end_transfer(Err(TransferError::Aborted)),
            // `turn` sends the rest and ends.
            Action::Close => self.end_transfer(Err(TransferError::Aborted)),
            Action::CloseNow => self.unsent.clear(),
            // All file requests are answered at once.
            Action::AbortFile => {}
            // Not requested, as `Config::tls` is false: what is not performed is declined.
            Action::StartProtectedTransfer(_) | Action::StartTls => {
                action.decline().into_iter().for_each(|no| self.answer(no));
            }
        }
    }

    fn answer(&mut self, outcome: Outcome) {
        if let Err(misuse) = self.session.handle_outcome(outcome) {
            eprintln!("a bug in this example: {misuse}");
        }
    }

    fn listen(&mut self, id: DataId) -> Result<Bound, Refusal> {
        let listener = self
            .flags
            .passive_listener(self.session.endpoints().local())?;
        let registered = listener.set_nonblocking(true).and_then(|()| {
            let listener = self.register_data(TcpListener::from_std(listener))?;
            Ok((listener.local_addr()?.port(), listener))
        });
        let (port, listener) = registered.map_err(|_| Refusal::Failed)?;
        self.data = Data::Listening(id, listener);
        Bound::try_from(port).map_err(|_| Refusal::Failed)
    }

    fn start_transfer(&mut self, start: TransferStart) {
        self.running = self.opened.take();
        // In passive mode the connection is there, or comes to the listener.
        if let DataConnection::Active(target) = start.connection {
            let stream = begin_connecting(self.session.endpoints().local(), target);
            match stream.and_then(|stream| self.register_data(TcpStream::from_std(stream))) {
                Ok(stream) => self.data = Data::Connecting(start.data, stream),
                Err(_) => self.end_transfer(Err(TransferError::NotConnected)),
            }
        }
    }

    fn register_data<S: Source>(&self, mut data: S) -> io::Result<S> {
        let token = Token(self.control_token.0 + 1);
        self.registry.register(&mut data, token, BOTH)?;
        Ok(data)
    }

    /// Closes the data connection and the file, and reports the end if the transfer has started.
    fn end_transfer(&mut self, result: Result<(), TransferError>) {
        self.data = Data::None;
        self.opened = None;
        if let Some((transfer, _)) = self.running.take() {
            self.answer(Outcome::TransferEnded { transfer, result });
        }
    }

    /// Gives the session one command line, if the client reads its replies.
    fn use_input(&mut self) -> bool {
        if !self.flush() || !self.session.wants_input() {
            return false;
        }
        self.receive();
        let used = self.session.handle_input(&self.received);
        self.received.drain(..used);
        used > 0
    }

    /// Reads until the socket would block, or the longest line is there. A short read is no reason
    /// to stop: it may end at an urgent byte, and no further event says that more follows.
    fn receive(&mut self) {
        let mut buffer = [0; limits::LINE_BYTES_MAX];
        while self.client < ClientEnd::Closed && self.received.len() < buffer.len() {
            let room = buffer.len() - self.received.len();
            match self.control.read(&mut buffer[..room]) {
                Ok(0) => self.client = ClientEnd::Closed,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.client = ClientEnd::Lost,
            }
        }
    }

    /// True if nothing is left to send. Replies to a client that is gone count as sent.
    fn flush(&mut self) -> bool {
        if self.client == ClientEnd::Lost {
            self.unsent.clear();
        }
        while !self.unsent.is_empty() {
            match self.control.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => (self.unsent, self.client) = (Vec::new(), ClientEnd::Lost),
            }
        }
        true
    }

    /// Reports the end of the control connection. What came before it counts: a connection to the
    /// passive port, bytes of an upload, and lines, but not those that wait behind a download.
    fn check_end(&mut self, now: Instant) -> bool {
        let is_upload = self.is_upload();
        let is_download = self.running.is_some() && !is_upload;
        let has_lines = self.client == ClientEnd::Closing || self.received.contains(&b'\n');
        let is_new = match self.client {
            _ if self.session.is_closed() || self.delayed.is_some() => false,
            ClientEnd::Open => false,
            ClientEnd::Closing | ClientEnd::Closed if has_lines => {
                is_download && !self.session.wants_input()
            }
            ClientEnd::Closing | ClientEnd::Closed | ClientEnd::Lost => true,
        };
        if !is_new || self.client <= self.reported {
            return false;
        }
        while matches!(self.data, Data::Listening(..)) && self.advance_data(now) {}
        if is_upload && !self.session.has_quit() {
            self.take_arrived();
        }
        self.reported = self.client.max(ClientEnd::Closed);
        if self.client == ClientEnd::Lost {
            self.session.handle_connection_lost();
        } else {
            self.session.handle_eof();
        }
        true
    }

    fn is_upload(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|(_, pump)| pump.is_upload())
    }

    fn take_arrived(&mut self) {
        if let (Some((_, pump)), Data::Open(id, stream)) = (&mut self.running, &mut self.data) {
            let step = pump.take_arrived(stream);
            let event = DataEvent::Progress(pump.bytes_total());
            self.session.handle_data(*id, event);
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
    fn end_upload(&mut self, now: Instant) {
        while self.use_input() {
            self.drain(now);
        }
        let is_new_end = self.client >= ClientEnd::Closed && self.client > self.reported;
        let Some(pump) = self.running.as_mut().map(|(_, pump)| pump) else {
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

    fn check_timers(&mut self, now: Instant) -> bool {
        self.timers.update(self.session.poll_timeout(), now);
        if let Some((_, outcome)) = self.delayed.take_if(|(due, _)| *due <= now) {
            self.answer(outcome);
        } else if let Some(timeout) = self.timers.expired(now) {
            self.session.handle_timeout(timeout);
        } else if self.deaf_until.take_if(|due| *due <= now).is_some() {
            self.client = ClientEnd::Lost;
        } else {
            return false;
        }
        true
    }

    /// One step of the data connection: accepts, connects, or moves bytes. False: it has to wait.
    fn advance_data(&mut self, now: Instant) -> bool {
        match mem::replace(&mut self.data, Data::None) {
            Data::None => return false,
            Data::Listening(id, listener) => {
                let accepted = listener.accept();
                self.data = Data::Listening(id, listener);
                let Ok((stream, peer)) = accepted else {
                    return false;
                };
                // A stranger's connection is closed here, and the client may still come.
                if self.session.judge_peer(peer.ip()) == PeerVerdict::Client
                    && let Ok(stream) = self.register_data(stream)
                {
                    // Kept until the transfer starts. The listener is closed.
                    self.data = Data::Open(id, stream);
                    self.session
                        .handle_data(id, DataEvent::Connected(peer.ip()));
                }
            }
            Data::Connecting(id, stream) => match (stream.take_error(), stream.peer_addr()) {
                (Ok(None), Ok(peer)) => {
                    self.data = Data::Open(id, stream);
                    self.session
                        .handle_data(id, DataEvent::Connected(peer.ip()));
                }
                (Ok(None), Err(error)) if error.kind() == ErrorKind::NotConnected => {
                    self.data = Data::Connecting(id, stream);
                    return false;
                }
                _ => self.end_transfer(Err(TransferError::NotConnected)),
            },
            Data::Open(id, mut stream) => {
                let (step, bytes) = match &mut self.running {
                    Some((_, pump)) => (pump.step(&mut stream), pump.bytes_total()),
                    None => (Step::Blocked, 0),
                };
                self.data = Data::Open(id, stream);
                match step {
                    Step::Blocked => return false,
                    Step::Moved => self.session.handle_data(id, DataEvent::Progress(bytes)),
                    Step::AllReceived => self.end_upload(now),
                    Step::Ended(result) => self.end_transfer(result),
                }
            }
        }
        true
    }
}

const LISTENER: Token = Token(0);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
/// A step is one command line or one piece of a transfer.
const TURN_STEPS: usize = 32;
const DEAF_MAX: Duration = Duration::from_secs(60);
const DELAY: Duration = Duration::from_secs(1);
