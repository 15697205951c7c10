//! What the log remembers of a command line.

/// The first bytes of a command line.
#[derive(Debug)]
pub(super) struct CommandStart {
    bytes: [u8; COMMAND_BYTES_SHOWN],
    length: usize,
}

impl Default for CommandStart {
    fn default() -> Self {
        Self {
            bytes: [0; COMMAND_BYTES_SHOWN],
            length: 0,
        }
    }
}

impl CommandStart {
    /// Another command line.
    pub(super) fn set(&mut self, line: &[u8]) {
        self.length = line.len().min(COMMAND_BYTES_SHOWN);
        self.bytes[..self.length].copy_from_slice(&line[..self.length]);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Bytes of a command line in a log line about its refusal.
const COMMAND_BYTES_SHOWN: usize = 128;
