//! Command lines that arrive while the session is busy: during a transfer or a digest, or while it
//! waits for a passive port.

use super::Session;
use super::flow::Phase;
use super::held::HeldItem;
use super::transfer_state::AbortReason;
use crate::command::{Command, CommandLine, DataVerb, InfoVerb, LocalVerb, ProtectionVerb, Verb};
use crate::reply::Reply;

impl Session {
    /// During a transfer or a digest ABOR and STAT are executed at once. While the session waits
    /// for a passive port, ABOR and QUIT cancel the wait. All other lines are held.
    pub(super) fn receive_while_busy(&mut self, line: CommandLine<'_>) {
        let argument = line.argument;
        let awaits_port = self.context.awaits_port();
        // With an argument, ABOR is an error; the reply waits until all earlier lines have theirs.
        let is_bare = argument.trim_ascii().is_empty();
        match line.command.verb() {
            // Its reply waits until all earlier lines have theirs.
            _ if self.context.denies_line(line.command) => self.held.push_line(line),
            Some(Verb::Local(LocalVerb::Abor)) if is_bare => {
                match &mut self.phase {
                    Phase::Ready(ready) if !awaits_port => {
                        ready.abort_transfer(&mut self.context, AbortReason::Requested);
                        self.context.abort_hash();
                    }
                    Phase::Ready(_) | Phase::Login(_) | Phase::Closed => {
                        self.context.cancel_passive();
                    }
                }
                self.held.push_abort();
            }
            Some(Verb::Info(InfoVerb::Stat)) if argument.is_empty() && !awaits_port => {
                let ready = match &self.phase {
                    Phase::Ready(ready) => Some(&**ready),
                    Phase::Login(_) | Phase::Closed => None,
                };
                let reply = self.context.status(ready);
                self.context.reply(reply);
            }
            // The bytes after a held AUTH would be the beginning of a TLS handshake, so AUTH is
            // never held. The reply is decided now: the settings may have changed when
            // the held lines are executed.
            Some(Verb::Protection(ProtectionVerb::Auth)) => {
                self.held.push_reply(if self.context.config.tls {
                    Reply::AUTH_BUSY
                } else {
                    Reply::NOT_IMPLEMENTED
                });
            }
            _ if awaits_port && line.is_quit() => {
                self.context.cancel_passive();
                self.held.push_line(line);
            }
            _ => self.held.push_line(line),
        }
    }

    /// Executes held lines until none is left or the session is busy again.
    pub(super) fn run_held(&mut self) {
        while !self.is_busy()
            && let Some(item) = self.held.pop()
        {
            match item {
                HeldItem::Line(line) if self.held.has_abort() && can_be_aborted(line.command) => {
                    if let (Phase::Ready(ready), Some(verb)) =
                        (&mut self.phase, line.command.verb())
                    {
                        ready.not_executed(verb);
                    }
                    self.context.reply(Reply::ABORTED_BEFORE_START);
                }
                HeldItem::Line(line) => self.execute(line.parsed(), false),
                HeldItem::Reply(reply) => self.context.reply(reply),
                HeldItem::Abort => match &mut self.phase {
                    Phase::Ready(ready) => ready.abort_idle(&mut self.context),
                    Phase::Login(_) | Phase::Closed => self.context.reply(Reply::ABORT_DONE),
                },
            }
        }
    }
}

/// Whether a command sets up or uses a data connection, or computes a digest. If an ABOR follows,
/// it is not executed.
fn can_be_aborted(command: Command) -> bool {
    matches!(
        command.verb(),
        Some(Verb::Transfer(_) | Verb::Hash(_) | Verb::Data(DataVerb::Epsv | DataVerb::Pasv))
    )
}
