//! The control connection of a probe: commands and replies, both within limits.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ftp_proto::client::{ReceivedReply, ReplyError, ReplyReader};

use super::secure::{ClientTls, TlsFacts};
use super::seen::Answer;
use super::socket::{self, TimedSocket};
use super::stream::Stream;

/// A control connection.
#[derive(Debug)]
pub(super) struct Control {
    stream: Option<Stream>,
    reader: ReplyReader,
    /// Bytes that belong to later replies.
    received: Vec<u8>,
    /// No step lasts longer.
    end: Instant,
    /// Addresses of both ends.
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum ControlError {
    Broken(String),
    NotFtp(ReplyError),
    /// What the server sends begins an SSH connection.
    Ssh,
    /// There were more preliminary replies than any command has.
    TooManyReplies,
    /// Bytes came behind the reply to AUTH, which TLS does not protect.
    BytesBeforeTls,
}

impl Control {
    pub(super) fn new(socket: TimedSocket, end: Instant) -> io::Result<Self> {
        let (local, peer) = (socket.socket().local_addr()?, socket.socket().peer_addr()?);
        Ok(Self {
            stream: Some(Stream::Plain(socket)),
            reader: ReplyReader::new(),
            received: Vec::new(),
            end,
            local: SocketAddr::new(local.ip().to_canonical(), local.port()),
            peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
        })
    }

    /// The TLS handshake, in clear text until here.
    pub(super) fn secure(&mut self, tls: &ClientTls) -> Result<TlsFacts, ControlError> {
        if !self.received.is_empty() {
            return Err(ControlError::BytesBeforeTls);
        }
        let deadline = self.deadline();
        let stream = self.stream.take().ok_or_else(ControlError::ended)?;
        let (stream, facts) = stream.secure(tls, deadline).map_err(ControlError::io)?;
        self.stream = Some(stream);
        Ok(facts)
    }

    /// Sends one command. The line must not hold a line end.
    pub(super) fn send(&mut self, line: &[u8]) -> Result<(), ControlError> {
        let deadline = self.deadline();
        let stream = self.stream.as_mut().ok_or_else(ControlError::ended)?;
        stream.set_deadline(deadline);
        stream
            .write_all(&[line, b"\r\n"].concat())
            .and_then(|()| stream.flush())
            .map_err(ControlError::io)
    }

    /// The next reply, preliminary or final, within [`REPLY_MAX`] from now.
    pub(super) fn reply(&mut self) -> Result<ReceivedReply, ControlError> {
        let deadline = self.deadline();
        let stream = self.stream.as_mut().ok_or_else(ControlError::ended)?;
        stream.set_deadline(deadline);
        loop {
            let is_ssh = self.received.starts_with(b"SSH-");
            let read = self.reader.read(&self.received);
            let (used, reply) = read.map_err(|error| {
                if is_ssh {
                    ControlError::Ssh
                } else {
                    ControlError::NotFtp(error)
                }
            })?;
            self.received.drain(..used);
            if let Some(reply) = reply {
                return Ok(reply);
            }
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer).map_err(ControlError::io)? {
                0 => return Err(ControlError::ended()),
                count => self.received.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// The final reply.
    pub(super) fn final_reply(&mut self) -> Result<ReceivedReply, ControlError> {
        for _ in 0..PRELIMINARY_MAX {
            let reply = self.reply()?;
            if !reply.is_preliminary() {
                return Ok(reply);
            }
        }
        Err(ControlError::TooManyReplies)
    }

    /// Sends a command, and returns its final reply.
    pub(super) fn ask(&mut self, line: impl AsRef<[u8]>) -> Result<ReceivedReply, ControlError> {
        self.send(line.as_ref())?;
        self.final_reply()
    }

    /// Says goodbye. The server need not answer.
    pub(super) fn quit(mut self) {
        // The result changes nothing.
        let _ = self.send(b"QUIT");
        if let Some(mut stream) = self.stream {
            let _ = stream.finish();
        }
    }

    fn deadline(&self) -> Instant {
        self.end.min(Instant::now() + REPLY_MAX)
    }
}

/// Code and last line.
pub(super) fn answer(reply: &ReceivedReply) -> Answer {
    Answer {
        code: reply.code(),
        text: reply.text().to_vec(),
    }
}

impl ControlError {
    fn io(error: io::Error) -> Self {
        Self::Broken(socket::problem(&error, REPLY_MAX.as_secs()))
    }

    fn ended() -> Self {
        Self::Broken("the server closed the connection".to_owned())
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(reason) => f.write_str(reason),
            Self::NotFtp(error) => write!(f, "what the server sends is not FTP: {error}"),
            Self::Ssh => f.write_str(
                "an SSH server answers there, and no FTP server: give the port of the FTP server \
                 (usually 21), or use a client for SFTP",
            ),
            Self::TooManyReplies => f.write_str("the server sends replies without end"),
            Self::BytesBeforeTls => {
                f.write_str("the server, or someone on the way, sends more before TLS begins")
            }
        }
    }
}

/// The time limit for one reply. Servers that look up the client's name, or delay the reply to a
/// wrong password, need some seconds.
pub(super) const REPLY_MAX: Duration = Duration::from_secs(15);

const PRELIMINARY_MAX: usize = 4;
