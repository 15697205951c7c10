//! HTTP requests to a router: short, and without redirects.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::response::response;
use super::url::HttpUrl;

/// `own` is the address that the request comes from: routers forward to no other one.
pub(super) fn get(url: &HttpUrl, own: IpAddr, until: Instant) -> io::Result<(u16, Vec<u8>)> {
    let (host, path) = (url.host_header(), url.path());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    exchange(url.host(), own, request.as_bytes(), until)
}

/// `action` is the value of the header `SOAPAction`.
pub(super) fn post(
    url: &HttpUrl,
    own: IpAddr,
    action: &str,
    body: &str,
    until: Instant,
) -> io::Result<(u16, Vec<u8>)> {
    let (host, path, length) = (url.host_header(), url.path(), body.len());
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: text/xml; \
         charset=\"utf-8\"\r\nSOAPAction: \"{action}\"\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    exchange(url.host(), own, request.as_bytes(), until)
}

fn exchange(
    host: SocketAddr,
    own: IpAddr,
    request: &[u8],
    until: Instant,
) -> io::Result<(u16, Vec<u8>)> {
    let socket = Socket::new(Domain::for_address(host), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(own, 0).into())?;
    socket.connect_timeout(&host.into(), left(until)?)?;
    let mut stream: TcpStream = socket.into();
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
