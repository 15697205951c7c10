//! A client for the checks: every wait has a deadline, and every reply is parsed strictly.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::target::BlackBox;
use crate::reply_parser::{ParsedReply, parse_227, parse_229};
use crate::strict_reader::StrictReader;

/// One control connection.
pub(super) struct Client {
    stream: TcpStream,
    reader: StrictReader,
    reply_within: Duration,
    /// What the last 227 or 229 announced. The address of a 227 may be one for other networks.
    pub(super) passive: Option<SocketAddr>,
}

impl Client {
    /// A client that has logged in.
    pub(super) fn log_in_to(black_box: &BlackBox) -> Result<Self, String> {
        let mut client = Self::connect(black_box)?;
        client.log_in(&black_box.user, &black_box.password)?;
        Ok(client)
    }

    /// A new connection whose greeting has come.
    pub(super) fn connect(black_box: &BlackBox) -> Result<Self, String> {
        let mut client = Self::connect_only(black_box)?;
        client.expect(220)?;
        Ok(client)
    }

    /// A new connection whose greeting has not been read.
    pub(super) fn connect_only(black_box: &BlackBox) -> Result<Self, String> {
        let stream = connect(black_box.address, None)?;
        Ok(Self {
            stream,
            reader: StrictReader::new(),
            reply_within: black_box.reply_within,
            passive: None,
        })
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn log_in(&mut self, user: &str, password: &str) -> Result<(), String> {
        let reply = self.command(&format!("USER {user}"))?;
        match reply.code {
            230 => return Ok(()),
            331 => self.send(format!("PASS {password}\r\n").as_bytes())?,
            code => return Err(format!("USER was answered {code}")),
        }
        self.expect(230).map(drop)
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream
            .write_all(bytes)
            .map_err(|error| format!("sending a command: {error}"))
    }

    /// Sends a line and returns the first reply.
    pub(super) fn command(&mut self, line: &str) -> Result<ParsedReply, String> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.next_reply()
            .map_err(|fault| format!("{line}: {fault}"))
    }

    /// Sends a line; the first reply must have this code.
    pub(super) fn command_expecting(
        &mut self,
        line: &str,
        code: u16,
    ) -> Result<ParsedReply, String> {
        let reply = self.command(line)?;
        check_code(&reply, code).map_err(|fault| format!("{line}: {fault}"))?;
        Ok(reply)
    }

    /// The next reply must have this code.
    pub(super) fn expect(&mut self, code: u16) -> Result<ParsedReply, String> {
        self.expect_within(code, self.reply_within)
    }

    pub(super) fn expect_within(
        &mut self,
        code: u16,
        time: Duration,
    ) -> Result<ParsedReply, String> {
        let reply = self
            .reply_within(time)
            .map_err(|fault| format!("instead of {code}: {fault}"))?;
        check_code(&reply, code)?;
        Ok(reply)
    }

    /// The next reply, whatever its code.
    pub(super) fn next_reply(&mut self) -> Result<ParsedReply, String> {
        self.reply_within(self.reply_within)
    }

    fn reply_within(&mut self, time: Duration) -> Result<ParsedReply, String> {
        self.try_reply(time)?
            .ok_or_else(|| format!("no reply within {} ms", time.as_millis()))
    }

