//! The log's reader stops, is slow, dies, or was never there: no session waits for it, and the
//! server ends when it is asked to.

use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::client_program::path;
use crate::support::process;
use crate::support::server::{PASSWORD, USER, command, own_address};
use crate::support::wait::wait_until;

/// The server's program, with a log that this test reads when it wants to.
struct Server {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Server {
    /// Starts it with this stderr.
    fn start(stderr: impl Into<Stdio>) -> Self {
        let server = Self::spawn(stderr);
        wait_until("the server listens", || {
            std::net::TcpStream::connect(server.address).is_ok()
        });
        server
    }

    fn spawn(stderr: impl Into<Stdio>) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let address = SocketAddr::from((own_address(), 2121));
        let root = directory.path().to_str().expect("a path in UTF-8");
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let flags = [
            "-i",
            &ip,
            "-p",
            &port,
            "-d",
            root,
            "-w",
            "--log-level",
            "debug",
        ];
        // Those of other tests may come and go at the default place, which the log says.
        let socket = directory.path().join("status.socket");
        let account = ["-u", USER, "-P", PASSWORD, "--status-socket", path(&socket)];
        let mut serve = command(&[&flags[..], &account].concat());
        serve.stdin(Stdio::null()).stdout(Stdio::null());
        let child = serve.stderr(stderr).spawn().expect("the server");
        Self {
            child,
            address,
            directory,
        }
    }

