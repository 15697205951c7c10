//! What the server's main thread asks of a session.

use std::sync::atomic::{AtomicU8, Ordering};

/// A request to a session. The sender calls the session's waker after sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionCommand {
    /// The server is shutting down: end now.
    End,
    /// The server is shutting down: end as soon as no transfer runs.
    EndAfterTransfer,
    /// Another client needs the place: end now, unless the client has logged in.
    Evict,
    /// The operator ends the session: end now.
    Kick,
    /// The users have changed: look at the settings now, and not only after the client's next
    /// command.
    UpdateSettings,
}

/// The commands for one session that it has not taken yet. To send one twice is to send it once.
#[derive(Debug, Default)]
pub(crate) struct SentCommands(AtomicU8);

impl SentCommands {
    pub(crate) fn send(&self, command: SessionCommand) {
        self.0.fetch_or(command.bit(), Ordering::Release);
    }

    /// Those that were sent since the last call.
    pub(super) fn take(&self) -> impl Iterator<Item = SessionCommand> + use<> {
        let sent = match self.0.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.0.swap(0, Ordering::Acquire),
        };
        let commands = ALL.into_iter();
        commands.filter(move |command| sent & command.bit() != 0)
    }
}

impl SessionCommand {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

const ALL: [SessionCommand; 5] = [
    SessionCommand::EndAfterTransfer,
    SessionCommand::Evict,
    SessionCommand::Kick,
    SessionCommand::End,
    SessionCommand::UpdateSettings,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_is_taken_once() {
        let commands = SentCommands::default();
        for sent in ALL {
            commands.send(sent);
            commands.send(sent);
            assert!(commands.take().eq([sent]));
        }
        ALL.into_iter().for_each(|command| commands.send(command));
        assert!(commands.take().eq(ALL));
        assert_eq!(commands.take().next(), None);
    }
}
