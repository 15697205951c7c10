//! One client: the core's session, its sockets and its files.
//!
//! [`Connection::turn`] runs until it has to wait for the client, the network or the time, and
//! never blocks. The caller owns the poll. Nothing here is shared with other threads but
//! [`ServerState`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ftp_proto::{
    Account, Action, Config, Endpoints, Outcome, Output, Reply, Rights, Session, TimeoutKind,
};
use log::error;
use mio::event::Event;
use mio::{Registry, Token, Waker};

use super::budget::TurnBudget;
use super::busy_upload::BusyUpload;
use super::command::SessionCommand;
use super::control::{CONTROL, Control, End};
use super::delayed_login::DelayedLogin;
use super::end_reason::EndReason;
use super::log::SessionLog;
use super::login_state::SharedLoginState;
use super::opening_listing::OpeningListing;
use super::reported_login::ReportedLogin;
use super::server_state::{Current, ServerState};
use super::start::Start;
use super::timers::{SessionTimers, Timer};
use super::user_sessions::SessionUser;
use crate::data::connection::{DataConnection, LookExtent};
use crate::data::rate_limit::RateLimits;
use crate::data::transfer::Transfer;
use crate::fs::long_request::LongRequest;
use crate::fs::tree::session::{SessionTree, ShareState};
use crate::logging::session_name::{LogContext, SessionName};
use crate::status::record::RecordEntry;
use crate::tls::Resumption;

