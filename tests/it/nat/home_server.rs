//! The lab with a server in it that serves one file, and real clients that list, download and
//! upload.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use super::home_network::{Router, home_network};
use crate::support::client::{Client, Origin};
use crate::support::client_program::{SECONDS_MAX, curl, ftplib, path};
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::lab::Lab;
use crate::support::process::{self, Finished};
use crate::support::server::{PASSWORD, Program, Setup, TestServer, USER, command};
use crate::support::wait::wait_until;

/// A server in the home network, or several.
pub(super) struct HomeServer {
    /// The flags of the server, without where it listens and what it serves.
    arguments: Vec<String>,
    // Dropped in this order: nothing runs in a namespace any more when it goes.
    pub(super) server: TestServer<Program>,
    /// Further servers, if a test started any.
    others: Vec<TestServer<Program>>,
    pub(super) lab: Lab,
}

impl HomeServer {
    /// A server with these arguments behind the usual router.
    pub(super) fn new(arguments: &[&str]) -> Self {
        Self::behind(&Router::default(), arguments)
    }

    pub(super) fn behind(router: &Router, arguments: &[&str]) -> Self {
        Self::within(home_network(router), arguments)
    }

    /// In a lab that stands already.
    pub(super) fn within(lab: Lab, arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            server: serve(&lab, "server", arguments),
            others: Vec::new(),
            lab,
        }
    }

    /// One more server, on another host, with a directory of its own.
    pub(super) fn serve_on(&mut self, host: &str, arguments: &[&str]) -> PathBuf {
        let other = serve(&self.lab, host, arguments);
        let root = other.root();
        self.others.push(other);
        root
    }

    /// Kills the server, and waits until its port is free.
    pub(super) fn kill(&self) {
        self.server.signal(Signal::KILL);
        let namespace = self.lab.namespace_of("server");
        wait_until("the port is free", || {
            namespace.listen((Ipv6Addr::UNSPECIFIED, 2121)).is_ok()
        });
    }

    /// One more server in the place of the first one, which has ended: with its state, and a
    /// directory of its own.
    pub(super) fn serve_again(&mut self, arguments: &[&str]) -> &TestServer<Program> {
        let state = self.server.directory().join("state");
        let other = serve_with(&self.lab, "server", arguments, Some(state));
        self.others.push(other);
        &self.others[self.others.len() - 1]
    }

    /// The program with the server's own flags and these, which make it serve nothing.
    pub(super) fn ask(&self, more: &[&str]) -> Finished {
        let own: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let port = if more.contains(&"-p") {
            &[][..]
        } else {
            &["-p", "2121"]
        };
        self.ask_with(&own, &[port, more].concat())
    }

    /// The same with other flags.
    pub(super) fn ask_with(&self, flags: &[&str], more: &[&str]) -> Finished {
        let root = self.root();
        let common = ["-d", path(&root), "-w", "-u", USER, "-P", PASSWORD];
        let command = command(&[&common, flags, more].concat());
        process::run(&mut self.lab.command_on("server", &command), SECONDS_MAX)
    }

    pub(super) fn finish(self) {
        self.finish_with(|_| ());
    }

    /// The same with a look at the server's whole log.
    pub(super) fn finish_with(self, look: impl FnOnce(&str)) {
        look(&self.server.finish());
        for other in self.others {
            other.finish();
        }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.server.root()
    }

    pub(super) fn work(&self, name: &str) -> PathBuf {
        self.server.work(name)
    }

    /// A client of our own, logged in.
    pub(super) fn client(&self, host: &str, to: &str) -> Client {
        self.client_from(host, None, to)
    }

    /// The same from one of the host's further addresses.
    pub(super) fn client_from(&self, host: &str, from: Option<&str>, to: &str) -> Client {
        let origin = Origin {
            host: Some(self.lab.namespace_of(host)),
            address: from.map(|from| from.parse().expect("an address")),
        };
        Client::logged_in_from(origin, to.parse().expect("an address and a port"))
    }

    /// List, download and upload with ftplib; with `trust` it connects to the address that a 227
    /// names.
    pub(super) fn ftplib(&self, host: &str, to: &str, trust: bool) -> Finished {
        let to = to.parse::<SocketAddr>().expect("an address");
        let mut command = ftplib(to, &self.root(), &self.work(""));
        command.args(["--timeout", &TIMEOUT_SECONDS.to_string()]);
        if trust {
            command.arg("--trust-pasv");
        }
        command.arg("short");
        process::run(&mut self.lab.command_on(host, &command), SECONDS_MAX)
    }

    /// List, download and upload with curl, and returns what curl printed, the replies included.
    pub(super) fn curl(&self, host: &str, to: &str, flags: &[&str]) -> Vec<Finished> {
        let run = |arguments: &[&str]| {
            let mut command = self.curl_command(host, flags, arguments);
            process::run(&mut command, SECONDS_MAX).expect_success()
        };
        let url = |name: &str| format!("ftp://{to}/{name}");
        let list = run(&[&url("")]);
        assert!(list.text().contains(" from-server.bin"), "{}", list.text());
        let (wanted, got) = (self.root().join("from-server.bin"), self.work("got"));
        let download = run(&["-o", path(&got), &url("from-server.bin")]);
        assert_same_files(&wanted, &got);
        let upload = run(&["-T", path(&wanted), &url("from-curl.bin")]);
        assert_same_files(&wanted, &self.root().join("from-curl.bin"));
        fs::remove_file(self.root().join("from-curl.bin")).expect("the upload");
        vec![list, download, upload]
    }

    /// curl on a host, logged in and talkative.
    pub(super) fn curl_command(&self, host: &str, flags: &[&str], arguments: &[&str]) -> Command {
        let mut command = curl();
        let timeout = TIMEOUT_SECONDS.to_string();
        command.args(["--verbose", "--connect-timeout", &timeout]);
        command.args(["--user", &format!("{USER}:{PASSWORD}")]);
        command.args(flags).args(arguments);
        self.lab.command_on(host, &command)
    }

    /// lftp on a host: `script` after settings that make it fail rather than try again for ever.
    pub(super) fn lftp_command(&self, host: &str, script: &str) -> Command {
        let settings = format!(
            "set net:timeout {TIMEOUT_SECONDS}; set net:max-retries 2; set net:reconnect-interval-base 1; \
             set ftp:sync-mode true; set cmd:fail-exit true; debug 9; "
        );
        let mut command = Command::new("lftp");
        // lftp reads and writes settings beneath HOME.
        command.env("HOME", self.work(""));
        command.args(["--norc", "-c", &format!("{settings}{script}")]);
        self.lab.command_on(host, &command)
    }

    /// What lftp puts before a path to reach the server.
    pub(super) fn lftp_url(&self, to: &str) -> String {
        format!("ftp://{USER}:{PASSWORD}@{to}")
    }
}

/// A server on port 2121 of `host` that shares a new directory.
fn serve(lab: &Lab, host: &str, arguments: &[&str]) -> TestServer<Program> {
    serve_with(lab, host, arguments, None)
}

/// The same with the state of another one.
fn serve_with(
    lab: &Lab,
    host: &str,
    arguments: &[&str],
    state: Option<PathBuf>,
) -> TestServer<Program> {
    let setup = Setup::new().on_all_addresses();
    let state = state.unwrap_or(setup.directory().join("state"));
    let setup = setup.wrapped(move |command| {
        let mut command = lab.command_on(host, &command);
        command.env("STATE_DIRECTORY", state);
        command
    });
    let file = setup.root().join("from-server.bin");
    fs::write(file, noise(SIZE)).expect("a file to serve");
    setup.flags(&["-p", "2121"]).flags(arguments).program()
}

pub(super) const SIZE: usize = 600_016;
pub(super) const TIMEOUT_SECONDS: u32 = 3;
