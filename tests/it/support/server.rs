//! Starts the real server binary for a test, waits until it listens, and ends it by its id.
//!
//! Agreed with the server: for each listener it writes a line to stderr that holds
//! `listening on ADDRESS:PORT` (`127.0.0.1:2121`, `[::1]:2121`), after the socket listens.
//!
//! `FTP_TEST_SERVER` replaces the binary by another command that knows the same short flags, to try the tests
//! themselves against another server: `FTP_TEST_SERVER="python3 -m pyftpdlib"`.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::process;

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    log: Arc<Log>,
    pub(crate) address: SocketAddr,
}

/// What the server has written to stderr until now.
#[derive(Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    text: String,
    ended: bool,
}

impl Server {
    /// Starts the server and waits for its first listener.
    pub(crate) fn start<S: AsRef<str>>(arguments: &[S]) -> Self {
        Self::spawn(&mut command(arguments))
    }

    /// The same with a command prepared elsewhere (in a network namespace, say).
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = process::start(command);
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("stderr is piped");
        thread::spawn({
            let log = Arc::clone(&log);
            move || log.fill(BufReader::new(stderr))
        });
        // Nothing is expected on stdout; it is read so that it can never fill up.
        process::drain(child.stdout.take().expect("stdout is piped"));
        let found = log.wait_for(START_MAX, listening);
        let mut server = Self {
            child,
            log,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        match found {
            Some(address) => server.address = address,
            None => panic!("{command:?} does not listen; its log:\n{}", server.log()),
        }
        server
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        self.log.state.lock().expect("the log").text.clone()
    }

    /// The log once it holds `text`: what the server has written may be still on its way to us.
    #[track_caller]
    pub(crate) fn log_with(&self, text: &str) -> String {
        let holds = |log: &LogState| log.text.contains(text).then(|| log.text.clone());
        let found = self.log.wait_for(LOG_MAX, holds);
        found.unwrap_or_else(|| panic!("no {text:?} in the log:\n{}", self.log()))
    }

    /// Stops the whole server, or lets it go on: what clients do in between comes to it all at once.
    pub(crate) fn pause(&self, pause: bool) {
        self.signal(if pause { Signal::STOP } else { Signal::CONT });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a signal to the server");
    }

    /// Waits for the end that was asked for; the exit code and the whole log.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let status = process::wait(&mut self.child, END_MAX);
        let status = status.unwrap_or_else(|| panic!("it does not end:\n{}", self.log()));
        self.log.wait_for(END_MAX, |log| log.ended.then_some(()));
        (status.code(), self.log())
    }

    /// Asks the server to end, and checks that it was well to the last: no panic, none of `secrets` in its log,
    /// which is returned whole.
    #[track_caller]
    pub(crate) fn finish(mut self, secrets: &[&str]) -> String {
        let gone = self.child.try_wait().expect("waiting for the server");
        assert!(
            gone.is_none(),
            "the server died ({gone:?}); its log:\n{}",
            self.log()
        );
        self.signal(Signal::TERM);
        let status = process::wait(&mut self.child, END_MAX);
        assert!(
            status.is_some(),
            "SIGTERM did not end the server; its log:\n{}",
            self.log()
        );
        self.log.wait_for(END_MAX, |log| log.ended.then_some(()));
        let log = self.log();
        assert!(!log.contains("panicked"), "a panic in the server:\n{log}");
        for secret in secrets {
            assert!(
                !log.contains(secret),
                "the server's log holds {secret:?}:\n{log}"
            );
        }
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `finish` both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn fill(&self, mut stderr: impl BufRead) {
        let mut line = Vec::new();
        loop {
            line.clear();
            let more = stderr
                .read_until(b'\n', &mut line)
                .is_ok_and(|bytes| bytes > 0);
            let mut state = self.state.lock().expect("the log");
            state.text.push_str(&String::from_utf8_lossy(&line));
            state.ended = !more;
            self.changed.notify_all();
            if !more {
                return;
            }
        }
    }

    /// Waits until `find` finds something, the log ends, or `at_most` has passed.
    fn wait_for<T>(&self, at_most: Duration, find: impl Fn(&LogState) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + at_most;
        let mut state = self.state.lock().expect("the log");
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let found = find(&state);
            if found.is_some() || state.ended || left.is_zero() {
                return found;
            }
            state = self.changed.wait_timeout(state, left).expect("the log").0;
        }
    }
}

/// The command that starts the server with these arguments.
pub(crate) fn command<S: AsRef<str>>(arguments: &[S]) -> Command {
    let replacement = env::var("FTP_TEST_SERVER").unwrap_or_default();
    let mut words = replacement.split_whitespace();
    let mut command = match words.next() {
        Some(program) => Command::new(program),
        None => Command::new(binary()),
    };
    command
        .args(words)
        .args(arguments.iter().map(AsRef::as_ref));
    // The tests choose all settings themselves.
    command
        .env_remove("FTP_PASSWORD")
        .env_remove("RUST_LOG")
        .env("RUST_BACKTRACE", "1");
    command
}

/// The server of the same build as this test: `target/PROFILE/deps/it-…` → `target/PROFILE/ftp-server-sync`.
fn binary() -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("target/PROFILE/deps/it-…");
    let binary = profile.join("ftp-server-sync");
    let build =
        "run `tests/run`, or `cargo build -p ftp-server-sync` in the same profile as the tests";
    assert!(binary.is_file(), "{} is missing: {build}", binary.display());
    if let Some(source) = newer_source(&binary) {
        panic!("{} is older than {source}: {build}", binary.display());
    }
    binary
}

/// A source file changed since the binary was built, by Cargo's own list beside it (`.d`).
fn newer_source(binary: &Path) -> Option<String> {
    let modified = |path: &Path| {
        fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    let built = modified(binary)?;
    let list = fs::read_to_string(binary.with_extension("d")).ok()?;
    let sources = list.split_once(": ")?.1.split_whitespace();
    sources
        .filter(|source| modified(Path::new(source)).is_some_and(|at| at > built))
        .map(str::to_owned)
        .next()
}

/// The first address in the log that the server says it listens on.
fn listening(log: &LogState) -> Option<SocketAddr> {
    log.text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .find_map(|line| {
            let start = MARKS
                .iter()
                .find_map(|mark| Some(line.find(mark)? + mark.len()))?;
            let word = line[start..]
                .split_whitespace()
                .next()?
                .trim_end_matches(['.', ',']);
            word.parse().ok().or_else(|| {
                let (address, port) = word.rsplit_once(':')?;
                Some(SocketAddr::new(
                    address.parse::<IpAddr>().ok()?,
                    port.parse().ok()?,
                ))
            })
        })
}

/// Ours, and the one of the server that the tests were tried with.
const MARKS: [&str; 2] = ["listening on ", "starting FTP server on "];
const START_MAX: Duration = Duration::from_secs(20);
const LOG_MAX: Duration = Duration::from_secs(15);
const END_MAX: Duration = Duration::from_secs(10);
