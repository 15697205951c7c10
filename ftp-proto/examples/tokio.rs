//! An FTP server on tokio: one task for each session, which owns everything of its session and
//! waits in one `select!`. `shared/mod.rs` shows how to start it; with `--tls` its certificate is
//! new each time.
//!
//! A transfer is one future of that task. Dropping it aborts the transfer: its data connection then
//! closes without TLS's close_notify, by which the client sees that bytes are missing.

#[path = "tokio/control.rs"]
mod control;
#[path = "tokio/passive.rs"]
mod passive;
mod shared;
#[path = "tokio/socket.rs"]
mod socket;
#[path = "tokio/tls.rs"]
mod tls;
#[path = "tokio/transfer.rs"]
mod transfer;

use std::error::Error;
use std::future::{pending, ready};
use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ftp_proto::{
    Action, Bound, Config, DataEvent, DataId, Endpoints, Outcome, Output, PeerVerdict, Refusal,
    Reply, Session, Timers, TransferError, TransferId, TransferStart, canonical,
};
use tokio::net::TcpStream;
use tokio::task::{block_in_place, coop, unconstrained, yield_now};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;

use control::{Control, ControlEvent};
use passive::{Passive, from_std};
use shared::{Flags, Transfer, Upload};
use tls::Tls;
use transfer::{Running, TransferStep, Transferred};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::parse();
    let tls = if flags.tls { Some(Tls::new()?) } else { None };
    let listener = from_std(flags.control_listener()?)?;
    let config = Arc::new(flags.config());
    let server = Arc::new(Server { flags, config, tls });
    loop {
        let accepted = listener.accept().await;
        let served = accepted.and_then(|(socket, peer)| {
            // Each session has one.
            if Arc::strong_count(&server) > SESSIONS_MAX {
                let mut reply = Vec::new();
                Reply::too_many_connections().encode(&mut reply);
                return socket.try_write(&reply).map(drop);
            }
            tokio::spawn(Connection::new(Arc::clone(&server), socket, peer)?.run());
            Ok(())
        });
        if let Err(error) = served {
            eprintln!("a client cannot be served: {error}");
            // There may be too many open files; the next attempt must not follow at once.
            sleep(PAUSE).await;
        }
    }
}

/// What all sessions share.
struct Server {
    flags: Flags,
    config: Arc<Config>,
    tls: Option<Tls>,
}

/// One client.
struct Connection {
    server: Arc<Server>,
    session: Session,
    timers: Timers<Instant>,
    control: Control,
    /// The address to which the client has connected.
    local: SocketAddr,
    /// An action that must not begin before the replies in front of it are sent.
    deferred: Option<Action>,
    passive: Option<Passive>,
    /// What `OpenTransfer` has opened.
    opened: Option<Transfer>,
    running: Option<Running>,
    /// What had moved of an upload when the control connection ended without QUIT.
    moved_at_end: Option<Option<DataEvent>>,
    is_closing: bool,
}

enum Step {
    Timer,
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Control(io::Result<ControlEvent>),
    Transfer(TransferStep),
}

impl Connection {
    fn new(server: Arc<Server>, socket: TcpStream, peer: SocketAddr) -> io::Result<Self> {
        let local = socket.local_addr()?;
        Ok(Self {
            session: Session::new(Arc::clone(&server.config), Endpoints::new(local, peer)),
            server,
            timers: Timers::new(),
            control: Control::new(socket)?,
            local: canonical(local),
            deferred: None,
            passive: None,
            opened: None,
            running: None,
            moved_at_end: None,
            is_closing: false,
        })
    }

    async fn run(mut self) {
        loop {
            self.drain().await;
            if self.is_closing {
                return self.finish().await;
            }
            let due = self.update_timers();
            // A branch that is ready drops the others, so each of them records in `self` what it
            // has done. The order matters: a transfer can be ready all the time, and
            // would leave no turn to the branches behind it. Those in front of it
            // cannot, as only few commands are wanted during a transfer. The passive port comes
            // before the control connection, as a client connects before it sends the
            // command that uses the connection.
            let step = tokio::select! {
                biased;
                () = wait_until(due) => Step::Timer,
                accepted = Passive::accept(&self.passive) => Step::Accepted(accepted),
                event = self.control.advance(self.session.wants_input()) => Step::Control(event),
                step = Running::advance(&mut self.running) => Step::Transfer(step),
            };
            // The transfer may have moved bytes whichever branch was ready: STAT and the timer
            // depend on them.
            self.report_event();
            match step {
                Step::Timer => self.timer_expired(Instant::now()),
                Step::Accepted(accepted) => self.accepted(accepted),
                Step::Control(event) => self.control_advanced(event).await,
                Step::Transfer(TransferStep::Moved) => {}
                Step::Transfer(TransferStep::Ended(transfer, result)) => {
                    self.transfer_ended(transfer, result).await;
                }
            }
        }
    }

