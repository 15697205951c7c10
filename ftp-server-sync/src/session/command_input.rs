//! The commands of a session: each goes from the control connection to the core, and to the log.

use super::allocated::allocated;
use super::connection::Connection;
use super::end_reason::EndReason;
use super::foreign_protocol_log::ForeignClient;
use super::login_name::{QuotedName, user_name};

impl Connection {
    /// Gives the core one command line.
    pub(super) fn feed(&mut self) -> bool {
        // While a client does not read its replies, its commands are not read either.
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
        // All earlier commands are answered: the replies go out in one write before the next read.
        self.control.flush();
        self.control.fill();
        self.feed_buffered()
    }

    #[inline(never)]
    fn feed_buffered(&mut self) -> bool {
        let input = self.control.input();
        if input.is_empty() {
            return false;
        }
        let Some(now) = self.budget.take_command() else {
            return false;
        };
        let used = self.session.handle_input(input);
        if used == 0 {
            return false;
        }
        match self.session.foreign_protocol() {
            None => {
                // The rest of an overlong line is none.
                let last = self.log.last_command();
                self.log.command(&input[..used], self.session.names(), now);
                if self.log.last_command() != last {
                    self.record.on_command(now);
                }
                self.allocated = allocated(&input[..used]).or(self.allocated);
                let denied = &self.current.config.denied_commands;
                if !denied.is_empty()
                    && str::from_utf8(self.log.command_name()).is_ok_and(|name| denied.denies(name))
                {
                    self.log.command_denied();
                }
                if let Some(name) = user_name(&input[..used])
                    && self.login_needs_tls()
                {
                    let peer = self.session.endpoints().peer().ip();
                    self.log.login_without_tls(peer, &QuotedName(name));
                }
            }
            Some(protocol) => {
                self.log.set_end_reason(EndReason::ForeignProtocol);
                let foreign = ForeignClient {
                    session: &self.name,
                    protocol,
                    settings: &self.current.settings,
                };
                foreign.log(&self.server.events, now);
            }
        }
        self.control.use_input(used);
        true
    }
}

/// Replies that may pile up before they are sent in the middle of a batch of commands.
const UNSENT_BYTES_MAX: usize = 16 * 1024;
