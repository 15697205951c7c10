//! What the log remembers of a command line.

/// The first bytes of a command line.
#[derive(Debug, Default)]
pub(super) struct CommandStart(Vec<u8>);

impl CommandStart {
    /// Remembers this line instead of the one before.
    pub(super) fn set(&mut self, line: &[u8]) {
        self.0.clear();
        let length = line.len().min(COMMAND_BYTES_SHOWN);
        self.0.extend_from_slice(&line[..length]);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Bytes of a command line in a log line about its refusal.
const COMMAND_BYTES_SHOWN: usize = 128;
