//! REST before RETR in TYPE A: finds the place in the file where the client's copy ends.
//!
//! The offset counts octets as they were sent, two for each line end, so the file is read up to
//! that place.

use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use ftp_proto::{Refusal, ascii};

use crate::fs::download::Download;

/// A download in ASCII whose beginning the client has.
#[derive(Debug)]
pub(crate) struct TextRestart {
    download: Download,
    skip: ascii::Skip,
}

/// The outcome of a step.
#[derive(Debug)]
pub(crate) enum RestartStep {
    /// The place is not found yet.
    More(TextRestart),
    /// The offset of the download is the place in the file from which the encoder continues.
    Found(Download, ascii::Encoder),
}

impl TextRestart {
    /// `octets`: what the client has of the text that `download` would send.
    ///
    /// # Errors
    ///
    /// [`Refusal::OffsetTooLarge`] if the text is certainly shorter.
    pub(crate) fn new(download: Download, octets: u64) -> Result<Self, Refusal> {
        let skip = ascii::Skip::new(octets);
        if skip.file_bytes_min() > download.size {
            return Err(Refusal::OffsetTooLarge);
        }
        Ok(Self { download, skip })
    }

    /// Looks for the place in a bounded part of the file.
    ///
    /// # Errors
    ///
    /// [`Refusal::OffsetTooLarge`] if the text is shorter; [`Refusal::Failed`] if the file cannot
    /// be read.
    pub(crate) fn step(mut self) -> Result<RestartStep, Refusal> {
        let mut bytes = vec![0; READ_BYTES_MAX];
        for _ in 0..READS_PER_STEP {
            let Download { file, offset, size } = &mut self.download;
            let most = usize::try_from(*size - *offset).unwrap_or(usize::MAX);
            let most = most.min(READ_BYTES_MAX);
            if self.skip.is_done() || most == 0 {
                let encoder = self.skip.into_encoder().ok_or(Refusal::OffsetTooLarge)?;
                return Ok(RestartStep::Found(self.download, encoder));
            }
            match file.read_at(&mut bytes[..most], *offset) {
                Ok(0) => return Err(Refusal::Failed),
                Ok(count) => *offset += self.skip.push(&bytes[..count]) as u64,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Refusal::Failed),
            }
        }
        Ok(RestartStep::More(self))
    }
}

/// How much of the file is read at once.
const READ_BYTES_MAX: usize = 64 * 1024;

/// How often it is read in one step.
const READS_PER_STEP: usize = 8;

/// What one step uses of the bytes that a turn may move.
pub(crate) const STEP_COST: usize = READS_PER_STEP * READ_BYTES_MAX;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn download(text: &[u8]) -> Download {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(text).expect("its text");
        let size = text.len() as u64;
        let offset = 0;
        Download { file, offset, size }
    }

    fn skip_text(download: Download, octets: u64) -> Result<(Download, ascii::Encoder), Refusal> {
        let mut restart = TextRestart::new(download, octets)?;
        loop {
            match restart.step()? {
                RestartStep::More(more) => restart = more,
                RestartStep::Found(download, encoder) => return Ok((download, encoder)),
            }
        }
    }

    #[test]
    fn every_offset_is_followed_by_the_rest_of_the_text() {
        let lines = "one\ntwo\r\n\n\nthree\r".repeat(READ_BYTES_MAX / 16);
        for text in ["", "a", "\n", "\r\n", "a\nb\r\nc\n\n", &lines] {
            let mut whole = Vec::new();
            ascii::Encoder::default().push(text.as_bytes(), &mut whole);
            let step = (whole.len() / 1000).max(1);
            for offset in (0..=whole.len()).step_by(step).chain([whole.len()]) {
                let restarted = skip_text(download(text.as_bytes()), offset as u64);
                let (download, mut encoder) = restarted.expect("an offset");
                let from = usize::try_from(download.offset).expect("a small file");
                let mut sent = Vec::new();
                encoder.push(&text.as_bytes()[from..], &mut sent);
                assert!(sent == whole[offset..], "{offset} of {}", whole.len());
            }
            for beyond in [whole.len() as u64 + 1, u64::MAX] {
                let result = skip_text(download(text.as_bytes()), beyond);
                assert_eq!(result.err(), Some(Refusal::OffsetTooLarge), "{beyond}");
            }
        }
    }
}
