//! Receives an upload: reads from the data connection, and stores what has come.

use std::io;

use ftp_proto::{Representation, TransferError, ascii};
use rustix::io::Errno;

use super::moved::{Moved, moved};
use super::pipe::Pipe;
use crate::data::stream::Stream;
use crate::fs::upload::Upload;

/// An upload, and what its bytes pass through.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) upload: Upload,
    decoder: Option<ascii::Decoder>,
    /// In clear text it has no bytes but only room for some, so that no memory is touched for
    /// nothing. With TLS all bytes of it are initialized.
    buffer: Vec<u8>,
    passage: Passage,
}

/// How bytes come from the socket to the file.
#[derive(Debug)]
enum Passage {
    /// Through the buffer. Once a read fills it, a pipe is tried.
    Buffer {
        may_use_pipe: bool,
    },
    Pipe(Pipe),
}

impl Receiver {
    pub(super) fn new(upload: Upload, representation: Representation) -> Self {
        let decoder = (representation == Representation::Ascii).then(ascii::Decoder::default);
        Self {
            upload,
            passage: Passage::Buffer {
                may_use_pipe: decoder.is_none(),
            },
            decoder,
            buffer: Vec::new(),
        }
    }

    /// Reads once, and stores what has come.
    pub(super) fn receive(
        &mut self,
        stream: &mut Stream,
        most: usize,
    ) -> Result<Moved, TransferError> {
        match &mut self.passage {
            Passage::Buffer { .. } => self.receive_by_buffer(stream, most),
            Passage::Pipe(pipe) => {
                let count = match pipe.fill(stream.socket(), most) {
                    // The system cannot do it, or has no memory for it.
                    Err(
                        Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::NOMEM | Errno::NOBUFS,
                    ) => {
                        self.passage = Passage::Buffer {
                            may_use_pipe: false,
                        };
                        return self.receive_by_buffer(stream, most);
                    }
                    // A pipe takes no byte that the client has marked as urgent, nor those behind
                    // it, as if this were the end. A read does; usually it finds nothing.
                    Ok(0) | Err(Errno::AGAIN) => {
                        return self.receive_by_buffer(stream, most.min(PAST_MARK_BYTES));
                    }
                    filled => filled.map_err(io::Error::from),
                };
                let moved = moved(count)?;
                if let Moved::Bytes(count) = moved
                    && let Err(error) =
                        (self.upload).store(count, &mut |file| pipe.write_to(file, count))
                {
                    return Ok(Moved::NotStored(count, error));
                }
                Ok(moved)
            }
        }
    }

    fn receive_by_buffer(
        &mut self,
        stream: &mut Stream,
        most: usize,
    ) -> Result<Moved, TransferError> {
        let is_protected = stream.tls().is_some();
        let received = match read(stream, &mut self.buffer, most) {
            Ok(received) => received,
            Err(error) => return moved(Err(error)),
        };
        let count = received.len();
        if count == 0 {
            return Ok(Moved::End);
        }
        let stored = match &mut self.decoder {
            None => self.upload.write(received),
            Some(decoder) => {
                let mut text = Vec::with_capacity(count + 1);
                decoder.push(received, &mut text);
                self.upload.write(&text)
            }
        };
        if let Err(error) = stored {
            return Ok(Moved::NotStored(count, error));
        }
        if count >= BUFFER_BYTES && !is_protected {
            self.use_pipe();
        }
        Ok(Moved::Bytes(count))
    }

    /// Much comes at once: a pipe costs less than it saves.
    fn use_pipe(&mut self) {
        if let Passage::Buffer { may_use_pipe: true } = self.passage {
            self.passage = match Pipe::new() {
                Some(pipe) => {
                    self.buffer = Vec::new();
                    Passage::Pipe(pipe)
                }
                None => Passage::Buffer {
                    may_use_pipe: false,
                },
            };
        }
    }

    /// Stores the rest of a whole upload. True if it is a text that looks like binary data.
    pub(super) fn finish(&mut self) -> Result<bool, TransferError> {
        let mut is_binary_text = false;
        if let Some(decoder) = self.decoder.take() {
            is_binary_text = decoder.is_binary();
            let mut rest = Vec::new();
            decoder.finish(&mut rest);
            self.upload.write(&rest)?;
        }
        self.upload.complete().map(|()| is_binary_text)
    }
}

/// Reads once; no bytes at the end.
fn read<'a>(stream: &mut Stream, buffer: &'a mut Vec<u8>, most: usize) -> io::Result<&'a [u8]> {
    if stream.tls().is_some() {
        return read_protected(stream, buffer, most);
    }
    buffer.reserve_exact(BUFFER_BYTES);
    let room = &mut buffer.spare_capacity_mut()[..most.min(BUFFER_BYTES)];
    let (received, _) = rustix::io::read(stream.socket(), room)?;
    Ok(received)
}

/// The same with TLS. The buffer becomes larger when it was full: a small file needs a small one.
fn read_protected<'a>(
    stream: &mut Stream,
    buffer: &'a mut Vec<u8>,
    most: usize,
) -> io::Result<&'a [u8]> {
    if buffer.is_empty() {
        buffer.resize(PROTECTED_BYTES_MIN, 0);
    }
    let room = most.min(buffer.len());
    let count = stream.read(&mut buffer[..room])?;
    if count == PROTECTED_BYTES_MIN {
        buffer.resize(PROTECTED_BYTES_MAX, 0);
    }
    Ok(&buffer[..count])
}

/// How much is read at once into the buffer in clear text.
const BUFFER_BYTES: usize = 64 * 1024;

/// How much is read at once where the pipe takes nothing.
const PAST_MARK_BYTES: usize = 4096;

/// One record.
const PROTECTED_BYTES_MIN: usize = 16 * 1024;

/// What is written at once with TLS: the more, the larger are the pieces of memory in which the
/// system keeps the file.
const PROTECTED_BYTES_MAX: usize = 256 * 1024;
