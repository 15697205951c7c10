//! Data connections that never come: when a port that is closed counts as missed, and who is told.
//!
//! A listener ends by an action of the core, by its time, or because others need it. The core counts the
//! last two itself; the first is decided here alone, before the action is performed.

use std::time::Instant;

use ftp_proto::Action;
use log::debug;

use super::connection::Connection;
use crate::nat::never_connected_log::Advice;

/// What a connection knows of the port that its client was told.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Since when the client may come.
    told: Option<Instant>,
    /// How many of the core's count are in the log.
    reported: u32,
}

impl Connection {
    /// The client is told a port now.
    pub(crate) fn port_told(&mut self) {
        self.missing.told = Some(Instant::now());
    }

    /// The data connection is established, in either mode.
    pub(crate) fn data_connected(&mut self) {
        let was_told = self.missing.told.take().is_some();
        if let Some(announced) = self.session.awaited()
            && was_told
        {
            self.shared.missed.connected(announced);
        }
        self.session.handle_data_connected();
    }

    /// Before an action that closes a port. Its client has turned to something else or is gone; if it had
    /// time to connect and did not, that is worth knowing. Clients give up long before our own patience
    /// ends, and one that changes its mind within a moment has missed nothing.
    pub(crate) fn before_closing(&mut self, action: &Action, now: Instant) {
        let closes = matches!(
            action,
            Action::CloseData | Action::AbortTransfer(_) | Action::Close
        );
        if !closes {
            return;
        }
        let patience = self.current.settings.timeouts.never_connected_after;
        let had_time = |told: Instant| told + patience <= now;
        let is_missed = self.missing.told.is_some_and(had_time)
            && self.awaited().is_some()
            // The server's own end says nothing about the way to it.
            && !self.ending
            // It may have connected without our looking.
            && !self.accept_early();
        if is_missed {
            self.session.handle_data_never_connected();
        }
        self.missing.told = None;
    }

    /// Has the log say what the core has counted since.
    pub(super) fn report_missed(&mut self, now: Instant) {
        let Some(missed) = self.session.never_connected() else {
            return;
        };
        if missed.number == self.missing.reported {
            return;
        }
        self.missing.reported = missed.number;
        let (number, peer) = (self.number, self.session.endpoints().peer().ip());
        debug!(
            "#{number} {peer} was told {} and never connected",
            missed.announced
        );
        let has_range = self.current.settings.passive_ports.is_some();
        self.shared
            .missed
            .note(peer, missed, Advice { has_range }, now);
    }
}
