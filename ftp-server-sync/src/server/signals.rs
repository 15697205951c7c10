//! Signals as events of the acceptor's poll: each has a pipe of its own.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream as StdUnixStream;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;

/// What a signal asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// SIGTERM and SIGINT.
    End,
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Report,
}

/// The readable ends of the pipes that signal handlers write to.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pipes: Vec<(Request, UnixStream)>,
}

impl Signals {
    /// Takes the signals over for the whole process. Each pipe gets `token`.
    pub(crate) fn register(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut signals = Self::default();
        for (request, numbers) in [
            (Request::End, &[SIGTERM, SIGINT][..]),
            (Request::Reload, &[SIGHUP]),
            (Request::Report, &[SIGUSR1]),
        ] {
            let (reader, writer) = StdUnixStream::pair()?;
            reader.set_nonblocking(true)?;
            for &number in numbers {
                pipe::register(number, writer.try_clone()?)?;
            }
            let mut reader = UnixStream::from_std(reader);
            registry.register(&mut reader, token, Interest::READABLE)?;
            signals.pipes.push((request, reader));
        }
        Ok(signals)
    }

    /// What has been asked for since the last time, one item for each signal.
    pub(crate) fn take(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        for (request, pipe) in &mut self.pipes {
            let mut bytes = [0; 64];
            loop {
                match pipe.read(&mut bytes) {
                    Ok(0) => break,
                    Ok(count) => requests.extend(std::iter::repeat_n(*request, count)),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        }
        requests
    }
}
