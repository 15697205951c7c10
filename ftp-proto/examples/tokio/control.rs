//! The control connection: commands in, replies out, never both at once. No command is read while a
//! reply is unsent, so a client that does not read its replies blocks only itself.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::time::Duration;

use ftp_proto::limits;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::socket::{Socket, Stream};

pub(crate) struct Control {
    pub(crate) socket: Socket,
    /// What commands and replies go through: the socket, or TLS on it.
    pub(crate) stream: Box<dyn Stream>,
    /// Received, and not executed.
    pub(crate) input: Vec<u8>,
    /// Replies that are not sent.
    pub(crate) output: Vec<u8>,
    /// False while TLS may hold bytes of the output.
    is_flushed: bool,
    end: End,
}

/// What has happened; an error is a lost connection.
pub(crate) enum ControlEvent {
    /// The output is sent, or there is more input.
    Advanced,
    /// The client has ended its side. There are bytes before that which are not wanted.
    Ending,
    /// The client has ended its side, and all before that is read.
    Ended,
}

/// What is known about the client's side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    None,
    Ending,
    Ended,
    Lost,
}

impl Control {
    pub(crate) fn new(socket: TcpStream) -> io::Result<Self> {
        // Each write is all that there is to send.
        socket.set_nodelay(true)?;
        let options = SockRef::from(&socket);
        // Clients send ABOR, or the byte before it, as urgent data. Without this, its last byte
        // would be missing.
        options.set_out_of_band_inline(true)?;
        // Routers forget connections without traffic, as this one is during a long transfer.
        options.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        let socket = Socket::new(socket);
        Ok(Self {
            stream: Box::new(socket.clone()),
            socket,
            input: Vec::new(),
            output: Vec::new(),
            is_flushed: true,
            end: End::None,
        })
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.end == End::Lost || (self.output.is_empty() && self.is_flushed)
    }

    /// Too much is unsent for another command.
    pub(crate) fn is_full(&self) -> bool {
        self.output.len() > UNSENT_BYTES_MAX
    }

    /// The connection is lost: nothing can be sent or received.
    pub(crate) fn lose(&mut self) {
        self.end = End::Lost;
    }

    /// Sends the output, or if there is none, receives input. Where input is not wanted, it stays
    /// in the kernel, and only the end of the connection is looked for; after that, its loss.
    ///
    /// May be dropped at any time: what is done is recorded before each `await`.
    pub(crate) async fn advance(&mut self, wants_input: bool) -> io::Result<ControlEvent> {
        if self.end == End::Lost {
            self.output.clear();
            return pending().await;
        }
        if !self.is_sent() {
            self.send().await?;
            return Ok(ControlEvent::Advanced);
        }
        match self.end {
            End::None if !wants_input => {
                self.socket.closed().await?;
                self.end = End::Ending;
                return Ok(ControlEvent::Ending);
            }
            End::Ending if wants_input => {}
            End::None => {}
            End::Ending | End::Ended | End::Lost => return Err(self.socket.lost().await),
        }
        // The longest line fits, and the session uses up one that is longer.
        let room = limits::LINE_BYTES_MAX - self.input.len();
        let mut stream = (&mut self.stream).take(room as u64);
        match stream.read_buf(&mut self.input).await {
            Ok(0) => Ok(self.ended()),
            Ok(_) => Ok(ControlEvent::Advanced),
            // TLS without a close_notify, as many clients end.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(self.ended()),
            Err(error) => Err(error),
        }
    }

    fn ended(&mut self) -> ControlEvent {
        self.end = End::Ended;
        ControlEvent::Ended
    }

    /// Sends the last replies and closes, then waits until the client closes too: a socket that is
    /// closed with unread bytes resets the connection, and the client may lose the last reply.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.send().await?;
        self.stream.shutdown().await?;
        self.socket.discard().await
    }

    async fn send(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            self.is_flushed = false;
            let count = self.stream.write(&self.output).await?;
            self.output.drain(..count);
        }
        self.stream.flush().await?;
        self.is_flushed = true;
        Ok(())
    }
}

/// Less than the time after which common routers forget a connection.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// More than the longest reply of common commands: the replies to the commands of one packet are
/// sent together.
const UNSENT_BYTES_MAX: usize = 16 * 1024;
