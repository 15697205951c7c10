//! SIZE in type A: counts the line ends of a file, in steps.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use cap_std::fs::OpenOptions;
use ftp_proto::{FtpPath, Refusal, ascii, limits};

use super::named::current_size;
use super::root::Root;

/// A file whose line ends are being counted.
#[derive(Debug)]
pub(crate) struct TextSize {
    file: File,
    offset: u64,
    /// The size when it was opened.
    size: u64,
    length: ascii::TextLength,
    buffer: Vec<u8>,
}

impl Root {
    /// Begins to count.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::TextNotCounted`] for a file that is too large.
    pub(crate) fn text_size(&self, path: &FtpPath) -> Result<TextSize, Refusal> {
        self.check_listed(self.visible(path)?)?;
        let (file, metadata) = self.open_file(path, OpenOptions::new().read(true))?;
        let size = current_size(&file, &metadata);
        if size > limits::ASCII_SIZE_BYTES_MAX {
            return Err(Refusal::TextNotCounted);
        }
        Ok(TextSize {
            file,
            offset: 0,
            size,
            length: ascii::TextLength::default(),
            buffer: vec![0; STEP_BYTES],
        })
    }
}

impl TextSize {
    /// Reads the next piece. Returns the size once the whole file is read.
    ///
    /// # Errors
    ///
    /// [`Refusal::Failed`] for a file that cannot be read, or becomes shorter meanwhile: a download
    /// of it would fail too.
    pub(crate) fn step(&mut self) -> Result<Option<u64>, Refusal> {
        let left = usize::try_from(self.size - self.offset).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(Some(self.length.octets()));
        }
        let piece = &mut self.buffer[..left.min(STEP_BYTES)];
        match self.file.read_at(piece, self.offset) {
            Ok(0) => Err(Refusal::Failed),
            Ok(count) => {
                self.length.push(&piece[..count]);
                self.offset += count as u64;
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
            Err(_) => Err(Refusal::Failed),
        }
    }
}

/// How much of the file one step reads.
pub(crate) const STEP_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_size_is_that_of_the_text() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let path = FtpPath::parse(b"file").unwrap();
        let file = directory.path().join("file");
        // Some pieces begin in the middle of a line end.
        let text = "one\r\ntwo\n\n\r".repeat(STEP_BYTES / 4);
        for text in ["", "\n", &text] {
            fs::write(&file, text).unwrap();
            let mut octets = Vec::new();
            ascii::Encoder::new().push(text.as_bytes(), &mut octets);
            let mut size = root.text_size(&path).unwrap();
            let mut steps = 0;
            let counted = loop {
                if let Some(counted) = size.step().unwrap() {
                    break counted;
                }
                steps += 1;
            };
            assert_eq!(counted, octets.len() as u64);
            assert_eq!(steps, text.len().div_ceil(STEP_BYTES));
        }
    }

    #[test]
    fn large_files_are_not_read_and_shorter_ones_are_no_success() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let path = FtpPath::parse(b"file").unwrap();
        let file = File::create(directory.path().join("file")).unwrap();
        file.set_len(limits::ASCII_SIZE_BYTES_MAX + 1).unwrap();
        let refusal = root.text_size(&path).map(drop);
        assert_eq!(refusal, Err(Refusal::TextNotCounted));
        file.set_len(limits::ASCII_SIZE_BYTES_MAX).unwrap();
        let mut size = root.text_size(&path).unwrap();
        assert_eq!(size.step(), Ok(None));
        file.set_len(STEP_BYTES as u64).unwrap();
        assert_eq!(size.step(), Err(Refusal::Failed));
    }
}
