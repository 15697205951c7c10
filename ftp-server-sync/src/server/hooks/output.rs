//! What a hook writes, as lines for the log: not without limit.

use std::io::{self, ErrorKind, PipeReader, Read};

use ftp_proto::text::printable;

/// The output of one run.
#[derive(Debug)]
pub(super) struct HookOutput {
    /// `None` after its end.
    pipe: Option<PipeReader>,
    lines: LineSplitter,
}

/// Cuts bytes into lines that are neither long nor many.
#[derive(Debug, Default)]
struct LineSplitter {
    /// The beginning of a line.
    line: Vec<u8>,
    /// The rest of this line is too long.
    is_cut: bool,
    shown: usize,
}

/// What one look at the pipe has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Bytes,
    Nothing,
    End,
}

impl HookOutput {
    /// `pipe` must not block.
    pub(super) fn new(pipe: PipeReader) -> Self {
        Self {
            pipe: Some(pipe),
            lines: LineSplitter::default(),
        }
    }

    /// To wait for more; `None` after the end.
    pub(super) fn pipe(&self) -> Option<&PipeReader> {
        self.pipe.as_ref()
    }

    /// Whether further lines have no place in the log.
    pub(super) fn is_enough(&self) -> bool {
        self.lines.shown > LINES_MAX
    }

    /// Reads what is there, a limited part of it, and gives each line to `log`.
    pub(super) fn read(&mut self, log: &mut dyn FnMut(&str)) -> Found {
        let Some(pipe) = &mut self.pipe else {
            return Found::End;
        };
        let mut bytes = [0; READ_BYTES];
        match pipe.read(&mut bytes) {
            Ok(count) if count > 0 => {
                self.lines.push(&bytes[..count], log);
                Found::Bytes
            }
            Err(error) if is_temporary(&error) => Found::Nothing,
            Ok(_) | Err(_) => {
                self.pipe = None;
                Found::End
            }
        }
    }

    /// The run has ended: reads what it has left, and does not wait for a process that it has left
    /// behind.
    pub(super) fn finish(mut self, log: &mut dyn FnMut(&str)) {
        for _ in 0..PIPE_BYTES / READ_BYTES {
            if self.read(log) != Found::Bytes {
                break;
            }
        }
        self.lines.end(log);
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl LineSplitter {
    fn push(&mut self, bytes: &[u8], log: &mut dyn FnMut(&str)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (text, is_end) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = LINE_BYTES_MAX - self.line.len();
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            self.is_cut |= text.len() > room;
            if is_end {
                self.end(log);
            }
        }
    }

    /// A line has ended. Empty ones are left out.
    fn end(&mut self, log: &mut dyn FnMut(&str)) {
        let line = std::mem::take(&mut self.line);
        let is_cut = std::mem::take(&mut self.is_cut);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() || self.shown > LINES_MAX {
            return;
        }
        self.shown += 1;
        if self.shown > LINES_MAX {
            log("(its further output is not logged)");
        } else if is_cut {
            log(&format!("{} (the line goes on)", printable(line)));
        } else {
            log(&printable(line).to_string());
        }
    }
}

/// Lines of one run in the log.
const LINES_MAX: usize = 100;

/// Bytes of one line in the log.
const LINE_BYTES_MAX: usize = 1000;

const READ_BYTES: usize = 4096;

/// What a pipe of Linux holds.
const PIPE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of pieces that are read one after another.
    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut found = Vec::new();
        let mut log = |line: &str| found.push(line.to_owned());
        for piece in pieces {
            splitter.push(piece, &mut log);
        }
        splitter.end(&mut log);
        found
    }

    #[test]
    fn lines_do_not_depend_on_pieces() {
        let expected = ["one", "two", "three"];
        for pieces in [
            &[&b"one\ntwo\nthree\n"[..]][..],
            &[b"o", b"ne\nt", b"wo\r\n\n", b"three"],
            &[b"one", b"\n", b"two\nthree", b"", b"\n\n"],
        ] {
            assert_eq!(lines(pieces), expected, "{pieces:?}");
        }
        assert!(lines(&[b"\n\n\r\n", b""]).is_empty());
    }

    #[test]
    fn what_is_not_text_is_escaped() {
        assert_eq!(lines(&[b"a\x1b[2J\xff\t#1\n"]), [r"a\u{1b}[2J\xff\t#1"]);
    }

    #[test]
    fn a_long_line_is_cut_once() {
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        let shown = format!("{} (the line goes on)", "x".repeat(LINE_BYTES_MAX));
        assert_eq!(lines(&[&long, &long, b"y\nz\n"]), [shown, "z".to_owned()]);
        let fits = &long[1..];
        assert_eq!(lines(&[fits, b"\n"]), ["x".repeat(LINE_BYTES_MAX)]);
    }

    #[test]
    fn lines_have_an_end() {
        let found = lines(&[&b"y\n".repeat(10 * LINES_MAX)]);
        assert_eq!(found.len(), LINES_MAX + 1);
        assert_eq!(found[LINES_MAX - 1], "y");
        assert_eq!(found[LINES_MAX], "(its further output is not logged)");
    }
}
