//! What a session does when its client does not speak FTP.

use super::*;
use crate::foreign_protocol::ForeignProtocol;

#[test]
fn the_session_says_what_it_was_and_uses_one_line_at_most() {
    for (input, expected, used) in [
        (
            &b"POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER joe\r\n"[..],
            ForeignProtocol::Http,
            17,
        ),
        (b"POST /", ForeignProtocol::Http, 6),
        (b"\x16\x03\x01\x02\x00", ForeignProtocol::Tls, 5),
    ] {
        let mut session = session();
        outputs(&mut session);
        assert_eq!(session.foreign_protocol(), None);
        assert_eq!(session.handle_input(input), used);
        assert_eq!(session.foreign_protocol(), Some(expected));
        assert!(session.is_closed() && !session.wants_input());
        let (codes, actions) = outputs(&mut session);
        assert!(codes.is_empty() && matches!(actions[..], [Action::Close]));
        assert_eq!(session.handle_input(&input[used..]), 0);
    }
}

#[test]
fn every_line_before_a_login_is_examined_and_none_after_it() {
    let request = b"GET / HTTP/1.1\r\n";
    for before in [&b"NOOP\r\n"[..], b"USER bob\r\n", b"get file\r\n"] {
        let mut session = session();
        outputs(&mut session);
        session.handle_input(before);
        outputs(&mut session);
        session.handle_input(request);
        assert!(session.is_closed());
    }
    let mut session = logged_in(Account::new(Rights::READ_ONLY));
    session.handle_input(request);
    assert_eq!(outputs(&mut session).0, [500]);
    assert_eq!(session.foreign_protocol(), None);
    // The login is over.
    session.handle_input(b"REIN\r\n");
    outputs(&mut session);
    session.handle_input(request);
    assert!(session.is_closed());
}

/// The rest of a line that is too long is no line.
#[test]
fn the_rest_of_an_overlong_line_is_not_examined() {
    let mut session = session();
    outputs(&mut session);
    session.handle_input(&[b'A'; crate::limits::LINE_BYTES_MAX]);
    assert_eq!(outputs(&mut session).0, [500]);
    session.handle_input(b"GET / HTTP/1.1\r\n");
    assert!(outputs(&mut session).0.is_empty() && !session.is_closed());
    session.handle_input(b"GET / HTTP/1.1\r\n");
    assert!(session.is_closed());
}

#[test]
fn unknown_commands_before_a_login_are_limited_in_the_whole_session() {
    let mut session = session();
    outputs(&mut session);
    for _ in 0..crate::limits::UNKNOWN_COMMANDS_MAX {
        session.handle_input(b"NOSUCH\r\n");
        assert_eq!(outputs(&mut session).0, [500]);
    }
    log_in(&mut session, Account::new(Rights::READ_ONLY));
    session.handle_input(b"NOSUCH\r\n");
    assert_eq!(outputs(&mut session).0, [500]);
    session.handle_input(b"REIN\r\n");
    outputs(&mut session);
    session.handle_input(b"NOSUCH\r\n");
    assert_eq!(outputs(&mut session).0, [421]);
    assert!(session.is_closed());
}
