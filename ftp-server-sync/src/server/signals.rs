//! Signals as events of the main thread's poll: each has a pipe of its own.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// What a signal asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// SIGTERM and SIGINT: which of them.
    End(&'static str),
    /// SIGHUP.
    Reload,
    /// SIGUSR1.
    Report,
    /// SIGUSR2.
    Drain,
}

/// The readable ends of the pipes that signal handlers write to.
#[derive(Debug, Default)]
pub(super) struct Signals {
    pipes: Vec<(Request, UnixStream)>,
}

impl Signals {
    /// Handles the signals of the whole process from now on. Each pipe gets `token`.
    pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut signals = Self::default();
        for (request, number) in [
            (Request::End("SIGTERM"), SIGTERM),
            (Request::End("SIGINT"), SIGINT),
            (Request::Reload, SIGHUP),
            (Request::Report, SIGUSR1),
            (Request::Drain, SIGUSR2),
        ] {
            let (reader, writer) = StdUnixStream::pair()?;
            reader.set_nonblocking(true)?;
            pipe::register(number, writer)?;
            let mut reader = UnixStream::from_std(reader);
            registry.register(&mut reader, token, Interest::READABLE)?;
            signals.pipes.push((request, reader));
        }
        // A write beyond the system's limit for files is an error of that upload, and must not end
        // the server.
        flag::register(SIGXFSZ, Arc::default())?;
        Ok(signals)
    }

    /// The requests since the last call. A second SIGTERM asks for something else than the first
    /// one; of others, many signals are one request: a reload reads what is there when it begins,
    /// and a main thread that reloads once for each signal of a storm accepts no client meanwhile.
    pub(super) fn take(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        for (request, pipe) in &mut self.pipes {
            let mut bytes = [0; 64];
            loop {
                match pipe.read(&mut bytes) {
                    Ok(0) => break,
                    Ok(count) if matches!(request, Request::End(_)) => {
                        requests.extend(std::iter::repeat_n(*request, count));
                    }
                    Ok(_) if requests.last() == Some(request) => {}
                    Ok(_) => requests.push(*request),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        }
        requests
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_storm_of_signals_is_one_request() {
        let mut signals = Signals::default();
        let mut writers = Vec::new();
        let end = Request::End("SIGTERM");
        for request in [end, Request::Reload, Request::Report] {
            let (reader, writer) = StdUnixStream::pair().unwrap();
            reader.set_nonblocking(true).unwrap();
            signals.pipes.push((request, UnixStream::from_std(reader)));
            writers.push(writer);
        }
        for (writer, count) in writers.iter_mut().zip([2, 200, 1]) {
            writer.write_all(&vec![0; count]).unwrap();
        }
        let expected = [end, end, Request::Reload, Request::Report];
        assert_eq!(signals.take(), expected);
        assert_eq!(signals.take(), []);
        writers[1].write_all(&[0]).unwrap();
        assert_eq!(signals.take(), [Request::Reload]);
    }
}
