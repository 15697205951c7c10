//! REST before RETR in TYPE A: finds the place in the file where the client's copy ends.
//!
//! The offset counts octets as they were sent, two for each line end, so the file is read up to
//! that place.

use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use ftp_proto::{Refusal, ascii};

use crate::fs::download::Download;

/// Skips the first `octets` of the text that `download` would send. Afterwards the offset of
/// `download` is the place in the file from which the encoder continues.
///
/// # Errors
///
/// [`Refusal::OffsetTooLarge`] if the text is shorter.
pub(crate) fn skip_text(download: &mut Download, octets: u64) -> Result<ascii::Encoder, Refusal> {
    let mut skip = ascii::Skip::new(octets);
    if skip.file_bytes_min() > download.size {
        return Err(Refusal::OffsetTooLarge);
    }
    let mut bytes = vec![0; READ_BYTES_MAX];
    while !skip.is_done() {
        let most = usize::try_from(download.size - download.offset).unwrap_or(usize::MAX);
        let most = most.min(READ_BYTES_MAX);
        if most == 0 {
            break;
        }
        let count = match download.file.read_at(&mut bytes[..most], download.offset) {
            Ok(0) => return Err(Refusal::Failed),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(Refusal::Failed),
        };
        download.offset += skip.push(&bytes[..count]) as u64;
    }
    skip.into_encoder().ok_or(Refusal::OffsetTooLarge)
}

/// How much of the file is read at once.
const READ_BYTES_MAX: usize = 64 * 1024;

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
    fn every_offset_is_followed_by_the_rest_of_the_text() {
        let lines = "one\ntwo\r\n\n\nthree\r".repeat(READ_BYTES_MAX / 16);
        for text in ["", "a", "\n", "\r\n", "a\nb\r\nc\n\n", &lines] {
            let mut whole = Vec::new();
            ascii::Encoder::default().push(text.as_bytes(), &mut whole);
            let step = (whole.len() / 1000).max(1);
            for offset in (0..=whole.len()).step_by(step).chain([whole.len()]) {
                let mut download = download(text.as_bytes());
                let mut encoder = skip_text(&mut download, offset as u64).expect("an offset");
                let from = usize::try_from(download.offset).expect("a small file");
                let mut sent = Vec::new();
                encoder.push(&text.as_bytes()[from..], &mut sent);
                assert!(sent == whole[offset..], "{offset} of {}", whole.len());
            }
            for beyond in [whole.len() as u64 + 1, u64::MAX] {
                let result = skip_text(&mut download(text.as_bytes()), beyond);
                assert_eq!(result.err(), Some(Refusal::OffsetTooLarge), "{beyond}");
            }
        }
    }
}
