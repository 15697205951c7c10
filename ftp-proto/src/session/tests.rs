//! The contract of a session with its driver.

use super::*;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::account::Account;
use crate::action::{TransferKind, TransferStart, UploadStart};
use crate::allowed_peers::PeerVerdict;
use crate::event::{DataEvent, DataId};
use crate::masquerade::Bound;
use crate::outcome::{Opened, TransferError};
use crate::rights::Rights;

mod digests;
mod foreign_protocol;
mod names;
mod passive;
mod rights;

fn session() -> Session {
    let endpoints = Endpoints::new(
        "192.0.2.1:21".parse().unwrap(),
        "198.51.100.7:4711".parse().unwrap(),
    );
    let config = Config {
        digests: true,
        ..Config::default()
    };
    Session::new(Arc::new(config), endpoints)
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

/// The outcome of `OpenPassive`.
fn opened(port: u16) -> Outcome {
    let port = port.try_into().expect("a port");
    Outcome::PassiveOpened(Ok(Bound::new(port)))
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
    let wrong = opened(60_000);
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
        (b"SIZE x\r\n", 502),
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

/// A session that has logged in, and in which a passive port is open.
fn listening() -> (Session, DataId) {
    let mut session = session();
    let mut data = None;
    for line in [&b"USER bob\r\n"[..], b"PASS x\r\n", b"PASV\r\n"] {
        drain(&mut session);
        session.handle_input(line);
        for action in drain(&mut session) {
            let outcome = match action {
                Action::Authenticate { .. } => {
                    Outcome::Authenticated(Some(Account::new(Rights::READ_WRITE)))
                }
                Action::OpenPassive(id) => {
                    data = Some(id);
                    opened(60_000)
                }
                other => panic!("{other:?}"),
            };
            session.handle_outcome(outcome).unwrap();
        }
    }
    drain(&mut session);
    (session, data.unwrap())
}

/// The actions in the output; replies are dropped.
fn drain(session: &mut Session) -> Vec<Action> {
    let mut actions = Vec::new();
    while let Some(output) = session.poll_output() {
        if let Output::Action(action) = output {
            actions.push(action);
        }
    }
    actions
}

fn start_transfer(session: &mut Session) -> TransferStart {
    session.handle_input(b"STOR a\r\n");
    drain(session);
    let opened = Outcome::TransferOpened(Ok(Opened::default()));
    session.handle_outcome(opened).unwrap();
    match drain(session)[..] {
        [Action::StartTransfer(start)] => start,
        ref others => panic!("{others:?}"),
    }
}

/// Otherwise the next upload would keep bytes of the file that it replaces.
#[test]
fn a_transfer_command_that_is_not_executed_uses_up_the_offset_of_rest() {
    let starts = |session: &mut Session| {
        session.handle_input(b"STOR c\r\n");
        match &drain(session)[..] {
            [Action::OpenTransfer(request)] => match &request.kind {
                TransferKind::Store { start, .. } => *start,
                kind => panic!("{kind:?}"),
            },
            others => panic!("{others:?}"),
        }
    };
    let send = |session: &mut Session, lines: &[&[u8]]| {
        for line in lines {
            assert_eq!(session.handle_input(line), line.len());
            drain(session);
        }
    };
    // Held during a transfer, and cancelled by the ABOR behind it.
    let (mut session, _) = listening();
    send(&mut session, &[b"TYPE I\r\n"]);
    let transfer = start_transfer(&mut session).transfer;
    send(&mut session, &[b"REST 5\r\n", b"STOR b\r\n", b"ABOR\r\n"]);
    let result = Err(TransferError::Aborted);
    let ended = Outcome::TransferEnded { transfer, result };
    session.handle_outcome(ended).unwrap();
    drain(&mut session);
    assert_eq!(starts(&mut session), UploadStart::Replace);

    // Refused before its path is read.
    let (mut session, _) = listening();
    send(&mut session, &[b"TYPE I\r\n", b"REST 5\r\n", b"RETR\r\n"]);
    assert_eq!(starts(&mut session), UploadStart::Replace);

    // Other commands may stand between.
    let (mut session, _) = listening();
    send(&mut session, &[b"REST 5\r\n", b"TYPE I\r\n", b"SIZE\r\n"]);
    let offset = 5.try_into().unwrap();
    let replace = true;
    assert_eq!(starts(&mut session), UploadStart::At { offset, replace });
}

fn timer(session: &Session) -> Option<TimeoutKind> {
    session.poll_timeout().map(|timeout| timeout.kind)
}

#[test]
fn progress_implies_that_the_data_connection_is_established() {
    let (mut session, data) = listening();
    let start = start_transfer(&mut session);
    assert_eq!(start.data, data);
    assert_eq!(timer(&session), Some(TimeoutKind::DataOpen));
    session.handle_data(data, DataEvent::Progress(1));
    assert_eq!(timer(&session), Some(TimeoutKind::DataStall));
    assert!(session.passive_offer().is_none());
    // Only more bytes start the timer for a stalled transfer again.
    let stall = session.poll_timeout();
    for (total, is_progress) in [(1, false), (0, false), (2, true)] {
        session.handle_data(data, DataEvent::Progress(total));
        assert_eq!(session.poll_timeout() != stall, is_progress, "{total}");
    }
}

#[test]
fn a_stranger_is_not_the_client_whatever_the_driver_reports() {
    let (mut session, data) = listening();
    let stranger = IpAddr::from([203, 0, 113, 9]);
    assert_eq!(session.judge_peer(stranger), PeerVerdict::Stranger);
    session.handle_data(data, DataEvent::Connected(stranger));
    assert!(session.passive_offer().is_some());
    start_transfer(&mut session);
    session.handle_data(data, DataEvent::Progress(1));
    assert_eq!(timer(&session), Some(TimeoutKind::DataOpen));

    let client = session.endpoints().peer().ip();
    assert_eq!(session.judge_peer(client), PeerVerdict::Client);
    session.handle_data(data, DataEvent::Connected(client));
    assert_eq!(timer(&session), Some(TimeoutKind::DataStall));
}

#[test]
fn the_verdict_follows_the_settings_of_the_time_when_the_port_was_opened() {
    let (mut session, _) = listening();
    let anyone = IpAddr::from([203, 0, 113, 9]);
    let config = Config {
        permit_foreign_addresses: true,
        ..Config::default()
    };
    session.handle_config(Arc::new(config));
    assert_eq!(session.judge_peer(anyone), PeerVerdict::Stranger);
    session.handle_input(b"PASV\r\n");
    drain(&mut session);
    assert_eq!(session.judge_peer(anyone), PeerVerdict::Client);
}

/// The network is not to blame for it.
#[test]
fn a_client_whose_transfer_is_refused_has_no_reason_to_connect() {
    for line in [&b"RETR missing\r\n"[..], b"RETR\r\n", b"STOR bad\0name\r\n"] {
        let (mut session, data) = listening();
        session.handle_input(line);
        let (_, actions) = outputs(&mut session);
        if let [Action::OpenTransfer(_)] = actions[..] {
            let refused = Outcome::TransferOpened(Err(Refusal::NotFound));
            session.handle_outcome(refused).unwrap();
            drain(&mut session);
        }
        session.handle_data(data, DataEvent::NeverConnected);
        assert!(session.never_connected().is_none(), "{line:?}");
    }
    let (mut session, data) = listening();
    session.handle_input(b"SIZE missing\r\n");
    session.handle_data(data, DataEvent::NeverConnected);
    assert!(session.never_connected().is_some());
}

#[test]
fn events_of_an_earlier_data_connection_are_ignored() {
    let (mut session, old) = listening();
    session.handle_input(b"PASV\r\n");
    drain(&mut session);
    let opened = opened(60_001);
    session.handle_outcome(opened).unwrap();
    drain(&mut session);
    let client = session.endpoints().peer().ip();
    for event in [
        DataEvent::Connected(client),
        DataEvent::Protected,
        DataEvent::Progress(7),
        DataEvent::NeverConnected,
        DataEvent::Withdrawn,
    ] {
        session.handle_data(old, event);
        assert!(session.poll_output().is_none(), "{event:?}");
        assert_eq!(timer(&session), Some(TimeoutKind::DataOpen), "{event:?}");
        assert!(session.never_connected().is_none(), "{event:?}");
    }
}

#[test]
fn progress_of_an_earlier_transfer_does_not_count_for_the_next_one() {
    let (mut session, old) = listening();
    let first = start_transfer(&mut session);
    let ended = Outcome::TransferEnded {
        transfer: first.transfer,
        result: Ok(()),
    };
    session.handle_outcome(ended).unwrap();
    drain(&mut session);
    session.handle_input(b"PORT 198,51,100,7,200,10\r\n");
    drain(&mut session);
    let second = start_transfer(&mut session);
    assert_ne!(second.data, old);
    session.handle_data(old, DataEvent::Progress(9));
    assert_eq!(timer(&session), Some(TimeoutKind::DataOpen));
    session.handle_data(second.data, DataEvent::Progress(9));
    assert_eq!(timer(&session), Some(TimeoutKind::DataStall));
}

#[test]
fn the_last_reply_says_how_many_entries_a_listing_has() {
    for (command, entries, expected) in [
        (
            "LIST",
            Some(3500),
            "226 Transfer complete; 3500 entries.\r\n",
        ),
        ("NLST", Some(1), "226 Transfer complete; 1 entry.\r\n"),
        ("MLSD", Some(0), "226 Transfer complete; 0 entries.\r\n"),
        ("MLSD", None, "226 Transfer complete.\r\n"),
        ("RETR a", Some(1), "226 Transfer complete.\r\n"),
    ] {
        let (mut session, data) = listening();
        session.handle_input(std::format!("{command}\r\n").as_bytes());
        drain(&mut session);
        let opened = Outcome::TransferOpened(Ok(Opened::default()));
        session.handle_outcome(opened).unwrap();
        let transfer = match &drain(&mut session)[..] {
            [Action::StartTransfer(start)] => start.transfer,
            others => panic!("{others:?}"),
        };
        if let Some(entries) = entries {
            session.handle_data(data, DataEvent::Entries(entries));
        }
        let result = Ok(());
        let ended = Outcome::TransferEnded { transfer, result };
        session.handle_outcome(ended).unwrap();
        match session.poll_output() {
            Some(Output::Reply(reply)) => assert_eq!(reply.to_bytes(), expected.as_bytes()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_client_that_does_not_read_its_last_replies_does_not_keep_the_connection() {
    let mut session = session();
    drain(&mut session);
    session.handle_input(b"QUIT\r\n");
    assert!(matches!(drain(&mut session)[..], [Action::Close]));
    let flush = session.poll_timeout().unwrap();
    assert_eq!(flush.kind, TimeoutKind::Flush);
    session.handle_timeout(flush);
    assert!(matches!(drain(&mut session)[..], [Action::CloseNow]));
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn only_a_bare_quit_is_one_and_it_is_known_while_it_is_held() {
    let (mut session, _) = listening();
    session.handle_input(b"QUIT now\r\n");
    drain(&mut session);
    let start = start_transfer(&mut session);
    session.handle_input(b"QUITS\r\n");
    session.handle_input(b"NOOP\r\n");
    assert!(!session.has_quit());
    session.handle_input(b"\xff\xf4\xff\xf2quit \r\n");
    assert!(session.has_quit() && !session.is_closed());
    let (transfer, result) = (start.transfer, Ok(()));
    let ended = Outcome::TransferEnded { transfer, result };
    session.handle_outcome(ended).unwrap();
    assert!(session.has_quit() && session.is_closed());

    let mut session = logged_in(Account::new(Rights::READ_WRITE));
    session.handle_input(b"QUIT\r\n");
    assert!(session.has_quit() && session.is_closed());
}

/// After the end no line can come, and a driver that passes one nevertheless has no effect.
#[test]
fn no_input_is_wanted_after_the_end() {
    let (mut session, data) = listening();
    start_transfer(&mut session);
    let client = session.endpoints().peer().ip();
    session.handle_data(data, DataEvent::Connected(client));
    session.handle_input(b"QUIT\r\n");
    assert!(session.wants_input());
    session.handle_eof();
    assert!(!session.wants_input());
    assert_eq!(session.handle_input(b"ABOR\r\n"), 0);
    assert!(drain(&mut session).is_empty() && !session.is_closed());
}

/// A session that has requested a TLS handshake.
fn before_tls() -> Session {
    before_tls_with(b"NOOP\r\n")
}

/// The same after this line.
fn before_tls_with(line: &[u8]) -> Session {
    let config = Config {
        tls: true,
        ..Config::default()
    };
    let endpoints = *session().endpoints();
    let mut session = Session::new(Arc::new(config), endpoints);
    drain(&mut session);
    session.handle_input(line);
    drain(&mut session);
    session.handle_input(b"AUTH TLS\r\n");
    assert!(matches!(drain(&mut session)[..], [Action::StartTls]));
    session
}

#[test]
fn clear_text_after_auth_is_not_used_as_if_tls_had_protected_it() {
    // Passed while the handshake is requested.
    let mut session = before_tls();
    assert!(!session.wants_input());
    assert_eq!(session.handle_input(b"USER eve\r\n"), 0);
    assert!(session.is_closed());

    // Kept by the driver.
    let mut session = before_tls();
    let outcome = Outcome::Tls {
        established: true,
        leftover: 10,
    };
    session.handle_outcome(outcome).unwrap();
    assert!(session.is_closed());

    let mut session = before_tls();
    let outcome = Outcome::Tls {
        established: true,
        leftover: 0,
    };
    session.handle_outcome(outcome).unwrap();
    assert!(!session.is_closed() && session.wants_input());
}

#[test]
fn a_session_may_move_to_another_thread() {
    fn check<T: Send>() {}
    check::<Session>();
}

/// Whether a client that names a private address can be reached is known after a shorter time.
#[test]
fn the_first_connection_to_a_private_address_has_less_time() {
    let mut session = logged_in(Account::new(Rights::READ_ONLY));
    let mut limits = Vec::new();
    for (line, result) in [
        ("PORT 10,0,0,1,200,10", Ok(())),
        ("PORT 10,0,0,1,200,10", Err(TransferError::NotConnected)),
        ("PORT 198,51,100,7,200,10", Ok(())),
    ] {
        session.handle_input(format!("{line}\r\n").as_bytes());
        assert_eq!(outputs(&mut session).0, [200]);
        session.handle_input(b"RETR file\r\n");
        outputs(&mut session);
        let opened = Outcome::TransferOpened(Ok(Opened::default()));
        session.handle_outcome(opened).expect("the open action");
        let (_, actions) = outputs(&mut session);
        let [Action::StartTransfer(start)] = &actions[..] else {
            panic!("{actions:?}");
        };
        limits.push(
            session
                .poll_timeout()
                .map(|timeout| timeout.after.as_secs()),
        );
        if result.is_ok() {
            let peer = session.endpoints().peer().ip();
            session.handle_data(start.data, DataEvent::Connected(peer));
        }
        let transfer = start.transfer;
        let ended = Outcome::TransferEnded { transfer, result };
        session.handle_outcome(ended).expect("it runs");
        outputs(&mut session);
    }
    assert_eq!(limits, [Some(10), Some(30), Some(30)]);
}

/// While its password is checked, too; the late outcome changes nothing.
#[test]
fn an_evicted_session_replies_421_and_closes() {
    let mut session = session();
    outputs(&mut session);
    for line in [&b"USER bob\r\n"[..], b"PASS x\r\n"] {
        session.handle_input(line);
        outputs(&mut session);
    }
    session.handle_eviction();
    assert!(session.is_closed());
    let (codes, actions) = outputs(&mut session);
    assert_eq!(codes, [421]);
    assert!(matches!(actions[..], [Action::Close]));
    let late = session.handle_outcome(Outcome::Authenticated(None));
    assert!(late.is_ok() && outputs(&mut session).0.is_empty());
}
