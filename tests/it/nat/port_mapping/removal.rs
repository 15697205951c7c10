//! Ports that are to be forwarded no more, while the router is silent.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use tempfile::TempDir;

use super::lies::{ROUTER, ScriptedRouter, honest};
use super::{HomeServer, OUTER, sealed_lab};
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
