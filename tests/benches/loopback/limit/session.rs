//! One control connection of the limit.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConnection;

use super::Limit;
use super::listing::Style;
use crate::stream::Stream;

/// One control connection.
pub(super) struct Session {
    pub(super) limit: Arc<Limit>,
    control: Stream,
    listener: Option<TcpListener>,
    is_protected: bool,
    directory: String,
    /// They are sent together when all commands that have come are answered.
    replies: Vec<u8>,
}

impl Session {
    pub(super) fn new(limit: Arc<Limit>, socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self {
            limit,
            control: Stream::Plain(socket),
            listener: None,
            is_protected: false,
            directory: String::new(),
            replies: Vec::new(),
        })
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        self.reply("220 ready");
        self.send()?;
        let mut input = [0; INPUT_BYTES];
        let mut filled = 0;
        loop {
            let count = self.control.read(&mut input[filled..])?;
            if count == 0 {
                return Ok(());
            }
            filled += count;
            let mut start = 0;
            while let Some(length) = input[start..filled].iter().position(|&byte| byte == b'\n') {
                let line = &input[start..start + length];
                start += length + 1;
                let line = str::from_utf8(line).map_err(io::Error::other)?;
                let is_last = self.command(line.trim_end())?;
                if is_last || self.replies.len() > REPLIES_BYTES {
                    self.send()?;
                }
                if is_last {
                    return Ok(());
                }
            }
            self.send()?;
            input.copy_within(start..filled, 0);
            filled -= start;
        }
    }

    /// True: it was the last one.
    fn command(&mut self, line: &str) -> io::Result<bool> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "NOOP" | "TYPE" | "PBSZ" => self.reply("200 done"),
            "USER" => self.reply("331 password"),
            "PASS" => self.reply("230 in"),
            "CWD" => {
                self.directory = argument.to_owned();
                self.reply("250 done");
            }
            "EPSV" => {
                let port = self.listen()?;
                self.reply(&format!("229 passive (|||{port}|)"));
            }
            "PASV" => {
                let [high, low] = self.listen()?.to_be_bytes();
                self.reply(&format!("227 passive (127,0,0,1,{high},{low})"));
            }
            "RETR" => self.retrieve(argument)?,
            "STOR" => self.store(argument)?,
            "LIST" => self.list(Style::Long)?,
            "NLST" => self.list(Style::Names)?,
            "MLSD" => self.list(Style::Facts)?,
            "AUTH" => self.secure()?,
            "PROT" => {
                self.is_protected = argument == "P";
                self.reply("200 done");
            }
            "QUIT" => {
                self.reply("221 bye");
                return Ok(true);
            }
            _ => self.reply("502 no"),
        }
        Ok(false)
    }

    pub(super) fn reply(&mut self, text: &str) {
        self.replies.extend_from_slice(text.as_bytes());
        self.replies.extend_from_slice(b"\r\n");
    }

    /// Sends 150 and accepts the data connection.
    pub(super) fn begin(&mut self) -> io::Result<Stream> {
        self.reply("150 here");
        self.send()?;
        let listener = self.listener.take().ok_or(io::ErrorKind::NotConnected)?;
        let (socket, _) = listener.accept()?;
        match &self.limit.tls {
            Some(config) if self.is_protected => {
                let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Ok(Stream::server(connection, socket))
            }
            _ => Ok(Stream::Plain(socket)),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        let relative = name.strip_prefix('/');
        match relative {
            Some(relative) => self.limit.top.join(relative),
            None => self.limit.top.join(&self.directory).join(name),
        }
    }

    fn listen(&mut self) -> io::Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        self.listener = Some(listener);
        Ok(port)
    }

    fn secure(&mut self) -> io::Result<()> {
        let config = self.limit.tls.clone();
        let config = config.ok_or(io::ErrorKind::Unsupported)?;
        self.reply("234 TLS");
        self.send()?;
        let socket = self.control.socket().try_clone()?;
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        self.control = Stream::server(connection, socket);
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        if !self.replies.is_empty() {
            self.control.write_all(&self.replies)?;
            self.replies.clear();
        }
        Ok(())
    }
}

const INPUT_BYTES: usize = 4096;
const REPLIES_BYTES: usize = 4096;
