//! Starts the server's program for a test, waits until it listens, and ends it by its id.
//!
//! Agreed with the server: for each listener it writes a line to stderr that holds
//! `listening on ADDRESS:PORT` (`127.0.0.1:2121`, `[::1]:2121`), after the socket listens.
//!
//! `FTP_TEST_SERVER` replaces the program by another command that knows the same short flags:
//! `FTP_TEST_SERVER="python3 -m pyftpdlib"`.

use std::cell::Cell;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{PASSWORD, Setup, TestServer};
use crate::support::process;

/// A running program; dropping it ends it.
pub(crate) struct Program {
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

impl Program {
    /// Starts the command and waits for its first listener.
    pub(crate) fn start(command: &mut Command, input: Stdio) -> Self {
        let mut child = process::start_reading(command, input);
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("stderr is piped");
        thread::spawn({
            let log = Arc::clone(&log);
            move || log.fill(BufReader::new(stderr))
        });
        // Nothing is expected on stdout; it is read so that it can never fill up.
        process::drain(child.stdout.take().expect("stdout is piped"));
        let found = log.wait_for(START_MAX, listening);
        let mut program = Self {
            child,
            log,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
        };
        match found {
            Some(address) => program.address = address,
            None => panic!("{command:?} does not listen; its log:\n{}", program.log()),
        }
        program
    }

    pub(crate) fn log(&self) -> String {
        self.log.state.lock().expect("the log").text.clone()
    }

    /// The log once it holds `text`: what the program has written may be still on its way to us.
    #[track_caller]
    pub(crate) fn log_with(&self, text: &str) -> String {
        let holds = |log: &LogState| log.text.contains(text).then(|| log.text.clone());
        let found = self.log.wait_for(LOG_MAX, holds);
        found.unwrap_or_else(|| panic!("no {text:?} in the log:\n{}", self.log()))
    }

    /// Waits for a line of this session that holds `text`.
    #[track_caller]
    fn session_log_with(&self, number: usize, text: &str) {
        let session = format!(" #{number} ");
        let is_it = |line: &str| line.contains(&session) && line.contains(text);
        let holds = |log: &LogState| log.text.lines().any(is_it).then_some(());
        let found = self.log.wait_for(LOG_MAX, holds);
        assert!(
            found.is_some(),
            "no {text:?} of session {number} in the log:\n{}",
            self.log()
        );
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("a signal to the server");
    }

    /// Checks that it has not ended by itself.
    #[track_caller]
    pub(super) fn assert_running(&mut self) {
        let ended = self.child.try_wait().expect("waiting for the server");
        assert!(
            ended.is_none(),
            "the server died ({ended:?}); its log:\n{}",
            self.log()
        );
    }

    /// Waits for the end that the test has caused.
    fn wait(&mut self) -> Option<ExitStatus> {
        let status = process::wait(&mut self.child, END_MAX);
        self.log.wait_for(END_MAX, |log| log.ended.then_some(()));
        status
    }
}

impl TestServer<Program> {
    /// The program on 127.0.0.1 with a user who may write, and these flags.
    pub(crate) fn program(flags: &[&str]) -> Self {
        Setup::new().flags(flags).program()
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.backend.child.id()
    }

    /// A path as the server sees it, that may have mounted something there.
    pub(crate) fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.id()));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    pub(crate) fn log(&self) -> String {
        self.backend.log()
    }

    /// The log once it holds `text`.
    #[track_caller]
    pub(crate) fn log_with(&self, text: &str) -> String {
        self.backend.log_with(text)
    }

    /// Runs a script where it sees its mounts. `$0`, `$1` and so on are the arguments.
    #[track_caller]
    pub(crate) fn in_its_mounts(&self, script: &str, arguments: &[&str]) {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.id().to_string()]);
        command.args(["sh", "-ec", script]).args(arguments);
        process::run(&mut command, 20).expect_success();
    }

    /// Waits for a log line of the session with this number that holds `text`.
    #[track_caller]
    pub(crate) fn session_log_with(&self, number: usize, text: &str) {
        self.backend.session_log_with(number, text);
    }

    /// Stops the whole server, or lets it continue: what clients do in between reaches it all at
    /// once.
    pub(crate) fn pause(&self, pause: bool) {
        self.signal(if pause { Signal::STOP } else { Signal::CONT });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.backend.signal(signal);
    }

    /// Waits for the end, which the test has caused. Returns the exit code and the whole log.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let status = self.backend.wait();
        let status = status.unwrap_or_else(|| panic!("it does not end:\n{}", self.log()));
        (status.code(), self.log())
    }

    /// Asks the server to end, and checks that it did not panic and that its log holds no password.
    /// Returns the whole log.
    #[track_caller]
    pub(crate) fn finish(mut self) -> String {
        self.backend.assert_running();
        self.signal(Signal::TERM);
        assert!(
            self.backend.wait().is_some(),
            "SIGTERM did not end the server; its log:\n{}",
            self.log()
        );
        let log = self.log();
        assert!(!log.contains("panicked"), "a panic in the server:\n{log}");
        assert!(
            !log.contains(PASSWORD),
            "the server's log holds the password:\n{log}"
        );
        log
    }
}

impl Drop for Program {
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

/// Whether another command takes the place of our program.
pub(super) fn is_replaced() -> bool {
    !replacement().trim().is_empty()
}

fn replacement() -> String {
    env::var("FTP_TEST_SERVER").unwrap_or_default()
}

/// The command that starts the server with these arguments.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    let replacement = replacement();
    let mut words = replacement.split_whitespace();
    let mut command = match words.next() {
        Some(program) => Command::new(program),
        None => Command::new(binary()),
    };
    command.args(words).args(arguments);
    // The tests choose all settings themselves.
    command
        .env_remove("FTP_PASSWORD")
        .env_remove("RUST_LOG")
        .env("RUST_BACKTRACE", "1")
        .env("RUNTIME_DIRECTORY", own_runtime_directory());
    command
}

/// A directory for the status socket of one server only, so that servers of tests that run side by
/// side do not find each other's. The server makes it. It is removed at the end of the test, which
/// is that of its thread.
fn own_runtime_directory() -> PathBuf {
    thread_local! {
        static ALL: TempDir = TempDir::new().expect("a temporary directory");
        static TAKEN: Cell<u32> = const { Cell::new(0) };
    }
    let number = TAKEN.replace(TAKEN.get() + 1);
    ALL.with(|all| all.path().join(number.to_string()))
}

fn binary() -> PathBuf {
    built("ftp-server-sync", "cargo build -p ftp-server-sync")
}

/// An example program of the protocol crate.
pub(crate) fn example(name: &str) -> PathBuf {
    built(
        &format!("examples/{name}"),
        "cargo build -p ftp-proto --examples --features std",
    )
}

/// A program of the same build as this test, and as new as its sources: `target/PROFILE/deps/it-…`
/// → `target/PROFILE/NAME`.
fn built(name: &str, build: &str) -> PathBuf {
    let test = env::current_exe().expect("the test's own path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("target/PROFILE/deps/it-…");
    let binary = profile.join(name);
    let build = format!("run `tests/run`, or `{build}` in the same profile as the tests");
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

/// The first address in the log on which the server listens.
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
                .trim_end_matches(['.', ',', '}', '"']);
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
