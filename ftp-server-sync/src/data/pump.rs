//! Moves the bytes of a transfer, in bounded steps, and never blocks.
//!
//! A pump is `Done(Ok)` only when every byte has moved: a file that became shorter, a disk that is
//! full, or a peer that vanished are errors.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;

use ftp_proto::{Representation, TransferError, ascii};
use rustix::io::Errno;

use super::ascii_restart::TextStart;
use super::stream::Stream;
use crate::fs::download::Download;
use crate::fs::list::{ListingLines, NextLine};
use crate::fs::root::refusal;
use crate::fs::upload::Upload;

/// What moves, and how far it has come.
#[derive(Debug)]
pub(crate) struct Pump {
    job: Job,
    bytes: u64,
}

#[derive(Debug)]
enum Job {
    /// The kernel sends a file as it is.
    SendFile { file: File, offset: u64, size: u64 },
    /// Text that is made piece by piece: a listing, or a file in ASCII.
    SendText {
        source: Source,
        buffer: Vec<u8>,
        sent: usize,
    },
    /// Waits for its data connection.
    ReceiveLater {
        upload: Upload,
        representation: Representation,
    },
    /// Writes what comes.
    Receive {
        file: File,
        decoder: Option<ascii::Decoder>,
        buffer: Box<[u8]>,
    },
    /// Nothing is left to do.
    Over,
}

#[derive(Debug)]
enum Source {
    Listing(Box<ListingLines>),
    /// Without an encoder the bytes go as they are: where the kernel cannot send the file itself.
    File {
        file: File,
        offset: u64,
        size: u64,
        encoder: Option<ascii::Encoder>,
    },
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The budget is used up; there is more to move.
    More,
    /// The socket would block.
    Blocked,
    /// It is over.
    Done(Result<(), TransferError>),
}

impl Pump {
    pub(crate) fn download(download: Download, representation: Representation) -> Self {
        let Download { file, offset, size } = download;
        Self::new(match representation {
            Representation::Image => Job::SendFile { file, offset, size },
            Representation::Ascii => {
                Job::send_text(file, offset, size, Some(ascii::Encoder::default()))
            }
        })
    }

    /// A text that begins in its middle.
    pub(crate) fn text(download: Download, start: TextStart) -> Self {
        let Download { file, offset, size } = download;
        let mut job = Job::send_text(file, offset, size, Some(start.encoder));
        if let Job::SendText { buffer, .. } = &mut job {
            *buffer = start.buffer;
        }
        Self::new(job)
    }

    pub(crate) fn upload(upload: Upload, representation: Representation) -> Self {
        Self::new(Job::ReceiveLater {
            upload,
            representation,
        })
    }

    pub(crate) fn listing(lines: ListingLines) -> Self {
        Self::new(Job::SendText {
            source: Source::Listing(lines.into()),
            buffer: Vec::new(),
            sent: 0,
        })
    }

    /// Bytes moved over the network so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Moves up to about `budget` bytes. To be called only once the data connection exists: it is then
    /// that an upload begins to change its file.
    pub(crate) fn step(&mut self, stream: &mut Stream, budget: usize) -> Step {
        let mut moved = 0;
        while moved < budget {
            match self.job.move_some(stream, budget - moved) {
                Ok(Moved::Bytes(count)) => {
                    moved += count;
                    self.bytes += count as u64;
                }
                // It takes time as well: a search through directories may find nothing for long.
                Ok(Moved::Prepared) => moved += BUFFER_BYTES,
                Ok(Moved::Blocked) => return Step::Blocked,
                Ok(Moved::End) => return Step::Done(self.finish(stream)),
                Err(error) => {
                    self.job = Job::Over;
                    return Step::Done(Err(error));
                }
            }
        }
        Step::More
    }

    fn new(job: Job) -> Self {
        Self { job, bytes: 0 }
    }

    /// Makes sure that an upload is with the storage: an error that the system kept for `close` is
    /// still an error. Its client gets its close_notify answered, whether or not it waits for that.
    fn finish(&mut self, stream: &mut Stream) -> Result<(), TransferError> {
        let Job::Receive {
            mut file, decoder, ..
        } = std::mem::replace(&mut self.job, Job::Over)
        else {
            return Ok(());
        };
        if let Some(decoder) = decoder {
            let mut rest = Vec::new();
            decoder.finish(&mut rest);
            file.write_all(&rest).map_err(|error| write_error(&error))?;
        }
        nix::unistd::close(file).map_err(|errno| write_error(&errno.into()))?;
        let _ = stream.say_end();
        Ok(())
    }
}

enum Moved {
    Bytes(usize),
    /// Nothing yet, but the next call will find something.
    Prepared,
    Blocked,
    End,
}

impl Job {
    fn send_text(file: File, offset: u64, size: u64, encoder: Option<ascii::Encoder>) -> Self {
        Self::SendText {
            source: Source::File {
                file,
                offset,
                size,
                encoder,
            },
            buffer: Vec::new(),
            sent: 0,
        }
    }

