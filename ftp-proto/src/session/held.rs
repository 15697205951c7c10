//! Commands that came during a transfer, or while a passive port is awaited, and wait their turn.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::transfer::AbortReason;
use super::{Pending, Phase, Session};
use crate::action::Action;
use crate::command::{Command, Verb};
use crate::config::limits::{HELD_BYTES_MAX, HELD_LINES_MAX};
use crate::reply::Reply;

/// The queue, bounded by lines and bytes; once it is full the session wants no more input.
#[derive(Debug, Default)]
pub(super) struct Held {
    items: VecDeque<HeldItem>,
    bytes: usize,
}

#[derive(Debug)]
enum HeldItem {
    /// A command line, Telnet already taken out.
    Line(Vec<u8>),
    /// The answer to something that will not be carried out, in its place among the others.
    Reply(Reply),
    /// An ABOR: it has acted already, only its 226 is owed.
    Abort,
}

impl Held {
    pub(super) fn push_reply(&mut self, reply: Reply) {
        self.items.push_back(HeldItem::Reply(reply));
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= HELD_LINES_MAX || self.bytes >= HELD_BYTES_MAX
    }

    fn push_line(&mut self, line: &[u8]) {
        self.bytes += line.len();
        self.items.push_back(HeldItem::Line(line.to_vec()));
    }

    fn pop(&mut self) -> Option<HeldItem> {
        let item = self.items.pop_front();
        if let Some(HeldItem::Line(line)) = &item {
            self.bytes -= line.len();
        }
        item
    }

    /// Whether an ABOR stands behind what was popped last.
    fn has_abort(&self) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item, HeldItem::Abort))
    }
}

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
                self.held.items.push_back(HeldItem::Abort);
            }
            Verb::Abor if bare => {
                self.abort_transfer();
                self.held.items.push_back(HeldItem::Abort);
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