    fn timer_expired(&mut self, now: Instant) {
        if let Some(timeout) = self.timers.expired(now) {
            self.session.handle_timeout(timeout);
        }
    }

    /// To be called when all outputs are drained.
    fn update_timers(&mut self) -> Option<Instant> {
        let timeout = self.session.poll_timeout();
        self.timers.update(timeout, Instant::now())
    }

    /// Performs all actions, and executes the commands that have been received.
    async fn drain(&mut self) {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Reply(reply) => reply.encode(&mut self.control.output),
                    Output::Action(action) => self.perform_in_order(action).await,
                }
            }
            if self.control.is_sent()
                && let Some(action) = self.deferred.take()
            {
                self.perform(action).await;
                continue;
            }
            if self.deferred.is_some() || self.control.is_full() {
                return;
            }
            match self.session.handle_input(&self.control.input) {
                0 => return,
                used => drop(self.control.input.drain(..used)),
            }
        }
    }

    /// Data must not move before the client has been sent 150, nor TLS begin before 234. Outputs
    /// behind such an action are not held up: a transfer must be aborted even if its client
    /// never reads the 150.
    async fn perform_in_order(&mut self, action: Action) {
        match action {
            Action::StartTransfer(_) | Action::StartProtectedTransfer(_) | Action::StartTls => {
                self.deferred = Some(action);
            }
            action => self.perform(action).await,
        }
    }

    async fn perform(&mut self, action: Action) {
        let server = Arc::clone(&self.server);
        let storage = &server.flags.storage;
        match action {
            Action::Authenticate { user, password } => {
                let outcome = storage.authenticate(&user, &password);
                if outcome == Outcome::Authenticated(None) {
                    // Guessing takes time. Nothing else can happen in this session now.
                    sleep(PAUSE_AFTER_WRONG_PASSWORD).await;
                }
                self.answer(outcome);
            }
            Action::File(request) => {
                for outcome in block_in_place(|| storage.answer(&request)) {
                    self.answer(outcome);
                }
            }
            // All file requests are answered at once.
            Action::AbortFile => {}
            Action::OpenPassive(data) => {
                let opened = self.open_passive(data);
                self.answer(Outcome::PassiveOpened(opened));
            }
            Action::CloseData(data) => drop(self.passive.take_if(|passive| passive.data == data)),
            Action::OpenTransfer(request) => {
                let opened = block_in_place(|| storage.open(&request)).map(|(transfer, opened)| {
                    self.opened = Some(transfer);
                    opened
                });
                self.answer(Outcome::TransferOpened(opened));
            }
            Action::StartTransfer(start) => self.start_transfer(start, None),
            Action::StartProtectedTransfer(start) => match &server.tls {
                Some(tls) => self.start_transfer(start, Some(tls.data.clone())),
                None => self.end_transfer(start.transfer, Err(TransferError::NotProtected)),
            },
            Action::AbortTransfer(transfer) => {
                self.opened = None;
                if self.deferred.take().is_some() || self.running.is_some() {
                    self.end_transfer(transfer, Err(TransferError::Aborted));
                }
            }
            Action::StartTls => self.start_tls().await,
            Action::Close | Action::CloseNow => self.is_closing = true,
        }
    }

    fn answer(&mut self, outcome: Outcome) {
        if let Err(misuse) = self.session.handle_outcome(outcome) {
            eprintln!("{}: {misuse}", self.session.endpoints().peer());
            debug_assert!(false, "{misuse}");
        }
    }

    fn open_passive(&mut self, data: DataId) -> Result<Bound, Refusal> {
        let listener = self.server.flags.passive_listener(self.local)?;
        let passive = Passive::new(data, listener).map_err(|_| Refusal::Failed)?;
        let bound = passive.bound().ok_or(Refusal::Failed)?;
        self.passive = Some(passive);
        Ok(bound)
    }

    fn accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let Some(passive) = &mut self.passive else {
            return;
        };
        match accepted {
            Ok((stream, peer)) => {
                // A stranger's connection is closed here, and the port stays open.
                if self.session.judge_peer(peer.ip()) == PeerVerdict::Client {
                    passive.connected(stream);
                    let event = DataEvent::Connected(peer.ip());
                    self.session.handle_data(passive.data, event);
                }
            }
            // The client has given up, and may connect again.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(_) => passive.close(),
        }
    }

    fn start_transfer(&mut self, start: TransferStart, tls: Option<TlsAcceptor>) {
        let Some(transfer) = self.opened.take() else {
            return self.end_transfer(start.transfer, Err(TransferError::NotConnected));
        };
        self.moved_at_end = None;
        let passive = self.passive.as_mut();
        let connection = passive.and_then(Passive::take_connection);
        self.running = Some(Running::new(start, self.local, connection, transfer, tls));
    }

    /// Passes on what happened last to the data connection; the same event again has no effect.
    fn report_event(&mut self) {
        if let Some(running) = &self.running
            && let Some(event) = running.event()
        {
            self.session.handle_data(running.start.data, event);
        }
    }

    /// Its future is over, or dropped here: the data connection and the file are closed before the
    /// session gets the outcome.
    fn end_transfer(&mut self, transfer: TransferId, result: Result<(), TransferError>) {
        self.running = None;
        self.passive = None;
        self.answer(Outcome::TransferEnded { transfer, result });
    }

    /// What came before the end counts: lines, but not those that wait behind a download; a
    /// connection to the passive port; bytes of an upload.
    async fn control_advanced(&mut self, event: io::Result<ControlEvent>) {
        let is_lost = match event {
            Ok(ControlEvent::Advanced) => return,
            Ok(ControlEvent::Ending) if self.is_uploading() || self.session.has_quit() => return,
            Ok(ControlEvent::Ending | ControlEvent::Ended) => false,
            Err(_) => true,
        };
        while let Some(accepted) = self.passive.as_ref().and_then(Passive::try_accept) {
            self.accepted(Ok(accepted));
        }
        if !self.session.has_quit() {
            self.take_arrived().await;
        }
        if is_lost {
            self.control.lose();
            self.session.handle_connection_lost();
        } else {
            self.session.handle_eof();
        }
    }

    fn is_uploading(&self) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.is_upload)
    }

    /// Stores what has arrived of an upload before the control connection ended. If that is all,
    /// both connections have ended together, and the client was killed.
    async fn take_arrived(&mut self) {
        if !self.is_uploading() {
            return;
        }
        for _ in 0..ARRIVED_STEPS_MAX {
            let step = tokio::select! {
                biased;
                step = Running::advance(&mut self.running) => step,
                () = ready(()) => {
                    // It would read no more for now, also when other tasks need their turn.
                    if coop::has_budget_remaining() {
                        break;
                    }
                    yield_now().await;
                    continue;
                }
            };
            self.report_event();
            if let TransferStep::Ended(transfer, result) = step {
                let killed = Err(TransferError::Aborted);
                return self.end_transfer(transfer, result.and(killed));
            }
        }
        self.moved_at_end = self.running.as_ref().map(Running::event);
    }

    async fn transfer_ended(&mut self, transfer: TransferId, result: Transferred) {
        match result {
            Ok(Some(upload)) => self.end_upload(transfer, upload).await,
            result => self.end_transfer(transfer, result.map(drop)),
        }
    }

    /// The data connection of an upload has ended cleanly. If the control connection has ended
    /// together with it, and no QUIT came, the client was killed, and the upload is not complete.
    async fn end_upload(&mut self, transfer: TransferId, mut upload: Upload) {
        let mut end = None;
        while end.is_none() {
            let wants_input = self.session.wants_input();
            let advanced = unconstrained(self.control.advance(wants_input));
            let event = tokio::select! {
                biased;
                event = advanced => event,
                () = ready(()) => break,
            };
            match event {
                Ok(ControlEvent::Advanced) => self.drain().await,
                Ok(ControlEvent::Ending) => {}
                ended => end = Some(ended),
            }
        }
        let moved = self.running.as_ref().map(Running::event);
        let is_together = end.is_some() || self.moved_at_end == moved;
        // An ABOR among the commands may have ended it.
        if self.running.is_some() {
            let result = if is_together && !self.session.has_quit() {
                Err(TransferError::Aborted)
            } else {
                block_in_place(|| upload.finish())
            };
            self.end_transfer(transfer, result);
        }
        if let Some(ended) = end {
            self.control_advanced(ended).await;
        }
    }

    async fn start_tls(&mut self) {
        // What came in clear text is not executed after the handshake.
        let leftover = mem::take(&mut self.control.input).len();
        let due = self.update_timers();
        let acceptor = self.server.tls.as_ref().filter(|_| leftover == 0);
        let handshake = async {
            let stream = acceptor?.control.accept(self.control.socket.clone());
            stream.await.ok()
        };
        let stream = tokio::select! {
            stream = handshake => stream,
            () = wait_until(due) => None,
        };
        let established = stream.is_some();
        if let Some(stream) = stream {
            self.control.stream = Box::new(stream);
        }
        self.answer(Outcome::Tls {
            established,
            leftover,
        });
    }

    /// Sends the last replies. A client that does not read them is not waited for longer than the
    /// session's timer says.
    async fn finish(mut self) {
        self.running = None;
        self.passive = None;
        let due = self.update_timers();
        tokio::select! {
            _ = self.control.finish() => return,
            () = wait_until(due) => {}
        }
        self.timer_expired(Instant::now());
        // `CloseNow` comes, and everything is dropped.
        while let Some(output) = self.session.poll_output() {
            drop(output);
        }
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

const SESSIONS_MAX: usize = 1000;

/// More than the kernel holds for a connection.
const ARRIVED_STEPS_MAX: usize = 1000;

const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_AFTER_WRONG_PASSWORD: Duration = Duration::from_secs(1);
