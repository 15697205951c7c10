//! What the driver knows about a data connection that never came is part of the replies about it.

use alloc::string::String;
use alloc::vec::Vec;

use super::{drain, listening, opened, start_transfer};
use crate::action::Output;
use crate::event::DataEvent;
use crate::outcome::{Outcome, TransferError};
use crate::session::Session;
use crate::timeout::TimeoutKind;

const OWN_WORDS: &str = "check whether a firewall blocks the port.";

/// The text of all replies that are due.
fn replies(session: &mut Session) -> String {
    let mut text = Vec::new();
    while let Some(output) = session.poll_output() {
        if let Output::Reply(reply) = output {
            reply.encode(&mut text);
        }
    }
    String::from_utf8(text).expect("text")
}

fn status(session: &mut Session) -> String {
    session.handle_input(b"STAT\r\n");
    replies(session)
}

#[test]
fn the_driver_says_what_cures() {
    let (mut session, _) = listening();
    let start = start_transfer(&mut session);
    let timeout = session.poll_timeout().expect("a timer");
    assert_eq!(timeout.kind, TimeoutKind::DataOpen);
    // Before there is anything to cure.
    session.set_remedy("--too-early");
    session.handle_timeout(timeout);
    session.set_remedy("use --flag 192.0.2.9\r\n226 Done");
    drain(&mut session);
    let ended = Outcome::TransferEnded {
        transfer: start.transfer,
        result: Err(TransferError::NotConnected),
    };
    session.handle_outcome(ended).expect("the open action");
    let reply = replies(&mut session);
    assert!(
        reply.ends_with("arrived in passive mode; use --flag 192.0.2.9??226 Done.\r\n"),
        "{reply}"
    );
    let line = "did not arrive; use --flag 192.0.2.9??226 Done.\r\n";
    let text = status(&mut session);
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_remedy_is_for_one_connection() {
    let (mut session, data) = listening();
    session.handle_data(data, DataEvent::NeverConnected);
    session.set_remedy("use --flag");
    session.handle_input(b"PASV\r\n");
    drain(&mut session);
    session.handle_outcome(opened(60_001)).expect("the action");
    drain(&mut session);
    assert!(status(&mut session).contains("use --flag."));
    let timeout = session.poll_timeout().expect("a timer");
    session.handle_timeout(timeout);
    drain(&mut session);
    let text = status(&mut session);
    assert!(
        text.contains("2 data connections did not arrive") && text.contains(OWN_WORDS),
        "{text}"
    );
}
