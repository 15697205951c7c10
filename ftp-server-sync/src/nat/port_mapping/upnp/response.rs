//! HTTP responses of a router. Pure, and self-contained: a fuzz target compiles this file too.

use std::io::{self, ErrorKind};

/// The status and the body; `None` while more is to come. `is_end`: nothing more comes.
pub(super) fn response(received: &[u8], is_end: bool) -> io::Result<Option<(u16, Vec<u8>)>> {
    let wrong = || io::Error::from(ErrorKind::InvalidData);
    let end = received.windows(4).position(|window| window == b"\r\n\r\n");
    let length = end.unwrap_or(received.len());
    if received.len() > RESPONSE_BYTES_MAX || length > HEAD_BYTES_MAX {
        return Err(wrong());
    }
    let Some(end) = end else {
        return if is_end { Err(wrong()) } else { Ok(None) };
    };
    let (head, body) = (&received[..end], &received[end + 4..]);
    let head = std::str::from_utf8(head).map_err(|_| wrong())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().filter(|line| line.starts_with("HTTP/1."));
    let status = status.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status: u16 = status.ok_or_else(wrong)?;
    let headers: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let value = |wanted: &str| {
        let mut headers = headers.iter();
        let found = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| *value)
    };
    let body = if value("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        chunks(body)?
    } else if let Some(length) = value("content-length") {
        let length = number(length, 10).ok_or_else(wrong)?;
        body.get(..length).map(<[u8]>::to_vec)
    } else {
        is_end.then(|| body.to_vec())
    };
    match body {
        Some(body) => Ok(Some((status, body))),
        None if is_end => Err(wrong()),
        None => Ok(None),
    }
}

/// The content of a chunked body; `None` while more is to come.
fn chunks(mut body: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    loop {
        let Some(end) = body.windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let line = std::str::from_utf8(&body[..end]).unwrap_or_default();
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = number(size, 16).ok_or(ErrorKind::InvalidData)?;
        let rest = &body[end + 2..];
        if size == 0 {
            return Ok(Some(content));
        }
        let (Some(chunk), Some(rest)) = (rest.get(..size), rest.get(size + 2..)) else {
            return Ok(None);
        };
        content.extend_from_slice(chunk);
        body = rest;
    }
}

/// A length that a response may have. Digits only: `from_str_radix` alone would take a sign.
fn number(text: &str, radix: u32) -> Option<usize> {
    let is_number = text.chars().all(|digit| digit.is_digit(radix));
    let number = usize::from_str_radix(text, radix).ok();
    number.filter(|number| is_number && *number <= RESPONSE_BYTES_MAX)
}

/// Descriptions of real routers have 3 to 20 KB.
pub(super) const RESPONSE_BYTES_MAX: usize = 128 * 1024;
/// The status line and the headers.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u16, &str)>) {
        let found = response(text.as_bytes(), false).unwrap();
        let expected = expected.map(|(status, body)| (status, body.as_bytes().to_vec()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn responses_are_read_when_they_are_whole() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", None);
        check(
            "HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabc",
            Some((200, "abc")),
        );
        check(
            "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
            Some((500, "")),
        );
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(
            &format!("{chunked}3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n"),
            Some((200, "abcd")),
        );
        check(&format!("{chunked}3\r\nab"), None);
        check("HTTP/1.1 200 OK\r\n\r\nabc", None);
        let ended = response(b"HTTP/1.1 200 OK\r\n\r\nabc", true).unwrap();
        assert_eq!(ended, Some((200, b"abc".to_vec())));
    }

    #[test]
    fn other_responses_are_refused() {
        for (text, is_end) in [
            ("garbage\r\n\r\n", false),
            ("HTTP/1.1 OK\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", false),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
                false,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
                false,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 131073\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\n", true),
        ] {
            assert!(response(text.as_bytes(), is_end).is_err(), "{text}");
        }
        let header = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(HEAD_BYTES_MAX));
        assert!(response(header.as_bytes(), false).is_err());
        let body = "y".repeat(RESPONSE_BYTES_MAX);
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
        assert!(response(long.as_bytes(), false).is_err());
    }
}
