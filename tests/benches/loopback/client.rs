//! The client that makes the load: a control connection, and its passive data connections.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::server::{PASSWORD, USER};
use crate::stream::Stream;
use crate::tls;

/// A session that has logged in.
pub(crate) struct Client {
    control: BufReader<Stream>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    line: Vec<u8>,
}

impl Client {
    pub(crate) fn log_in(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let mut client = Self::connected(TcpStream::connect(address)?)?;
        client.tls = tls.cloned();
        if let Some(config) = tls {
            client.command("AUTH TLS", 234)?;
            let socket = client.control.get_ref().socket().try_clone()?;
            let connection = tls::connect(config)?;
            client.control = BufReader::new(Stream::client(connection, socket));
        }
        client.command(&format!("USER {USER}"), 331)?;
        client.command(&format!("PASS {PASSWORD}"), 230)?;
        Ok(client)
    }

    /// A session that has been greeted.
    pub(crate) fn connected(socket: TcpStream) -> io::Result<Self> {
        set_deadlines(&socket)?;
        socket.set_nodelay(true)?;
        let mut client = Self {
            control: BufReader::new(Stream::Plain(socket)),
            tls: None,
            line: Vec::new(),
        };
        client.expect(220)?;
        Ok(client)
    }

    /// For transfers of files as they are, protected if the session is.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        if self.tls.is_some() {
            self.command("PBSZ 0", 200)?;
            self.command("PROT P", 200)?;
        }
        self.command("TYPE I", 200)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.control.get_mut();
        stream.write_all(bytes)?;
        stream.flush()
    }

    pub(crate) fn command(&mut self, line: &str, code: u16) -> io::Result<()> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.expect(code)
    }

    /// Reads a reply to its last line.
    pub(crate) fn expect(&mut self, code: u16) -> io::Result<()> {
        let digits = code.to_string();
        loop {
            self.line.clear();
            if self.control.read_until(b'\n', &mut self.line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match self.line.strip_prefix(digits.as_bytes()) {
                Some([b'-', ..]) => {}
                Some(_) => return Ok(()),
                // Within a reply of several lines.
                None if self.line.first() == Some(&b' ') => {}
                None => {
                    let line = String::from_utf8_lossy(&self.line);
                    let line = line.trim_end();
                    return Err(io::Error::other(format!("{line:?} came instead of {code}")));
                }
            }
        }
    }

    pub(crate) fn quit(mut self) -> io::Result<()> {
        self.command("QUIT", 221)
    }

    /// A data connection, by EPSV.
    pub(crate) fn extended_passive(&mut self) -> io::Result<TcpStream> {
        self.command("EPSV", 229)?;
        let line = String::from_utf8_lossy(&self.line);
        let port = line.split('|').nth(3).and_then(|port| port.parse().ok());
        self.connect_data(port)
    }

    /// A data connection, by PASV.
    pub(crate) fn passive(&mut self) -> io::Result<TcpStream> {
        self.command("PASV", 227)?;
        let line = String::from_utf8_lossy(&self.line);
        let mut numbers = line
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok());
        let low: Option<u8> = numbers.next_back();
        let high: Option<u8> = numbers.next_back();
        let port = high
            .zip(low)
            .map(|(high, low)| u16::from_be_bytes([high, low]));
        self.connect_data(port)
    }

    fn connect_data(&self, port: Option<u16>) -> io::Result<TcpStream> {
        let mut address = self.control.get_ref().socket().peer_addr()?;
        address.set_port(port.ok_or(io::ErrorKind::InvalidData)?);
        let socket = TcpStream::connect(address)?;
        set_deadlines(&socket)?;
        Ok(socket)
    }
}

/// For all that follows.
fn set_deadlines(socket: &TcpStream) -> io::Result<()> {
    socket.set_read_timeout(Some(WAIT_MAX))?;
    socket.set_write_timeout(Some(WAIT_MAX))
}

/// More than any step takes on a slow machine.
const WAIT_MAX: Duration = Duration::from_secs(60);
