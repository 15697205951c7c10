//! Replies out of the bytes of a control connection (RFC 959, section 4.2).

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::mem;

/// Collects the bytes of a control connection until a reply is whole.
///
/// The end of a line may come as CRLF, or as LF alone.
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// The line that is being received.
    line: Vec<u8>,
    /// The lines before it, of a reply of several lines.
    lines: Vec<Vec<u8>>,
    /// The bytes of these lines.
    bytes: usize,
    code: Option<u16>,
}

/// A whole reply of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedReply {
    code: u16,
    lines: Vec<Vec<u8>>,
}

/// Why the bytes are no reply. The connection cannot be used any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// A reply does not start with three digits and a space or a hyphen.
    NoCode,
    /// A line has more than [`LINE_BYTES_MAX`](ReplyReader::LINE_BYTES_MAX) bytes.
    LineTooLong,
    /// A reply has more than [`REPLY_BYTES_MAX`](ReplyReader::REPLY_BYTES_MAX) bytes.
    ReplyTooLong,
}

impl ReplyReader {
    /// The longest line, in bytes, without its end.
    pub const LINE_BYTES_MAX: usize = 8192;

    /// The longest reply, in bytes: STAT of a large directory is one.
    pub const REPLY_BYTES_MAX: usize = 1 << 20;

    /// A reader at the start of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `input` up to the end of one reply. Returns how many bytes it used, and the reply if it is
    /// whole; bytes that were not used are the start of the next one. Without a reply, all bytes are used.
    ///
    /// # Errors
    ///
    /// If the bytes are no reply, or one that is too long.
    pub fn read(&mut self, input: &[u8]) -> Result<(usize, Option<ReceivedReply>), ReplyError> {
        let mut used = 0;
        while let Some(length) = input[used..].iter().position(|&byte| byte == b'\n') {
            self.append(&input[used..used + length])?;
            used += length + 1;
            let mut line = mem::take(&mut self.line);
            if line.ends_with(b"\r") {
                line.pop();
            }
            if let Some(reply) = self.end_line(line)? {
                return Ok((used, Some(reply)));
            }
        }
        self.append(&input[used..])?;
        Ok((input.len(), None))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), ReplyError> {
        // One byte more, for the CR before the LF.
        if self.line.len() + bytes.len() > Self::LINE_BYTES_MAX + 1 {
            return Err(ReplyError::LineTooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, line: Vec<u8>) -> Result<Option<ReceivedReply>, ReplyError> {
        self.bytes += line.len();
        if self.bytes > Self::REPLY_BYTES_MAX {
            return Err(ReplyError::ReplyTooLong);
        }
        let split = split_code(&line);
        match (self.code, split) {
            (None, None) => Err(ReplyError::NoCode),
            (None, Some((code, false, text))) => {
                self.bytes = 0;
                let lines = Vec::from([text.to_vec()]);
                Ok(Some(ReceivedReply { code, lines }))
            }
            (None, Some((code, true, text))) => {
                self.code = Some(code);
                self.lines.push(text.to_vec());
                Ok(None)
            }
            (Some(first), Some((code, false, text))) if code == first => {
                let mut lines = mem::take(&mut self.lines);
                lines.push(text.to_vec());
                *self = Self::default();
                Ok(Some(ReceivedReply { code, lines }))
            }
            // Many servers repeat the code in front of each line.
            (Some(first), Some((code, true, text))) if code == first => {
                self.lines.push(text.to_vec());
                Ok(None)
            }
            (Some(_), _) => {
                self.lines.push(line);
                Ok(None)
            }
        }
    }
}

impl ReceivedReply {
    /// The code, from 100 to 599 where the server follows RFC 959.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The texts of the lines, without the code and the line end; at least one.
    pub fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }

    /// The text of the last line, which is the only one in most replies.
    pub fn text(&self) -> &[u8] {
        self.lines.last().map_or(&b""[..], Vec::as_slice)
    }

    /// Whether another reply to the same command follows: codes from 100 to 199.
    pub fn is_preliminary(&self) -> bool {
        self.code / 100 == 1
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCode => "a reply does not start with a code",
            Self::LineTooLong => "a line of a reply is too long",
            Self::ReplyTooLong => "a reply is too long",
        })
    }
}

impl Error for ReplyError {}

/// The code, whether lines follow, and the text. A line that ends behind its code has an empty text.
fn split_code(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |index: usize| u16::from(digits[index] - b'0');
    let code = digit(0) * 100 + digit(1) * 10 + digit(2);
    match rest.split_first() {
        None => Some((code, false, b"")),
        Some((b' ', text)) => Some((code, false, text)),
        Some((b'-', text)) => Some((code, true, text)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;

    /// Reads the whole input in pieces of each size; the replies are always the same.
    #[track_caller]
    fn check(input: &[u8], expected: &[(u16, &[&str])]) {
        for size in [1, 2, 3, 7, input.len().max(1)] {
            let mut reader = ReplyReader::new();
            let mut found = Vec::new();
            for mut piece in input.chunks(size) {
                while !piece.is_empty() {
                    let (used, reply) = reader.read(piece).unwrap();
                    found.extend(reply);
                    piece = &piece[used..];
                }
            }
            let expected: Vec<ReceivedReply> = expected
                .iter()
                .map(|(code, lines)| ReceivedReply {
                    code: *code,
                    lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect(),
                })
                .collect();
            assert_eq!(found, expected, "pieces of {size}");
        }
    }

    #[test]
    fn replies_end_with_the_code_and_a_space() {
        check(b"220 Hello.\r\n", &[(220, &["Hello."])]);
        check(b"220 a\r\n331 b\n", &[(220, &["a"]), (331, &["b"])]);
        check(b"200\r\n200 \r\n", &[(200, &[""]), (200, &[""])]);
        check(
            b"211-Features:\r\n SIZE\r\n211 End.\r\n",
            &[(211, &["Features:", " SIZE", "End."])],
        );
        check(b"220-a\r\n220-b\r\n220 c\r\n", &[(220, &["a", "b", "c"])]);
        // Lines within that look like the end of another reply.
        check(
            b"213-x\n226 y\n2130 z\n\n213 end\n",
            &[(213, &["x", "226 y", "2130 z", "", "end"])],
        );
    }

    #[test]
    fn other_bytes_are_no_reply() {
        for bad in [
            &b"hello\r\n"[..],
            b"\r\n",
            b"22 x\r\n",
            b"2200 x\r\n",
            b"SSH-2.0-x\r\n",
        ] {
            let error = ReplyReader::new().read(bad).unwrap_err();
            assert_eq!(error, ReplyError::NoCode, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn memory_is_bounded() {
        let longest = [&b"220 "[..], &vec![b'x'; ReplyReader::LINE_BYTES_MAX - 4]].concat();
        let mut reader = ReplyReader::new();
        let (_, reply) = reader.read(&[&longest[..], b"\r\n"].concat()).unwrap();
        assert_eq!(reply.unwrap().text().len(), ReplyReader::LINE_BYTES_MAX - 4);
        let endless = vec![b'x'; ReplyReader::LINE_BYTES_MAX + 2];
        let error = ReplyReader::new().read(&endless).unwrap_err();
        assert_eq!(error, ReplyError::LineTooLong);

        let mut reader = ReplyReader::new();
        assert!(reader.read(b"211-a\n").unwrap().1.is_none());
        let line = format!("{}\n", "x".repeat(1000));
        let error = (0..2000).find_map(|_| reader.read(line.as_bytes()).err());
        assert_eq!(error, Some(ReplyError::ReplyTooLong));
    }
}
