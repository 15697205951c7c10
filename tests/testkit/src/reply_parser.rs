//! A strict parser of replies: what it accepts, every client understands.
//!
//! It shares no code with the encoder, so that both cannot have the same bug.

/// A reply as a client receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedReply {
    /// The first three digits.
    pub code: u16,
    /// The texts after the code, and the whole lines in between. FF is still doubled.
    pub lines: Vec<Vec<u8>>,
}

impl ParsedReply {
    /// Whether another reply to the same command follows (RFC 959, section 4.2).
    pub fn is_preliminary(&self) -> bool {
        self.code / 100 == 1
    }
}

/// Parses exactly one reply (RFC 959, section 4.2).
pub fn parse(bytes: &[u8]) -> Result<ParsedReply, String> {
    let text = bytes.strip_suffix(b"\r\n").ok_or("no CRLF at the end")?;
    let lines: Vec<&[u8]> = split_crlf(text);
    for line in &lines {
        check_bytes(line)?;
    }
    let (code, separator, first) = split_code(lines[0]).ok_or("no code at the beginning")?;
    let reply = match (separator, &lines[1..]) {
        (b' ', []) => ParsedReply {
            code,
            lines: vec![first.to_vec()],
        },
        (b' ', _) => return Err("lines after the last one".into()),
        (_, [middle @ .., last]) => {
            let last = match split_code(last) {
                Some((last_code, b' ', last)) if last_code == code => last,
                _ => return Err("the last line does not repeat the code".into()),
            };
            if middle.iter().any(|line| !line.starts_with(b" ")) {
                return Err("a middle line does not begin with a space".into());
            }
            let mut lines = vec![first.to_vec()];
            lines.extend(middle.iter().map(|line| line.to_vec()));
            lines.push(last.to_vec());
            ParsedReply { code, lines }
        }
        (_, []) => return Err("a multi-line reply of one line".into()),
    };
    check_address_replies(&reply)?;
    Ok(reply)
}

/// The address and port of a 227 reply. It has only one form, because routers parse it.
pub fn parse_227(reply: &ParsedReply) -> Option<([u8; 4], u16)> {
    let [text] = &reply.lines[..] else {
        return None;
    };
    let text = std::str::from_utf8(text).ok()?;
    let numbers = text
        .strip_prefix("Entering Passive Mode (")?
        .strip_suffix(").")?;
    let numbers: Option<Vec<u8>> = numbers.split(',').map(plain_number).collect();
    let [a, b, c, d, high, low] = numbers?[..] else {
        return None;
    };
    Some(([a, b, c, d], u16::from_be_bytes([high, low])))
}

/// The port of a 229 reply (RFC 2428, section 3), which has no full stop at its end.
pub fn parse_229(reply: &ParsedReply) -> Option<u16> {
    let [text] = &reply.lines[..] else {
        return None;
    };
    let text = std::str::from_utf8(text).ok()?;
    let port = text
        .strip_prefix("Entering Extended Passive Mode (|||")?
        .strip_suffix("|)")?;
    plain_number(port)
}

fn check_address_replies(reply: &ParsedReply) -> Result<(), String> {
    let well_formed = match reply.code {
        227 => parse_227(reply).is_some_and(|(_, port)| port != 0),
        229 => parse_229(reply).is_some_and(|port| port != 0),
        _ => true,
    };
    if well_formed {
        Ok(())
    } else {
        Err(format!("{} does not have its only form", reply.code))
    }
}

fn split_crlf(text: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    lines
}

fn check_bytes(line: &[u8]) -> Result<(), String> {
    if line
        .iter()
        .any(|&byte| byte.is_ascii_control() && byte != b'\t')
    {
        return Err("a control byte".into());
    }
    let mut runs = line.chunk_by(|a, b| (*a == 0xff) == (*b == 0xff));
    if runs.any(|run| run[0] == 0xff && run.len() % 2 == 1) {
        return Err("a Telnet command".into());
    }
    Ok(())
}

/// The code, separator and text of a line, if it has the form of the first or last line of a reply.
fn split_code(line: &[u8]) -> Option<(u16, u8, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    let (&separator, text) = rest.split_first()?;
    let [b'1'..=b'5', b'0'..=b'5', b'0'..=b'9'] = code else {
        return None;
    };
    let code = code
        .iter()
        .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    matches!(separator, b' ' | b'-').then_some((code, separator, text))
}

/// A decimal number without leading zeros.
fn plain_number<T: std::str::FromStr + ToString>(text: &str) -> Option<T> {
    let number: T = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_replies() {
        for good in [
            &b"200 Command okay.\r\n"[..],
            b"220 \r\n",
            b"211-Features:\r\n SIZE\r\n211 End\r\n",
            b"211-a\r\n211 b\r\n",
            b"257 \"/\xff\xff\" created.\r\n",
            b"227 Entering Passive Mode (203,0,113,1,234,96).\r\n",
            b"229 Entering Extended Passive Mode (|||60000|)\r\n",
        ] {
            assert!(parse(good).is_ok(), "{}", good.escape_ascii());
        }
    }

    #[test]
    fn bad_replies() {
        for bad in [
            &b""[..],
            b"200 a\n",
            b"200 a\r",
            b"20 a\r\n",
            b"200\r\n",
            b"600 a\r\n",
            b"270 a\r\n",
            b"200 a\r\n200 b\r\n",
            b"200-a\r\n",
            b"200-a\r\n201 b\r\n",
            b"200-a\r\nb\r\n200 c\r\n",
            b"200-a\r\n200 b\r\n200 c\r\n",
            b"200 a\nb\r\n",
            b"200 a\x7f\r\n",
            b"200 a\xff\r\n",
            b"227 Goodbye.\r\n",
            b"227 Entering Passive Mode (203,0,113,1,234,96)\r\n",
            b"227 Entering Passive Mode (203,0,113,1,0,0).\r\n",
            b"227 Entering Passive Mode (203,0,113,01,234,96).\r\n",
            b"227 Entering Passive Mode (203,0,113,256,234,96).\r\n",
            b"227 Entering Passive Mode (203,0,113,1,234).\r\n",
            b"229 Entering Extended Passive Mode (|||60000|).\r\n",
            b"229 Entering Extended Passive Mode (|1|192.0.2.1|60000|)\r\n",
        ] {
            assert!(parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
