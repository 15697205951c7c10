//! The number of the control port at the router, which another machine has for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::lies::{ROUTER, ScriptedRouter, honest};
use super::{HomeServer, OUTER, sealed_lab};

/// It returns to its own number without a restart of the server.
#[test]
fn a_number_that_becomes_free_is_taken_back() {
    let lab = sealed_lab();
    let is_taken = Arc::new(AtomicBool::new(true));
    let answer = {
        let is_taken = is_taken.clone();
        move |request: &[u8]| {
            let mut answer = honest(request, OUTER.octets(), 9);
            if request.len() == 12 && request[8..] != [0; 4] {
                // It forwards for two seconds, so that it is asked each second.
                answer[12..].copy_from_slice(&[0, 0, 0, 2]);
                if request[6..8] == [0, 21] && is_taken.load(Ordering::Relaxed) {
                    answer[10..12].copy_from_slice(&40_000_u16.to_be_bytes());
                }
            }
            vec![answer]
        }
    };
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "nat-pmp"]);
    home.server.log_with(
        "the router does not forward its port 21: clients outside reach the control port at port 2121, until \
         21 is free\n",
    );
    is_taken.store(false, Ordering::Relaxed);
    home.server.log_with(
        "the router's port 21 is free again: clients outside reach the control port there, and no longer at \
         port 2121\n",
    );
    home.server.log_with("port 21 to the control port 2121, ");
    home.finish();
    drop(router);
}
