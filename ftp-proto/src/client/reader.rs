//! Replies out of the bytes of a control connection (RFC 959, section 4.2).

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::mem;

/// Collects the bytes of a control connection until a reply is whole.
///
/// A reply of several lines ends with the line that repeats its code, as the RFC has it; lines
/// within may look like the end of another reply. A line may end with CRLF or with LF alone. Empty
/// lines in front of a reply are skipped, as some servers send one after each reply.
///
/// Of Telnet's codes only the doubled FF is read: it becomes one FF, which servers double in names.
/// A single FF stays, as servers that know nothing of Telnet send it.
#[derive(Clone, Debug, Default)]
pub struct ReplyReader {
    /// The line that is being received.
    line: Vec<u8>,
    /// The reply of several lines whose last line has not come yet.
    unfinished: Option<ReceivedReply>,
}

/// A whole reply of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedReply {
    code: u16,
    /// The texts of the lines with LF between them, which no line can hold.
    text: Vec<u8>,
}

/// Why the bytes are not a reply. The connection cannot be used any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// A reply does not start with three digits and then a space, a hyphen or the end of the line.
    NoCode,
    /// A line has more than [`LINE_BYTES_MAX`](ReplyReader::LINE_BYTES_MAX) bytes.
    LineTooLong,
    /// A reply has more than [`REPLY_BYTES_MAX`](ReplyReader::REPLY_BYTES_MAX) bytes.
    ReplyTooLong,
}

impl ReplyReader {
    /// The longest line, in bytes, without its end: a 257 reply doubles each quote of a path, and a
    /// path may have 4095 bytes.
    pub const LINE_BYTES_MAX: usize = 16 * 1024;

    /// The longest reply, in bytes: the texts of its lines and one byte for the end of each. STAT
    /// of a large directory is a long reply.
    pub const REPLY_BYTES_MAX: usize = 1 << 20;

