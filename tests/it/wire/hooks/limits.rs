//! No hook harms a session, and none outlives its limits.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::place::{Place, children, is_gone};
use crate::support::process;
use crate::support::server::TestServer;
use crate::support::wait::wait_until;

/// Neither a socket nor a file, no blocked or ignored signal, no group of the server's.
#[test]
fn a_hook_is_a_clean_process() {
    let place = Place::new();
    let body = "ls -l /proc/self/fd | sed 's/^/fd /'; grep Sig /proc/self/status; pwd
        read line || echo no input
        [ \"$(cut -d ' ' -f 5 /proc/$$/stat)\" = $$ ] && echo own group";
    let hook = place.script("hook", body);
    let server = TestServer::program(&["--on-upload", &hook, "--debug"]);
    let mut client = server.client();
    let _data = client.data();
    client.store("STOR new", "text");
    let log = server.log_with(&format!("hook {hook} for upload of #1 (/new) has ended"));
    let lines: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("upload of #1: "))
        .map(|(_, text)| text)
        .collect();
    let numbers = |lines: &[&str]| -> BTreeSet<u32> {
        let links = lines.iter().filter_map(|line| line.split_once(" -> "));
        let numbers = links.map(|(entry, _)| entry.rsplit(' ').next().expect("a number"));
        numbers
            .map(|number| number.parse().expect("a number"))
            .collect()
    };
    // Those that the program which runs the tests leaves open are not the server's.
    let mut list = Command::new("ls");
    let own = process::run(list.args(["-l", "/proc/self/fd"]), 20).text();
    let own: Vec<&str> = own.lines().collect();
    assert_eq!(numbers(&lines), numbers(&own), "{lines:#?} {own:#?}");
    assert!(!log.contains("socket:["), "{log}");
    let signals = |name: &str| {
        let mut lines = lines.iter();
        let digits = lines.find_map(|line| line.strip_prefix(name)).expect(name);
        u64::from_str_radix(digits.rsplit(['t', ' ']).next().expect("digits"), 16)
            .expect("a number")
    };
    assert_eq!(signals("SigBlk:"), 0, "{lines:#?}");
    assert_eq!(
        signals("SigIgn:") >> (Signal::PIPE.as_raw() - 1) & 1,
        0,
        "{lines:#?}"
    );
    for line in ["/", "no input", "own group"] {
        assert!(lines.contains(&line), "no {line} in {lines:#?}");
    }
    server.finish();
}

#[test]
fn a_failing_hook_is_a_warning() {
    let place = Place::new();
    let body = "case $FTP_PATH in */code) exit 3;; */signal) kill -KILL $$;; esac; rm \"$0\"";
    let hook = place.script("hook", body);
    let server = TestServer::program(&["--on-upload", &hook]);
    let mut client = server.client();
    for (name, reason) in [
        ("code", "failed: exit code 3"),
        ("signal", "failed: signal 9"),
    ] {
        client.store(format!("STOR {name}"), "text");
        let line = format!(" WARN  hook {hook} for upload of #1 (/{name}) {reason}");
        server.log_with(&line);
    }
    client.store("STOR last", "text");
    wait_until("the program is gone", || !place.has("hook"));
    client.store("STOR more", "text");
    server.log_with("for upload of #1 (/more) cannot be started: No such file or directory");
    server.finish();
}

/// What it has started ends with it, and sessions go on.
#[test]
fn a_hook_that_hangs_is_ended() {
    let place = Place::new();
    let body = "trap '' TERM; sleep 1000 & echo $! > \"$place/child\"; echo $$ > \"$place/hook.pid\"; wait; sleep 1000";
    let hook = place.script("hook", body);
    let server = TestServer::program(&["--on-upload", &hook, "--hook-timeout", "1"]);
    let mut client = server.client();
    client.store("STOR new", "text");
    server.log_with("for upload of #1 (/new) has not ended within 1 s");
    client.expect_in_step();
    server.log_with("for upload of #1 (/new) failed: signal 9");
    for name in ["child", "hook.pid"] {
        let process = place.number(name);
        wait_until("it is gone", || is_gone(process));
    }
    wait_until("no process is left", || children(&server).is_empty());
    server.finish();
}

