//! Moves the bytes of a transfer between its file and its data connection, a piece at a time.

use std::io::{self, ErrorKind, Read, Write};

use ftp_proto::TransferError;

use super::transfer::Transfer;

pub(crate) struct Pump {
    transfer: Transfer,
    /// Of a download: from `sent` on not sent yet.
    buffer: Vec<u8>,
    sent: usize,
    bytes_total: u64,
    /// How many bytes had arrived when the control connection ended without QUIT.
    total_at_end: Option<u64>,
}

/// What a step has done.
pub(crate) enum Step {
    Moved,
    /// Nothing: the connection would block, or its timeout is over.
    Blocked,
    /// The client has ended the data connection of an upload: [`Pump::finish`] makes it complete.
    AllReceived,
    /// A download has ended, or a transfer has failed. `Ok` may be reported once the data
    /// connection is closed too.
    Ended(Result<(), TransferError>),
}

impl Pump {
    pub(crate) fn new(transfer: Transfer) -> Self {
        Self {
            transfer,
            buffer: Vec::new(),
            sent: 0,
            bytes_total: 0,
            total_at_end: None,
        }
    }

    pub(crate) fn is_upload(&self) -> bool {
        matches!(self.transfer, Transfer::Upload(_))
    }

    /// For [`DataEvent::Progress`](ftp_proto::DataEvent::Progress).
    pub(crate) fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    pub(crate) fn step(&mut self, stream: &mut (impl Read + Write)) -> Step {
        match self.move_bytes(stream) {
            Ok(step) => step,
            // A timeout has one of these kinds, depending on the system.
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    Step::Blocked
                }
                _ => Step::Ended(Err(TransferError::ConnectionLost)),
            },
        }
    }

    /// Stores a whole upload.
    pub(crate) fn finish(&mut self) -> Result<(), TransferError> {
        match &mut self.transfer {
            Transfer::Upload(upload) => upload.finish(),
            Transfer::Download(_) => Ok(()),
        }
    }

    /// The client has ended its control connection, and has not sent QUIT: stores what has arrived
    /// of an upload.
    pub(crate) fn take_arrived(&mut self, stream: &mut (impl Read + Write)) -> Step {
        for _ in 0..ARRIVED_STEPS_MAX {
            self.total_at_end = Some(self.bytes_total);
            match self.step(stream) {
                Step::Moved => {}
                step => return step,
            }
        }
        Step::Moved
    }

    /// Whether an upload has received nothing since the control connection ended.
    pub(crate) fn is_silent_since_end(&self) -> bool {
        self.total_at_end == Some(self.bytes_total)
    }

    /// Errors are those of the connection.
    fn move_bytes(&mut self, stream: &mut (impl Read + Write)) -> io::Result<Step> {
        let result = match &mut self.transfer {
            Transfer::Download(download) => {
                let mut has_more = Ok(true);
                if self.sent == self.buffer.len() {
                    self.buffer.clear();
                    self.sent = 0;
                    has_more = download.read(&mut self.buffer);
                }
                if let Ok(true) = has_more {
                    // Without bytes it was a search for files to list.
                    let count = stream.write(&self.buffer[self.sent..])?;
                    self.sent += count;
                    self.bytes_total += count as u64;
                }
                has_more
            }
            Transfer::Upload(upload) => {
                self.buffer.resize(DATA_BYTES, 0);
                let count = stream.read(&mut self.buffer)?;
                self.bytes_total += count as u64;
                if count == 0 {
                    return Ok(Step::AllReceived);
                }
                upload.write(&self.buffer[..count]).map(|()| true)
            }
        };
        Ok(match result {
            Ok(true) => Step::Moved,
            Ok(false) => Step::Ended(Ok(())),
            Err(error) => Step::Ended(Err(error)),
        })
    }
}

/// 8 MiB, more than the kernel holds for a connection.
const ARRIVED_STEPS_MAX: usize = 128;

const DATA_BYTES: usize = 64 * 1024;