/// A control connection and everything that exists because of it.
///
/// What an idle session has not is in boxes: most sessions are idle most of the time.
#[derive(Debug)]
pub(super) struct Connection {
    /// For the log.
    pub(super) name: SessionName,
    pub(super) session: Box<Session>,
    /// The local address of the control connection.
    pub(super) own: SocketAddr,
    pub(super) server: Arc<ServerState>,
    /// The settings in force.
    pub(super) current: Arc<Current>,
    /// The number of these settings.
    generation: u64,
    /// The directory that was shared when the session started, or those of the user. A reload that
    /// names another one is for new sessions.
    pub(super) tree: SessionTree,
    /// The user of `--users` who has logged in.
    pub(super) user: Option<SessionUser>,
    /// What flags have given to the user who has logged in, or did last.
    pub(super) account_of_flags: Account,
    /// The share of the upload's file when that was opened.
    pub(super) share_state: ShareState,
    /// The server is shutting down: the session ends once no transfer runs or opens, and no digest.
    pub(super) ending: bool,
    /// Another client needs the place: the session does not wait until its last reply is read.
    is_evicted: bool,
    /// The user who is logged in, as far as others know.
    pub(super) login: Option<Box<[u8]>>,
    /// For the main thread.
    pub(super) login_state: Arc<SharedLoginState>,
    /// What the session is doing, for all other threads.
    pub(super) record: RecordEntry,
    /// What the last ALLO has said of the next upload.
    pub(super) allocated: Option<u64>,
    pub(super) closing: Option<Closing>,
    pub(super) waker: Arc<Waker>,
    pub(super) control: Control,
    /// Since AUTH TLS.
    pub(super) tls: Option<Resumption>,
    /// An action that waits until the replies before it are sent.
    pub(super) unflushed: Option<Box<Action>>,
    /// A login whose outcome the core gets later.
    pub(super) delayed: Option<DelayedLogin>,
    /// The login whose logout hooks have to see.
    pub(super) reported_login: Option<ReportedLogin>,
    /// A file request that is performed in steps, and what a refusal is about, for the log.
    pub(super) long_request: Option<Box<(LongRequest, String)>>,
    pub(super) data: Box<DataConnection>,
    pub(super) transfer: Option<Box<Transfer>>,
    pub(super) busy_upload: Option<Box<BusyUpload>>,
    pub(super) opening_listing: Option<Box<OpeningListing>>,
    pub(super) rate_limits: RateLimits,
    pub(super) budget: TurnBudget,
    pub(super) timers: SessionTimers,
    pub(super) log: Box<SessionLog>,
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
    // Not inlined: the stack of the caller would keep the pages of what is made here.
    #[inline(never)]
    #[expect(
        clippy::boxed_local,
        reason = "by value it would take stack of the callers"
    )]
    pub(super) fn boxed(
        start: Box<Start>,
        registry: &Registry,
        waker: Arc<Waker>,
    ) -> io::Result<Box<Self>> {
        let ends = start.ends()?;
        let endpoints = ends.endpoints;
        let Start {
            number,
            server,
            stream,
            implicit_tls,
            login_state,
            ..
        } = *start;
        let control = Control::new(stream, registry)?;
        let now = Instant::now();
        let name = SessionName::new(number, endpoints.peer().ip());
        let context = LogContext {
            name: name.clone(),
            events: server.events.clone(),
        };
        let transfers = server.transfers();
        let mut log = SessionLog::boxed(context.clone(), transfers, now);
        log.progress(format_args!("{ends}"));
        let (client, local) = (endpoints.peer(), endpoints.local());
        let record = server.records.add(number, client, local, now);
        let generation = server.generation();
        let current = server.current();
        Ok(Box::new(Self {
            name,
            session: begin(current.config.clone(), endpoints, implicit_tls),
            own: ends.own,
            server,
            generation,
            tree: SessionTree::new(current.share.clone()),
            user: None,
            account_of_flags: Account::new(Rights::NONE),
            share_state: ShareState::default(),
            rate_limits: RateLimits::new(current.settings.rates, now),
            current,
            ending: false,
            is_evicted: false,
            login: None,
            login_state,
            record,
            allocated: None,
            closing: None,
            waker,
            control,
            tls: None,
            unflushed: None,
            delayed: None,
            reported_login: None,
            long_request: None,
            data: DataConnection::boxed(context),
            transfer: None,
            busy_upload: None,
            opening_listing: None,
            budget: TurnBudget::new(now),
            timers: SessionTimers::default(),
            log,
        }))
    }

    /// The session has ended: takes its control connection out of the poll. False if the poll may
    /// have more of it.
    pub(super) fn leave(&mut self, registry: &Registry) -> bool {
        self.control.deregister(registry).is_ok() && self.data.id().is_none()
    }

    /// Records an event of the poll for the next turn.
    pub(super) fn on_event(&mut self, event: &Event) {
        match event.token() {
            CONTROL => self.control.on_event(event),
            _ => self.data.on_event(event),
        }
    }

    /// Another session waits for a port, or has accepted our client's connection and handed it
    /// over.
    pub(super) fn on_wake(&mut self) {
        self.data.on_wake();
    }

    pub(super) fn on_command(&mut self, command: SessionCommand) {
        match command {
            SessionCommand::End => {
                self.ending = true;
                self.shut_down();
            }
            SessionCommand::EndAfterTransfer => self.ending = true,
            SessionCommand::Evict => self.evict(),
            SessionCommand::Kick => {
                self.log.set_end_reason(EndReason::Kicked);
                self.session.handle_kick();
            }
            // The next turn does that.
            SessionCommand::UpdateSettings => {}
        }
    }

    fn shut_down(&mut self) {
        self.log.set_end_reason(EndReason::ServerEnds);
        self.session.handle_shutdown();
    }

    /// The client may have logged in meanwhile: then the session goes on.
    fn evict(&mut self) {
        if self.session.user().is_none() {
            self.is_evicted = true;
            self.log.set_end_reason(EndReason::Evicted);
            self.session.handle_eviction();
        }
    }

    /// Takes settings that have been replaced since the last turn.
    #[inline(never)]
    fn update_settings(&mut self, now: Instant) {
        let generation = self.server.generation();
        if generation != self.generation {
            self.generation = generation;
            let charset = self.current.settings.name_charset;
            self.current = self.server.current();
            self.session.handle_config(self.current.config.clone());
            let rules = self.current.share.rules().clone();
            self.tree.update_rules(|_| rules.clone());
            self.rate_limits.update(self.current.settings.rates, now);
            self.update_user(now);
            if self.current.settings.name_charset != charset {
                self.update_charset();
            }
        }
    }

    /// Goes on until nothing can be done without an event or a later time.
    pub(super) fn turn(&mut self, registry: &Registry, now: Instant) -> Turn {
        self.update_settings(now);
        self.budget = TurnBudget::new(now);
        let turn = self.advance(registry, now);
        self.note_doing();
        match turn {
            Turn::Wait(_) if !self.control.await_writable(registry) => {
                Turn::Wait(Some(Duration::ZERO))
            }
            other => other,
        }
    }

    fn advance(&mut self, registry: &Registry, now: Instant) -> Turn {
        loop {
            if self.ending && !self.is_at_work() {
                self.shut_down();
            }
            self.drain(now);
            // Before the reply to a login is sent: the client may use its tickets as soon as it
            // has read it.
            self.update_login(now);
            if let Some(closing) = self.closing {
                match self.finish(closing, now) {
                    Some(turn) => return turn,
                    None => continue,
                }
            }
            // A step that only some sessions need is no call in the others, and none is inlined:
            // their variables would take stack in every session.
            let progressed = self.advance_handshake()
                || self.feed()
                || self.answer_delayed(now)
                || (self.busy_upload.is_some() && self.retry_busy_upload(now))
                || (self.opening_listing.is_some() && self.advance_opening_listing())
                || (!self.data.is_idle() && self.advance_data(registry, now))
                || (self.long_request.is_some() && self.advance_long_request())
                || (self.transfer.is_some()
                    && (self.check_gave_way(now) || self.advance_transfer(registry, now)))
                || self.check_end(now)
                || self.check_abandoned(now)
                || self.check_timers(now);
            if !progressed {
                self.login_state.set_has_transfer(self.transfer.is_some());
                self.control.flush();
                return Turn::Wait(self.next_timeout(now));
            }
        }
    }

    /// Whether there is something that a shutdown lets end.
    fn is_at_work(&self) -> bool {
        self.transfer.is_some() || self.opening_listing.is_some() || self.is_hashing()
    }

    /// Sends replies and performs actions in the order in which the core made them.
    #[inline(never)]
    pub(super) fn drain(&mut self, now: Instant) {
        // After the end of the session no action matters any more.
        if self.session.is_closed() {
            self.unflushed = None;
        }
        if let Some(action) = self.unflushed.take() {
            self.perform_unflushed(*action, now);
        }
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Reply(reply) => self.reply(&reply),
                Output::Action(action) => {
                    if let Some(outcome) = self.perform_after_replies(action, now) {
                        self.answer(outcome);
                    }
                }
            }
        }
    }

    #[inline(never)]
    fn perform_unflushed(&mut self, action: Action, now: Instant) {
        if let Some(outcome) = self.perform_after_replies(action, now) {
            self.answer(outcome);
        }
    }

    #[inline(never)]
    fn reply(&mut self, reply: &Reply) {
        let start = self.control.unsent().len();
        self.control.push(reply);
        if self.log.is_without_line(reply) {
            return;
        }
        self.budget.work();
        let text = &self.control.unsent()[start..];
        let first = text.split(|&byte| byte == b'\r').next().unwrap_or(text);
        let shown = self.session.names().decode(first);
        let shown = shown.as_deref().unwrap_or(first);
        let is_logged_in = self.session.user().is_some();
        if let Some(command) = self.log.reply(reply, shown, is_logged_in) {
            self.report_refusal(command, shown);
        }
    }

    /// `None` if the outcome comes later, or if there is none. What the action needed of the stack
    /// is free again when the core gets its outcome.
    #[inline(never)]
    fn perform_after_replies(&mut self, action: Action, now: Instant) -> Option<Outcome> {
        if action.waits_for_replies() && !self.control.flush() {
            self.unflushed = Some(action.into());
            self.timers.start(Timer::Unflushed, now + UNFLUSHED_MAX);
            return None;
        }
        // An action that need not wait says nothing about one that does.
        if self.unflushed.is_none() {
            self.timers.set(Timer::Unflushed, None);
        }
        self.perform(action, now)
    }

    /// Gives the core the outcome of an action.
    pub(super) fn answer(&mut self, outcome: Outcome) {
        let opens_port = matches!(outcome, Outcome::PassiveOpened(Ok(_)));
        if let Err(misuse) = self.session.handle_outcome(outcome) {
            error!("{} internal error: {misuse}", self.name);
            debug_assert!(false, "{misuse}");
            self.session.handle_shutdown();
        } else if opens_port && let Some(offer) = self.session.passive_offer() {
            self.log.announcement(offer);
            self.record.set_announced(*offer);
            // Before the reply is sent.
            self.note_doing();
        }
    }

    /// Fires the core's timer if it has expired, and gives a port up that others need.
    #[inline(never)]
    fn check_timers(&mut self, now: Instant) -> bool {
        self.timers.update(self.session.poll_timeout(), now);
        let Some(timeout) = self.timers.expired(now) else {
            return self.yield_port(now);
        };
        // The connection may be there, and no transfer uses it yet.
        if timeout.kind == TimeoutKind::DataOpen
            && self.report_early_connection(LookExtent::All, now)
        {
            return true;
        }
        if timeout.kind == TimeoutKind::DataOpen && self.data.is_handshaking() {
            self.log
                .handshake_timeout(self.session.endpoints().peer().ip());
        }
        if let Some(reason) = EndReason::of(timeout) {
            self.log.set_end_reason(reason);
        }
        self.session.handle_timeout(timeout);
        self.explain_never_connected(false, now);
        true
    }

    /// How long nothing has to be done unless an event comes.
    #[inline(never)]
    fn next_timeout(&mut self, now: Instant) -> Option<Duration> {
        if self.budget.is_spent() && self.unflushed.is_none() {
            return Some(Duration::ZERO);
        }
        self.timers.set(Timer::Data, self.data.due(now));
        self.timers.set(Timer::Rate, self.rate_limits.wait_until());
        let complete = self.transfer.as_deref().and_then(Transfer::complete_at);
        self.timers.set(Timer::UploadComplete, complete);
        self.timers.next(now)
    }

    /// Sends the last replies. `None`: the time for that is over, and the core says what follows.
    #[inline(never)]
    fn finish(&mut self, closing: Closing, now: Instant) -> Option<Turn> {
        let gone = matches!(self.control.end(), Some(End::Lost(_)));
        let is_sent = self.control.flush_and_end();
        if closing == Closing::Now || is_sent || self.is_evicted || gone {
            self.log.closed(self.session.has_quit());
            self.control.discard();
            return Some(Turn::Closed);
        }
        if self.check_timers(now) {
            return None;
        }
        Some(Turn::Wait(self.timers.next(now)))
    }
}

#[inline(never)]
fn begin(config: Arc<Config>, endpoints: Endpoints, implicit_tls: bool) -> Box<Session> {
    Box::new(if implicit_tls {
        Session::with_implicit_tls(config, endpoints)
    } else {
        Session::new(config, endpoints)
    })
}

/// The token of the waker in the session's poll.
pub(super) const WAKER: Token = Token(1);

/// For a client that does not read the replies before an action.
const UNFLUSHED_MAX: Duration = Duration::from_secs(60);