    /// A reader at the start of a reply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `input` up to the end of one reply. Returns how many bytes it used, and the reply if
    /// it is whole; bytes that were not used are the start of the next one. Without a reply,
    /// all bytes are used.
    ///
    /// Bytes behind the reply to AUTH that came before TLS did not come from the server alone:
    /// anyone on the way can put them there. End the connection then, and do not read them.
    ///
    /// # Errors
    ///
    /// If the bytes are not a reply, or one that is too long.
    pub fn read(&mut self, input: &[u8]) -> Result<(usize, Option<ReceivedReply>), ReplyError> {
        let mut used = 0;
        while let Some(length) = input[used..].iter().position(|&byte| byte == b'\n') {
            self.append(&input[used..used + length])?;
            used += length + 1;
            let mut line = mem::take(&mut self.line);
            if line.ends_with(b"\r") {
                line.pop();
            }
            if line.len() > Self::LINE_BYTES_MAX {
                return Err(ReplyError::LineTooLong);
            }
            if let Some(reply) = self.end_line(&line)? {
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

    fn end_line(&mut self, line: &[u8]) -> Result<Option<ReceivedReply>, ReplyError> {
        let Some(mut reply) = self.unfinished.take() else {
            return self.begin(line);
        };
        // Many servers repeat the code in front of each line.
        let (is_last, text) = match split_code(line) {
            Some((code, lines_follow, text)) if code == reply.code => (!lines_follow, text),
            _ => (false, line),
        };
        reply.push(text)?;
        if is_last {
            return Ok(Some(reply));
        }
        self.unfinished = Some(reply);
        Ok(None)
    }

    /// Reads the first line of a reply.
    fn begin(&mut self, line: &[u8]) -> Result<Option<ReceivedReply>, ReplyError> {
        if line.is_empty() {
            return Ok(None);
        }
        let (code, lines_follow, first) = split_code(line).ok_or(ReplyError::NoCode)?;
        let mut text = Vec::with_capacity(first.len());
        push_without_telnet(first, &mut text);
        let reply = ReceivedReply { code, text };
        if lines_follow {
            self.unfinished = Some(reply);
            return Ok(None);
        }
        Ok(Some(reply))
    }
}

impl ReceivedReply {
    /// The code, from 100 to 599 where the server follows RFC 959.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The texts of the lines, without the code and the line end; at least one. A line within,
    /// which need not have the code, is whole.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&byte| byte == b'\n')
    }

    /// The text of the last line, which is the only one in most replies.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.lines().last().unwrap_or_default()
    }

    /// Whether another reply to the same command follows: codes from 100 to 199.
    #[must_use]
    pub fn is_preliminary(&self) -> bool {
        self.code / 100 == 1
    }

    fn push(&mut self, line: &[u8]) -> Result<(), ReplyError> {
        if self.text.len() + 1 + line.len() > ReplyReader::REPLY_BYTES_MAX {
            return Err(ReplyError::ReplyTooLong);
        }
        self.text.push(b'\n');
        push_without_telnet(line, &mut self.text);
        Ok(())
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

/// The code, whether lines follow, and the text. A line that ends behind its code has an empty
/// text.
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

/// Appends `text` with FF FF as one FF (RFC 854). Any other FF is data: a server that does not
/// double it writes names in an encoding that has this byte, and what follows it is no command.
fn push_without_telnet(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(place) = rest.windows(2).position(|pair| pair == b"\xff\xff") {
        out.extend_from_slice(&rest[..=place]);
        rest = &rest[place + 2..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;
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
                    text: lines.join("\n").into_bytes(),
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
        check(b"211-\r\n211\r\n", &[(211, &["", ""])]);
    }

    #[test]
    fn empty_lines_in_front_are_skipped() {
        check(
            b"\r\n220 a\r\n\r\n\n331 b\r\n",
            &[(220, &["a"]), (331, &["b"])],
        );
    }

    #[test]
    fn a_doubled_ff_is_one_byte() {
        for (sent, read) in [
            (&b"257 \"a\xff\xffb\"\r\n"[..], &b"\"a\xffb\""[..]),
            (b"200 \xff\xff\xff\xff\r\n", b"\xff\xff"),
            (b"200 \xff\xff\xff\r\n", b"\xff\xff"),
            // Cyrillic in windows-1251.
            (b"200 \xff\xf0\xec\r\n", b"\xff\xf0\xec"),
            (b"200 \xff\r\n", b"\xff"),
        ] {
            let (_, reply) = ReplyReader::new().read(sent).unwrap();
            assert_eq!(reply.unwrap().text(), read, "{}", sent.escape_ascii());
        }
    }

    #[test]
    fn the_last_line_is_the_text() {
        let (_, reply) = ReplyReader::new().read(b"227-a\n b\n227 c\n").unwrap();
        let reply = reply.unwrap();
        assert_eq!(reply.lines().collect::<Vec<_>>(), [&b"a"[..], b" b", b"c"]);
        assert_eq!(reply.text(), b"c");
        assert!(!reply.is_preliminary());
    }

    #[test]
    fn other_bytes_are_no_reply() {
        for bad in [
            &b"hello\r\n"[..],
            b" \r\n",
            b"22\r\n",
            b"22 x\r\n",
            b"2200 x\r\n",
            b"SSH-2.0-x\r\n",
        ] {
            let error = ReplyReader::new().read(bad).unwrap_err();
            assert_eq!(error, ReplyError::NoCode, "{}", bad.escape_ascii());
        }
    }

    /// The longest line, the longest reply, and lines without a byte that yet take memory.
    #[test]
    fn memory_is_bounded() {
        let longest = [&b"220 "[..], &vec![b'x'; ReplyReader::LINE_BYTES_MAX - 4]].concat();
        let mut reader = ReplyReader::new();
        let (_, reply) = reader.read(&[&longest[..], b"\r\n"].concat()).unwrap();
        assert_eq!(reply.unwrap().text().len(), ReplyReader::LINE_BYTES_MAX - 4);
        let endless = vec![b'x'; ReplyReader::LINE_BYTES_MAX + 2];
        let error = ReplyReader::new().read(&endless).unwrap_err();
        assert_eq!(error, ReplyError::LineTooLong);

        let too_long = [&longest[..], b"x\n"].concat();
        let error = ReplyReader::new().read(&too_long).unwrap_err();
        assert_eq!(error, ReplyError::LineTooLong);

        for line in [format!("{}\n", "x".repeat(1000)), String::from("\n")] {
            let mut reader = ReplyReader::new();
            assert!(reader.read(b"211-a\n").unwrap().1.is_none());
            let lines = ReplyReader::REPLY_BYTES_MAX / line.len() + 1;
            let error = (0..lines).find_map(|_| reader.read(line.as_bytes()).err());
            assert_eq!(error, Some(ReplyError::ReplyTooLong));
        }
    }
}
