//! A client of our own, on raw sockets: it can send what real clients never do, and it reads every
//! byte that the server sends, so that a reply too many cannot pass unnoticed.
//!
//! Every read has a deadline, so that no test hangs. The deadlines only guard against that: no test
//! passes or fails because it was fast.

pub(crate) mod tls;

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::data::{self, is_gone, is_timeout, read_all};
use super::lab::Namespace;
use super::server::{PASSWORD, USER};

/// A control connection as a client has it.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) tls: Option<Box<rustls::ClientConnection>>,
    origin: Origin,
    /// Received and not yet looked at.
    received: Vec<u8>,
}

/// Where a client's connections come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// A host of a lab; without one, this machine.
    pub(crate) host: Option<Namespace>,
    /// One of the host's addresses; without one, the kernel chooses.
    pub(crate) address: Option<IpAddr>,
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// Without the line endings.
    pub(crate) lines: Vec<Vec<u8>>,
}

/// Where a 227 or 229 reply sends a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) code: u16,
    /// A 229 names none.
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) port: u16,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::from_origin(Origin::default(), address)
    }

    /// From another address of this machine.
    pub(crate) fn connect_from(address: Ipv4Addr, server: SocketAddr) -> Self {
        let origin = Origin {
            address: Some(address.into()),
            ..Origin::default()
        };
        Self::from_origin(origin, server)
    }

    pub(crate) fn from_origin(origin: Origin, server: SocketAddr) -> Self {
        Self {
            stream: origin.connect(server).expect("a control connection"),
            tls: None,
            origin,
            received: Vec::new(),
        }
    }

    pub(crate) fn greeted(address: SocketAddr) -> Self {
        let mut client = Self::connect(address);
        client.expect(220);
        client
    }

    /// A client that is logged in and has set TYPE I.
    pub(crate) fn logged_in(address: SocketAddr) -> Self {
        Self::logged_in_from(Origin::default(), address)
    }

    pub(crate) fn logged_in_from(origin: Origin, address: SocketAddr) -> Self {
        let mut client = Self::from_origin(origin, address);
        client.expect(220);
        client.log_in();
        client
    }

    #[track_caller]
    pub(crate) fn log_in(&mut self) {
        self.command(format!("USER {USER}"), 331);
        self.command(format!("PASS {PASSWORD}"), 230);
        self.command("TYPE I", 200);
    }

    /// A client of this user, in type I.
    #[track_caller]
    pub(crate) fn of_user(address: SocketAddr, name: &str, password: &str) -> Self {
        let mut client = Self::greeted(address);
        let reply = client.log_in_as(name, password);
        assert_eq!(reply.code, 230, "{name}: {}", reply.text());
        client.command("TYPE I", 200);
        client
    }

    /// The last reply to a login.
    pub(crate) fn log_in_as(&mut self, name: &str, password: &str) -> Reply {
        self.command(format!("USER {name}"), 331);
        self.send(format!("PASS {password}"));
        self.reply()
    }

    /// Sends a line.
    pub(crate) fn send(&mut self, line: impl AsRef<[u8]>) {
        self.send_bytes([line.as_ref(), b"\r\n"].concat());
    }

    pub(crate) fn send_bytes(&mut self, bytes: impl AsRef<[u8]>) {
        match &mut self.tls {
            None => self.stream.write_all(bytes.as_ref()),
            Some(tls) => {
                rustls::Stream::new(&mut **tls, &mut self.stream).write_all(bytes.as_ref())
            }
        }
        .expect("sending");
    }

    /// Sends bytes of which the last one is marked as urgent.
    pub(crate) fn send_urgent(&mut self, bytes: &[u8]) {
        let sent = SockRef::from(&self.stream).send_out_of_band(bytes);
        assert_eq!(sent.expect("sending"), bytes.len());
    }

    /// Ends the sending side of the control connection.
    pub(crate) fn end_sending(&self) {
        self.stream.shutdown(Shutdown::Write).expect("an end");
    }

    /// The next reply, which must have this code.
    #[track_caller]
    pub(crate) fn expect(&mut self, code: u16) -> Reply {
        let reply = self.reply();
        assert_eq!(reply.code, code, "{}", reply.text());
        reply
    }

    /// The next replies, which must have these codes.
    #[track_caller]
    pub(crate) fn expect_all(&mut self, codes: &[u16]) {
        for &code in codes {
            self.expect(code);
        }
    }

    #[track_caller]
    pub(crate) fn command(&mut self, line: impl AsRef<[u8]>, code: u16) -> Reply {
        let line = line.as_ref();
        self.send(line);
        let reply = self.reply();
        let text = reply.text();
        assert_eq!(reply.code, code, "{}: {text}", line.escape_ascii());
        reply
    }

    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        let first = self.line().expect("a reply");
        let code = std::str::from_utf8(&first[..3.min(first.len())])
            .ok()
            .and_then(|digits| digits.parse().ok());
        let code: u16 = code.unwrap_or_else(|| panic!("no reply: {}", first.escape_ascii()));
        let mut lines = vec![first];
        if lines[0].get(3) == Some(&b'-') {
            let end = format!("{code} ");
            while lines.len() < 2 || !lines[lines.len() - 1].starts_with(end.as_bytes()) {
                lines.push(self.line().expect("the rest of a reply"));
            }
        }
        Reply { code, lines }
    }

    /// The next line without its ending; `None` where the server has closed the connection.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(line) = self.received_line() {
                return Some(line);
            }
            match self.receive() {
                Ok(0) => {
                    let rest = self.received.escape_ascii();
                    assert!(self.received.is_empty(), "half a line: {rest}");
                    return None;
                }
                Ok(_) => {}
                Err(error) if is_gone(&error) => return None,
                Err(error) => panic!("no line came: {error}"),
            }
        }
    }

    /// Checks that the server sends nothing that was not asked for.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self, during: Duration) {
        let line = self.line_within(during);
        assert_eq!(line, None, "an unasked reply, or the end");
    }

    /// The next line if it comes in time. The connection's end is `(closed)`, or the kind of error
    /// in brackets.
    pub(crate) fn line_within(&mut self, at_most: Duration) -> Option<String> {
        let deadline = Instant::now() + at_most;
        let usual = self.stream.read_timeout().expect("the read timeout");
        let line = loop {
            if let Some(line) = self.received_line() {
                break Some(line.escape_ascii().to_string());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break None;
            }
            self.stream
                .set_read_timeout(Some(left))
                .expect("a read timeout");
            match self.receive() {
                Ok(0) => break Some("(closed)".to_owned()),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => break None,
                Err(error) => break Some(format!("({})", error.kind())),
            }
        };
        self.stream.set_read_timeout(usual).expect("a read timeout");
        line
    }

    fn received_line(&mut self) -> Option<Vec<u8>> {
        let end = self.received.windows(2).position(|pair| pair == b"\r\n")?;
        let line = self.received[..end].to_vec();
        self.received.drain(..end + 2);
        Some(line)
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 4096];
        // A process that was stopped for a moment finds its reads interrupted, where they have a
        // time limit.
        let count = loop {
            let read = match &mut self.tls {
                None => self.stream.read(&mut buffer),
                Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(&mut buffer),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Nothing more comes, and the end is one, not a reset.
    pub(crate) fn expect_orderly_close(&mut self) {
        let mut rest = Vec::new();
        let end = self.stream.read_to_end(&mut rest);
        assert!(end.is_ok() && rest.is_empty(), "{end:?} after {rest:?}");
    }

    /// Nothing more comes, and the server has closed the connection.
    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        let line = self.line();
        let text = line.map(|line| line.escape_ascii().to_string());
        assert_eq!(text, None, "the connection should be closed");
    }

    /// The session works, and no reply is left over from before.
    #[track_caller]
    pub(crate) fn expect_in_step(&mut self) {
        let reply = self.command("PWD", 257);
        assert_eq!(reply.lines.len(), 1);
        self.command("NOOP", 200);
    }

    /// Opens a passive port with EPSV.
    #[track_caller]
    pub(crate) fn extended_passive(&mut self) -> SocketAddr {
        let reply = self.command("EPSV", 229);
        self.announced(&reply)
    }

    /// Opens a passive port with PASV.
    #[track_caller]
    pub(crate) fn passive(&mut self) -> SocketAddr {
        let reply = self.command("PASV", 227);
        self.announced(&reply)
    }

    /// Where the next reply sends us, which must be a 227 or 229.
    #[track_caller]
    pub(crate) fn expect_announced(&mut self) -> SocketAddr {
        let reply = self.reply();
        self.announced(&reply)
    }

    /// Where a 227 or 229 reply sends us.
    #[track_caller]
    pub(crate) fn announced(&self, reply: &Reply) -> SocketAddr {
        let text = reply.text();
        let announcement = Announcement::parse(&text).unwrap_or_else(|| panic!("{text}"));
        let server = self.stream.peer_addr().expect("the server's address");
        let address = announcement.address.map_or(server.ip(), IpAddr::from);
        SocketAddr::new(address, announcement.port)
    }

    /// A data connection to what was announced.
    #[track_caller]
    pub(crate) fn connect_data(&self, to: SocketAddr) -> TcpStream {
        let stream = self.origin.connect(to);
        stream.unwrap_or_else(|error| panic!("a data connection to {to}: {error}"))
    }

    /// A passive data connection, before its transfer begins.
    #[track_caller]
    pub(crate) fn data(&mut self) -> TcpStream {
        let to = self.extended_passive();
        self.connect_data(to)
    }

    /// A whole transfer to us.
    #[track_caller]
    pub(crate) fn fetch(&mut self, command: impl AsRef<[u8]>) -> Vec<u8> {
        let data = self.data();
        self.fetch_over(data, command)
    }

    /// The same with PASV, as a client that trusts the address of a 227.
    #[track_caller]
    pub(crate) fn fetch_passive(&mut self, command: impl AsRef<[u8]>) -> Vec<u8> {
        let to = self.passive();
        let data = self.connect_data(to);
        self.fetch_over(data, command)
    }

    /// A whole transfer to us over a data connection that stands already.
    #[track_caller]
    pub(crate) fn fetch_over(&mut self, mut data: TcpStream, command: impl AsRef<[u8]>) -> Vec<u8> {
        self.command(command, 150);
        let bytes = read_all(&mut data);
        self.expect(226);
        bytes
    }

    /// A whole transfer from us.
    #[track_caller]
    pub(crate) fn store(&mut self, command: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) -> Reply {
        let data = self.data();
        self.store_over(data, command, bytes)
    }

    /// A whole transfer from us over a data connection that stands already.
    #[track_caller]
    pub(crate) fn store_over(
        &mut self,
        mut data: TcpStream,
        command: impl AsRef<[u8]>,
        bytes: impl AsRef<[u8]>,
    ) -> Reply {
        self.command(command, 150);
        data.write_all(bytes.as_ref()).expect("sending data");
        drop(data);
        self.expect(226)
    }

    /// A whole transfer to us in active mode, and the address that the data came from.
    #[track_caller]
    pub(crate) fn fetch_active(&mut self, command: impl AsRef<[u8]>) -> (Vec<u8>, IpAddr) {
        let listener = self.origin.listen(self.local_ip());
        let listener = listener.expect("a listener for active mode");
        let address = listener.local_addr().expect("its address");
        let line = match address {
            SocketAddr::V4(_) => data::port_command(address),
            SocketAddr::V6(_) => data::eprt_command(address),
        };
        self.command(line, 200);
        self.command(command, 150);
        let (mut data, from) = data::accept(&listener);
        let bytes = read_all(&mut data);
        self.expect(226);
        (bytes, from.ip())
    }

    pub(crate) fn local_ip(&self) -> IpAddr {
        self.local_address().ip()
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a local address")
    }
}