/// The run ends with its process, whatever still has its output.
#[test]
fn a_process_left_behind_is_not_waited_for() {
    let place = Place::new();
    let hook = place.script("hook", "sleep 1000 & echo $! > \"$place/child\"; echo line");
    let server = TestServer::program(&["--on-upload", &hook, "--debug"]);
    server.client().store("STOR new", "text");
    let log = server.log_with("for upload of #1 (/new) has ended");
    assert!(log.contains("for upload of #1: line"), "{log}");
    let child = place.number("child");
    assert!(!is_gone(child));
    kill_process(child, Signal::KILL).expect("a process");
    server.finish();
}

#[test]
fn endless_output_is_cut() {
    let place = Place::new();
    let hook = place.script("hook", r#"exec yes "$(printf '\033[2J#1 bob@')""#);
    let server = TestServer::program(&["--on-upload", &hook, "--hook-timeout", "1"]);
    let mut client = server.client();
    client.store("STOR new", "text");
    server.log_with("for upload of #1: (its further output is not logged)");
    client.expect_in_step();
    server.log_with("for upload of #1 (/new) has not ended within 1 s");
    let log = server.finish();
    assert_eq!(
        log.matches("for upload of #1: \\u{1b}[2J#1 bob@").count(),
        100,
        "{log}"
    );
}

/// What does not fit is counted, and no session waits.
#[test]
fn a_flood_of_events_is_bounded() {
    let place = Place::new();
    let hook = place.script("hook", "while ! [ -e \"$place/go\" ]; do sleep 0.05; done");
    let server = TestServer::program(&["--on-event", &hook]);
    let mut client = server.client();
    const PAIRS: usize = 520;
    for _ in 0..PAIRS {
        client.command("MKD d", 257);
        client.command("RMD d", 250);
    }
    server.log_with("of #1 (/d): 1000 runs wait already");
    let running = children(&server).len();
    assert_eq!(running, 4);
    fs::write(place.path("go"), "").expect("a file");
    drop(client);
    let log = server.finish();
    // Four run besides, and a logout follows.
    let left_out = "events for which --on-event does not run: ";
    let summary = log
        .lines()
        .find(|line| line.contains(left_out))
        .expect(left_out);
    let count = summary
        .split(left_out)
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let count: usize = count.expect("a number").parse().expect("a number");
    let events = 1 + 2 * PAIRS;
    assert!(
        (events - 1005..=events - 1003).contains(&count),
        "{summary}"
    );
}

/// A slow hook delays neither the other one nor the next command.
#[test]
fn a_slow_hook_delays_no_other() {
    let place = Place::new();
    let slow = place.script("slow", "echo $$ >> \"$place/slow.pids\"; exec sleep 1000");
    let upload = place.recorder("upload");
    let server = TestServer::program(&["--on-event", &slow, "--on-upload", &upload]);
    let mut client = server.client();
    for number in 0..6 {
        client.store(format!("STOR {number}"), "text");
    }
    wait_until("all uploads", || place.runs("upload", "upload").len() == 6);
    let numbers = || fs::read_to_string(place.path("slow.pids")).unwrap_or_default();
    wait_until("all that may run do", || numbers().lines().count() == 4);
    let pids = numbers();
    drop(server);
    for pid in pids.lines() {
        let pid = Pid::from_raw(pid.parse().expect("a number")).expect("a process");
        // The server was killed.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Events of the last moment run their hooks, and the server waits for those.
#[test]
fn the_last_events_run_their_hooks() {
    let place = Place::new();
    let body = "sleep 0.2; touch \"$place/$FTP_EVENT.$FTP_SESSION\"";
    let hook = place.script("hook", body);
    let server = TestServer::program(&["--on-event", &hook]);
    let mut clients = [(); 3].map(|()| server.client());
    for client in &mut clients {
        client.store("STOR new", "text");
    }
    server.finish();
    for number in 1..=clients.len() {
        for event in ["login", "upload", "logout"] {
            assert!(place.has(&format!("{event}.{number}")), "{event} {number}");
        }
    }
}

#[test]
fn long_hooks_are_ended_with_the_server() {
    let place = Place::new();
    let hook = place.script("hook", "echo $$ > \"$place/pid\"; exec sleep 1000");
    let server = TestServer::program(&["--on-upload", &hook]);
    server.client().store("STOR new", "text");
    wait_until("it runs", || place.has("pid"));
    let log = server.finish();
    assert!(log.contains("hooks have not ended within 5 s"), "{log}");
    assert!(log.contains("is ended, because the server ends"), "{log}");
    assert!(is_gone(place.number("pid")));
}