    fn move_some(&mut self, stream: &mut Stream, most: usize) -> Result<Moved, TransferError> {
        match self {
            // The kernel does not know how to protect it.
            Self::SendFile { .. } if stream.tls().is_some() => Ok(self.send_by_hand()),
            Self::SendFile { file, offset, size } => {
                let left = usize::try_from(*size - *offset).unwrap_or(usize::MAX);
                if left == 0 {
                    return Ok(Moved::End);
                }
                match rustix::fs::sendfile(stream.socket(), &*file, Some(offset), left.min(most)) {
                    Ok(0) => Err(TransferError::LocalRead),
                    Ok(count) => Ok(Moved::Bytes(count)),
                    Err(Errno::AGAIN) => Ok(Moved::Blocked),
                    Err(Errno::INTR) => Ok(Moved::Prepared),
                    // Some file systems cannot do it.
                    Err(Errno::INVAL | Errno::NOSYS) => Ok(self.send_by_hand()),
                    Err(
                        Errno::PIPE
                        | Errno::CONNRESET
                        | Errno::CONNABORTED
                        | Errno::NOTCONN
                        | Errno::TIMEDOUT
                        | Errno::HOSTUNREACH
                        | Errno::NETUNREACH,
                    ) => Err(TransferError::ConnectionLost),
                    Err(_) => Err(TransferError::LocalRead),
                }
            }
            Self::SendText {
                source,
                buffer,
                sent,
            } => {
                if *sent == buffer.len() {
                    *sent = 0;
                    let more = source.fill(buffer)?;
                    match (buffer.is_empty(), more) {
                        (true, true) => return Ok(Moved::Prepared),
                        (true, false) => return end_sending(stream),
                        (false, _) => {}
                    }
                }
                let end = buffer.len().min(sent.saturating_add(most));
                match moved(stream.write(&buffer[*sent..end]))? {
                    Moved::Bytes(count) => {
                        *sent += count;
                        Ok(Moved::Bytes(count))
                    }
                    other => Ok(other),
                }
            }
            Self::Receive {
                file,
                decoder,
                buffer,
            } => {
                let most = most.min(buffer.len());
                let count = match moved(stream.read(&mut buffer[..most]))? {
                    Moved::Bytes(count) => count,
                    other => return Ok(other),
                };
                let received = &buffer[..count];
                let written = match decoder {
                    None => file.write_all(received),
                    Some(decoder) => {
                        let mut text = Vec::with_capacity(count + 1);
                        decoder.push(received, &mut text);
                        file.write_all(&text)
                    }
                };
                written.map_err(|error| write_error(&error))?;
                Ok(Moved::Bytes(count))
            }
            Self::ReceiveLater { .. } => self.begin_to_receive(),
            Self::Over => Ok(Moved::End),
        }
    }

    /// The data connection exists: from now on the file is changed.
    fn begin_to_receive(&mut self) -> Result<Moved, TransferError> {
        if let Self::ReceiveLater {
            upload,
            representation,
        } = std::mem::replace(self, Self::Over)
        {
            *self = Self::Receive {
                file: upload.begin().map_err(|error| write_error(&error))?,
                decoder: (representation == Representation::Ascii).then(Default::default),
                buffer: vec![0; BUFFER_BYTES].into(),
            };
        }
        Ok(Moved::Prepared)
    }

    /// Goes on where `sendfile` refused.
    fn send_by_hand(&mut self) -> Moved {
        if let Self::SendFile { file, offset, size } = std::mem::replace(self, Self::Over) {
            *self = Self::send_text(file, offset, size, None);
        }
        Moved::Prepared
    }
}

impl Source {
    /// Replaces what is in `buffer`; whether more may come after it.
    fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<bool, TransferError> {
        match self {
            Self::Listing(lines) => {
                buffer.clear();
                let mut searching = 0;
                while buffer.len() < BUFFER_BYTES && searching < SEARCHING_MAX {
                    match lines.next_line(buffer) {
                        Ok(NextLine::Line) => {}
                        Ok(NextLine::Pending) => searching += 1,
                        Ok(NextLine::End) => return Ok(false),
                        Err(_) => return Err(TransferError::LocalRead),
                    }
                }
                Ok(true)
            }
            Self::File {
                file,
                offset,
                size,
                encoder,
            } => {
                let left = usize::try_from(*size - *offset).unwrap_or(usize::MAX);
                if left == 0 {
                    buffer.clear();
                    return Ok(false);
                }
                // As long as it was full each time, this writes nothing.
                buffer.resize(left.min(BUFFER_BYTES), 0);
                match file.read_at(buffer, *offset) {
                    Ok(0) => return Err(TransferError::LocalRead),
                    Ok(count) => {
                        buffer.truncate(count);
                        *offset += count as u64;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => buffer.clear(),
                    Err(_) => return Err(TransferError::LocalRead),
                }
                if let Some(encoder) = encoder {
                    let text = std::mem::take(buffer);
                    encoder.push(&text, buffer);
                }
                Ok(true)
            }
        }
    }
}

/// All has been written. What TLS still keeps is sent, and the client is told that it has everything.
fn end_sending(stream: &mut Stream) -> Result<Moved, TransferError> {
    if let Moved::Blocked = moved(stream.flush().map(|()| 0))? {
        return Ok(Moved::Blocked);
    }
    // A client that needs no telling may have gone.
    Ok(moved(stream.end().map(|()| 0)).unwrap_or(Moved::End))
}

fn moved(result: io::Result<usize>) -> Result<Moved, TransferError> {
    match result {
        Ok(0) => Ok(Moved::End),
        Ok(count) => Ok(Moved::Bytes(count)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => Ok(Moved::Blocked),
            ErrorKind::Interrupted => Ok(Moved::Prepared),
            _ => Err(TransferError::ConnectionLost),
        },
    }
}

fn write_error(error: &io::Error) -> TransferError {
    match refusal(error) {
        ftp_proto::Refusal::NoSpace => TransferError::NoSpace,
        _ => TransferError::LocalWrite,
    }
}

/// As much as is read or made at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// How often a listing may find nothing before what there is goes out.
const SEARCHING_MAX: usize = 16;