    /// Starts it with a log that is read only by what this returns. No connection looks whether it
    /// listens: its end would have a line at any time.
    fn with_pipe() -> (Self, BufReader<PipeReader>) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let server = Self::spawn(writer);
        let mut reader = BufReader::new(reader);
        let mut line = String::new();
        while !line.contains(" INFO  listening on ") {
            line.clear();
            let length = reader.read_line(&mut line).expect("a line");
            assert!(length > 0, "the server has ended");
        }
        (server, reader)
    }

    fn terminate(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("a signal to the server");
    }

    /// It serves new clients, and ends in time when a signal asks for it.
    #[track_caller]
    fn expect_to_serve_and_end(mut self) {
        for number in 0..20 {
            let mut client = Client::logged_in(self.address);
            let name = format!("file{number}");
            client.store(format!("STOR {name}"), "text");
            assert_eq!(client.fetch(format!("RETR {name}")), b"text");
            client.command("QUIT", 221);
        }
        assert_eq!(
            fs::read(self.directory.path().join("file7")).expect("the file"),
            b"text"
        );
        let mut inside = Client::logged_in(self.address);
        let asked = Instant::now();
        self.terminate();
        inside.expect(421);
        self.expect_end(0);
        assert!(asked.elapsed() < END_MAX, "{:?}", asked.elapsed());
    }

    #[track_caller]
    fn expect_end(&mut self, code: i32) {
        let status = process::wait(&mut self.child, 2 * END_MAX);
        let status = status.expect("it does not end");
        assert_eq!(status.code(), Some(code));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After an end in good order both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has the server log this number in a line of 350 bytes, and then its reply, and nothing else:
/// what is refused has more lines.
fn log_number(client: &mut Client, number: usize) {
    client.command(format!("CLNT {number} {}", "x".repeat(300)), 200);
}

/// The number of a line of [`log_number`].
fn number_in(line: &str) -> Option<usize> {
    let (_, rest) = line.split_once(" > CLNT ")?;
    rest.split_once(' ')?.0.parse().ok()
}

#[test]
fn a_stopped_reader_stops_nothing() {
    let (server, _reader) = Server::with_pipe();
    let mut client = Client::logged_in(server.address);
    // More than the pipe holds.
    (0..500).for_each(|number| log_number(&mut client, number));
    server.expect_to_serve_and_end();
}

/// The lines that are there are in order, and the line between them says how many are not.
#[test]
fn a_reader_that_comes_back_learns_how_many_lines_are_lost() {
    let (mut server, reader) = Server::with_pipe();
    let mut client = Client::logged_in(server.address);
    (0..LINES).for_each(|number| log_number(&mut client, number));
    let mut lines = reader.lines().map(|line| line.expect("a line"));
    let (mut next, mut replies) = (0, 0);
    let lost = loop {
        let line = lines.next().expect("more lines");
        if let Some(number) = number_in(&line) {
            assert_eq!(number, next, "{line}");
            next += 1;
        } else if next > 0 && line.contains(" < 200 ") {
            replies += 1;
        } else if let Some((_, rest)) = line.split_once(" WARN  lost log lines: ") {
            let (number, reason) = rest.split_once(' ').expect("a reason");
            assert_eq!(reason, "(their reader did not read in time)");
            break number.parse::<usize>().expect("a number");
        }
    };
    assert!(lost > 0);
    assert_eq!(next + replies + lost, 2 * LINES);
    // From then on all is logged again.
    log_number(&mut client, LINES);
    assert_eq!(lines.next().as_deref().and_then(number_in), Some(LINES));
    server.terminate();
    assert!(lines.any(|line| line.ends_with(" INFO  ended")));
    assert_eq!(lines.next(), None);
    server.expect_end(0);
}

/// What was logged before the end is written, if its reader reads on.
#[test]
fn the_end_waits_for_what_is_not_written_yet() {
    let (mut server, reader) = Server::with_pipe();
    let mut client = Client::logged_in(server.address);
    (0..500).for_each(|number| log_number(&mut client, number));
    server.terminate();
    client.expect(421);
    let lines: Vec<String> = reader.lines().map(|line| line.expect("a line")).collect();
    let numbers: Vec<usize> = lines.iter().filter_map(|line| number_in(line)).collect();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    let last = lines.last().expect("a line");
    assert!(last.ends_with(" INFO  ended"), "{last}");
    server.expect_end(0);
}

#[test]
fn a_dead_reader_ends_nothing() {
    let (server, reader) = Server::with_pipe();
    drop(reader);
    server.expect_to_serve_and_end();
}

/// Another program has made the pipe non-blocking: that is no loss as long as it is read.
#[test]
fn a_pipe_that_does_not_block_loses_nothing() {
    let (reader, writer) = io::pipe().expect("a pipe");
    set_blocking(&writer, false);
    let mut server = Server::start(writer);
    let mut client = Client::logged_in(server.address);
    (0..500).for_each(|number| log_number(&mut client, number));
    let lines = BufReader::new(reader).lines();
    let numbers = lines.filter_map(|line| number_in(&line.expect("a line")));
    assert_eq!(
        numbers.take(500).collect::<Vec<_>>(),
        (0..500).collect::<Vec<_>>()
    );
    server.terminate();
    server.expect_end(0);
}

#[test]
fn a_full_device_stops_nothing() {
    let full = fs::File::options().write(true).open("/dev/full");
    Server::start(full.expect("the device")).expect_to_serve_and_end();
}

/// A start that fails does not wait for ever for the reader of its message.
#[test]
fn an_error_at_start_ends_although_its_reader_has_stopped() {
    for flags in [
        &["--no-such-flag"][..],
        &["-d", "/no/such/directory"],
        &["--check", "-d", "/no/such/directory"],
    ] {
        let (mut reader, mut writer) = io::pipe().expect("a pipe");
        fill(&mut writer);
        let mut command = command(flags);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(writer).spawn().expect("the server");
        let asked = Instant::now();
        let status = process::wait(&mut child, 2 * END_MAX).expect("it does not end");
        assert_eq!(status.code(), Some(2), "{flags:?}");
        assert!(asked.elapsed() < END_MAX, "{:?}", asked.elapsed());
        // The command has a writer of its own.
        command.stderr(Stdio::null());
        let mut found = Vec::new();
        reader.read_to_end(&mut found).expect("the pipe");
        assert!(found.iter().all(|&byte| byte == b'x'), "{flags:?}");
    }
}

/// Writes until nothing more fits.
fn fill(writer: &mut PipeWriter) {
    set_blocking(writer, false);
    while writer.write(&[b'x'; 4096]).is_ok() {}
    set_blocking(writer, true);
}

fn set_blocking(writer: &PipeWriter, blocking: bool) {
    let mut flags = fcntl_getfl(writer).expect("the pipe's flags");
    flags.set(OFlags::NONBLOCK, !blocking);
    fcntl_setfl(writer, flags).expect("other flags");
}

/// More than the pipe, the writer and the queue hold.
const LINES: usize = 8000;

/// The server waits for its reader for a second; the rest is for a busy machine.
const END_MAX: Duration = Duration::from_secs(5);
