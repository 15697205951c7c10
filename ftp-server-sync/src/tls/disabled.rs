//! Replaces TLS in a program that is built without it. There, `--tls` is refused.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use mio::net::TcpStream;

use crate::net::interfaces::Interfaces;
use crate::settings::Settings;

#[allow(dead_code, reason = "without TLS there is no certificate")]
mod problem;

pub(crate) use problem::CertificateProblem;

/// Never occurs: without TLS, no file is loaded.
#[derive(Clone, Debug)]
pub(crate) enum LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Error for LoadError {}

/// Never occurs.
#[derive(Clone, Debug)]
pub(crate) enum Identity {}

impl Identity {
    pub(crate) fn load(_: &Settings, _: &Interfaces) -> Result<Option<Self>, LoadError> {
        Ok(None)
    }

    pub(crate) fn load_existing(_: &Settings, _: &Interfaces) -> Result<Option<Self>, LoadError> {
        Ok(None)
    }

    pub(crate) fn descriptions(&self) -> Vec<String> {
        match *self {}
    }

    pub(crate) fn config(&self) -> ServerConfig {
        match *self {}
    }

    pub(crate) fn problems(&self) -> Vec<CertificateProblem> {
        match *self {}
    }
}

/// Would be the configuration of a TLS connection.
#[derive(Clone, Debug)]
pub(crate) struct ServerConfig;

/// Never occurs.
#[derive(Debug)]
pub(crate) enum TlsStream {}

/// What would come over a connection.
pub(crate) enum Traffic {
    Commands,
    Data,
}

/// Would be the TLS sessions of one control connection.
#[derive(Debug)]
pub(crate) struct Resumption;

/// Would be TLS on one data connection.
#[derive(Debug)]
pub(crate) struct Protection;

/// Never occurs.
#[derive(Debug)]
pub(crate) enum Unproven {}

/// Would be the tickets of a server's sessions.
#[derive(Debug, Default)]
pub(crate) struct TicketRegistry;

impl TlsStream {
    pub(crate) fn boxed(_: ServerConfig, _: Traffic) -> io::Result<Box<Self>> {
        Err(ErrorKind::Unsupported.into())
    }

    pub(crate) fn handshake(&mut self, _: &mut TcpStream) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn read(&mut self, _: &mut TcpStream, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn write(&mut self, _: &mut TcpStream, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn flush(&mut self, _: &mut TcpStream) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn close(&mut self, _: &mut TcpStream) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn has_unsent(&self) -> bool {
        match *self {}
    }

    pub(crate) fn may_have_more(&self) -> bool {
        match *self {}
    }

    pub(crate) fn release_buffers(&mut self) {
        match *self {}
    }

    pub(crate) fn has_bare_end(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_resumed(&self) -> bool {
        match *self {}
    }
}

impl fmt::Display for TlsStream {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Resumption {
    pub(crate) fn new(_: &ServerConfig, _: &Arc<TicketRegistry>, _: u64, _: IpAddr) -> Self {
        Self
    }

    pub(crate) fn control(&self) -> ServerConfig {
        ServerConfig
    }

    pub(crate) fn set_login(&mut self, _: Option<&[u8]>) {}

    pub(crate) fn data(&self, _: bool, _: &[IpNet]) -> Protection {
        Protection
    }
}

impl Protection {
    pub(crate) fn config(&self) -> ServerConfig {
        ServerConfig
    }

    pub(crate) fn check(&self, tls: &TlsStream, _: IpAddr) -> Result<(), Unproven> {
        match *tls {}
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
