//! What a caller wants of a TLS connection, and how rustls does it on our buffers.

use std::mem;

use rustls::server::ServerConnectionData;
use rustls::unbuffered::{EncodeError, EncodeTlsData, EncryptError, ReadTraffic, WriteTraffic};

use super::byte_queue::ByteQueue;

/// What is to be done as soon as rustls has nothing else to do.
pub(super) enum Job<'a> {
    /// Nothing: what was received is processed.
    Process,
    /// The same, and the next bytes that are decrypted go here.
    Read(&'a mut [u8]),
    Write(&'a [u8]),
    Close,
}

/// What a call of rustls has led to.
pub(super) enum Step {
    /// It has to be called again.
    Again,
    /// The job is done, for this number of bytes.
    Done(usize),
    /// More has to be received first.
    Blocked,
    /// The client has broken the protocol.
    Failed(rustls::Error),
}

impl Job<'_> {
    /// Takes what is decrypted. Returns how much more of the received bytes is to be discarded.
    pub(super) fn read(
        &mut self,
        mut traffic: ReadTraffic<'_, '_, ServerConnectionData>,
        others: &mut ByteQueue,
    ) -> (usize, Step) {
        let (mut discard, mut step) = (0, Step::Again);
        while let Some(record) = traffic.next_record() {
            match record {
                Ok(record) => {
                    discard += record.discard;
                    if let Some(count) = self.take(record.payload, others) {
                        step = Step::Done(count);
                    }
                }
                Err(fault) => step = Step::Failed(fault),
            }
        }
        (discard, step)
    }

    /// If the bytes are what the job waits for: how many of them. The others are put aside.
    fn take(&mut self, bytes: &[u8], others: &mut ByteQueue) -> Option<usize> {
        match mem::replace(self, Self::Process) {
            Self::Read(buffer) if !bytes.is_empty() => {
                let count = buffer.len().min(bytes.len());
                buffer[..count].copy_from_slice(&bytes[..count]);
                others.extend(&bytes[count..]);
                Some(count)
            }
            job => {
                others.extend(bytes);
                *self = job;
                None
            }
        }
    }

    /// Does what can be done once the handshake has ended.
    pub(super) fn perform(
        &self,
        mut traffic: WriteTraffic<'_, ServerConnectionData>,
        unsent: &mut ByteQueue,
    ) -> Step {
        let (count, queued) = match self {
            Self::Process | Self::Read(_) => return Step::Blocked,
            Self::Write(bytes) => {
                let records = bytes.len() / RECORD_BYTES_MAX + 1;
                let room = bytes.len() + records * RECORD_OVERHEAD;
                let encrypt = |room: &mut [u8]| traffic.encrypt(bytes, room).map_err(required_size);
                (bytes.len(), append(unsent, room, encrypt))
            }
            Self::Close => {
                let notify =
                    |room: &mut [u8]| traffic.queue_close_notify(room).map_err(required_size);
                (0, append(unsent, RECORD_OVERHEAD, notify))
            }
        };
        if queued {
            Step::Done(count)
        } else {
            Step::Blocked
        }
    }
}

/// A message of rustls's own: of the handshake, or an alert.
pub(super) fn encode(
    mut data: EncodeTlsData<'_, ServerConnectionData>,
    unsent: &mut ByteQueue,
) -> Step {
    let queued = append(unsent, HANDSHAKE_MESSAGE, |room| {
        data.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(error) => Some(error.required_size),
            EncodeError::AlreadyEncoded => None,
        })
    });
    if queued { Step::Again } else { Step::Blocked }
}

/// The room that would suffice, if more would help.
fn required_size(error: EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(error) => Some(error.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

/// Has rustls write into the room behind the queue: as much as it is thought to need, or what it
/// says that it needs. False if it can write nothing.
fn append(
    queue: &mut ByteQueue,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> bool {
    let result = match write(queue.room(room)) {
        Err(Some(required)) => write(queue.room(required)),
        other => other,
    };
    queue.add(result.unwrap_or(0));
    result.is_ok()
}

/// What a record holds at most.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1024;
/// More than the header, nonce, tag and padding of a record.
const RECORD_OVERHEAD: usize = 64;
/// Longer ones are rare.
const HANDSHAKE_MESSAGE: usize = 2 * 1024;
