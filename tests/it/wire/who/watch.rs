//! `--who --watch` on a terminal, which is tmux's.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::asking;
use crate::support::client_program::path;
use crate::support::data::drain;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};
use crate::support::wait::wait_until;

/// A terminal of 80 columns and 24 rows, in which a command of the shell runs.
struct Terminal {
    directory: TempDir,
}

impl Terminal {
    /// Runs this command, and then prints its exit code. `environment`: assignments for it.
    fn new(environment: &str, command: &Command) -> Self {
        let directory = TempDir::new().expect("a directory");
        let terminal = Self { directory };
        let mut words = vec![path(Path::new(command.get_program())).to_owned()];
        let arguments = command.get_args();
        words.extend(arguments.map(|argument| argument.to_str().expect("UTF-8").to_owned()));
        let script = format!(
            "stty -g > {0}/before; {environment} '{1}'; echo ended with $?; stty -g > {0}/after; \
             exec sleep 100",
            path(terminal.directory.path()),
            words.join("' '"),
        );
        // With a line less, until the status line is off: the table takes its place then.
        terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", &script]);
        terminal.tmux(&["set", "-g", "status", "off"]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command
            .args(["-u", "-f", "/dev/null", "-L", "test"])
            .args(arguments);
        command.env("TMUX_TMPDIR", self.directory.path());
        command.env_remove("TMUX").env("TERM", "xterm");
        let finished = process::run(&mut command, 20).expect_success();
        String::from_utf8(finished.stdout).expect("UTF-8")
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The screen once it holds `text`.
    #[track_caller]
    fn screen_with(&self, text: &str) -> String {
        let mut screen = String::new();
        wait_until(text, || {
            screen = self.screen();
            screen.contains(text)
        });
        screen
    }

    /// The program has ended, and the terminal is as before.
    #[track_caller]
    fn assert_restored(&self) {
        self.screen_with("ended with 0");
        let modes = self.tmux(&[
            "display",
            "-p",
            "#{alternate_on} #{cursor_flag} #{wrap_flag}",
        ]);
        assert_eq!(modes, "0 1 1\n");
        let modes = |name: &str| fs::read(self.directory.path().join(name)).unwrap_or_default();
        wait_until("the modes of the terminal", || !modes("after").is_empty());
        assert_eq!(modes("before"), modes("after"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// Each `*` stands for any text.
fn is_like(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let start = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(end) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(end)
}

#[track_caller]
fn assert_like(screen: &str, patterns: &[&str]) {
    let lines: Vec<&str> = screen.trim_end_matches('\n').split('\n').collect();
    let mut pairs = lines.iter().zip(patterns);
    let are_like = pairs.all(|(line, pattern)| is_like(line, pattern));
    assert!(are_like && lines.len() == patterns.len(), "{screen}");
}

#[test]
fn a_download_moves() {
    let setup = Setup::new().on_own_address();
    let server = setup
        .flags(&["--rate-out", "200K", "-r", "60000-60003"])
        .program();
    server.write_sparse("big", 64 << 20);
    let mut client = server.client();
    let data = client.data();
    client.command("RETR big", 150);
    let reader = thread::spawn(move || drain(data));
    let terminal = Terminal::new("", &asking(&server, &["--who", "--watch"]));
    let screen = terminal.screen_with("now ");
    let mut expected = vec![
        "ftp-server-sync *, pid *, up 0:*, serves *…",
        "1 of 512 sessions  passive ports 60000-60003: 0 of 4 in use",
        "now * KiB/s down, 0 B/s up",
        "0 downloads done, 1 running, * KiB  0 uploads done  0 listings done",
        "NO  USER    CLIENT     TLS   AGE  ACTIVITY",
        "#1  tester  127.0.0.1  -    0:*  RETR /big",
        "    [*----] *%  * KiB of 64.0 MiB  * KiB/s  *:* left",
        "    127.*:6000* connected, by the rule for local clients (127.0.0.0/8)",
    ];
    expected.extend(vec![""; 15]);
    expected.push("q quits");
    assert_like(&screen, &expected);
    // The same terminal with another size.
    terminal.tmux(&["resize-window", "-x", "70", "-y", "9"]);
    expected.truncate(7);
    expected.push("    127.*:6000* connected, by the rule for local clients (*");
    expected.push("q quits");
    wait_until("the new size", || terminal.screen().lines().count() == 9);
    wait_until("a whole page", || {
        terminal.screen().ends_with("\nq quits\n")
    });
    assert_like(&terminal.screen(), &expected);
    terminal.tmux(&["send-keys", "q"]);
    terminal.assert_restored();
    drop(client);
    reader.join().expect("the reader of the download");
}

#[test]
fn many_sessions_scroll() {
    let server = TestServer::program(&[]);
    let clients: Vec<_> = (0..30).map(|_| server.client()).collect();
    let terminal = Terminal::new("NO_COLOR=1", &asking(&server, &["--who", "--watch"]));
    // Head, columns and foot take rows.
    let first = terminal.screen_with("now ");
    assert!(
        first.contains("\n #1  tester ") && !first.contains("#30 "),
        "{first}"
    );
    assert!(
        first.ends_with("\n… 12 more; arrows scroll, q quits\n"),
        "{first}"
    );
    terminal.tmux(&["send-keys", "Down", "Down"]);
    let screen = terminal.screen_with("… 10 more, 2 above;");
    assert!(
        !screen.contains("\n #2 ") && screen.contains("\n #3 "),
        "{screen}"
    );
    terminal.tmux(&["send-keys", "End"]);
    let screen = terminal.screen_with("… 12 above; arrows scroll, q quits");
    assert!(screen.contains("\n#30  tester "), "{screen}");
    drop(clients);
    terminal.screen_with("\nq quits");
    // A signal ends it too.
    let shell = terminal.tmux(&["display", "-p", "#{pane_pid}"]);
    let shell = shell.trim();
    let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
    let child = children.expect("its children");
    let child = child.trim().parse().ok().and_then(Pid::from_raw);
    kill_process(child.expect("one child"), Signal::TERM).expect("a signal");
    terminal.assert_restored();
}

#[test]
fn a_server_that_is_gone_comes_back() {
    let directory = TempDir::new().expect("a directory");
    let socket = directory.path().join("socket");
    let start = || TestServer::<Program>::program(&["--status-socket", path(&socket)]);
    let server = start();
    let mut command = crate::support::server::command(&["--who", "--watch", "--status-socket"]);
    command.arg(&socket);
    let terminal = Terminal::new("", &command);
    terminal.screen_with(&format!(", pid {}, ", server.id()));
    drop(server);
    let screen = terminal.screen_with("no answer, trying again: ");
    assert!(screen.contains("\n0 of 512 sessions\n"), "{screen}");
    let server = start();
    terminal.screen_with(&format!(", pid {}, ", server.id()));
    wait_until("no word of it", || !terminal.screen().contains("no answer"));
    terminal.tmux(&["send-keys", "C-c"]);
    terminal.assert_restored();
}
