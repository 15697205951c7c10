//! Transfers of the client, which take as little as possible of the machine that they share with
//! the server.

use std::fs::File;
use std::io::{self, Read};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::sendfile;
use rustix::net::{RecvFlags, recv};

use crate::client::Client;
use crate::stream::Stream;
use crate::tls;

impl Client {
    /// Downloads a large file and discards it.
    pub(crate) fn download(&mut self, path: &str, bytes: u64) -> io::Result<()> {
        let data = self.begin_download(path)?;
        let received = discard(&[data])?;
        self.expect(226)?;
        // With TLS, what was encrypted is a little more.
        let is_whole = match self.tls {
            None => received == bytes,
            Some(_) => received >= bytes - bytes / 100 - HANDSHAKE_BYTES,
        };
        is_whole.then_some(()).ok_or_else(|| {
            io::Error::other(format!("{received} bytes of {path} came, not {bytes}"))
        })
    }

    /// The data connection of a download, after the handshake if it is protected. What comes is not
    /// decrypted: that would be the client's work.
    pub(crate) fn begin_download(&mut self, path: &str) -> io::Result<TcpStream> {
        let mut socket = self.extended_passive()?;
        self.command(&format!("RETR {path}"), 150)?;
        if let Some(config) = &self.tls {
            let mut connection = tls::connect(config)?;
            while connection.is_handshaking() {
                connection.complete_io(&mut socket)?;
            }
        }
        Ok(socket)
    }

    /// What the server sends for this command, on a data connection that is open.
    pub(crate) fn fetch(
        &mut self,
        socket: TcpStream,
        command: &str,
        received: &mut Vec<u8>,
    ) -> io::Result<()> {
        self.command(command, 150)?;
        let mut data = self.protect(socket)?;
        received.clear();
        data.read_to_end(received)?;
        drop(data);
        self.expect(226)
    }

    /// The same, of a large listing that is not kept.
    pub(crate) fn discard_listing(&mut self, socket: TcpStream, command: &str) -> io::Result<()> {
        self.command(command, 150)?;
        io::copy(&mut self.protect(socket)?, &mut io::sink())?;
        self.expect(226)
    }

    /// Uploads a file.
    pub(crate) fn upload(&mut self, path: &str, source: &File, bytes: u64) -> io::Result<()> {
        let socket = self.extended_passive()?;
        self.command(&format!("STOR {path}"), 150)?;
        let mut data = self.protect(socket)?;
        if let Stream::Plain(socket) = &data {
            let mut sent = 0;
            while sent < bytes {
                let left = usize::try_from(bytes - sent).unwrap_or(usize::MAX);
                if sendfile(socket, source, Some(&mut sent), left)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        } else {
            let mut source = source.try_clone()?;
            io::Seek::rewind(&mut source)?;
            io::copy(&mut source.take(bytes), &mut data)?;
            data.end()?;
            // Closed with unread bytes in it, a connection would be reset.
            io::copy(&mut data, &mut io::sink())?;
        }
        drop(data);
        self.expect(226)
    }

    fn protect(&self, socket: TcpStream) -> io::Result<Stream> {
        match &self.tls {
            None => Ok(Stream::Plain(socket)),
            Some(config) => Ok(Stream::client(tls::connect(config)?, socket)),
        }
    }
}

/// Reads all connections to their ends, and returns how many bytes came.
///
/// A client that waits is woken for each segment, and on a virtual machine that is charged to the
/// sender, several times what the sending costs. So it does not wait: it sleeps for a moment
/// whenever little has come. The bytes are discarded in the kernel, without a copy.
pub(crate) fn discard(sockets: &[TcpStream]) -> io::Result<u64> {
    let mut open: Vec<&TcpStream> = sockets.iter().collect();
    for socket in &open {
        socket.set_nonblocking(true)?;
    }
    let mut buffer = vec![0; DISCARDED_AT_ONCE];
    let (begin, mut received) = (Instant::now(), 0);
    while !open.is_empty() {
        if begin.elapsed() > DISCARD_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let before = received;
        let mut failed = None;
        open.retain(
            |socket| match recv(socket, &mut buffer[..], RecvFlags::TRUNC) {
                Ok((_, 0)) => false,
                Ok((_, count)) => {
                    received += count as u64;
                    true
                }
                Err(rustix::io::Errno::AGAIN) => true,
                Err(error) => {
                    failed = Some(error);
                    false
                }
            },
        );
        if let Some(error) = failed {
            return Err(error.into());
        }
        if received - before < LITTLE_BYTES {
            thread::sleep(DISCARD_PAUSE);
        }
    }
    Ok(received)
}

/// What the client may have read of the data together with the end of the handshake.
const HANDSHAKE_BYTES: u64 = 64 << 10;
const DISCARDED_AT_ONCE: usize = 1 << 20;
const LITTLE_BYTES: u64 = 256 << 10;
const DISCARD_PAUSE: Duration = Duration::from_micros(20);
const DISCARD_MAX: Duration = Duration::from_secs(120);
