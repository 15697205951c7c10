//! Moves the bytes of a transfer, in bounded steps, and never blocks.
//!
//! A pump is `Done(Ok)` only when every byte has moved: a file that became shorter, a full disk and
//! a lost connection are errors.

mod moved;
mod pipe;
mod receiver;
mod source;

use std::fs::File;

use ftp_proto::listing::WalkNotice;
use ftp_proto::{Refusal, Representation, TransferError, ascii};
use rustix::io::Errno;

use super::ascii_restart::{self, RestartStep, TextRestart};
use super::step_budget::StepBudget;
use super::stream::Stream;
use crate::fs::download::Download;
use crate::fs::list::{ListLimit, ListingLines};
use crate::fs::upload::{Upload, UploadFailure};
use moved::{Moved, moved};
use receiver::Receiver;
use source::Source;

/// The bytes of a transfer, and how many have moved.
#[derive(Debug)]
pub(crate) struct Pump {
    job: Job,
    bytes: u64,
    notices: Vec<WalkNotice>,
    is_binary_text: bool,
    found_nothing: bool,
}

#[derive(Debug)]
enum Job {
    /// Sends a file unchanged, by `sendfile`.
    SendFile {
        file: File,
        offset: u64,
        size: u64,
    },
    /// Looks for the place in a text from which to send.
    Restart(TextRestart),
    /// Sends what the source makes, one buffer at a time: a listing, or a file in ASCII.
    SendText {
        source: Source,
        buffer: Vec<u8>,
        sent: usize,
    },
    /// Writes received bytes to a file.
    Receive(Receiver),
    Finished,
}

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PumpStep {
    /// The budget is used up; there is more to move.
    More,
    /// The socket would block.
    Blocked,
    /// The client has ended the data connection of an upload: [`Pump::finish`] makes it complete.
    AllReceived,
    /// The transfer has ended.
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

    /// Sends a text from its middle on.
    ///
    /// # Errors
    ///
    /// [`Refusal::OffsetTooLarge`] if the text is shorter, as far as that is seen soon. In a large
    /// file the transfer fails later.
    pub(crate) fn text_from(restart: TextRestart) -> Result<Self, Refusal> {
        Ok(Self::new(Job::after(restart.step()?)))
    }

    pub(crate) fn upload(upload: Upload, representation: Representation) -> Self {
        Self::new(Job::Receive(Receiver::new(upload, representation)))
    }

    pub(crate) fn listing(lines: ListingLines) -> Self {
        Self::new(Job::SendText {
            source: Source::Listing(lines.into()),
            buffer: Vec::new(),
            sent: 0,
        })
    }

    pub(crate) fn is_listing(&self) -> bool {
        self.entries().is_some()
    }

    /// Goes on to where the transfer of a listing can begin. False: not there yet.
    ///
    /// # Errors
    ///
    /// The file system's refusal, or that nothing matches.
    pub(crate) fn begin_listing(&mut self, limit: &mut ListLimit) -> Result<bool, Refusal> {
        let Job::SendText {
            source: Source::Listing(lines),
            ..
        } = &mut self.job
        else {
            return Ok(true);
        };
        let begun = lines.begin(limit);
        self.notices.extend(lines.take_notices());
        begun
    }

    /// What a listing has noticed since the last call, for the log.
    pub(crate) fn take_notices(&mut self) -> Vec<WalkNotice> {
        std::mem::take(&mut self.notices)
    }

    /// Whether a whole upload in type A looks like binary data.
    pub(crate) fn is_binary_text(&self) -> bool {
        self.is_binary_text
    }

    /// Whether a listing has failed because nothing matches.
    pub(crate) fn found_nothing(&self) -> bool {
        self.found_nothing
    }

    /// How many entries a listing has shown so far; `None` for files.
    pub(crate) fn entries(&self) -> Option<u64> {
        match &self.job {
            Job::SendText {
                source: Source::Listing(lines),
                ..
            } => Some(lines.entries()),
            _ => None,
        }
    }

    /// Bytes moved over the network so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Moves bytes, until the budget is used up at the latest.
    pub(crate) fn step(&mut self, stream: &mut Stream, budget: &mut StepBudget) -> PumpStep {
        loop {
            let result = self.job.move_bytes(stream, budget);
            self.notices.extend(self.job.take_notices());
            match result {
                Ok(Moved::Bytes(count)) => {
                    budget.spend(count);
                    self.bytes += count as u64;
                }
                Ok(Moved::Nothing) => budget.spend_work(CALL_COST),
                Ok(Moved::Searched) => budget.spend_work(ascii_restart::STEP_COST),
                Ok(Moved::Blocked) => return PumpStep::Blocked,
                Ok(Moved::NotStored(count, error)) => {
                    self.bytes += count as u64;
                    self.fail(error);
                    return PumpStep::Done(Err(error));
                }
                Ok(Moved::End) => {
                    return match self.job {
                        Job::Receive(_) => PumpStep::AllReceived,
                        _ => PumpStep::Done(Ok(())),
                    };
                }
                Err(error) => {
                    self.found_nothing = self.job.found_nothing();
                    self.fail(error);
                    return PumpStep::Done(Err(error));
                }
            }
            if budget.is_over() {
                return PumpStep::More;
            }
        }
    }

    /// Stores a whole upload. The client's close_notify is answered, whether or not it waits for
    /// that.
    pub(crate) fn finish(&mut self, stream: &mut Stream) -> Result<(), TransferError> {
        let Job::Receive(receiver) = &mut self.job else {
            return Ok(());
        };
        self.is_binary_text = receiver.finish()?;
        let _ = stream.send_close_notify();
        Ok(())
    }

    /// The transfer ends early, for this reason. Nothing moves after that.
    pub(crate) fn fail(&mut self, error: TransferError) {
        match &mut self.job {
            Job::Receive(receiver) => receiver.upload.fail(match error {
                TransferError::LocalRead | TransferError::LocalWrite | TransferError::NoSpace => {
                    UploadFailure::Server
                }
                _ => UploadFailure::Broken,
            }),
            job => *job = Job::Finished,
        }
    }

    /// Ends it, and gives its file free.
    pub(crate) fn discard(&mut self) {
        self.job = Job::Finished;
    }

    /// The upload, if it is one.
    pub(crate) fn received(&self) -> Option<&Upload> {
        match &self.job {
            Job::Receive(receiver) => Some(&receiver.upload),
            _ => None,
        }
    }

    fn new(job: Job) -> Self {
        Self {
            job,
            bytes: 0,
            notices: Vec::new(),
            is_binary_text: false,
            found_nothing: false,
        }
    }
}

