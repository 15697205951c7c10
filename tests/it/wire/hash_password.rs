//! `--hash-password`: from a pipe and from a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use ftp_server_sync::settings::PasswordHash;
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::support::process::{self, Finished};
use crate::support::server;
use crate::support::wait::wait_until;

#[test]
fn a_piped_password_is_hashed() {
    for (piped, password) in [
        ("secret\n", &b"secret"[..]),
        ("secret", b"secret"),
        ("two words \u{e4}\r\n", "two words \u{e4}".as_bytes()),
    ] {
        let finished = hash(piped);
        let hash = printed_hash(&finished);
        assert!(hash.matches(password), "{}", finished.text());
        assert!(finished.stderr.is_empty(), "{}", finished.text());
    }
    // The salt differs.
    let two = [(); 2].map(|()| hash("secret\n").stdout);
    assert_ne!(two[0], two[1]);
}

#[test]
fn what_is_no_password_is_refused() {
    for (piped, problem) in [
        ("", "the password is empty"),
        ("\n", "the password is empty"),
        (
            "two\nlines\n",
            "the password contains a line break or a NUL byte, which no client can send",
        ),
        (
            "a\0b\n",
            "the password contains a line break or a NUL byte, which no client can send",
        ),
        (&"x".repeat(513), "the password is longer than 512 bytes"),
        (
            &"x".repeat(100_000),
            "the password is longer than 512 bytes",
        ),
    ] {
        let finished = hash(piped);
        assert_eq!(finished.status.and_then(|status| status.code()), Some(2));
        let text = format!("ftp-server-sync: --hash-password: {problem}\n");
        assert_eq!(String::from_utf8_lossy(&finished.stderr), text);
        assert!(finished.stdout.is_empty());
    }
    let mut command = server::command(&["--hash-password", "-p", "2121"]);
    let finished = process::run(&mut command, SECONDS_MAX);
    let text = "ftp-server-sync: --port 2121: means nothing with --hash-password, which makes a hash \
                and serves nothing; leave it out\n";
    assert_eq!(String::from_utf8_lossy(&finished.stderr), text);
}

#[test]
fn a_terminal_shows_nothing_of_the_password() {
    for (typed, problem) in [
        (["secret\n", "secret\n"], ""),
        (
            ["secret\n", "Secret\n"],
            "ftp-server-sync: --hash-password: the two passwords differ; try again\r\n",
        ),
        (
            ["\n", "\n"],
            "ftp-server-sync: --hash-password: the password is empty\r\n",
        ),
    ] {
        let mut terminal = Terminal::start();
        for (question, line) in ["New password: ", "Once more: "].into_iter().zip(typed) {
            terminal.wait_for(question);
            assert!(!terminal.echoes());
            terminal.write(line);
        }
        let hash = terminal.end_of_output();
        assert!(terminal.echoes());
        let shown = terminal.shown();
        assert_eq!(shown, format!("New password: \r\nOnce more: \r\n{problem}"));
        if problem.is_empty() {
            let hash = PasswordHash::parse(hash.trim_end()).expect("a hash");
            assert!(hash.matches(b"secret"));
        } else {
            assert_eq!(hash, "");
        }
    }
}

#[test]
fn a_signal_restores_the_terminal() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut terminal = Terminal::start();
        terminal.wait_for("New password: ");
        assert!(!terminal.echoes());
        let pid = Pid::from_child(&terminal.child);
        kill_process(pid, signal).expect("a signal");
        let status = process::wait(&mut terminal.child, Duration::from_secs(SECONDS_MAX));
        // It ends by the signal, so that a shell sees that.
        let status = status.and_then(|status| status.signal());
        assert_eq!(status, Some(signal.as_raw()));
        assert!(terminal.echoes());
    }
}

/// The program with a terminal at its standard input and error.
struct Terminal {
    child: Child,
    master: File,
    /// Keeps the terminal alive when the program has ended.
    slave: OwnedFd,
    shown: Vec<u8>,
}

impl Terminal {
    fn start() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("a terminal");
        unlockpt(&master).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("its name");
        let slave = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("its end");
        let copy = || Stdio::from(slave.try_clone().expect("its end"));
        let mut command = server::command(&["--hash-password"]);
        command.stdin(copy()).stderr(copy()).stdout(Stdio::piped());
        Self {
            child: command.spawn().expect("the program"),
            master: File::from(master),
            slave,
            shown: Vec::new(),
        }
    }

    /// Reads until the terminal shows this at the end.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        while !self.shown.ends_with(text.as_bytes()) {
            let mut bytes = [0; 100];
            let count = self.master.read(&mut bytes).expect("the terminal");
            self.shown.extend_from_slice(&bytes[..count]);
        }
        // It asks before it has read the terminal's settings no more.
        wait_until("the terminal is silent", || !self.echoes());
    }

    fn write(&mut self, line: &str) {
        self.master.write_all(line.as_bytes()).expect("typing");
    }

    fn echoes(&self) -> bool {
        let settings = tcgetattr(&self.slave).expect("the settings");
        settings.local_modes.contains(LocalModes::ECHO)
    }

    /// What the program prints to its standard output until it ends.
    fn end_of_output(&mut self) -> String {
        let mut text = String::new();
        let mut stdout = self.child.stdout.take().expect("stdout is piped");
        stdout.read_to_string(&mut text).expect("text");
        process::wait(&mut self.child, Duration::from_secs(SECONDS_MAX)).expect("its end");
        text
    }

    /// All that the terminal has shown, now that the program has ended.
    fn shown(mut self) -> String {
        drop(self.slave);
        let mut bytes = [0; 1000];
        // After the last end is closed, reading fails.
        while let Ok(count @ 1..) = self.master.read(&mut bytes) {
            self.shown.extend_from_slice(&bytes[..count]);
        }
        String::from_utf8(self.shown).expect("text")
    }
}

fn hash(piped: &str) -> Finished {
    let mut command = server::command(&["--hash-password"]);
    process::run_typing(&mut command, piped, SECONDS_MAX)
}

#[track_caller]
fn printed_hash(finished: &Finished) -> PasswordHash {
    let text = String::from_utf8_lossy(&finished.stdout);
    let line = text.strip_suffix('\n').expect("a line");
    assert!(line.starts_with("$argon2id$v=19$m=8192,t=3,p=1$"), "{line}");
    PasswordHash::parse(line).expect("a hash")
}

const SECONDS_MAX: u64 = 20;
