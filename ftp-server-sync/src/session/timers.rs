//! How long a session waits, and what happens when the time is over.

use std::time::{Duration, Instant};

use ftp_proto::{DataEvent, Timeout, TimeoutKind, TransferError};
use log::error;

use super::connection::{Connection, ROUNDING, UNFLUSHED_MAX};
use super::end_reason::EndReason;
use crate::data::connection::{AcceptOutcome, DataListener, DataPort};
use crate::data::transfer::Transfer;

impl Connection {
    /// Fires the core's timer if it has expired, and gives a port up that others need.
    pub(super) fn check_timers(&mut self, now: Instant) -> bool {
        self.timers.update(self.session.poll_timeout(), now);
        if let Some(timeout) = self.timers.expired(now) {
            return self.fire(timeout);
        }
        let is_due = |deadline: Instant| deadline <= now;
        self.yield_deadline().is_some_and(is_due) && self.yield_port(now)
    }

    /// Gives up the port of a client that has not connected: other sessions need it.
    fn yield_port(&mut self, now: Instant) -> bool {
        if self.accept_early() {
            return true;
        }
        self.report_data(DataEvent::Withdrawn);
        // At once, even if the client does not read the replies before the core's action.
        match std::mem::replace(&mut self.port, DataPort::None) {
            DataPort::Listening(listener) => listener.give_up(),
            other => {
                self.port = other;
                let listener = self.transfer.as_mut().and_then(Transfer::take_listener);
                if let Some(listener) = listener {
                    listener.give_up();
                }
                self.end_transfer(Err(TransferError::NotConnected), now);
            }
        }
        true
    }

    fn fire(&mut self, timeout: Timeout) -> bool {
        // The connection may be there and not be accepted yet.
        if timeout.kind == TimeoutKind::DataOpen && self.accept_early() {
            return true;
        }
        let transfer = self.transfer.as_ref();
        if timeout.kind == TimeoutKind::DataOpen && transfer.is_some_and(Transfer::is_handshaking) {
            self.log
                .handshake_timeout(self.session.endpoints().peer().ip());
        }
        self.end_reason = EndReason::of(timeout).or(self.end_reason);
        self.session.handle_timeout(timeout);
        true
    }

    /// Accepts a connection to the passive port before its transfer starts: then the port is free
    /// again.
    pub(super) fn accept_early(&mut self) -> bool {
        let listener = match std::mem::replace(&mut self.port, DataPort::None) {
            DataPort::Listening(listener) => listener,
            other => {
                self.port = other;
                return false;
            }
        };
        match listener.accept() {
            Ok(AcceptOutcome::Connected(stream)) => {
                let peer = stream.peer;
                self.port = DataPort::Connected(stream);
                self.data_connected(peer);
                true
            }
            Ok(AcceptOutcome::Pending(listener)) => {
                self.port = DataPort::Listening(listener);
                false
            }
            Err(error) => {
                error!("#{} cannot accept a data connection: {error}", self.number);
                false
            }
        }
    }

    /// The listener whose client has not connected yet.
    pub(super) fn awaited_listener(&self) -> Option<&DataListener> {
        match (&self.port, &self.transfer) {
            (DataPort::Listening(listener), _) => Some(listener),
            (_, Some(transfer)) => transfer.listener(),
            _ => None,
        }
    }

    fn yield_deadline(&self) -> Option<Instant> {
        self.awaited_listener()?.yield_deadline()
    }

    /// How long nothing has to be done unless an event comes.
    pub(super) fn next_timeout(&self, now: Instant, budget: usize) -> Option<Duration> {
        let is_transferring = self.transfer.as_ref().is_some_and(Transfer::is_started);
        let has_more = is_transferring || self.status.is_some();
        if budget == 0 && has_more && self.unflushed.is_none() {
            return Some(Duration::ZERO);
        }
        let awaited = self.transfer.as_ref().and_then(Transfer::listener);
        if awaited.is_some_and(|listener| listener.has_more) && self.unflushed.is_none() {
            return Some(Duration::ZERO);
        }
        let timer = self.timers.due();
        let delayed = self.delayed.as_ref().map(|(due, _)| *due);
        let ticket = match &self.port {
            // The pool relies on it to retry ports that other programs use.
            DataPort::Queued { .. } => Some(now + TICKET_POLL),
            _ => None,
        };
        let unflushed = self.unflushed.as_ref();
        let unflushed = unflushed.map(|(_, since)| *since + UNFLUSHED_MAX);
        let lingering = self.lingering.as_ref().map(|lingering| lingering.due(now));
        let yielding = self.yield_deadline();
        let rate = self.rate_limits.wait_until();
        [timer, delayed, ticket, unflushed, lingering, yielding, rate]
            .into_iter()
            .flatten()
            .min()
            .map(|due| due.saturating_duration_since(now) + ROUNDING)
    }

    /// How long a client waits for a passive port at most.
    pub(super) fn ticket_timeout(&self) -> Duration {
        let timeout = self.current.settings.timeouts.data_open;
        timeout.unwrap_or(TICKET_TIMEOUT_DEFAULT)
    }
}

/// How often a ticket is tried without a wake-up.
const TICKET_POLL: Duration = Duration::from_secs(1);

/// The limit for the wait for a port where data connections have none.
const TICKET_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