impl Job {
    fn after(step: RestartStep) -> Self {
        match step {
            RestartStep::More(restart) => Self::Restart(restart),
            RestartStep::Found(download, encoder) => {
                let Download { file, offset, size } = download;
                Self::send_text(file, offset, size, Some(encoder))
            }
        }
    }

    /// Goes on with a search. It counts as bytes.
    fn restart(&mut self) -> Result<Moved, TransferError> {
        if let Self::Restart(restart) = std::mem::replace(self, Self::Finished) {
            let step = restart.step().map_err(|_| TransferError::LocalRead)?;
            *self = Self::after(step);
        }
        Ok(Moved::Searched)
    }

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

    fn found_nothing(&self) -> bool {
        matches!(
            self,
            Self::SendText { source: Source::Listing(lines), .. } if lines.found_nothing()
        )
    }

    fn take_notices(&mut self) -> Vec<WalkNotice> {
        match self {
            Self::SendText {
                source: Source::Listing(lines),
                ..
            } => lines.take_notices(),
            Self::SendText { .. }
            | Self::Restart(_)
            | Self::SendFile { .. }
            | Self::Receive(_)
            | Self::Finished => Vec::new(),
        }
    }

    fn move_bytes(
        &mut self,
        stream: &mut Stream,
        budget: &mut StepBudget,
    ) -> Result<Moved, TransferError> {
        let most = budget.bytes();
        match self {
            Self::Restart(_) => self.restart(),
            // The kernel cannot encrypt what it sends.
            Self::SendFile { .. } if stream.tls().is_some() => Ok(self.send_from_buffer()),
            Self::SendFile { .. } => self.send_file(stream, most),
            Self::SendText {
                source,
                buffer,
                sent,
            } => {
                if *sent == buffer.len() {
                    *sent = 0;
                    let has_more = source.fill(buffer, budget)?;
                    match (buffer.is_empty(), has_more) {
                        (true, true) => return Ok(Moved::Nothing),
                        (true, false) => return end_sending(stream),
                        (false, _) => {}
                    }
                }
                let end = buffer.len().min(sent.saturating_add(most));
                let moved = moved(stream.write(&buffer[*sent..end]))?;
                if let Moved::Bytes(count) = moved {
                    *sent += count;
                }
                Ok(moved)
            }
            Self::Receive(receiver) => receiver.receive(stream, most),
            Self::Finished => Ok(Moved::End),
        }
    }

    fn send_file(&mut self, stream: &mut Stream, most: usize) -> Result<Moved, TransferError> {
        let Self::SendFile { file, offset, size } = self else {
            return Ok(Moved::End);
        };
        let left = usize::try_from(*size - *offset).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(Moved::End);
        }
        let most = left.min(most).min(SEND_BYTES_MAX);
        let socket = stream.socket();
        match rustix::fs::sendfile(&*socket, &*file, Some(offset), most) {
            Ok(0) => Err(TransferError::LocalRead),
            Ok(count) => Ok(Moved::Bytes(count)),
            Err(Errno::AGAIN) => Ok(Moved::Blocked),
            Err(Errno::INTR) => Ok(Moved::Nothing),
            // Some file systems do not support it.
            Err(Errno::INVAL | Errno::NOSYS) => Ok(self.send_from_buffer()),
            Err(Errno::PIPE) => Err(TransferError::ConnectionLost),
            // Files of network file systems have the same errors: after one of its own, the
            // connection has no other end any more.
            Err(
                Errno::CONNRESET
                | Errno::CONNABORTED
                | Errno::NOTCONN
                | Errno::TIMEDOUT
                | Errno::HOSTUNREACH
                | Errno::NETUNREACH,
            ) if socket.peer_addr().is_err() => Err(TransferError::ConnectionLost),
            Err(_) => Err(TransferError::LocalRead),
        }
    }

    /// Sends the rest of the file without `sendfile`.
    fn send_from_buffer(&mut self) -> Moved {
        if let Self::SendFile { file, offset, size } = std::mem::replace(self, Self::Finished) {
            *self = Self::send_text(file, offset, size, None);
        }
        Moved::Nothing
    }
}

/// Everything has been written. Sends what TLS has buffered, and the end of the data.
fn end_sending(stream: &mut Stream) -> Result<Moved, TransferError> {
    if let Moved::Blocked = moved(stream.flush().map(|()| 0))? {
        return Ok(Moved::Blocked);
    }
    // A client that has everything may have closed the connection: that is no error.
    Ok(moved(stream.end_sending().map(|()| 0)).unwrap_or(Moved::End))
}

/// What one call sends: on a slow disk it must not take long.
const SEND_BYTES_MAX: usize = 1 << 20;

/// A system call in vain, as bytes: calls without end must not make a step without end.
const CALL_COST: usize = 4096;
