//! Replaces TLS in a program that is built without it. There, `--tls` is refused.

use std::io::{self, Read, Write};
use std::net::IpAddr;

use super::socket::TimedSocket;

/// Never occurs.
#[derive(Clone, Debug)]
pub(super) enum ClientTls {}

/// Never occurs.
#[derive(Debug)]
pub(super) enum SecureStream {}

/// What a handshake would have shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsFacts {
    pub(super) version: &'static str,
    pub(super) fingerprint: Option<String>,
    pub(super) resumed: bool,
}

impl ClientTls {
    pub(super) fn new(_: &str, _: IpAddr) -> Result<Self, String> {
        Err("this program is built without TLS".to_owned())
    }

    pub(super) fn is_used_up(&self) -> bool {
        match *self {}
    }

    pub(super) fn handshake(&self, _: TimedSocket) -> io::Result<SecureStream> {
        match *self {}
    }
}

impl SecureStream {
    pub(super) fn facts(&self) -> TlsFacts {
        match *self {}
    }

    pub(super) fn timed(&self) -> &TimedSocket {
        match *self {}
    }

    pub(super) fn timed_mut(&mut self) -> &mut TimedSocket {
        match *self {}
    }

    pub(super) fn close(&mut self) -> io::Result<()> {
        match *self {}
    }
}

impl Read for SecureStream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for SecureStream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}
