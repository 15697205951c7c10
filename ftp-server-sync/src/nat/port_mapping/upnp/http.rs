//! HTTP requests to a router: short, and without redirects.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A place at the router's own address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpUrl {
    host: SocketAddr,
    /// It begins with a slash.
    path: String,
}

impl HttpUrl {
    /// Reads an absolute one; `None` if it leads anywhere else.
    pub(super) fn read(text: &str, router: Ipv4Addr) -> Option<Self> {
        let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
        let rest = Some(rest).filter(|_| scheme.eq_ignore_ascii_case(SCHEME))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (address, port) = host.split_once(':').unwrap_or((host, "80"));
        let address: Ipv4Addr = address.parse().ok()?;
        let port: u16 = port.parse().ok()?;
        let is_part = |byte: u8| byte.is_ascii_graphic();
        let is_good = address == router && port != 0 && path.bytes().all(is_part);
        is_good.then(|| Self {
            host: (address, port).into(),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
        })
    }

    /// What a link in a document at this place leads to; `None` if that is anywhere else.
    pub(super) fn join(&self, link: &str) -> Option<Self> {
        let SocketAddr::V4(host) = self.host else {
            return None;
        };
        if link.contains("://") {
            return Self::read(link, *host.ip());
        }
        let base = if link.starts_with('/') {
            ""
        } else {
            &self.path[..=self.path.rfind('/')?]
        };
        Self::read(&format!("{SCHEME}{host}{base}{link}"), *host.ip())
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.host, self.path)
    }
}

pub(super) fn get(url: &HttpUrl, until: Instant) -> io::Result<(u16, Vec<u8>)> {
    let (host, path) = (url.host, &url.path);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    exchange(url.host, request.as_bytes(), until)
}

/// `action` is the value of the header `SOAPAction`.
pub(super) fn post(
    url: &HttpUrl,
    action: &str,
    body: &str,
    until: Instant,
) -> io::Result<(u16, Vec<u8>)> {
    let (host, path, length) = (url.host, &url.path, body.len());
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: text/xml; \
         charset=\"utf-8\"\r\nSOAPAction: \"{action}\"\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    exchange(url.host, request.as_bytes(), until)
}

fn exchange(host: SocketAddr, request: &[u8], until: Instant) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&host, left(until)?)?;
    stream.set_write_timeout(Some(left(until)?))?;
    stream.write_all(request)?;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        stream.set_read_timeout(Some(left(until)?))?;
        let count = match stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        received.extend_from_slice(&buffer[..count]);
        if received.len() > RESPONSE_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        if let Some(response) = response(&received, count == 0)? {
            return Ok(response);
        }
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Some(left).filter(|left| !left.is_zero());
    left.ok_or(ErrorKind::TimedOut.into())
}

/// The status and the body; `None` while more is to come. `is_end`: nothing more comes.
fn response(received: &[u8], is_end: bool) -> io::Result<Option<(u16, Vec<u8>)>> {
    let wrong = || io::Error::from(ErrorKind::InvalidData);
    let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
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
    let body = if value("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        chunks(body)?
    } else if let Some(length) = value("content-length") {
        let length: usize = length.parse().map_err(|_| wrong())?;
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
        let size = usize::from_str_radix(size, 16).ok();
        let size = size.filter(|size| *size <= RESPONSE_BYTES_MAX);
        let size = size.ok_or(ErrorKind::InvalidData)?;
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

const SCHEME: &str = "http://";
/// Descriptions of real routers have 3 to 20 KB.
const RESPONSE_BYTES_MAX: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);

    #[test]
    fn only_places_at_the_router_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            let found = HttpUrl::read(text, ROUTER).map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check(
            "http://192.168.77.1:5000/a/b?c",
            Some("http://192.168.77.1:5000/a/b?c"),
        );
        check("HTTP://192.168.77.1", Some("http://192.168.77.1:80/"));
        for wrong in [
            "",
            "http:/",
            "https://192.168.77.1/",
            "http://192.168.77.2/",
            "http://router/",
            "http://192.168.77.1@192.168.77.2/",
            "http://192.168.77.1:0/",
            "http://192.168.77.1:65536/",
            "http://192.168.77.1/a b",
            "http://192.168.77.1/a\r\nX: y",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn links_stay_at_the_router() {
        let base = HttpUrl::read("http://192.168.77.1:5000/igd/root.xml", ROUTER).unwrap();
        let check = |link: &str, expected: Option<&str>| {
            let found = base.join(link).map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{link}");
        };
        check("/ctl/IPConn", Some("http://192.168.77.1:5000/ctl/IPConn"));
        check("IPConn", Some("http://192.168.77.1:5000/igd/IPConn"));
        check(
            "http://192.168.77.1:49152/x",
            Some("http://192.168.77.1:49152/x"),
        );
        check("http://10.0.0.1/x", None);
        check("/a b", None);
    }

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
            ("HTTP/1.1 200 OK\r\n", true),
        ] {
            assert!(response(text.as_bytes(), is_end).is_err(), "{text}");
        }
    }
}
