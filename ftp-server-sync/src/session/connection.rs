//! One client: the core's session, its sockets and its files.
//!
//! [`Connection::turn`] runs until it has to wait for the client, the network or the time, and
//! never blocks. The caller owns the poll. Nothing here is shared with other threads but
//! [`ServerState`].

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::{
    Action, Announcement, DataEvent, DataId, Endpoints, Outcome, Output, Session, Timers,
    TransferError,
};
use log::{debug, error, info};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Registry, Token, Waker};

use super::command::SessionCommand;
use super::control::{CONTROL, Control, End};
use super::end_reason::EndReason;
use super::log::SessionLog;
use super::offered_port::OfferedPort;
use super::server_state::{Current, ServerState};
use crate::data::connection::{DATA, DataPort};
use crate::data::lingering::{LINGERING, Lingering};
use crate::data::rate_limit::RateLimits;
use crate::data::transfer::{AdvanceOutcome, Transfer};
use crate::fs::list::StatusEntries;
use crate::fs::root::Root;
use crate::passive::OpenOutcome;
use crate::tls::Resumption;

/// A control connection and everything that exists because of it.
#[derive(Debug)]
pub(super) struct Connection {
    /// For the log.
    pub(super) number: u64,
    pub(super) session: Session,
    pub(super) server: Arc<ServerState>,
    /// The settings in force.
    pub(super) current: Arc<Current>,
    /// The number of these settings.
    generation: u64,
    /// The directory that was shared when the session started. Another one is for new sessions.
    pub(super) root: Root,
    started: Instant,
    /// The server is shutting down: the session ends once no transfer runs.
    pub(super) ending: bool,
    pub(super) waker: Arc<Waker>,
    /// The core's name for the last data connection, or for the listener that waits for it.
    pub(super) data: Option<DataId>,
    pub(super) port: DataPort,
    pub(super) transfer: Option<Transfer>,
    /// The data connection of the last transfer, while its client may still read from it.
    pub(super) lingering: Option<Lingering>,
    /// Since AUTH TLS.
    pub(super) tls: Option<Resumption>,
    /// An outcome that the core gets later: the answer to a wrong password.
    pub(super) delayed: Option<(Instant, Outcome)>,
    /// The entries of STAT with a path that are searched, and what a refusal is about, for the
    /// log.
    pub(super) status: Option<(StatusEntries, String)>,
    /// The last announcement in the log.
    pub(super) announced: Option<Announcement>,
    pub(super) offered_port: OfferedPort,
    /// Why the session, or its transfer, is about to end, for the log.
    pub(super) end_reason: Option<EndReason>,
    pub(super) rate_limits: RateLimits,
    pub(super) log: SessionLog,
    pub(super) closing: Option<Closing>,
    pub(super) control: Control,
    /// An action that waits until the replies before it are sent, and since when.
    pub(super) unflushed: Option<(Action, Instant)>,
    pub(super) timers: Timers<Instant>,
}

/// How far the end of the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// The last replies are being sent.
    Flushing,
    /// The client did not read them in time.
    Now,
}

/// The result of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Wait for an event, for this long at most.
    Wait(Option<Duration>),
    /// The control connection can be closed.
    Closed,
}

impl Connection {
    pub(super) fn new(
        number: u64,
        server: Arc<ServerState>,
        stream: TcpStream,
        implicit_tls: bool,
        registry: &Registry,
        waker: Arc<Waker>,
    ) -> io::Result<Self> {
        let endpoints = Endpoints::new(stream.local_addr()?, stream.peer_addr()?);
        let control = Control::new(stream, registry)?;
        info!(
            "#{number} {} connected to {}",
            endpoints.peer(),
            endpoints.local()
        );
        let generation = server.generation();
        let current = server.current();
        let start = if implicit_tls {
            Session::with_implicit_tls
        } else {
            Session::new
        };
        let now = Instant::now();
        Ok(Self {
            number,
            session: start(current.config.clone(), endpoints),
            server,
            generation,
            root: current.root.clone(),
            rate_limits: RateLimits::new(current.settings.rates, now),
            current,
            started: now,
            ending: false,
            waker,
            data: None,
            port: DataPort::None,
            transfer: None,
            lingering: None,
            tls: None,
            delayed: None,
            status: None,
            announced: None,
            offered_port: OfferedPort::default(),
            end_reason: None,
            log: SessionLog::new(number),
            closing: None,
            control,
            unflushed: None,
            timers: Timers::new(),
        })
    }

