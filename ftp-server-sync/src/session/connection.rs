//! One client: the core's session with its sockets and files.
//!
//! [`Connection::turn`] runs until the outside world is needed and never blocks; whoever calls it
//! owns the poll. Nothing here is shared with other threads but what [`ServerState`] holds.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::{
    Action, Announcement, Endpoints, Outcome, Output, Session, Timeout, TransferError,
};
use log::{debug, error, info};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Registry, Token, Waker};

use super::SessionCommand;
use super::control::{Control, End};
use super::log::{self as session_log, SessionLog};
use super::server_state::{Current, ServerState};
use crate::data::connection::{DATA, DataPort};
use crate::data::transfer::{Advance, Transfer};
use crate::fs::root::Root;
use crate::passive::Opening;
use crate::tls::Resumption;

use super::end_reason::EndReason;
use super::never_connected::Missing;
use super::tls::Told;
use crate::data::lingering::{LINGERING, Lingering};
use crate::data::rate_limit::RateLimits;

/// A control connection and everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// For the log.
    pub(crate) number: u64,
    pub(crate) session: Session,
    pub(crate) shared: Arc<ServerState>,
    /// The settings in force.
    pub(crate) current: Arc<Current>,
    /// Which ones these are.
    pub(super) generation: u64,
    /// Where the session began: another directory is for new sessions.
    pub(crate) storage: Root,
    pub(super) begun: Instant,
    /// The server is ending, and so does this once no transfer runs.
    pub(super) ending: bool,
    pub(crate) waker: Arc<Waker>,
    pub(crate) port: DataPort,
    pub(crate) transfer: Option<Transfer>,
    /// The data connection of the last one, as long as its client may still be reading.
    pub(super) lingering: Option<Lingering>,
    /// Since AUTH TLS.
    pub(crate) tls: Option<Resumption>,
    pub(super) told: Told,
    /// An outcome that is held back: the answer to a wrong password.
    pub(crate) delayed: Option<(Instant, Outcome)>,
    /// What was announced last, for the log.
    pub(crate) announced: Option<Announcement>,
    pub(super) missing: Missing,
    /// What ends the session or its transfer, for the log.
    pub(super) cause: Option<EndReason>,
    pub(super) pace: RateLimits,
    /// What the next refusal will be about, for the log.
    pub(crate) subject: Option<String>,
    pub(super) log: SessionLog,
    pub(crate) closing: Option<Instant>,
    pub(crate) control: Control,
    /// An action that must wait until the replies before it are sent, and since when it does.
    pub(super) unflushed: Option<(Action, Instant)>,
    /// The core's timer, and since when it runs.
    pub(super) timer: Option<(Timeout, Instant)>,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Wait for an event, at most so long.
    Wait(Option<Duration>),
    /// The connection is over.
    Over,
}

/// The poll's tokens.
pub(crate) const CONTROL: Token = Token(0);
pub(crate) const WAKER: Token = Token(1);

impl Connection {
    pub(crate) fn new(
        number: u64,
        shared: Arc<ServerState>,
        stream: TcpStream,
        implicit_tls: bool,
        registry: &Registry,
        waker: Arc<Waker>,
    ) -> io::Result<Self> {
        let endpoints = Endpoints::new(stream.local_addr()?, stream.peer_addr()?);
        let control = Control::new(stream, registry, CONTROL)?;
        info!(
            "#{number} {} connected to {}",
            endpoints.peer(),
            endpoints.local()
        );
        let generation = shared.generation();
        let current = shared.current();
        let begin = match implicit_tls {
            true => Session::with_implicit_tls,
            false => Session::new,
        };
        let pace = RateLimits::new(current.settings.rates, Instant::now());
        Ok(Self {
            number,
            session: begin(current.config.clone(), endpoints),
            shared,
            generation,
            storage: current.storage.clone(),
            current,
            begun: Instant::now(),
            ending: false,
            waker,
            port: DataPort::None,
            transfer: None,
            lingering: None,
            tls: None,
            told: Told::default(),
            delayed: None,
            announced: None,
            missing: Missing::default(),
            cause: None,
            pace,
            subject: None,
            log: SessionLog::new(number),
            closing: None,
            control,
            unflushed: None,
            timer: None,
        })
    }

