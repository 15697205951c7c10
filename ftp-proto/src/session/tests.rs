//! The contract of a session with its driver.

use super::*;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::account::Account;
use crate::masquerade::Bound;
use crate::rights::Rights;

mod names;
mod rights;

fn session() -> Session {
    let endpoints = Endpoints::new(
        "192.0.2.1:21".parse().unwrap(),
        "198.51.100.7:4711".parse().unwrap(),
    );
    Session::new(Arc::new(Config::default()), endpoints)
}

/// A session whose client has logged in.
fn logged_in(account: Account) -> Session {
    let mut session = session();
    outputs(&mut session);
    log_in(&mut session, account);
    session
}

fn log_in(session: &mut Session, account: Account) {
    for line in [&b"USER bob\r\n"[..], b"PASS x\r\n"] {
        session.handle_input(line);
        outputs(session);
    }
    let outcome = Outcome::Authenticated(Some(account));
    session.handle_outcome(outcome).expect("the open action");
    outputs(session);
    assert!(session.user().is_some());
}

/// The codes of the replies, and the actions.
fn outputs(session: &mut Session) -> (Vec<u16>, Vec<Action>) {
    let (mut codes, mut actions) = (Vec::new(), Vec::new());
    while let Some(output) = session.poll_output() {
        match output {
            Output::Reply(reply) => codes.push(reply.code()),
            Output::Action(action) => actions.push(action),
        }
    }
    (codes, actions)
}

#[test]
fn input_is_wanted_only_when_it_would_be_used() {
    let mut session = session();
    assert!(!session.wants_input());
    assert_eq!(session.handle_input(b"NOOP\r\n"), 0);
    while session.poll_output().is_some() {}
    assert!(session.wants_input());
    assert_eq!(session.handle_input(b"NOOP\r\n"), 6);
}

#[test]
fn a_wrong_outcome_refuses_the_action_and_the_session_goes_on() {
    let mut session = session();
    while session.poll_output().is_some() {}
    for line in [&b"USER bob\r\n"[..], b"PASS x\r\n"] {
        session.handle_input(line);
        while session.poll_output().is_some() {}
    }
    let wrong = Outcome::PassiveOpened(Ok(Bound::new(60_000.try_into().unwrap())));
    let misuse = session.handle_outcome(wrong.clone()).unwrap_err();
    assert_eq!(
        misuse.to_string(),
        "Outcome::PassiveOpened answers no open action; the action that waits for \
         Outcome::Authenticated is refused"
    );
    let Some(Output::Reply(reply)) = session.poll_output() else {
        panic!("no reply");
    };
    assert_eq!(reply.code(), 530);
    assert!(session.poll_output().is_none() && session.wants_input());
    let misuse = session.handle_outcome(wrong).unwrap_err();
    assert_eq!(
        misuse.to_string(),
        "Outcome::PassiveOpened answers no open action"
    );
    assert!(session.poll_output().is_none());
}

#[test]
fn a_declined_action_refuses_its_command() {
    let mut session = session();
    while session.poll_output().is_some() {}
    for (line, expected) in [
        (&b"USER bob\r\n"[..], 331),
        (b"PASS x\r\n", 230),
        (b"PASV\r\n", 425),
        (b"EPRT |1|198.51.100.7|5000|\r\n", 200),
        (b"RETR x\r\n", 550),
        (b"SIZE x\r\n", 550),
        (b"NOOP\r\n", 200),
    ] {
        session.handle_input(line);
        let mut codes = Vec::new();
        while let Some(output) = session.poll_output() {
            let outcome = match output {
                Output::Reply(reply) => {
                    codes.push(reply.code());
                    continue;
                }
                Output::Action(Action::Authenticate { .. }) => {
                    Outcome::Authenticated(Some(Account::new(Rights::READ_ONLY)))
                }
                Output::Action(action) => action.decline().expect("an outcome"),
            };
            session.handle_outcome(outcome).expect("the open action");
        }
        assert_eq!(codes, [expected], "{}", line.escape_ascii());
    }
}

#[test]
fn debug_prints_no_password() {
    let mut session = session();
    while session.poll_output().is_some() {}
    session.handle_input(b"USER bob\r\n");
    while session.poll_output().is_some() {}
    session.handle_input(b"PASS hunter2\r\n");
    check_secrecy(&session);
    while session.poll_output().is_some() {}
    check_secrecy(&session);
    let account = Account::new(Rights::READ_ONLY);
    let outcome = Outcome::Authenticated(Some(account));
    session.handle_outcome(outcome).expect("the open action");
    while session.poll_output().is_some() {}
    session.handle_input(b"PASV\r\n");
    while session.poll_output().is_some() {}
    // Held until a passive port is open.
    assert_eq!(session.handle_input(b"PASS hunter2\r\n"), 14);
    assert!(format!("{session:?}").contains("\"PASS\""));
    check_secrecy(&session);
}

#[track_caller]
fn check_secrecy(session: &Session) {
    let text = format!("{session:?}");
    let bytes = format!("{:?}", b"hunter2").replace(['[', ']'], "");
    assert!(!text.contains("hunter2") && !text.contains(&bytes));
}
