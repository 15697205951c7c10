//! What a connection waits for, how long, and what happens when it has waited long enough.

use std::time::{Duration, Instant};

use ftp_proto::{Timeout, TimeoutKind, TransferError};
use log::error;

use super::connection::{Connection, ROUNDING, UNFLUSHED_PATIENCE};
use super::end_reason::EndReason;
use super::log as session_log;
use crate::data::connection::{Accepted, DataPort, Listening};
use crate::data::transfer::Transfer;

impl Connection {
    pub(super) fn check_timers(&mut self, now: Instant) -> bool {
        let current = self.session.poll_timeout();
        match (current, self.timer) {
            (Some(timeout), Some((running, since))) if timeout == running => {
                if since + timeout.after <= now {
                    return self.fire(timeout);
                }
            }
            (current, _) => self.timer = current.map(|timeout| (timeout, now)),
        }
        let others_wait = |deadline: Instant| deadline <= now;
        self.yield_deadline().is_some_and(others_wait) && self.yield_port(now)
    }

    /// Others need the port of a client that has not come.
    fn yield_port(&mut self, now: Instant) -> bool {
        if self.accept_early() {
            return true;
        }
        self.session.handle_port_withdrawn();
        // At once, even if the client does not read the replies that come before the core's action.
        match self.port {
            DataPort::Listening(_) => self.port = DataPort::None,
            _ => self.end_transfer(Err(TransferError::NotConnected), now),
        }
        true
    }

    fn fire(&mut self, timeout: Timeout) -> bool {
        // The client may have connected without our looking.
        if timeout.kind == TimeoutKind::DataOpen && self.accept_early() {
            return true;
        }
        let transfer = self.transfer.as_ref();
        if timeout.kind == TimeoutKind::DataOpen && transfer.is_some_and(Transfer::is_shaking_hands)
        {
            session_log::log_never_shook_hands(self.number, &self.session);
        }
        self.cause = EndReason::of(timeout);
        self.session.handle_timeout(timeout);
        true
    }

    /// Takes a connection to the passive port before its transfer begins; so the port is free again.
    pub(crate) fn accept_early(&mut self) -> bool {
        let listening = match std::mem::replace(&mut self.port, DataPort::None) {
            DataPort::Listening(listening) => listening,
            other => {
                self.port = other;
                return false;
            }
        };
        match listening.accept() {
            Ok(Accepted::Connected(stream)) => {
                self.port = DataPort::Connected(stream);
                self.data_connected();
                true
            }
            Ok(Accepted::NotYet(listening)) => {
                self.port = DataPort::Listening(listening);
                false
            }
            Err(error) => {
                error!("#{} cannot accept a data connection: {error}", self.number);
                false
            }
        }
    }

    /// Somebody waits for a port, or our client's connection has been handed over to us: if it has come,
    /// we can give ours back. The same for a transfer is found out by its next turn.
    pub(crate) fn woken(&mut self) {
        self.accept_early();
    }

    /// The listener of a client that has not come yet.
    pub(super) fn awaited(&self) -> Option<&Listening> {
        match (&self.port, &self.transfer) {
            (DataPort::Listening(listening), _) => Some(listening),
            (_, Some(transfer)) => transfer.awaited(),
            _ => None,
        }
    }

    fn yield_deadline(&self) -> Option<Instant> {
        self.awaited()?.yield_deadline()
    }

    /// What the session is busy with, in words.
    pub(super) fn doing(&self) -> String {
        match (&self.transfer, &self.port) {
            (Some(transfer), _) => {
                let what = session_log::transfer_request(&transfer.request);
                match transfer.is_moving() {
                    true => format!("{what}, {} bytes so far", transfer.bytes()),
                    false => format!("{what}, waiting for the data connection"),
                }
            }
            (None, DataPort::Queued { since, .. }) => {
                let seconds = since.elapsed().as_secs();
                format!("waiting for a passive port for {seconds} s")
            }
            (None, DataPort::Listening(listening)) => {
                format!("waiting for a connection to port {}", listening.port())
            }
            (None, DataPort::Connected(_)) => "connected for a transfer".to_owned(),
            (None, DataPort::None) => "idle".to_owned(),
        }
    }

    /// How long nothing needs to be done, unless something happens.
    pub(super) fn next_timeout(&self, now: Instant, budget: usize) -> Option<Duration> {
        let transfer_goes_on = self.transfer.as_ref().is_some_and(Transfer::is_started);
        if budget == 0 && transfer_goes_on && self.unflushed.is_none() {
            return Some(Duration::ZERO);
        }
        let awaited = self.transfer.as_ref().and_then(Transfer::awaited);
        if awaited.is_some_and(|listening| listening.unfinished) && self.unflushed.is_none() {
            return Some(Duration::ZERO);
        }
        let timer = self.timer.map(|(timeout, since)| since + timeout.after);
        let delayed = self.delayed.as_ref().map(|(due, _)| *due);
        let ticket = match &self.port {
            // The pool also counts on us to try the ports that other programs hold.
            DataPort::Queued { .. } => Some(now + TICKET_POLL),
            _ => None,
        };
        let unflushed = self.unflushed.as_ref();
        let unflushed = unflushed.map(|(_, since)| *since + UNFLUSHED_PATIENCE);
        let lingering = self.lingering.as_ref().map(|rest| rest.due(now));
        let yielding = self.yield_deadline();
        let pace = self.pace.wait_until();
        [timer, delayed, ticket, unflushed, lingering, yielding, pace]
            .into_iter()
            .flatten()
            .min()
            .map(|due| due.saturating_duration_since(now) + ROUNDING)
    }

    /// How long a client waits for a passive port at most.
    pub(super) fn ticket_patience(&self) -> Duration {
        let timeout = self.current.settings.timeouts.data_open;
        timeout.unwrap_or(TICKET_PATIENCE_DEFAULT)
    }
}

/// How often a ticket asks by itself.
const TICKET_POLL: Duration = Duration::from_secs(1);

/// A bound for the wait for a port where data connections may take for ever.
const TICKET_PATIENCE_DEFAULT: Duration = Duration::from_secs(60);
