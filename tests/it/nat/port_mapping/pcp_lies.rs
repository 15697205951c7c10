//! A router with PCP of the test's own, which answers what no honest router does.

use super::OUTER;
use super::lies::{ROUTER, ScriptedRouter, check_lie_in};
use super::sealed_lab;
use crate::nat::home_server::HomeServer;

/// What an honest router answers, whose epoch is this.
fn honest(request: &[u8], epoch: u32) -> Vec<u8> {
    let mut answer = vec![2, request[1] | 0x80, 0, 0];
    answer.extend(&request[4..8]);
    answer.extend(epoch.to_be_bytes());
    answer.extend([0; 12]);
    // The nonce, the protocol and the ports.
    answer.extend(&request[24..44]);
    answer.extend(OUTER.to_ipv6_mapped().octets());
    answer
}

/// The same with one byte changed.
fn check_changed(at: usize, line: &str) {
    check_lie_in("PCP", ROUTER, line, move |request| {
        let mut answer = honest(request, 9);
        answer[at] ^= 1;
        vec![answer]
    });
}

#[test]
fn another_nonce_is_ignored() {
    check_changed(24, "which is ignored: a response with another nonce");
}

#[test]
fn another_port_is_ignored() {
    // It may be late: nothing says that it is.
    check_changed(41, "(PCP: it does not answer)");
}

#[test]
fn another_opcode_is_ignored() {
    check_changed(1, "which is ignored: no response to this kind of request");
}

#[test]
fn another_address_is_not_heard() {
    let from = "192.168.77.1:5352";
    check_lie_in("PCP", from, "it does not answer", |request| {
        vec![honest(request, 9)]
    });
}

#[test]
fn a_loopback_address_is_not_believed() {
    let line = "it answers 127.0.0.1, a loopback address, as its public address, which is ignored";
    check_lie_in("PCP", ROUTER, line, |request| {
        let mut answer = honest(request, 9);
        answer[56..].copy_from_slice(&[127, 0, 0, 1]);
        vec![answer]
    });
}

/// A wrong answer does no harm to the right one that follows it.
#[test]
fn the_right_answer_counts_after_wrong_ones() {
    let lab = sealed_lab();
    let answer = |request: &[u8]| {
        let right = honest(request, 9);
        let changed = |at: usize| {
            let mut wrong = right.clone();
            wrong[at] ^= 1;
            wrong
        };
        vec![changed(24), changed(1), vec![2], right]
    };
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "pcp"]);
    home.server.log_with(
        "(PCP) forwards from 11.22.33.1 to 192.168.77.2: port 21 to the control port 2121",
    );
    home.finish();
    drop(router);
}

/// A router without the option PREFER_FAILURE is asked without it.
#[test]
fn a_router_without_the_option_forwards() {
    let lab = sealed_lab();
    let answer = |request: &[u8]| {
        let mut answer = honest(request, 9);
        if request.len() > 60 {
            answer[3] = 5;
        }
        vec![answer]
    };
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let home = HomeServer::within(lab, &["-r", "60000-60003", "--port-mapping", "pcp"]);
    home.server.log_with("the passive ports 60000-60003");
    // Only the first request had it.
    assert_eq!(router.requests(), 6);
    home.finish();
}

/// Each answer says that the router has just started: everything is asked for again, and no more
/// often than that.
#[test]
fn an_epoch_that_goes_backwards_is_a_restart() {
    let lab = sealed_lab();
    let mut epoch = 1_000_000;
    let answer = move |request: &[u8]| {
        epoch -= 1000;
        vec![honest(request, epoch)]
    };
    let router = ScriptedRouter::start(&lab, ROUTER, Box::new(answer));
    let home = HomeServer::within(lab, &["-r", "60000", "--port-mapping", "pcp"]);
    home.server.log_with(
        "the router 192.168.77.1 has forgotten its mappings, and is asked for all of them again",
    );
    assert_eq!(router.requests(), 4);
    home.finish();
}