    /// Records an event of the poll for the next turn.
    pub(super) fn on_event(&mut self, event: &Event) {
        match event.token() {
            CONTROL => self.control.on_event(event),
            DATA => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.on_event();
                }
            }
            LINGERING => {
                if let Some(lingering) = &mut self.lingering {
                    lingering.on_event();
                }
            }
            _ => {}
        }
    }

    /// Another session waits for a port, or has accepted our client's connection and handed it
    /// over. If the connection is there, our port is free for others. A running transfer finds
    /// out in its next turn.
    pub(super) fn on_wake(&mut self) {
        self.accept_early();
    }

    pub(super) fn on_command(&mut self, command: SessionCommand) {
        match command {
            SessionCommand::End => {
                self.ending = true;
                self.shut_down();
            }
            SessionCommand::EndAfterTransfer => self.ending = true,
            SessionCommand::Report => self.log_activity(self.started.elapsed()),
        }
    }

    fn shut_down(&mut self) {
        self.end_reason = Some(EndReason::ServerEnds);
        self.session.handle_shutdown();
    }

    /// Takes settings that have been replaced since the last turn.
    fn update_settings(&mut self, now: Instant) {
        let generation = self.server.generation();
        if generation != self.generation {
            self.generation = generation;
            self.current = self.server.current();
            self.session.handle_config(self.current.config.clone());
            self.rate_limits.update(self.current.settings.rates, now);
        }
    }

    /// Goes on until nothing can be done without an event or a later time.
    pub(super) fn turn(&mut self, registry: &Registry, now: Instant) -> Turn {
        self.update_settings(now);
        let mut budget = TURN_BYTES_MAX;
        loop {
            if self.ending && self.transfer.is_none() {
                self.shut_down();
            }
            self.drain(now);
            self.log_never_connected(now);
            if let Some(closing) = self.closing {
                match self.finish(closing, now) {
                    Some(turn) => return turn,
                    None => continue,
                }
            }
            let progressed = self.advance_handshake()
                || self.feed()
                || self.answer_delayed(now)
                || self.advance_ticket(now)
                || self.advance_status(&mut budget)
                || self.advance_transfer(registry, now, &mut budget)
                || self.check_end(now)
                || self.check_timers(now);
            if !progressed {
                self.linger(registry, now);
                self.control.flush();
                return Turn::Wait(self.next_timeout(now, budget));
            }
        }
    }

    /// Sends replies and performs actions in the order in which the core made them.
    fn drain(&mut self, now: Instant) {
        // After the end of the session no action matters any more.
        if self.session.is_closed() {
            self.unflushed = None;
        }
        if let Some((action, since)) = self.unflushed.take() {
            self.perform_after_replies(action, since);
        }
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Reply(reply) => {
                    let start = self.control.unsent().len();
                    self.control.push(&reply);
                    let text = &self.control.unsent()[start..];
                    self.log.reply(&reply, text, self.session.user().is_some());
                }
                Output::Action(action) => self.perform_after_replies(action, now),
            }
        }
    }

    fn perform_after_replies(&mut self, action: Action, now: Instant) {
        if action.waits_for_replies() && !self.control.flush() {
            self.unflushed = Some((action, now));
            return;
        }
        if let Some(outcome) = self.perform(action, now) {
            self.answer(outcome);
        }
    }

    /// Gives the core the outcome of an action.
    pub(super) fn answer(&mut self, outcome: Outcome) {
        let opens_port = matches!(outcome, Outcome::PassiveOpened(Ok(_)));
        if let Err(misuse) = self.session.handle_outcome(outcome) {
            error!("#{} internal error: {misuse}", self.number);
            debug_assert!(false, "{misuse}");
            self.session.handle_shutdown();
        } else if opens_port {
            self.log_announcement();
        }
    }

    /// Gives the core one command line.
    fn feed(&mut self) -> bool {
        // While a client does not read its replies, its commands are not read either.
        let replies_pile_up = self.control.unsent().len() > UNSENT_BYTES_MAX;
        if self.unflushed.is_some() || (replies_pile_up && !self.control.flush()) {
            return false;
        }
        if !self.session.wants_input() {
            return false;
        }
        if self.feed_buffered() {
            return true;
        }
        // All earlier commands are answered: the replies go out in one write before the next read.
        self.control.flush();
        self.control.fill();
        self.feed_buffered()
    }

    fn feed_buffered(&mut self) -> bool {
        let input = self.control.input();
        if input.is_empty() {
            return false;
        }
        let used = self.session.handle_input(input);
        if used == 0 {
            return false;
        }
        match self.session.foreign_protocol() {
            None => self.log.command(&input[..used]),
            Some(protocol) => {
                self.end_reason = Some(EndReason::ForeignProtocol);
                let (log, peer) = (
                    &self.server.foreign_protocols,
                    self.session.endpoints().peer(),
                );
                log.on_client(self.number, peer, protocol, &self.current.settings);
            }
        }
        self.control.use_input(used);
        true
    }

    /// Ends the session if the client is gone. While a transfer runs, or a port is awaited, the
    /// client is gone as soon as it has closed its side, even if lines came before that which
    /// cannot be used now.
    fn check_end(&mut self, now: Instant) -> bool {
        // A client that disconnects during the delay after a wrong password does not shorten it.
        if self.session.is_closed() || self.delayed.is_some() {
            return false;
        }
        let busy = self.transfer.is_some() || matches!(self.port, DataPort::Queued { .. });
        let closed_unread = busy && self.control.is_peer_closed() && !self.session.wants_input();
        let unflushed = self.unflushed.as_ref();
        let reads_nothing = unflushed.is_some_and(|(_, since)| *since + UNFLUSHED_MAX <= now);
        match self.control.end() {
            Some(End::Lost(kind)) => info!("#{} control connection lost: {kind}", self.number),
            Some(End::Closed) => debug!("#{} the client closed its side", self.number),
            None if closed_unread => debug!("#{} the client closed its side", self.number),
            None if reads_nothing => info!("#{} the client does not read its replies", self.number),
            None => return false,
        }
        self.end_reason = Some(EndReason::ClientGone);
        self.session.handle_eof();
        true
    }

    fn answer_delayed(&mut self, now: Instant) -> bool {
        match self.delayed.take() {
            Some((due, outcome)) if due <= now => {
                self.answer(outcome);
                true
            }
            other => {
                self.delayed = other;
                false
            }
        }
    }

    /// Takes a passive port if one has become free for this session, or gives up.
    fn advance_ticket(&mut self, now: Instant) -> bool {
        match std::mem::replace(&mut self.port, DataPort::None) {
            DataPort::Queued { ticket, since } => {
                let outcome = match ticket.open(now) {
                    Ok(OpenOutcome::Queued(ticket)) if now < since + self.ticket_timeout() => {
                        self.port = DataPort::Queued { ticket, since };
                        return false;
                    }
                    Ok(OpenOutcome::Queued(_)) => self.no_port_in_time(since, now),
                    Ok(OpenOutcome::Opened(listener)) => self.listening(listener),
                    Err(error) => self.cannot_listen(&error),
                };
                self.answer(outcome);
                true
            }
            other => {
                self.port = other;
                false
            }
        }
    }

    fn advance_transfer(&mut self, registry: &Registry, now: Instant, budget: &mut usize) -> bool {
        if self.unflushed.is_some() {
            return false;
        }
        let Some(transfer) = &mut self.transfer else {
            return false;
        };
        if !transfer.is_started() || *budget == 0 {
            return false;
        }
        // A rate limits bytes only, not the time until the data connection is established.
        let granted = if transfer.is_open() {
            self.rate_limits.grant(&transfer.request, *budget, now)
        } else {
            Some(*budget)
        };
        let Some(granted) = granted else {
            return false;
        };
        let moved_before = transfer.bytes();
        let advance = transfer.advance(registry, now, granted);
        let moved = transfer.bytes() - moved_before;
        let notices = transfer.take_notices();
        let spent = usize::try_from(moved).unwrap_or(usize::MAX);
        self.rate_limits.spend(&transfer.request, spent);
        self.log_notices(notices);
        let is_limited = granted < *budget;
        *budget = budget.saturating_sub(spent);
        if moved > 0 {
            self.report_data(DataEvent::Progress(moved_before + moved));
        }
        match advance {
            AdvanceOutcome::Connected(peer) => {
                self.data_connected(peer);
                true
            }
            AdvanceOutcome::Protected => {
                self.report_data(DataEvent::Protected);
                self.log_not_resumed();
                true
            }
            // The turn has budget left: the next call finds out how long to wait. A search that
            // moved no bytes has used its part of the turn.
            AdvanceOutcome::More if is_limited && moved > 0 => true,
            AdvanceOutcome::More => {
                *budget = 0;
                false
            }
            AdvanceOutcome::Blocked => false,
            AdvanceOutcome::Done(result) => {
                self.end_transfer(result, now);
                true
            }
        }
    }

    /// Closes the data connection, logs the transfer and gives the core its result.
    pub(super) fn end_transfer(&mut self, result: Result<(), TransferError>, now: Instant) {
        self.log_bare_end();
        let Some(transfer) = self.transfer.take() else {
            return;
        };
        self.rate_limits.clear_wait();
        let id = transfer.id;
        self.log.transfer(&transfer, result, self.end_reason, now);
        // A stall ends the transfer only, not the session.
        self.end_reason
            .take_if(|reason| matches!(reason, EndReason::Stalled(_)));
        if let Some(stream) = transfer.into_lingering(result) {
            self.lingering = Some(Lingering::new(stream, now));
        }
        self.answer(Outcome::TransferEnded {
            transfer: id,
            result,
        });
    }

    /// Closes a lingering data connection once its client has closed it.
    fn linger(&mut self, registry: &Registry, now: Instant) {
        if let Some(lingering) = &mut self.lingering
            && lingering.is_over(registry, now)
        {
            self.lingering = None;
        }
    }

    /// Sends the last replies. `None`: the time for that is over, and the core says what follows.
    fn finish(&mut self, closing: Closing, now: Instant) -> Option<Turn> {
        let gone = matches!(self.control.end(), Some(End::Lost(_)));
        if closing == Closing::Now || self.control.flush_and_end() || gone {
            match self.end_reason {
                Some(reason) => info!("#{} closed: {reason}", self.number),
                None => info!("#{} closed", self.number),
            }
            self.control.discard();
            return Some(Turn::Closed);
        }
        if self.check_timers(now) {
            return None;
        }
        let due = self.timers.due();
        let wait = due.map(|due| due.saturating_duration_since(now) + ROUNDING);
        Some(Turn::Wait(wait))
    }
}

/// The token of the waker in the session's poll.
pub(super) const WAKER: Token = Token(1);

/// Data bytes moved in one turn, so that an ABOR is read soon.
const TURN_BYTES_MAX: usize = 1 << 20;

/// Replies that may pile up before they are sent in the middle of a batch of commands.
const UNSENT_BYTES_MAX: usize = 16 * 1024;

/// For a client that does not read the replies before an action.
pub(super) const UNFLUSHED_MAX: Duration = Duration::from_secs(60);

/// `epoll` counts whole milliseconds: waking up a little late is better than twice.
pub(super) const ROUNDING: Duration = Duration::from_millis(1);
