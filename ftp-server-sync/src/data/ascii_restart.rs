//! REST before a RETR in TYPE A: where in the file the octet lies that the client has not got yet.
//!
//! The offset counts octets as they were sent, two for each line end, so the file is read up to there.

use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use ftp_proto::{Refusal, ascii};

use crate::fs::download::Download;

/// A text in the middle of its translation.
#[derive(Debug, Default)]
pub(crate) struct TextStart {
    pub(crate) encoder: ascii::Encoder,
    /// What has been translated and not been sent.
    pub(crate) buffer: Vec<u8>,
}

/// Passes over the first `wire_offset` octets of the text that `download` would send; the download's own offset
/// becomes where its file is to be read on.
///
/// # Errors
///
/// [`Refusal::OffsetTooLarge`] where the text is shorter.
pub(crate) fn skip_text(download: &mut Download, wire_offset: u64) -> Result<TextStart, Refusal> {
    let mut start = TextStart::default();
    let mut left = wire_offset;
    // Not even line ends alone could make so many octets.
    if wire_offset / 2 > download.size {
        return Err(Refusal::OffsetTooLarge);
    }
    let mut piece = vec![0; PIECE_BYTES];
    while left > 0 {
        let most = usize::try_from(download.size - download.offset).unwrap_or(usize::MAX);
        let most = most.min(PIECE_BYTES);
        if most == 0 {
            return Err(Refusal::OffsetTooLarge);
        }
        let count = match download.file.read_at(&mut piece[..most], download.offset) {
            Ok(0) => return Err(Refusal::Failed),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(Refusal::Failed),
        };
        download.offset += count as u64;
        start.buffer.clear();
        start.encoder.push(&piece[..count], &mut start.buffer);
        let passed =
            usize::try_from(left).map_or(start.buffer.len(), |left| left.min(start.buffer.len()));
        start.buffer.drain(..passed);
        left -= passed as u64;
    }
    Ok(start)
}

const PIECE_BYTES: usize = 64 * 1024;

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

    #[test]
    fn every_offset_leaves_the_rest() {
        let lines = "one\ntwo\r\n\n\nthree\r".repeat(PIECE_BYTES / 16);
        for text in ["", "a", "\n", "\r\n", "a\nb\r\nc\n\n", &lines] {
            let mut whole = Vec::new();
            ascii::Encoder::default().push(text.as_bytes(), &mut whole);
            let step = (whole.len() / 1000).max(1);
            for offset in (0..=whole.len()).step_by(step).chain([whole.len()]) {
                let mut download = download(text.as_bytes());
                let mut start = skip_text(&mut download, offset as u64).expect("an offset within");
                let from = usize::try_from(download.offset).expect("a small file");
                let mut sent = std::mem::take(&mut start.buffer);
                start.encoder.push(&text.as_bytes()[from..], &mut sent);
                assert!(sent == whole[offset..], "{offset} of {}", whole.len());
            }
            for beyond in [whole.len() as u64 + 1, u64::MAX] {
                let result = skip_text(&mut download(text.as_bytes()), beyond);
                assert_eq!(result.err(), Some(Refusal::OffsetTooLarge), "{beyond}");
            }
        }
    }
}