    /// The next reply; `None` if it does not come in this time.
    pub(super) fn try_reply(&mut self, time: Duration) -> Result<Option<ParsedReply>, String> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(reply) = self.reader.next_reply()? {
                self.note_passive(&reply)?;
                return Ok(Some(reply));
            }
            let mut buffer = [0; 4096];
            match read_until(&mut self.stream, &mut buffer, deadline) {
                Ok(Some(0)) => return Err("the server closed the connection".into()),
                Ok(Some(count)) => self.reader.push(&buffer[..count]),
                Ok(None) => return Ok(None),
                Err(error) => return Err(format!("the control connection is lost: {error}")),
            }
        }
    }

    fn note_passive(&mut self, reply: &ParsedReply) -> Result<(), String> {
        let port = match reply.code {
            227 => parse_227(reply).map(|(_, port)| port),
            229 => parse_229(reply),
            _ => return Ok(()),
        };
        let server = self.stream.peer_addr().map_err(|error| error.to_string())?;
        self.passive = port.map(|port| SocketAddr::new(server.ip(), port));
        Ok(())
    }

    /// The server must close the connection, without a further reply.
    pub(super) fn expect_close(&mut self) -> Result<(), String> {
        match self.try_reply(self.reply_within) {
            Ok(Some(reply)) => Err(format!("{} instead of the end", reply.code)),
            Ok(None) => Err("the server leaves the control connection open".into()),
            Err(_) => Ok(()),
        }
    }

    /// The address for the next data connection, by EPSV.
    pub(super) fn extended_passive(&mut self) -> Result<SocketAddr, String> {
        self.command_expecting("EPSV", 229)?;
        self.take_passive()
    }

    pub(super) fn take_passive(&mut self) -> Result<SocketAddr, String> {
        self.passive.take().ok_or("no passive port is open".into())
    }

    /// A listener on our end's address, for active mode.
    pub(super) fn listen(&self) -> Result<TcpListener, String> {
        let address = self.local()?;
        TcpListener::bind((address, 0)).map_err(|error| format!("listening: {error}"))
    }

    pub(super) fn local(&self) -> Result<IpAddr, String> {
        let address = self.stream.local_addr();
        Ok(address.map_err(|error| error.to_string())?.ip())
    }

    /// Stores a file, by EPSV and STOR.
    pub(super) fn store(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let mut data = self.begin_store(name)?;
        data.write_all(bytes)
            .map_err(|error| format!("sending the bytes of {name}: {error}"))?;
        drop(data);
        self.expect(226).map(drop)
    }

    /// The data connection of an upload that has begun, by EPSV and STOR.
    pub(super) fn begin_store(&mut self, name: &str) -> Result<TcpStream, String> {
        self.command_expecting("TYPE I", 200)?;
        let port = self.extended_passive()?;
        self.send(format!("STOR {name}\r\n").as_bytes())?;
        let data = connect(port, None)?;
        self.expect(150)?;
        Ok(data)
    }

    /// Reads a file, by EPSV and RETR.
    pub(super) fn retrieve(&mut self, name: &str) -> Result<Vec<u8>, String> {
        self.command_expecting("TYPE I", 200)?;
        self.download(&format!("RETR {name}"))
    }

    /// The bytes that a command sends over a passive data connection.
    pub(super) fn download(&mut self, line: &str) -> Result<Vec<u8>, String> {
        let port = self.extended_passive()?;
        self.send(format!("{line}\r\n").as_bytes())?;
        let mut data = connect(port, None)?;
        self.expect(150)?;
        let bytes = read_all(&mut data, self.reply_within)?;
        self.expect(226)?;
        Ok(bytes)
    }
}

/// Connects, from this address if one is given.
pub(super) fn connect(address: SocketAddr, from: Option<IpAddr>) -> Result<TcpStream, String> {
    let connect = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(from) = from {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        socket.connect_timeout(&address.into(), CONNECT_MAX)?;
        socket.set_tcp_nodelay(true)?;
        Ok(socket.into())
    };
    connect().map_err(|error: io::Error| format!("connecting to {address}: {error}"))
}

/// The connection that the server makes to us.
pub(super) fn accept(listener: &TcpListener, within: Duration) -> Result<TcpStream, String> {
    let deadline = Instant::now() + within;
    let failed = |error: io::Error| format!("accepting a data connection: {error}");
    listener.set_nonblocking(true).map_err(failed)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(failed(error)),
        }
        if Instant::now() >= deadline {
            return Err("the server does not connect to the address of PORT or EPRT".into());
        }
        thread::sleep(PAUSE);
    }
}

/// All bytes up to the end; each must come within this time after the one before.
pub(super) fn read_all(data: &mut TcpStream, within: Duration) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match read_until(data, &mut buffer, Instant::now() + within) {
            Ok(Some(0)) => return Ok(bytes),
            Ok(Some(count)) => bytes.extend_from_slice(&buffer[..count]),
            Ok(None) => return Err("the data connection brings no bytes and does not end".into()),
            Err(error) => return Err(format!("the data connection is lost: {error}")),
        }
    }
}

/// Closes a connection so that its other end sees an error, not an end.
pub(super) fn reset(data: TcpStream) -> Result<(), String> {
    let socket = Socket::from(data);
    socket
        .set_linger(Some(Duration::ZERO))
        .map_err(|error| error.to_string())
}

/// Reads some bytes; `None` if there are none until the deadline.
fn read_until(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<Option<usize>> {
    let left = deadline.saturating_duration_since(Instant::now());
    // Zero would mean no limit.
    stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
    match stream.read(buffer) {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn check_code(reply: &ParsedReply, code: u16) -> Result<(), String> {
    if reply.code == code {
        Ok(())
    } else {
        let text = reply.lines.first().map(|line| line.escape_ascii());
        let text = text.map_or_else(String::new, |text| text.to_string());
        Err(format!("{} {text} instead of {code}", reply.code))
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);
const CONNECT_MAX: Duration = Duration::from_secs(5);
