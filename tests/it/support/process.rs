//! Runs other programs, each with a deadline.
//!
//! Nothing in the tests waits for a child without a bound, and a child is ended by its own id only.
//! A program that is missing fails the test: a test that did not run must not look like one that
//! passed.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::wait;

/// What a program did: its exit status and all it printed.
pub(crate) struct Finished {
    pub(crate) command: String,
    pub(crate) status: Option<ExitStatus>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Runs `command` without input to its end, or kills it after `seconds_max`.
pub(crate) fn run(command: &mut Command, seconds_max: u64) -> Finished {
    finish(start(command), command, seconds_max)
}

/// The same for a program that reads what a person would type.
pub(crate) fn run_typing(command: &mut Command, typed: &str, seconds_max: u64) -> Finished {
    let (reader, mut writer) = io::pipe().expect("a pipe");
    let child = start_reading(command, reader.into());
    // In a separate thread: a program that stops reading must not stop the test.
    let typed = typed.to_owned();
    thread::spawn(move || writer.write_all(typed.as_bytes()));
    finish(child, command, seconds_max)
}

/// A command that runs `inner` behind these words, a program and its arguments.
pub(crate) fn prefixed(words: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(inner.get_program());
    command.args(inner.get_args());
    copy_environment(inner, &mut command);
    command
}

/// A command that runs `inner` in a mount namespace of its own, after this script of `mount`
/// commands, whose `$0`, `$1` and so on are the paths.
pub(crate) fn mounting(script: &str, paths: &[&Path], inner: &Command) -> Command {
    let shifted = paths.len() - 1;
    let script = format!("{script} && shift {shifted} && exec \"$@\"");
    let mut words = vec!["unshare", "--mount", "sh", "-c", &script];
    words.extend(paths.iter().map(|path| path.to_str().expect("UTF-8")));
    prefixed(&words, inner)
}

/// Sets and removes what `from` sets and removes.
pub(crate) fn copy_environment(from: &Command, to: &mut Command) {
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
}

/// Starts `command` without input and with both outputs piped.
pub(crate) fn start(command: &mut Command) -> Child {
    start_reading(command, Stdio::null())
}

/// Collects what a started child prints, until it ends or is killed.
pub(crate) fn finish(mut child: Child, command: &Command, seconds_max: u64) -> Finished {
    let stdout = drain(child.stdout.take().expect("stdout is piped"));
    let stderr = drain(child.stderr.take().expect("stderr is piped"));
    let status = wait(&mut child, Duration::from_secs(seconds_max));
    Finished {
        command: format!("{command:?}"),
        status,
        stdout: stdout.join().expect("reading stdout"),
        stderr: stderr.join().expect("reading stderr"),
    }
}

pub(crate) fn start_reading(command: &mut Command, input: Stdio) -> Child {
    command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!(
            "cannot start {:?}: {error} (Debian package: {})",
            command.get_program(),
            package(&command.get_program().to_string_lossy()),
        ),
    }
}

/// Waits for the child's end; kills it and returns `None` when `at_most` has passed.
pub(crate) fn wait(child: &mut Child, at_most: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + at_most;
    let mut looks = 0;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("waiting for a child") {
            return Some(status);
        }
        wait::pause_after(looks);
        looks += 1;
    }
    // It may have ended by itself since the last look; then there is nothing to kill.
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Reads to the end in a separate thread, so that a full pipe never stops the child.
pub(crate) fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still useful.
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}

impl Finished {
    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// Both outputs as text, for assertions and for people.
    pub(crate) fn text(&self) -> String {
        let ended = match self.status {
            Some(status) => status.to_string(),
            None => "killed, out of time".to_owned(),
        };
        format!(
            "{}\n[{ended}]\n{}\n{}",
            self.command,
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr),
        )
    }

    /// Returns itself when the program succeeded; otherwise panics with all that it printed.
    #[track_caller]
    pub(crate) fn expect_success(self) -> Self {
        assert!(
            self.succeeded(),
            "this should have succeeded:\n{}",
            self.text()
        );
        self
    }

    /// Returns itself when the program failed with an exit code: not killed by us, not by a signal.
    #[track_caller]
    pub(crate) fn expect_failure(self) -> Self {
        let code = self.status.and_then(|status| status.code());
        assert!(
            code.is_some_and(|code| code != 0),
            "this should have failed:\n{}",
            self.text()
        );
        self
    }

    /// The server has refused its flags, with this text, in whatever lines.
    #[track_caller]
    pub(crate) fn expect_refusal(&self, text: &str) {
        let code = self.status.and_then(|status| status.code());
        let shown = self.text();
        assert_eq!(code, Some(2), "{shown}");
        let words: Vec<&str> = shown.split_whitespace().collect();
        assert!(words.join(" ").contains(text), "no {text:?} in\n{shown}");
    }
}

/// The Debian package that brings a program.
fn package(program: &str) -> &str {
    match program {
        "nft" => "nftables",
        "ip" => "iproute2",
        "dnsmasq" => "dnsmasq-base",
        "inetd" => "openbsd-inetd",
        "systemd-socket-activate" => "systemd",
        "nsenter" | "prlimit" | "setpriv" | "unshare" => "util-linux",
        "mkfifo" => "coreutils",
        "ncftpget" | "ncftpput" | "ncftpls" => "ncftp",
        "busybox" => "busybox-static",
        "aria2c" => "aria2",
        "node" => "nodejs",
        "Xvfb" => "xvfb",
        "php" => "php-cli",
        "java" => "default-jdk-headless",
        other => other,
    }
}
