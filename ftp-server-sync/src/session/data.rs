//! The session's data connection and its transfer: each step of them, for the core and the log.
//!
//! The core is given a connection as late as possible: until the transfer uses it, another one may
//! take its place. It is given one early only where a time would expire without it.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use ftp_proto::{
    Action, Bound, DataConnection as Mode, DataEvent, Outcome, Refusal, TransferError, TransferId,
    TransferStart,
};
use log::{debug, error, info, warn};
use mio::Registry;

use super::connection::Connection;
use super::end_reason::EndReason;
use super::transfer_facts::TransferFacts;
use crate::data::connection::{DataStep, LookExtent, YieldOutcome};
use crate::data::pump::PumpStep;
use crate::data::step_budget::StepBudget;
use crate::logging::system_text::SystemText;

impl Connection {
    /// Advances the data connection.
    pub(super) fn advance_data(&mut self, registry: &Registry, now: Instant) -> bool {
        match self.data.advance(registry, now) {
            DataStep::Blocked => return false,
            DataStep::Progress => {}
            DataStep::Failed(error) => self.end_transfer(Err(error), now),
            DataStep::Connected(peer) => self.on_data_connected(peer, now),
            DataStep::Protected => {
                self.report_data(DataEvent::Protected);
                self.transfer_connected(now);
                self.log_not_resumed();
            }
            step
            @ (DataStep::PortOpened(_) | DataStep::NoPort { .. } | DataStep::PortFailed(_)) => {
                if let Some(outcome) = self.port_outcome(step) {
                    self.answer(outcome);
                }
            }
        }
        true
    }

    /// The outcome of `OpenPassive`, if there is one by now.
    pub(super) fn port_outcome(&self, step: DataStep) -> Option<Outcome> {
        let name = &self.name;
        let refusal = match step {
            DataStep::PortOpened(port) => {
                let bound = Bound::try_from(port).map_err(|_| Refusal::Failed);
                let mappings = &self.current.mappings;
                let bound = bound.map(|bound| mappings.bound(bound));
                return Some(Outcome::PassiveOpened(bound));
            }
            DataStep::NoPort { waited } => {
                let waited = waited.as_secs_f64();
                warn!("{name} no passive port became free in {waited:.0} s");
                Refusal::Busy
            }
            DataStep::PortFailed(error) => {
                error!("{name} cannot open a passive port: {}", SystemText(&error));
                Refusal::Failed
            }
            _ => return None,
        };
        Some(Outcome::PassiveOpened(Err(refusal)))
    }

    /// The connection that the transfer uses is established.
    fn on_data_connected(&mut self, peer: IpAddr, now: Instant) {
        self.report_connected(peer, now);
        if self.data.is_open() {
            self.transfer_connected(now);
        }
        self.restart_transfer(now);
    }

    fn transfer_connected(&mut self, now: Instant) {
        if let Some(transfer) = &mut self.transfer {
            transfer.connected = Some(now);
            let peer = self.data.peer();
            self.record
                .update_transfer(|record| record.connected = Some((now, peer)));
        }
    }

    /// Reports to the core that the client has connected.
    fn report_connected(&mut self, peer: IpAddr, now: Instant) {
        self.note_reached(now);
        self.record.set_reached(true);
        self.report_data(DataEvent::Connected(peer));
    }

    /// Reports to the core that the client has connected, if it has. True if it has.
    pub(super) fn report_early_connection(&mut self, extent: LookExtent, now: Instant) -> bool {
        let peer = self.data.connected_early(extent, now);
        if let Some(peer) = peer {
            self.report_connected(peer, now);
        }
        peer.is_some()
    }

    /// Reports what happened to the last data connection.
    pub(super) fn report_data(&mut self, event: DataEvent) {
        if let Some(data) = self.data.id() {
            self.session.handle_data(data, event);
        }
    }

