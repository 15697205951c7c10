//! Command lines that arrive while the session is busy: during a transfer, or while a passive port is awaited.

use super::Session;
use super::held::HeldItem;
use super::phase::{Pending, Phase};
use super::transfer_state::AbortReason;
use crate::action::Action;
use crate::command::{Command, Verb};
use crate::reply::Reply;

impl Session {
    /// A line during a transfer or while a passive port is awaited: ABOR and STAT act at once, QUIT
    /// ends the wait for a port, everything else waits.
    pub(super) fn receive_while_busy(&mut self, line: &[u8]) {
        let Command { verb, argument } = Command::parse(line);
        let awaiting_port = matches!(self.pending, Pending::Passive { .. });
        // ABOR and QUIT take none: with one they are a mistake, told in its turn.
        let bare = argument.trim_ascii().is_empty();
        match verb {
            Verb::Abor if bare && awaiting_port => {
                self.cancel_passive();
                self.held.push_abort();
            }
            Verb::Abor if bare => {
                self.abort_transfer();
                self.held.push_abort();
            }
            Verb::Stat if argument.is_empty() && !awaiting_port => self.status(),
            // What follows a held AUTH would be the first bytes of a TLS handshake. It is decided now:
            // TLS may have come to be offered when the lines that are held run.
            Verb::Auth if self.config.tls => self.held.push_reply(Reply::AUTH_BUSY),
            Verb::Auth => self.held.push_reply(Reply::NOT_IMPLEMENTED),
            Verb::Quit if bare && awaiting_port => {
                self.cancel_passive();
                self.held.push_line(line);
            }
            _ => self.held.push_line(line),
        }
    }

    /// Carries out what was held, until it is empty or the session is busy again.
    pub(super) fn run_held(&mut self) {
        while !self.is_busy()
            && let Some(item) = self.held.pop()
        {
            match item {
                HeldItem::Line(line) if self.held.has_abort() && needs_data(&line) => {
                    self.reply(Reply::ABORTED_BEFORE_START);
                }
                HeldItem::Line(line) => self.execute(&line, false),
                HeldItem::Reply(reply) => self.reply(reply),
                HeldItem::Abort => self.abort_idle(),
            }
        }
    }

    fn cancel_passive(&mut self) {
        if let Pending::Passive { cancelled, .. } = &mut self.pending
            && !core::mem::replace(cancelled, true)
        {
            self.push_action(Action::CloseData);
        }
    }

    /// Tells the transfer to end, unless it has been told already.
    pub(super) fn abort_transfer(&mut self) {
        if let Phase::Ready(ready) = &mut self.phase
            && let Some(transfer) = ready.abort(AbortReason::Requested)
        {
            self.push_action(Action::AbortTransfer(transfer));
        }
    }
}

/// Whether a command would set up or use a data connection: after an ABOR it is not begun.
fn needs_data(line: &[u8]) -> bool {
    let verb = Command::parse(line).verb;
    verb.is_transfer() || matches!(verb, Verb::Epsv | Verb::Pasv)
}