    /// Remembers what the poll has seen.
    pub(crate) fn note(&mut self, event: &Event) {
        match event.token() {
            CONTROL => self.control.note(event),
            DATA => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.note_event();
                }
            }
            LINGERING => {
                if let Some(lingering) = &mut self.lingering {
                    lingering.note_event();
                }
            }
            _ => {}
        }
    }

    pub(crate) fn on_command(&mut self, order: SessionCommand) {
        match order {
            SessionCommand::End => {
                self.ending = true;
                self.cause = Some(EndReason::ServerEnds);
                self.session.handle_shutdown();
            }
            SessionCommand::EndAfterTransfer => self.ending = true,
            SessionCommand::Report => {
                let age = self.begun.elapsed();
                session_log::log_session(self.number, &self.session, &self.doing(), age);
            }
        }
    }

    /// Uses settings that have been replaced meanwhile.
    fn follow_settings(&mut self, now: Instant) {
        let generation = self.shared.generation();
        if generation != self.generation {
            self.generation = generation;
            self.current = self.shared.current();
            self.session.handle_config(self.current.config.clone());
            self.pace.follow(self.current.settings.rates, now);
        }
    }

    /// Goes on until only the outside world can help.
    pub(crate) fn turn(&mut self, registry: &Registry, now: Instant) -> Turn {
        self.follow_settings(now);
        let mut budget = TURN_BYTES_MAX;
        loop {
            if self.ending && self.transfer.is_none() {
                self.cause = Some(EndReason::ServerEnds);
                self.session.handle_shutdown();
            }
            self.drain(now);
            self.report_missed(now);
            if self.closing.is_some() {
                return self.finish(now);
            }
            let progressed = self.shake_hands()
                || self.feed()
                || self.answer_delayed(now)
                || self.serve_ticket(now)
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

    /// Sends replies and performs actions in the order in which they came out of the core.
    fn drain(&mut self, now: Instant) {
        // What was to be done is moot once the session is over.
        if self.session.is_closed() {
            self.unflushed = None;
        }
        if let Some((action, since)) = self.unflushed.take() {
            self.perform_after_replies(action, since);
        }
        while self.unflushed.is_none()
            && let Some(output) = self.session.poll_output()
        {
            match output {
                Output::Reply(reply) => {
                    let start = self.control.unsent().len();
                    self.control.push(&reply);
                    let text = &self.control.unsent()[start..];
                    let known = self.session.user().is_some();
                    self.log.reply(&reply, text, self.subject.take(), known);
                }
                Output::Action(action) => self.perform_after_replies(action, now),
            }
        }
    }

    fn perform_after_replies(&mut self, action: Action, now: Instant) {
        // The others can neither be seen by the client before the replies are, nor end the session.
        let order_matters = matches!(
            action,
            Action::StartTransfer { .. } | Action::StartTls | Action::Close
        );
        if order_matters && !self.control.flush() && !matches!(action, Action::Close) {
            self.unflushed = Some((action, now));
            return;
        }
        if let Some(outcome) = self.perform(action, now) {
            self.answer(outcome);
        }
    }

    /// Gives the core an outcome.
    pub(crate) fn answer(&mut self, outcome: Outcome) {
        if let Err(misuse) = self.session.handle_outcome(outcome) {
            error!("#{} internal error: {misuse}", self.number);
            self.session.handle_shutdown();
        }
    }

    /// Offers the core one command line.
    fn feed(&mut self) -> bool {
        // A client that does not read its replies is not read either.
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
        // All that came before is answered; the answers go out in one write, before we look for more.
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
        self.log.command(&input[..used]);
        self.control.use_input(used);
        true
    }

    /// Whether the client is gone. During a transfer, or while a port is awaited, that is so as soon as
    /// its side is closed, even if lines come before that which cannot be taken now.
    fn check_end(&mut self, now: Instant) -> bool {
        // A wrong password costs its time even those who leave before they are told.
        if self.session.is_closed() || self.delayed.is_some() {
            return false;
        }
        let busy = self.transfer.is_some() || matches!(self.port, DataPort::Queued { .. });
        let closed_unread = busy && self.control.is_peer_closed() && !self.session.wants_input();
        let unflushed = self.unflushed.as_ref();
        let deaf = unflushed.is_some_and(|(_, since)| *since + UNFLUSHED_PATIENCE <= now);
        match self.control.end() {
            Some(End::Lost(kind)) => info!("#{} control connection lost: {kind}", self.number),
            Some(End::Closed) => debug!("#{} the client closed its side", self.number),
            None if closed_unread => debug!("#{} the client closed its side", self.number),
            None if deaf => info!("#{} the client does not read its replies", self.number),
            None => return false,
        }
        self.cause = Some(EndReason::ClientGone);
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

    /// Asks whether a passive port has come free for us, or gives up.
    fn serve_ticket(&mut self, now: Instant) -> bool {
        match std::mem::replace(&mut self.port, DataPort::None) {
            DataPort::Queued { ticket, since } => {
                let outcome = match ticket.open(now) {
                    Ok(Opening::Queued(ticket)) if now < since + self.ticket_patience() => {
                        self.port = DataPort::Queued { ticket, since };
                        return false;
                    }
                    Ok(Opening::Queued(_)) => self.no_port_in_time(since, now),
                    Ok(Opening::Opened(listener)) => self.listening(listener),
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
        // Only what moves bytes has to wait: connecting does not.
        let granted = match transfer.is_moving() {
            true => self.pace.grant(&transfer.request, *budget, now),
            false => Some(*budget),
        };
        let Some(granted) = granted else {
            return false;
        };
        let id = transfer.id;
        let moved_before = transfer.bytes();
        let advance = transfer.advance(registry, now, granted);
        let moved = transfer.bytes() - moved_before;
        let spent = usize::try_from(moved).unwrap_or(usize::MAX);
        self.pace.spend(&transfer.request, spent);
        let is_paced = granted < *budget;
        *budget = budget.saturating_sub(spent);
        if moved > 0 {
            self.session.handle_progress(id, moved_before + moved);
        }
        match advance {
            Advance::Connected => {
                self.data_connected();
                true
            }
            Advance::Protected => {
                self.session.handle_data_protected();
                self.note_not_resumed();
                true
            }
            // There is some of the turn left: the next look tells how long to wait.
            // But a search that has moved nothing has had its turn.
            Advance::More if is_paced && moved > 0 => true,
            Advance::More => {
                *budget = 0;
                false
            }
            Advance::Blocked => false,
            Advance::Done(result) => {
                self.end_transfer(result, now);
                true
            }
        }
    }

    /// Closes the data connection, logs the transfer and tells the core.
    pub(crate) fn end_transfer(&mut self, result: Result<(), TransferError>, now: Instant) {
        self.note_bare_end();
        let Some(transfer) = self.transfer.take() else {
            return;
        };
        self.pace.rest();
        let id = transfer.id;
        session_log::log_transfer(self.number, &transfer, result, self.cause, now);
        // A stall ends no more than the transfer.
        self.cause
            .take_if(|cause| matches!(cause, EndReason::Stalled(_)));
        if result.is_err() {
            self.log.transfer_told();
        }
        if let Some(stream) = transfer.into_lingering(result) {
            self.lingering = Some(Lingering::new(stream, now));
        }
        self.answer(Outcome::TransferEnded {
            transfer: id,
            result,
        });
    }

    /// Goes on with a data connection that waits for nothing but its client's end.
    fn linger(&mut self, registry: &Registry, now: Instant) {
        if let Some(lingering) = &mut self.lingering
            && lingering.is_over(registry, now)
        {
            self.lingering = None;
        }
    }

    /// Sends what is left, for a bounded time.
    fn finish(&mut self, now: Instant) -> Turn {
        let deadline = self.closing.unwrap_or(now) + CLOSING_PATIENCE;
        let gone = matches!(self.control.end(), Some(End::Lost(_)));
        if self.control.flush_and_end() || gone || now >= deadline {
            match self.cause {
                Some(cause) => info!("#{} closed: {cause}", self.number),
                None => info!("#{} closed", self.number),
            }
            self.control.discard();
            return Turn::Over;
        }
        Turn::Wait(Some(deadline.saturating_duration_since(now) + ROUNDING))
    }
}

/// Data bytes moved in one turn, so that an ABOR never waits long.
const TURN_BYTES_MAX: usize = 1 << 20;

/// Replies that may pile up before they are sent in the middle of a batch of commands.
const UNSENT_BYTES_MAX: usize = 16 * 1024;

/// For a client that does not read the replies before an action.
pub(super) const UNFLUSHED_PATIENCE: Duration = Duration::from_secs(60);

/// For a client that does not read its last reply.
const CLOSING_PATIENCE: Duration = Duration::from_secs(5);

/// `epoll` counts whole milliseconds; waking a little late is better than twice.
pub(super) const ROUNDING: Duration = Duration::from_millis(1);
