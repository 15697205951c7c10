//! Ports that are to be forwarded no more, while the router is silent or after a crash.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use tempfile::TempDir;

use super::lies::{ROUTER, ScriptedRouter, honest};
use super::upnp::{LOCATION, ScriptedIgd, honest as answer_upnp};
use super::{HomeServer, OUTER, sealed_lab};
use crate::support::fault::KernelTrace;
use crate::support::wait::wait_until;

/// The router answers no request for the end, until the test says so.
#[test]
fn a_removal_that_fails_is_tried_again() {
    let lab = sealed_lab();
    let is_deaf = Arc::new(AtomicBool::new(true));
    let lost = Arc::new(AtomicUsize::new(0));
    let removed = Arc::new(Mutex::new(BTreeSet::new()));
    let answer = {
        let (is_deaf, lost, removed) = (is_deaf.clone(), lost.clone(), removed.clone());
        move |request: &[u8]| {
            let mut answer = honest(request, OUTER.octets(), 9);
            if request.len() == 12 && request[8..] == [0; 4] {
                if is_deaf.load(Ordering::Relaxed) {
                    lost.fetch_add(1, Ordering::Relaxed);
                    return Vec::new();
                }
                let port = u16::from_be_bytes([request[4], request[5]]);
                removed.lock().expect("the ports").insert(port);
            } else if request.len() == 12 {
                // It forwards for two seconds, so that it is asked each second.
                answer[12..].copy_from_slice(&[0, 0, 0, 2]);
            }
            vec![answer]
        }
    };
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("config");
    let configure = |ports: &str| {
        let text = format!("port-mapping nat-pmp\npassive-ports {ports}\n");
        fs::write(&file, text).expect("the configuration");
    };
    configure("60000-60001");
    let home = HomeServer::within(lab, &["--config", file.to_str().expect("a path")]);
    home.server.log_with("the passive ports 60000-60001\n");
    configure("60000-60000");
    home.server.signal(Signal::HUP);
    // Two for each attempt.
    wait_until("two attempts", || lost.load(Ordering::Relaxed) >= 3);
    is_deaf.store(false, Ordering::Relaxed);
    wait_until("the port is removed", || {
        *removed.lock().expect("the ports") == BTreeSet::from([60_001])
    });
    home.finish();
    drop(router);
}

/// A port of the settings before stays open to the Internet otherwise, such as the control port of
/// a server that lets anonymous in now.
#[test]
fn a_port_is_removed_although_the_round_fails() {
    let lab = sealed_lab();
    let is_deaf = Arc::new(AtomicBool::new(false));
    let removed = Arc::new(Mutex::new(BTreeSet::new()));
    let answer = {
        let (is_deaf, removed) = (is_deaf.clone(), removed.clone());
        move |request: &[u8]| {
            if request.len() == 12 && request[8..] == [0; 4] {
                let port = u16::from_be_bytes([request[4], request[5]]);
                removed.lock().expect("the ports").insert(port);
            } else if is_deaf.load(Ordering::Relaxed) {
                return Vec::new();
            }
            vec![honest(request, OUTER.octets(), 9)]
        }
    };
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("config");
    let configure = |text: &str| {
        let text = format!("port-mapping nat-pmp\npassive-ports 60000-60000\n{text}");
        fs::write(&file, text).expect("the configuration");
    };
    configure("");
    let home = HomeServer::within(lab, &["--config", file.to_str().expect("a path")]);
    home.server.log_with("the passive ports 60000\n");
    is_deaf.store(true, Ordering::Relaxed);
    configure("anonymous\n");
    home.server.signal(Signal::HUP);
    wait_until("the control port is removed", || {
        *removed.lock().expect("the ports") == BTreeSet::from([2121])
    });
    is_deaf.store(false, Ordering::Relaxed);
    home.finish();
    drop(router);
}

/// It has never read what it was asked for in PCP.
#[test]
fn a_router_with_upnp_only_leaves_nothing_at_the_end() {
    let lab = sealed_lab();
    let router = ScriptedIgd::start(&lab, LOCATION, |request, stream| {
        answer_upnp(request, "11.22.33.1", stream);
    });
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "auto"]);
    home.server
        .log_with("(UPnP) forwards from 11.22.33.1 to 192.168.77.2: port 21 to the control port");
    home.finish_with(|log| assert!(!log.contains("may stay open"), "{log}"));
    drop(router);
}

/// The first round is not over when the server is killed, and the next one does not have the flag.
#[test]
fn a_crash_within_the_first_round_leaves_nothing() {
    let lab = sealed_lab();
    let removed = Arc::new(Mutex::new(BTreeSet::new()));
    let answer = {
        let removed = removed.clone();
        move |request: &[u8]| {
            let port = request.get(4..6);
            let port = port.map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
            if request.len() == 12 && request[8..] == [0; 4] {
                removed.lock().expect("the ports").insert(port);
            } else if port >= 60_000 {
                return Vec::new();
            }
            vec![honest(request, OUTER.octets(), 9)]
        }
    };
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let flags = ["-r", "60000-60001", "--port-mapping", "nat-pmp"];
    let mut home = HomeServer::within(lab, &flags);
    // The address, the control port, and the silence about the first of the range.
    wait_until("the router is silent", || router.requests() >= 3);
    home.kill();
    let again = home.serve_again(&["-r", "60000-60001"]);
    again.log_with(
        "the router 192.168.77.1 had ports open for an earlier run of this server, and closes those that are \
         not wanted any more: 21, 60000-60001\n",
    );
    let removed = removed.lock().expect("the ports").clone();
    assert_eq!(removed, BTreeSet::from([2121, 60_000, 60_001]));
    drop(router);
}

/// The client does not read what it fetches, and the router answers nothing.
#[test]
fn a_stuck_session_and_a_silent_router_keep_no_thread_busy() {
    let lab = sealed_lab();
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(|_| Vec::new()));
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "nat-pmp"]);
    fs::write(home.root().join("large.bin"), vec![0; 32 << 20]).expect("a file");
    let mut client = home.client("neighbour", "192.168.77.2:2121");
    let to = client.passive();
    let data = client.connect_data(to);
    client.command("RETR large.bin", 150);
    home.server
        .log_with("the router 192.168.77.1 forwards nothing (");
    let trace = KernelTrace::start(home.server.id(), "epoll_wait,epoll_pwait,poll,ppoll");
    let asked = router.requests();
    wait_until("it is asked again", || router.requests() >= asked + 3);
    let waits = trace.end_with_any();
    // Some for each request; without waiting, it would be thousands.
    assert!((3..100).contains(&waits), "{waits} waits");
    drop((data, client));
    home.finish();
    drop(router);
}
