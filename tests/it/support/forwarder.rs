//! A running forwarder: the example `ftp-proto/examples/alg` before a server.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use super::process::{self, Finished};
use super::server::{Program, example};

/// It forwards until this value is dropped.
pub(crate) struct Forwarder {
    program: Program,
    pub(crate) address: SocketAddr,
}

impl Forwarder {
    pub(crate) fn start(command: &mut Command) -> Self {
        let program = Program::start(command, Stdio::null());
        Self {
            address: program.address,
            program,
        }
    }

    /// On an address, which it announces as well, before a server of this machine.
    pub(crate) fn on(listen: IpAddr, server: SocketAddr, more: &[&str]) -> Self {
        let mut command = command(SocketAddr::new(listen, 0), server, &listen.to_string());
        Self::start(command.args(more))
    }

    /// The log once it holds `text`.
    #[track_caller]
    pub(crate) fn log_with(&self, text: &str) -> String {
        self.program.log_with(text)
    }

    /// Checks that none of its threads has failed; returns the log until now.
    #[track_caller]
    pub(crate) fn finish(self) -> String {
        let log = self.program.log();
        assert!(!log.contains("panicked"), "{log}");
        log
    }
}

/// The command that starts it.
pub(crate) fn command(listen: SocketAddr, server: SocketAddr, announced: &str) -> Command {
    let mut command = Command::new(example("alg"));
    command.args(["--listen", &listen.to_string()]);
    command.args(["--server", &server.to_string()]);
    command.args(["--masquerade-address", announced]);
    command.env("RUST_BACKTRACE", "1");
    command
}

/// Runs it with flags that it must refuse.
#[track_caller]
pub(crate) fn refused(flags: &[&str]) -> Finished {
    process::run(Command::new(example("alg")).args(flags), SECONDS_MAX).expect_failure()
}

const SECONDS_MAX: u64 = 10;