impl Origin {
    /// A connection from there, with deadlines.
    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        match &self.host {
            Some(host) => host.connect(self.address, to),
            None => data::connect_from(self.address, to),
        }
    }

    fn listen(&self, address: IpAddr) -> io::Result<TcpListener> {
        match &self.host {
            Some(host) => host.listen((address, 0)),
            None => TcpListener::bind((address, 0)),
        }
    }
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        self.texts().join("\n")
    }

    /// The lines as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |line: &Vec<u8>| line.escape_ascii().to_string().replace("\\\"", "\"");
        self.lines.iter().map(text).collect()
    }

    /// The text in one line, with a space between the lines.
    pub(crate) fn one_line(&self) -> String {
        self.texts().join(" ")
    }
}

impl Announcement {
    /// Reads it from a line that holds such a reply; other text may stand around it.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let start = ["227 ", "229 "].iter().find_map(|code| line.find(code))?;
        let (code, rest) = line[start..].split_at(3);
        let inner = rest.split_once('(')?.1.split_once(')')?.0;
        if code == "229" {
            let port = inner.strip_prefix("|||")?.strip_suffix('|')?;
            return Some(Self {
                code: 229,
                address: None,
                port: port.parse().ok()?,
            });
        }
        let numbers: Vec<u8> = inner
            .split(',')
            .filter_map(|number| number.parse().ok())
            .collect();
        let [a, b, c, d, high, low] = numbers[..] else {
            return None;
        };
        Some(Self {
            code: 227,
            address: Some(Ipv4Addr::new(a, b, c, d)),
            port: u16::from_be_bytes([high, low]),
        })
    }
}

/// The lines of a listing that holds names alone, sorted.
pub(crate) fn sorted_names(listing: Vec<u8>) -> Vec<String> {
    let text = String::from_utf8(listing).expect("names in UTF-8");
    let lines = text.split_inclusive('\n');
    let mut names: Vec<_> = lines
        .map(|line| line.strip_suffix("\r\n").expect("whole lines").to_owned())
        .collect();
    names.sort();
    names
}
