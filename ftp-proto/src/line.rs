//! From bytes to command lines: line ends, the maximum length, and Telnet.
//!
//! Nothing is buffered here; the caller keeps the bytes that are not used. The only state is
//! whether the rest of an overlong line is still being discarded.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use zeroize::{Zeroize, Zeroizing};

use crate::config::limits::LINE_BYTES_MAX;

const IAC: u8 = 0xff;
/// The range of Telnet's commands (RFC 854).
const COMMANDS: core::ops::RangeInclusive<u8> = 0xf0..=0xff;
/// Telnet's WILL, WONT, DO and DONT are followed by one more byte.
const NEGOTIATIONS: core::ops::RangeInclusive<u8> = 0xfb..=0xfe;

/// Finds lines in the input.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    discarding: bool,
}

/// The beginning of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan<'a> {
    /// A line whose end has not arrived yet.
    Incomplete,
    /// A line without its line end, and how many bytes of input to remove.
    Line(&'a [u8], usize),
    /// The beginning of a line that is too long: remove this number of bytes.
    TooLong(usize),
    /// More bytes of a line that is too long: remove this number.
    Discarded(usize),
}

impl LineReader {
    /// Whether the input goes on with a line that is too long.
    pub(crate) fn is_discarding(&self) -> bool {
        self.discarding
    }

    pub(crate) fn scan<'a>(&mut self, input: &'a [u8]) -> Scan<'a> {
        let end = input.iter().position(|&byte| byte == b'\n');
        if self.discarding {
            self.discarding = end.is_none();
            return Scan::Discarded(end.map_or(input.len(), |end| end + 1));
        }
        match end {
            Some(end) if end < LINE_BYTES_MAX => {
                let line = &input[..end];
                Scan::Line(line.strip_suffix(b"\r").unwrap_or(line), end + 1)
            }
            Some(end) => Scan::TooLong(end + 1),
            None if input.len() < LINE_BYTES_MAX => Scan::Incomplete,
            None => {
                self.discarding = true;
                Scan::TooLong(input.len())
            }
        }
    }
}

/// Removes Telnet from a line. Commands before the verb are removed (clients send ABOR as
/// `FF F4 FF F2 ABOR`), IAC IAC becomes one FF byte, and CR NUL becomes CR. Any other FF is data:
/// clients that do not implement Telnet send it in names.
pub(crate) fn strip_telnet(line: &[u8]) -> Cow<'_, [u8]> {
    if !line
        .iter()
        .any(|&byte| byte >= *COMMANDS.start() || byte == b'\r')
    {
        return Cow::Borrowed(line);
    }
    let line = strip_commands(line);
    if !line.iter().any(|byte| matches!(byte, &IAC | b'\r')) {
        return Cow::Borrowed(line);
    }
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        plain.push(byte);
        rest = match (byte, after.first()) {
            (IAC, Some(&IAC)) | (b'\r', Some(0)) => &after[1..],
            _ => after,
        };
    }
    Cow::Owned(plain)
}

/// The line of a client that does not implement Telnet, if that is another one: with both bytes of
/// each IAC IAC.
pub(crate) fn without_telnet(line: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let line = strip_commands(line);
    if !line.windows(2).any(|pair| pair == [IAC, IAC]) {
        return None;
    }
    let mut plain = Zeroizing::new(line.to_vec());
    // As above: names with a CR are sent so.
    let mut before = 0;
    plain.retain(|&byte| core::mem::replace(&mut before, byte) != b'\r' || byte != 0);
    Some(plain)
}

/// Overwrites a line that was copied: it may contain a password.
pub(crate) fn wipe(line: Cow<'_, [u8]>) {
    if let Cow::Owned(mut copy) = line {
        copy.zeroize();
    }
}

