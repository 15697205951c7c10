//! What the log remembers of a command line.

/// The first bytes of a command line.
#[derive(Debug)]
pub(super) struct CommandStart {
    bytes: [u8; COMMAND_BYTES_SHOWN],
    length: usize,
}

impl CommandStart {
    pub(super) fn of(line: &[u8]) -> Self {
        let length = line.len().min(COMMAND_BYTES_SHOWN);
        let mut bytes = [0; COMMAND_BYTES_SHOWN];
        bytes[..length].copy_from_slice(&line[..length]);
        Self { bytes, length }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Bytes of a command line in a log line about its refusal.
const COMMAND_BYTES_SHOWN: usize = 128;