    /// Starts a transfer whose file is open.
    #[inline(never)]
    pub(super) fn start_transfer(&mut self, start: TransferStart, protected: bool, now: Instant) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        if transfer.id() != start.transfer {
            return;
        }
        transfer.is_started = true;
        let passive_port = self.data.listening_port();
        self.record.update_transfer(|record| {
            record.is_protected = protected;
            record.passive_port = passive_port;
        });
        if let Err(error) = self.start_data(start, protected, now) {
            info!("{} no data connection: {}", self.name, SystemText(&error));
            self.end_transfer(Err(TransferError::NotConnected), now);
        }
    }

    fn start_data(
        &mut self,
        start: TransferStart,
        protected: bool,
        now: Instant,
    ) -> io::Result<()> {
        let protection = self.data_protection().filter(|_| protected);
        if protected && protection.is_none() {
            // Data that the client wants protected is never sent in clear text.
            return Err(io::ErrorKind::Unsupported.into());
        }
        let Some(transfer) = &self.transfer else {
            return Ok(());
        };
        let sender = transfer.first_sender(protected);
        match start.connection {
            Mode::Passive => self.data.start_passive(sender, protection, now),
            Mode::Active(target) => {
                if let Some(named) = start.named {
                    self.log.active_address_replaced(named, target.ip());
                }
                let id = start.data;
                self.data
                    .start_active(id, self.own, target, sender, protection, now)
            }
        }
    }

    /// Moves bytes of the transfer, as many as its rate and the turn's budget allow.
    #[inline(never)]
    pub(super) fn advance_transfer(&mut self, registry: &Registry, now: Instant) -> bool {
        if (self.transfer.as_ref()).is_some_and(|transfer| transfer.complete_at().is_some()) {
            return self.end_upload(now);
        }
        let (Some(transfer), Some(stream)) = (&mut self.transfer, self.data.stream()) else {
            return false;
        };
        let budget = self.budget.bytes();
        if budget == 0 {
            return false;
        }
        let Some(granted) = self.rate_limits.grant(&transfer.request, budget, now) else {
            return false;
        };
        let before = transfer.bytes();
        let mut step_budget = StepBudget::new(granted, budget, self.budget.ends());
        let step = transfer.step(stream, registry, &mut step_budget);
        let total = transfer.bytes();
        let notices = transfer.take_notices();
        if step == PumpStep::AllReceived {
            transfer.set_all_received(now);
        }
        let moved = usize::try_from(total - before).unwrap_or(usize::MAX);
        self.rate_limits.spend(&transfer.request, moved);
        self.log_notices(notices);
        self.record.set_bytes(total);
        let is_limited = granted < budget;
        self.budget.spend(step_budget.worked());
        if moved > 0 {
            self.count_bytes(total - before);
            self.report_data(DataEvent::Progress(total));
        }
        match step {
            // The turn has budget left: the next call finds out how long to wait. A search that
            // moved no bytes has used its part of the turn.
            PumpStep::More if is_limited && moved > 0 => true,
            PumpStep::More => {
                self.budget.end();
                false
            }
            PumpStep::Blocked => false,
            PumpStep::AllReceived => self.end_upload(now),
            PumpStep::Done(result) => {
                self.on_pump_done(result, now);
                true
            }
        }
    }

    /// The data of an upload has ended. False while it is not known whether it is complete.
    #[inline(never)]
    fn end_upload(&mut self, now: Instant) -> bool {
        let Some(judged) = self.judge_end_of_upload(now) else {
            return false;
        };
        let result = judged.and_then(|()| self.check_bare_end());
        let result = result.and_then(|()| self.finish_upload());
        self.end_transfer(result, now);
        true
    }

    fn finish_upload(&mut self) -> Result<(), TransferError> {
        // A disk that is gone has taken the file with it; one that was mounted over the share hides
        // the file.
        if !self.tree.is_unchanged(self.share_state) {
            return Err(TransferError::LocalWrite);
        }
        match (&mut self.transfer, self.data.stream()) {
            (Some(transfer), Some(stream)) => transfer.finish(stream),
            _ => Err(TransferError::Aborted),
        }
    }

    fn on_pump_done(&mut self, result: Result<(), TransferError>, now: Instant) {
        if let Err(error @ TransferError::ConnectionLost) = result
            && self.data.on_lost(error, now)
            && let Some(transfer) = &mut self.transfer
        {
            transfer.must_restart = true;
        } else {
            self.end_transfer(result, now);
        }
    }

    /// The connection was lost so early that it may have been a look, and another one has come.
    fn restart_transfer(&mut self, now: Instant) {
        let Some(transfer) = self
            .transfer
            .as_mut()
            .filter(|transfer| transfer.must_restart)
        else {
            return;
        };
        debug!("{} another data connection has come", self.name);
        let request = transfer.request.clone();
        transfer.discard();
        match (self.open_pump(&request), &mut self.transfer) {
            (Ok((pump, _)), Some(transfer)) => transfer.restart(pump),
            _ => self.end_transfer(Err(TransferError::LocalRead), now),
        }
    }

    /// Ends an upload that has stalled, and whose file another session stores.
    pub(super) fn check_gave_way(&mut self, now: Instant) -> bool {
        let transfer = self.transfer.as_ref();
        let gave_way = transfer.is_some_and(|transfer| transfer.is_started && transfer.gave_way());
        if gave_way {
            self.log.set_end_reason(EndReason::GaveWay);
            self.end_transfer(Err(TransferError::Aborted), now);
        }
        gave_way
    }

    /// Ends a transfer early, because the core says so.
    #[inline(never)]
    pub(super) fn abort_transfer(&mut self, id: TransferId, now: Instant) {
        let Some(transfer) = &mut self.transfer else {
            return;
        };
        if transfer.id() != id {
            return;
        }
        if self
            .unflushed
            .take_if(|action| is_start_of(action, id))
            .is_some()
        {
            // For the core it runs.
            return self.end_transfer(Err(TransferError::Aborted), now);
        }
        if !transfer.is_started {
            self.transfer = None;
            self.record.end_transfer();
            return;
        }
        self.end_transfer(Err(TransferError::Aborted), now);
    }

    /// Closes the data connection, logs the transfer and gives the core its result.
    #[inline(never)]
    pub(super) fn end_transfer(&mut self, result: Result<(), TransferError>, now: Instant) {
        let Some(mut transfer) = self.transfer.take() else {
            return;
        };
        if let Err(error) = result {
            transfer.fail(error);
        }
        if result.is_ok() {
            self.log_bare_end();
        }
        self.rate_limits.clear_wait();
        let facts = TransferFacts::of(&transfer, now);
        self.log.transfer(&facts, result);
        let is_complete = result.is_ok();
        self.log.transferred(&transfer.request, &facts, is_complete);
        self.count_transfer(&transfer, result.is_ok());
        self.record.end_transfer();
        if transfer.is_binary_text() {
            self.log.binary_text(&facts.name);
        }
        if let Some(end) = transfer.upload_end() {
            self.report_data(DataEvent::Kept(end.kept));
        }
        if let Some(entries) = transfer.entries() {
            self.report_data(DataEvent::Entries(entries));
        }
        self.report_transfer(&transfer.request, &facts, result);
        let session_ends = self.ends_after_transfer();
        self.data
            .finish(result, transfer.is_upload(), session_ends, now);
        self.note_doing();
        let transfer = transfer.id();
        self.answer(Outcome::TransferEnded { transfer, result });
    }

    /// Whether nothing comes after the transfer that runs: the client has said QUIT, or is gone.
    fn ends_after_transfer(&self) -> bool {
        self.session.has_quit() || self.session.is_closed() || self.control.is_end_reported()
    }

    /// Gives up the port of a client that has not connected, if other sessions need it.
    #[inline(never)]
    pub(super) fn yield_port(&mut self, now: Instant) -> bool {
        let session_ends = self.ends_after_transfer();
        match self.data.yield_port(session_ends, now) {
            YieldOutcome::NotDue => return false,
            YieldOutcome::Connected(peer) => self.report_connected(peer, now),
            YieldOutcome::GivenUp => {
                self.report_data(DataEvent::Withdrawn);
                self.explain_never_connected(false, now);
                // At once, even if the client does not read the replies before the core's action.
                if self
                    .transfer
                    .as_ref()
                    .is_some_and(|transfer| transfer.is_started)
                {
                    self.end_transfer(Err(TransferError::NotConnected), now);
                }
            }
        }
        true
    }
}

/// Whether this action starts the transfer.
fn is_start_of(action: &Action, transfer: TransferId) -> bool {
    match action {
        Action::StartTransfer(start) | Action::StartProtectedTransfer(start) => {
            start.transfer == transfer
        }
        _ => false,
    }
}