/// Also removes the rest of a command whose IAC was lost as urgent data: no verb begins with such a
/// byte.
pub(crate) fn strip_commands(mut line: &[u8]) -> &[u8] {
    loop {
        line = match line {
            [IAC, command, _option, rest @ ..] if NEGOTIATIONS.contains(command) => rest,
            [IAC, command, rest @ ..] if COMMANDS.contains(command) => rest,
            [command, rest @ ..] if COMMANDS.contains(command) => rest,
            _ => return line,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn lines_end_with_lf_and_lose_one_cr() {
        let scan = |input: &'static [u8]| LineReader::default().scan(input);
        assert_eq!(scan(b""), Scan::Incomplete);
        assert_eq!(scan(b"NOOP\r"), Scan::Incomplete);
        assert_eq!(scan(b"NOOP\r\nQUIT\r\n"), Scan::Line(b"NOOP", 6));
        assert_eq!(scan(b"NOOP\nQUIT\n"), Scan::Line(b"NOOP", 5));
        assert_eq!(scan(b"NOOP\r\r\n"), Scan::Line(b"NOOP\r", 7));
        assert_eq!(scan(b"\r\n"), Scan::Line(b"", 2));
    }

    #[test]
    fn an_overlong_line_is_discarded_however_it_arrives() {
        let mut line = vec![b'A'; LINE_BYTES_MAX];
        line.push(b'\n');
        assert_eq!(
            LineReader::default().scan(&line),
            Scan::TooLong(LINE_BYTES_MAX + 1)
        );

        let mut reader = LineReader::default();
        assert_eq!(reader.scan(&line[..LINE_BYTES_MAX - 1]), Scan::Incomplete);
        assert_eq!(
            reader.scan(&line[..LINE_BYTES_MAX]),
            Scan::TooLong(LINE_BYTES_MAX)
        );
        assert_eq!(reader.scan(b"AAA"), Scan::Discarded(3));
        assert_eq!(reader.scan(b"A\nNOOP\n"), Scan::Discarded(2));
        assert_eq!(reader.scan(b"NOOP\n"), Scan::Line(b"NOOP", 5));

        line[LINE_BYTES_MAX - 1] = b'\n';
        let longest = &line[..LINE_BYTES_MAX];
        assert!(matches!(
            LineReader::default().scan(longest),
            Scan::Line(_, LINE_BYTES_MAX)
        ));
    }

    #[test]
    fn telnet() {
        for (line, expected) in [
            (&b"NOOP"[..], &b"NOOP"[..]),
            (b"\xff\xf4\xff\xf2ABOR", b"ABOR"),
            (b"\xff\xf4\xf2ABOR", b"ABOR"),
            (b"\xf4\xffABOR", b"ABOR"),
            (b"\xff\xffABOR", b"ABOR"),
            (b"\xff\xfd\x06NOOP", b"NOOP"),
            (b"RETR a\xff\xffb", b"RETR a\xffb"),
            (b"RETR a\xffb", b"RETR a\xffb"),
            (b"RETR a\xff", b"RETR a\xff"),
            (b"RETR a\r\0b", b"RETR a\rb"),
            (b"\xff", b""),
            (b"\xff\xfd", b""),
        ] {
            assert_eq!(strip_telnet(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_a_client_without_telnet_means() {
        for (line, expected) in [
            (&b"RETR a\xff\xffb"[..], Some(&b"RETR a\xff\xffb"[..])),
            (b"RETR \xff\xff\xff", Some(b"RETR \xff\xff\xff")),
            (b"RETR \xff\xff\r\0\0", Some(b"RETR \xff\xff\r\0")),
            (b"\xff\xf4RETR \xff\xff", Some(b"RETR \xff\xff")),
            (b"RETR \xff", None),
            (b"RETR \xffa\xff", None),
            (b"\xff\xffABOR", None),
            (b"", None),
        ] {
            let (shown, found) = (line.escape_ascii(), without_telnet(line));
            assert_eq!(found.as_ref().map(|found| &found[..]), expected, "{shown}");
        }
    }
}
