//! The bytes of a transfer, on the side of the files.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ftp_proto::{Refusal, TransferError, UploadStart, ascii, limits};

use super::list::Listing;
use super::storage::apply_umask;

pub(crate) enum Transfer {
    Download(Download),
    Upload(Upload),
}

/// What the client is sent.
pub(crate) struct Download {
    source: Source,
    encoder: Option<ascii::Encoder>,
}

enum Source {
    File {
        file: File,
        /// Of what it had when it was opened: a file that becomes shorter must not look complete.
        left: u64,
    },
    Listing(Box<Listing>),
}

impl Download {
    pub(super) fn listing(listing: Listing) -> Self {
        Self {
            source: Source::Listing(listing.into()),
            encoder: None,
        }
    }

    /// The file from an offset on, and the number of bytes that will be sent, if it is known.
    /// `bytes`: where it ends.
    pub(super) fn file(
        mut file: File,
        bytes: u64,
        offset: u64,
        is_ascii: bool,
    ) -> Result<(Self, Option<u64>), Refusal> {
        let mut encoder = None;
        let place = if is_ascii {
            let (place, found) = skip(&mut file, offset, bytes)?;
            encoder = Some(found);
            place
        } else {
            offset
        };
        let left = bytes.checked_sub(place).ok_or(Refusal::OffsetTooLarge)?;
        let sought = file.seek(SeekFrom::Start(place));
        sought.map_err(|_| Refusal::Failed)?;
        let announced = encoder.is_none().then_some(left);
        let source = Source::File { file, left };
        Ok((Self { source, encoder }, announced))
    }

    /// Appends the next bytes, at most about 128 KiB. Returns false at the end.
    pub(crate) fn read(&mut self, out: &mut Vec<u8>) -> Result<bool, TransferError> {
        let (file, left) = match &mut self.source {
            Source::Listing(listing) => return listing.read(out),
            Source::File { file, left } => (file, left),
        };
        let start = out.len();
        let most = usize::try_from(*left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        out.resize(start + most, 0);
        let count = retry(|| file.read(&mut out[start..])).map_err(|_| TransferError::LocalRead)?;
        out.truncate(start + count);
        *left -= count as u64;
        if count == 0 && most > 0 {
            return Err(TransferError::LocalRead);
        }
        if let Some(encoder) = &mut self.encoder {
            let text = out.split_off(start);
            encoder.push(&text, out);
        }
        Ok(count > 0)
    }
}

/// Where in the file the text continues after this many octets.
fn skip(file: &mut File, octets: u64, bytes: u64) -> Result<(u64, ascii::Encoder), Refusal> {
    let mut skip = ascii::Skip::new(octets);
    let mut place = 0;
    let mut buffer = vec![0; CHUNK_BYTES];
    while !skip.is_done() && skip.file_bytes_min() <= bytes {
        match retry(|| file.read(&mut buffer)).map_err(|_| Refusal::Failed)? {
            0 => break,
            count => place += skip.push(&buffer[..count]) as u64,
        }
    }
    let encoder = skip.into_encoder().ok_or(Refusal::OffsetTooLarge)?;
    Ok((place, encoder))
}

/// How many bytes the text of this file is. The server does nothing else meanwhile: where that
/// matters, read the file in steps.
pub(super) fn text_length(path: &Path, bytes: u64) -> Result<u64, Refusal> {
    if bytes > limits::ASCII_SIZE_BYTES_MAX {
        return Err(Refusal::TextNotCounted);
    }
    let mut file = File::open(path)
        .map_err(|error| Refusal::from(&error))?
        .take(bytes);
    let mut length = ascii::TextLength::default();
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match retry(|| file.read(&mut buffer)).map_err(|_| Refusal::Failed)? {
            0 => return Ok(length.octets()),
            count => length.push(&buffer[..count]),
        }
    }
}

/// What the client sends.
pub(crate) struct Upload {
    path: PathBuf,
    /// `None`: it does not exist yet.
    file: Option<File>,
    start: UploadStart,
    has_begun: bool,
    decoder: Option<ascii::Decoder>,
    umask: Option<u32>,
}

impl Upload {
    pub(super) fn new(path: PathBuf, file: Option<File>, start: UploadStart) -> Self {
        Self {
            path,
            file,
            start,
            has_begun: false,
            decoder: None,
            umask: None,
        }
    }

    pub(super) fn set_form(&mut self, is_ascii: bool, umask: Option<u32>) {
        self.decoder = is_ascii.then(ascii::Decoder::default);
        self.umask = umask;
    }

    /// Bytes from the data connection. The first ones create or truncate the file.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        let mut text = Vec::new();
        let bytes = match &mut self.decoder {
            Some(decoder) => {
                decoder.push(bytes, &mut text);
                &text
            }
            None => bytes,
        };
        let file = self
            .begin()
            .map_err(|error| TransferError::of_write(&error))?;
        file.write_all(bytes)
            .map_err(|error| TransferError::of_write(&error))
    }

    /// The data connection has ended cleanly: only now an empty upload has shown that there was
    /// one.
    pub(crate) fn finish(&mut self) -> Result<(), TransferError> {
        let mut text = Vec::new();
        if let Some(decoder) = self.decoder.take() {
            decoder.finish(&mut text);
        }
        self.write(&text)
    }

    fn begin(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut options = File::options();
                let options = match self.start {
                    UploadStart::Create => options.write(true).create_new(true),
                    _ => options.write(true).create(true).truncate(false),
                };
                let file = options.open(&self.path)?;
                apply_umask(&self.path, 0o666, self.umask)?;
                file
            }
        };
        let file = self.file.insert(file);
        if !self.has_begun {
            self.has_begun = true;
            match self.start {
                UploadStart::At { offset, .. } => file.set_len(offset.get())?,
                UploadStart::Replace => file.set_len(0)?,
                UploadStart::Create | UploadStart::End | UploadStart::Unique => {}
            }
            file.seek(SeekFrom::End(0))?;
        }
        Ok(file)
    }
}

fn retry<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

const CHUNK_BYTES: usize = 64 * 1024;
