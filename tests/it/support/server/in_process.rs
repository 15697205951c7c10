//! Our server in a thread of this process. All use of the server's own API is here.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ftp_server_sync::cli::{self, Invocation};
use ftp_server_sync::settings::Settings;
use ftp_server_sync::{Handle, Server};

use super::{ChangeSettings, Setup, TestServer};
use crate::support::log;

/// A server in a separate thread; dropping it ends it, and fails the test if the server does not
/// end well.
pub(crate) struct InProcess {
    handle: Handle,
    /// Of all its listeners.
    pub(super) addresses: Vec<SocketAddr>,
    ended: mpsc::Receiver<io::Result<()>>,
}

impl InProcess {
    pub(super) fn start(arguments: Vec<OsString>, change: Option<ChangeSettings>) -> Self {
        log::collect();
        let settings = move || {
            let mut settings = parse(&arguments)?;
            if let Some(change) = &change {
                change(&mut settings);
            }
            Ok(settings)
        };
        let first = settings().unwrap_or_else(|error: String| panic!("{error}"));
        let server = Server::bind(first).expect("a server");
        let server = server.with_reload(settings);
        let addresses = server.addresses();
        let handle = server.handle();
        let (end, ended) = mpsc::channel();
        thread::spawn(move || end.send(server.run()));
        Self {
            handle,
            addresses,
            ended,
        }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.handle.shutdown();
        match self.ended.recv_timeout(END_MAX) {
            _ if thread::panicking() => {}
            Ok(result) => result.expect("the server's end"),
            Err(error) => panic!("the server did not end: {error}"),
        }
    }
}

impl TestServer<InProcess> {
    /// A server on 127.0.0.1 with a user who may write, and these flags.
    pub(crate) fn in_process(flags: &[&str]) -> Self {
        Setup::new().flags(flags).in_process()
    }

    /// Of all its listeners; the first is the one of clients in clear text.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.backend.addresses
    }

    /// Asks the server to end, as SIGTERM does.
    pub(crate) fn shut_down(&self) {
        self.backend.handle.shutdown();
    }

    /// Asks the server to read its settings again, as SIGHUP does.
    pub(crate) fn reload(&self) {
        self.backend.handle.reload();
    }
}

fn parse(arguments: &[OsString]) -> Result<Settings, String> {
    match cli::parse(arguments.iter().cloned(), |_| None) {
        Ok(Invocation::Serve(settings)) => Ok(*settings),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// A server leaves stuck sessions behind after 8 seconds; none may be stuck.
const END_MAX: Duration = Duration::from_secs(7);
