//! FileZilla on an X server without a screen. Its queue is written before it starts, and one key
//! sets it going.
//!
//! What it has done is read in its own log file, not in its windows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::certificates::Certificate;
use super::client_program::{SECONDS_MAX, path, script};
use super::process;
use super::server::{PASSWORD, Program, TestServer, USER};
use super::wait::is_so_within;

/// Transfers for FileZilla, one a line.
#[derive(Default)]
pub(crate) struct Queue {
    lines: String,
    length: usize,
    connections_max: u32,
}

impl Queue {
    pub(crate) fn add(
        &mut self,
        way: &str,
        local: &Path,
        local_name: &str,
        remote: &str,
        remote_name: &str,
    ) {
        let fields = [way, path(local), local_name, remote, remote_name];
        self.lines += &(fields.join("\t") + "\n");
        self.length += 1;
    }

    /// One transfer after the other. Without it there are two at a time.
    pub(crate) fn one_at_a_time(&mut self) {
        self.connections_max = 1;
    }

    /// FileZilla will connect to `to`, which leads to the server.
    pub(crate) fn write(
        &self,
        server: &TestServer<Program>,
        to: SocketAddr,
        mode: &str,
        certificate: Option<&Certificate>,
    ) {
        let (home, log) = (server.work(""), server.work(LOG));
        let mut command = server.client_program("python3");
        command.arg(script("filezilla_home.py"));
        command.args([path(&home), path(&log)]);
        command.args([&to.ip().to_string(), &to.port().to_string()]);
        command.args([USER, PASSWORD, mode, &self.connections_max.to_string()]);
        command.args(certificate.map(|certificate| &certificate.chain));
        process::run_typing(&mut command, &self.lines, SECONDS_MAX).expect_success();
    }

    /// Has FileZilla process the queue, and returns its log.
    #[track_caller]
    pub(crate) fn transfer(&self, server: &TestServer<Program>, filezilla: Command) -> String {
        self.process(server, filezilla, SUCCESSFUL)
    }

    /// The same where each transfer fails.
    #[track_caller]
    pub(crate) fn fail(&self, server: &TestServer<Program>, filezilla: Command) -> String {
        self.process(server, filezilla, FAILED)
    }

    /// Returns the log once each transfer has ended with this result.
    #[track_caller]
    fn process(
        &self,
        server: &TestServer<Program>,
        mut filezilla: Command,
        result: &str,
    ) -> String {
        let screen = Screen::new(server);
        filezilla.env("DISPLAY", &screen.display);
        let mut filezilla = Running(process::start(&mut filezilla));
        process::drain(filezilla.0.stdout.take().expect("stdout is piped"));
        process::drain(filezilla.0.stderr.take().expect("stderr is piped"));
        let log = || fs::read_to_string(server.work(LOG)).unwrap_or_default();
        // The key toggles, so it is pressed again only when it had no effect the last time.
        let started = (0..PRESSES_MAX).any(|_| {
            screen.press_process_queue(server);
            is_so_within(Duration::from_secs(3), || log().contains("Connecting to"))
        });
        assert!(started, "FileZilla's queue does not start:\n{}", log());
        let count = |result: &str| log().matches(result).count();
        let all = || count(SUCCESSFUL) + count(FAILED) == self.length;
        let ended = is_so_within(Duration::from_secs(SECONDS_MAX), all);
        assert!(
            ended,
            "{} transfers have not ended:\n{}",
            self.length,
            log()
        );
        assert_eq!(count(result), self.length, "{result}:\n{}", log());
        log()
    }
}

/// FileZilla in the client's directory, without the settings of the desktop on which the tests may
/// run.
pub(crate) fn filezilla(server: &TestServer<Program>) -> Command {
    let mut command = server.client_program("filezilla");
    for setting in DESKTOP {
        command.env_remove(setting);
    }
    command
}

/// An X server without a screen.
struct Screen {
    display: String,
    _server: Running,
}

impl Screen {
    fn new(server: &TestServer<Program>) -> Self {
        let mut command = server.client_program("Xvfb");
        // It looks for a free number by itself and prints it when it is ready.
        command.args(["-displayfd", "1", "-screen", "0", "1280x900x24"]);
        command.args(["-nolisten", "tcp", "-noreset"]);
        let mut server = Running(process::start(&mut command));
        process::drain(server.0.stderr.take().expect("stderr is piped"));
        let stdout = BufReader::new(server.0.stdout.take().expect("stdout is piped"));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Only the first line is waited for.
                let _ = sender.send(line);
            }
        });
        let number = receiver
            .recv_timeout(Duration::from_secs(20))
            .expect("the number of Xvfb");
        Self {
            display: format!(":{}", number.trim()),
            _server: server,
        }
    }

    /// Presses Ctrl+P in FileZilla's window, as soon as there is one.
    fn press_process_queue(&self, server: &TestServer<Program>) {
        let mut command = self.xdotool(server);
        command.args(["search", "--sync", "--onlyvisible", "--name", "^FileZilla"]);
        command.args(["windowfocus", "--sync", "key", "--clearmodifiers", "ctrl+p"]);
        // If it fails, the log will show that nothing has started.
        process::run(&mut command, 20);
    }

    fn xdotool(&self, server: &TestServer<Program>) -> Command {
        let mut command = server.client_program("xdotool");
        command.env("DISPLAY", &self.display);
        command
    }
}

/// A child that ends with the test, however the test ends; it may tidy up first.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        process::wait(&mut self.0, Duration::from_secs(5));
    }
}

const LOG: &str = "filezilla.log";
const SUCCESSFUL: &str = "File transfer successful";
const FAILED: &str = "File transfer failed";
const PRESSES_MAX: u32 = 10;
const DESKTOP: [&str; 3] = [
    "WAYLAND_DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_CONFIG_HOME",
];
