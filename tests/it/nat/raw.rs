//! A client of our own, for what real ones never do: being late, vanishing, or asking and not coming.
//!
//! It hears every line, so a reply too many cannot pass unnoticed.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::announced::announcement;
use crate::clients::{PASSWORD, USER};
use crate::support::lab::Namespace;

/// A control connection.
pub(super) struct Client {
    host: Namespace,
    from: Option<IpAddr>,
    server: SocketAddr,
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Client {
    pub(super) fn log_in(host: Namespace, from: Option<IpAddr>, server: SocketAddr) -> Self {
        let stream = host.connect(from, server).expect("a control connection");
        let mut client = Self {
            host,
            from,
            server,
            stream,
            unread: Vec::new(),
        };
        client.expect_reply("220");
        client.expect(&format!("USER {USER}"), "331");
        client.expect(&format!("PASS {PASSWORD}"), "230");
        client.expect("TYPE I", "200");
        client
    }

    /// Sends a command; panics unless the reply has this code (or begins with this text).
    #[track_caller]
    pub(super) fn expect(&mut self, command: &str, code: &str) -> String {
        self.send(command);
        let reply = self.reply();
        assert!(
            reply.starts_with(code),
            "{command}: {reply:?}, wanted {code}"
        );
        reply
    }

    #[track_caller]
    pub(super) fn send(&mut self, command: &str) {
        let line = format!("{command}\r\n");
        let sent = self.stream.write_all(line.as_bytes());
        sent.unwrap_or_else(|error| panic!("sending {command}: {error}"));
    }

    #[track_caller]
    pub(super) fn expect_reply(&mut self, code: &str) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(code), "{reply:?}, wanted {code}");
        reply
    }

    /// The last line of the next reply.
    #[track_caller]
    pub(super) fn reply(&mut self) -> String {
        self.reply_lines().pop().expect("a reply has a last line")
    }

    /// Sends a command; all lines of the reply.
    #[track_caller]
    pub(super) fn lines(&mut self, command: &str) -> Vec<String> {
        self.send(command);
        self.reply_lines()
    }

    #[track_caller]
    fn reply_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            let bytes = line.as_bytes();
            let is_last =
                bytes.len() > 3 && bytes[..3].iter().all(u8::is_ascii_digit) && bytes[3] == b' ';
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    /// Asks for a passive port and returns what to connect to, as a client that trusts the 227.
    #[track_caller]
    pub(super) fn pasv(&mut self) -> SocketAddr {
        self.send("PASV");
        self.announced()
    }

    /// The address of the next reply, which must be a 227 or 229.
    #[track_caller]
    pub(super) fn announced(&mut self) -> SocketAddr {
        let reply = self.reply();
        let announced = announcement(&reply).unwrap_or_else(|| panic!("wanted 227, got {reply:?}"));
        let address = announced.address.map_or(self.server.ip(), IpAddr::from);
        SocketAddr::new(address, announced.port)
    }

    #[track_caller]
    pub(super) fn epsv(&mut self, argument: &str) -> SocketAddr {
        self.send(format!("EPSV {argument}").trim_end());
        self.announced()
    }

    /// A data connection to what was announced.
    #[track_caller]
    pub(super) fn connect(&self, to: SocketAddr) -> TcpStream {
        let stream = self.host.connect(self.from, to);
        stream.unwrap_or_else(|error| panic!("a data connection to {to}: {error}"))
    }

    /// Downloads over a data connection that stands already.
    #[track_caller]
    pub(super) fn download_over(&mut self, mut data: TcpStream, name: &str) -> Vec<u8> {
        self.expect(&format!("RETR {name}"), "150");
        let bytes = read_to_end(&mut data);
        self.expect_reply("226");
        bytes
    }

    /// Asks, connects and downloads.
    #[track_caller]
    pub(super) fn download(&mut self, name: &str) -> Vec<u8> {
        let to = self.pasv();
        let data = self.connect(to);
        self.download_over(data, name)
    }

    /// Downloads in active mode; also says where the data came from.
    #[track_caller]
    pub(super) fn download_active(&mut self, name: &str) -> (Vec<u8>, IpAddr) {
        let address = self.stream.local_addr().expect("a local address").ip();
        let listener = self.host.listen((address, 0));
        let listener = listener.expect("a listener for active mode");
        let port = listener.local_addr().expect("its port").port();
        match address {
            IpAddr::V4(address) => {
                self.expect(&format!("PORT {}", port_argument(address, port)), "200")
            }
            IpAddr::V6(address) => self.expect(&format!("EPRT |2|{address}|{port}|"), "200"),
        };
        self.expect(&format!("RETR {name}"), "150");
        let (mut data, from) = accept(&listener);
        let bytes = read_to_end(&mut data);
        self.expect_reply("226");
        (bytes, from.ip())
    }

    #[track_caller]
    pub(super) fn upload_over(&mut self, mut data: TcpStream, name: &str, bytes: &[u8]) {
        self.expect(&format!("STOR {name}"), "150");
        data.write_all(bytes).expect("sending a file");
        drop(data);
        self.expect_reply("226");
    }

    /// Checks that nothing has been said that was not asked for.
    #[track_caller]
    pub(super) fn assert_silent(&mut self, during: Duration) {
        assert_eq!(
            self.heard_within(during),
            None,
            "an unasked reply, or the end"
        );
    }

    /// The next line if it comes in time.
    pub(super) fn heard_within(&mut self, at_most: Duration) -> Option<String> {
        let deadline = Instant::now() + at_most;
        while !self.unread.contains(&b'\n') {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.stream
                .set_read_timeout(Some(left))
                .expect("a read timeout");
            let more = self.fill();
            self.stream
                .set_read_timeout(Some(REPLY_MAX))
                .expect("a read timeout");
            match more {
                Ok(0) => return Some("(closed)".to_owned()),
                Ok(_) => {}
                Err(kind) if is_timeout(kind) => return None,
                Err(kind) => return Some(format!("({kind})")),
            }
        }
        Some(self.line())
    }

    pub(super) fn local_ip(&self) -> Ipv4Addr {
        match self.stream.local_addr().expect("a local address").ip() {
            IpAddr::V4(address) => address,
            IpAddr::V6(address) => panic!("{address} is not IPv4"),
        }
    }

    #[track_caller]
    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let line = String::from_utf8(line).expect("replies in UTF-8");
                return line.trim_end().to_owned();
            }
            match self.fill() {
                Ok(0) => panic!("the server closed the control connection"),
                Ok(_) => {}
                Err(kind) => panic!("no reply: {kind}"),
            }
        }
    }

    fn fill(&mut self) -> Result<usize, ErrorKind> {
        let mut bytes = [0; 4096];
        // A process that was stopped for a moment finds its reads interrupted, where they have a time limit.
        let count = loop {
            match self.stream.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other.map_err(|error| error.kind())?,
            }
        };
        self.unread.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

/// The PORT argument for an address.
pub(super) fn port_argument(address: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = address.octets();
    let [high, low] = port.to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

#[track_caller]
pub(super) fn read_to_end(data: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes).expect("reading data");
    bytes
}

/// The next connection, for which the server has a few seconds.
fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    listener.set_nonblocking(true).expect("a listener");
    let deadline = Instant::now() + ACCEPT_MAX;
    loop {
        match listener.accept() {
            Ok((stream, from)) => {
                stream.set_nonblocking(false).expect("a stream");
                let at_most = Some(REPLY_MAX);
                stream.set_read_timeout(at_most).expect("a read timeout");
                return (stream, from);
            }
            Err(error) if is_timeout(error.kind()) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("the server does not connect: {error}"),
        }
    }
}

pub(super) fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Longer than any wait for a passive port.
const REPLY_MAX: Duration = Duration::from_secs(45);
const ACCEPT_MAX: Duration = Duration::from_secs(10);
