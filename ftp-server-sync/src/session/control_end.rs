//! The end of the control connection, and when the core is given it.

use std::io::ErrorKind;
use std::time::Instant;

use ftp_proto::{DataEvent, TransferError};
use log::debug;

use super::connection::Connection;
use super::control::End;
use super::timers::Timer;
use crate::data::connection::{DataActivity, LookExtent};
use crate::data::pump::PumpStep;
use crate::data::transfer::Transfer;

impl Connection {
    /// Reports the end of the control connection. Lines that came before it count, but not those
    /// that wait behind a download, or for a port.
    #[inline(never)]
    pub(super) fn check_end(&mut self, now: Instant) -> bool {
        // A client that disconnects during the delay after a wrong password does not shorten it. If
        // another client needs the place, the main thread evicts the session.
        if self.session.is_closed() || self.delayed.is_some() {
            return false;
        }
        let is_upload = self.transfer.as_deref().is_some_and(Transfer::is_upload);
        let goes_on = self.session.has_quit() || is_upload;
        if self.session.has_quit()
            && let Some(transfer) = &self.transfer
        {
            transfer.set_quit();
        }
        let is_busy = self.transfer.is_some() || self.data.is_queued() || self.is_hashing();
        let wants_input = self.session.wants_input();
        let closed_unread = is_busy && !goes_on && self.control.is_peer_closed() && !wants_input;
        let reads_nothing = self.timers.is_over(Timer::Unflushed, now);
        if reads_nothing {
            self.timers.set(Timer::Unflushed, None);
            self.control.lose(ErrorKind::TimedOut);
        }
        let end = self.control.unreported_end();
        let name = &self.name;
        match end {
            Some(End::Lost(_)) if reads_nothing => {
                let line = format_args!("the client does not read its replies");
                self.log.progress(line);
            }
            Some(End::Lost(kind)) => debug!("{name} control connection lost: {kind}"),
            Some(End::Closed) if (goes_on || wants_input) && self.control.has_line() => {
                return false;
            }
            // It begins soon, and a QUIT that waits behind it lets it go on.
            Some(End::Closed) if self.opening_listing.is_some() => return false,
            Some(End::Closed) => debug!("{name} the client closed its side"),
            None if closed_unread => debug!("{name} the client closed its side"),
            None => return false,
        }
        self.control.end_reported();
        if !self.session.has_quit() {
            self.note_lost_client(end);
        }
        self.report_early_connection(LookExtent::All, now);
        if is_upload && !self.session.has_quit() {
            self.take_arrived(now);
        }
        if let Some(End::Lost(_)) = end {
            self.session.handle_connection_lost();
        } else {
            self.session.handle_eof();
        }
        true
    }

    /// Ends an upload that has lost its data connection, and whose client is gone: no other
    /// connection will come, and others may want the name of the file.
    #[inline(never)]
    pub(super) fn check_abandoned(&mut self, now: Instant) -> bool {
        let is_upload = (self.transfer.as_deref())
            .is_some_and(|transfer| transfer.is_started && transfer.is_upload());
        let is_abandoned = is_upload
            && self.control.is_end_reported()
            && !self.session.has_quit()
            && matches!(self.data.activity(), DataActivity::Listening { .. });
        if is_abandoned {
            self.end_transfer(Err(TransferError::Aborted), now);
        }
        is_abandoned
    }

    /// Stores what has arrived of an upload. If that is all, both connections have ended together.
    fn take_arrived(&mut self, now: Instant) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        let step = transfer.take_arrived(self.data.stream());
        let total = transfer.bytes();
        if total > 0 {
            self.report_data(DataEvent::Progress(total));
        }
        match step {
            PumpStep::More | PumpStep::Blocked => {}
            PumpStep::AllReceived => self.end_transfer(Err(TransferError::Aborted), now),
            PumpStep::Done(result) => self.end_transfer(result, now),
        }
    }

    /// The data connection of an upload has ended cleanly. If the control connection has ended
    /// together with it, and no QUIT came, then the client was killed, and the upload is not
    /// complete. `None` while the end of the control connection may still follow.
    pub(super) fn judge_end_of_upload(
        &mut self,
        now: Instant,
    ) -> Option<Result<(), TransferError>> {
        let transfer = self.transfer.as_deref();
        let mut is_killed = transfer.is_some_and(Transfer::is_silent_since_end);
        // The lines before the end count, QUIT among them.
        self.control.expect_input();
        while self.feed() {
            self.drain(now);
        }
        if self.budget.is_spent() {
            // There may be more lines.
            return None;
        }
        is_killed |= self.control.unreported_end().is_some();
        if self.session.has_quit() {
            return Some(Ok(()));
        }
        if is_killed {
            let end = self.control.unreported_end();
            self.note_lost_client(end);
            return Some(Err(TransferError::Aborted));
        }
        let complete = self.transfer.as_deref().and_then(Transfer::complete_at);
        complete.is_none_or(|at| at <= now).then_some(Ok(()))
    }

    /// For the log: how the control connection has ended.
    fn note_lost_client(&mut self, end: Option<End>) {
        let error = match end {
            Some(End::Lost(kind)) => Some(kind),
            Some(End::Closed) | None => None,
        };
        let was_transferring = self.data.is_open();
        self.log.set_client_gone(error, was_transferring);
    }
}
