//! Whole replies from the bytes of a control connection, without tolerance.

use crate::reply_parser::{self, ParsedReply};

/// Collects the bytes of a control connection and returns one reply after the other, each checked
/// by [`reply_parser::parse`].
///
/// [`ftp_proto::client::ReplyReader`] accepts what common clients accept. This one accepts only
/// what RFC 959, section 4.2, allows, in the form that `ftp-proto` writes: CRLF at the end of each
/// line, a last line that repeats the code, middle lines that begin with a space.
///
/// ```
/// use ftp_proto_testkit::StrictReader;
///
/// let mut reader = StrictReader::new();
/// reader.push(b"211-Features:\r\n UTF8\r\n211 En");
/// assert_eq!(reader.next_reply()?, None);
/// reader.push(b"d.\r\n200 Command okay.\n");
/// assert_eq!(reader.next_reply()?.map(|reply| reply.code), Some(211));
/// assert!(reader.next_reply().is_err(), "LF without CR");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct StrictReader {
    buffer: Vec<u8>,
}

impl StrictReader {
    /// No byte has arrived yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the control connection.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next reply; `None` if it is not complete.
    ///
    /// # Errors
    ///
    /// What is wrong with the reply. The bytes up to its end are discarded.
    pub fn next_reply(&mut self) -> Result<Option<ParsedReply>, String> {
        let Some(end) = self.end_of_reply() else {
            return if self.buffer.len() > REPLY_BYTES_MAX {
                Err(format!("a reply of more than {REPLY_BYTES_MAX} bytes"))
            } else {
                Ok(None)
            };
        };
        let bytes: Vec<u8> = self.buffer.drain(..end).collect();
        let reply = reply_parser::parse(&bytes);
        let shown = || bytes.escape_ascii().to_string();
        reply
            .map(Some)
            .map_err(|fault| format!("{fault}: {}", shown()))
    }

    /// The bytes after the last reply.
    pub fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// Where the first reply ends: after a line that begins with the code and has no hyphen behind
    /// it.
    fn end_of_reply(&self) -> Option<usize> {
        let mut end = 0;
        let mut code: Option<&[u8]> = None;
        for line in self.buffer.split_inclusive(|&byte| byte == b'\n') {
            if !line.ends_with(b"\n") {
                return None;
            }
            end += line.len();
            let continues = match code {
                None => line.get(3) == Some(&b'-'),
                Some(code) => !line.starts_with(code) || line.get(3) != Some(&b' '),
            };
            if !continues {
                return Some(end);
            }
            code = code.or(line.get(..3));
        }
        None
    }
}

/// STAT with a path has the longest reply: 1000 entries.
const REPLY_BYTES_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pieces: &[&[u8]], expected: &[Result<u16, ()>]) {
        let mut reader = StrictReader::new();
        let mut found = Vec::new();
        for piece in pieces {
            reader.push(piece);
            while let Some(reply) = reader.next_reply().transpose() {
                found.push(reply.map(|reply| reply.code).map_err(|_| ()));
            }
        }
        assert_eq!(found, expected);
        assert_eq!(reader.rest(), b"");
    }

    #[test]
    fn replies_come_in_any_pieces() {
        let text = b"220 Hi.\r\n211-a\r\n 211 b\r\n211-c\r\n211 d\r\n200 e\r\n";
        // A middle line that begins with the code and a hyphen is refused by the parser, as a whole
        // reply.
        let expected = [Ok(220), Err(()), Ok(200)];
        check(&[text], &expected);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        check(&bytes, &expected);
    }

    #[test]
    fn a_bad_reply_does_not_hide_the_next_one() {
        check(&[b"200 a\n200 b\r\n"], &[Err(()), Ok(200)]);
        check(&[b"x\r\n200 b\r\n"], &[Err(()), Ok(200)]);
    }
}
