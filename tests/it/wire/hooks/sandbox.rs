//! Hooks of a server in a sandbox: another process starts them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::place::{NAME, Place, children, command, is_gone};
use crate::support::client_program::path;
use crate::support::process;
use crate::support::server::{self, Program, Setup, TestServer};
use crate::support::wait::wait_at_most;

/// The process that starts them is outside of the sandbox, and ends with the server.
#[test]
fn hooks_run_beside_a_sandbox() {
    let place = Place::new();
    let (upload, event) = (place.recorder("upload"), place.recorder("event"));
    let file = place.path("conf");
    fs::write(&file, format!("on-upload {upload}\non-event {event}\n")).expect("a file");
    let server = TestServer::program(&["--sandbox", "--config", path(&file)]);
    let mut client = server.client();
    client.store(command("STOR", NAME), "text");
    for name in ["upload", "event"] {
        let run = place.run(name, "upload");
        assert_eq!(run["FTP_PATH"], [b"/", NAME].concat());
        assert!(!run.contains_key("FTP_HOOK_HELPER"), "{run:?}");
    }
    assert_eq!(children(&server).len(), 2);
    fs::write(&file, format!("on-upload {upload}\n")).expect("a file");
    server.signal(Signal::HUP);
    server
        .log_with("not reloading, the old settings stay: --on-event has changed: since the start");
    let log = server.finish();
    assert_eq!(place.runs("event", "logout").len(), 1, "{log}");
}

/// A service manager sends its signals to all processes at once.
#[test]
fn the_helper_ends_after_the_server() {
    let place = Place::new();
    let hook = place.script("hook", "sleep 0.2; touch \"$place/$FTP_EVENT\"");
    let server = TestServer::program(&["--sandbox", "--on-event", &hook]);
    let mut client = server.client();
    client.store("STOR new", "text");
    let helper = helper_of(&server);
    for signal in [Signal::HUP, Signal::INT, Signal::TERM] {
        kill_process(helper, signal).expect("a signal");
    }
    server.finish();
    for event in ["login", "upload", "logout"] {
        assert!(place.has(event), "{event}");
    }
    assert!(is_gone(helper));
}

/// A server that is killed closes nothing and asks for nothing, and what waits would take hours.
#[test]
fn the_helper_of_a_killed_server_ends_although_its_queue_is_full() {
    let place = Place::new();
    let hook = place.script("hook", "exec sleep 50");
    let server = TestServer::program(&["--sandbox", "--on-event", &hook]);
    let mut client = server.client();
    let helper = helper_of(&server);
    // Those of the helper, the pipe to it, and those of the server.
    for number in 0..3000 {
        client.command(format!("MKD {number}"), 257);
    }
    server.log_with("1000 runs wait already");
    server.signal(Signal::KILL);
    server.ended();
    wait_at_most(Duration::from_secs(20), "the helper's end", || {
        is_gone(helper)
    });
}

/// A server that was taken over could replace it.
#[test]
fn a_hook_within_reach_of_the_sandbox_is_refused() {
    let setup = Setup::new();
    let hook = setup.directory().join("hook");
    fs::write(&hook, "#!/bin/sh\n").expect("a script");
    fs::set_permissions(&hook, Permissions::from_mode(0o755)).expect("a mode");
    let mut serve = server::command(&["-p", "0", "-w", "--sandbox", "-d"]);
    serve.arg(setup.root()).args(["--on-upload", path(&hook)]);
    let finished = process::run(&mut serve, 20);
    let text = finished.text();
    assert_eq!(
        finished.status.and_then(|status| status.code()),
        Some(2),
        "{text}"
    );
    assert!(
        text.contains("--sandbox leaves the server the right to change this program"),
        "{text}"
    );
}

/// The process that starts the hooks of this server.
fn helper_of(server: &TestServer<Program>) -> Pid {
    let helpers = children(server);
    let mut lines = helpers[0].lines();
    let number = lines.find_map(|line| line.strip_prefix("Pid:\t"));
    let number = number.expect("a number").parse().expect("a number");
    Pid::from_raw(number).expect("a process")
}
