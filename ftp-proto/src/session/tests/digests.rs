//! Digests: the session takes commands while one is computed.

use super::{logged_in, outputs};
use crate::account::Account;
use crate::action::{Action, FileRequest};
use crate::config::limits::HELD_LINES_MAX;
use crate::hash::{Digest, HashAlgorithm};
use crate::outcome::{FileAnswer, Outcome};
use crate::refusal::Refusal;
use crate::rights::Rights;
use crate::session::Session;

fn hashing(line: &[u8]) -> Session {
    let mut session = logged_in(Account::new(Rights::READ_ONLY));
    session.handle_input(line);
    let (codes, actions) = outputs(&mut session);
    assert!(codes.is_empty());
    let [Action::File(FileRequest::Hash(request))] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(request.path.as_bytes(), b"/file");
    session
}

fn answer(session: &mut Session, answer: Result<FileAnswer, Refusal>) {
    session
        .handle_outcome(Outcome::File(answer))
        .expect("the open action");
}

fn digest() -> Result<FileAnswer, Refusal> {
    Ok(FileAnswer::Digest(Digest::new([1, 2, 3, 4], 9)))
}

#[test]
fn input_is_wanted_and_no_timer_runs() {
    let mut session = hashing(b"HASH file\r\n");
    assert!(session.wants_input());
    let idle_before = session.context.epochs.idle;
    assert_eq!(session.poll_timeout(), None);
    for _ in 0..HELD_LINES_MAX {
        assert_eq!(session.handle_input(b"NOOP\r\n"), 6);
        assert!(outputs(&mut session).0.is_empty());
    }
    assert!(!session.wants_input());
    answer(&mut session, digest());
    assert_eq!(outputs(&mut session).0.len(), 1 + HELD_LINES_MAX);
    // The client could not send a command that counts.
    assert!(
        session
            .poll_timeout()
            .is_some_and(|timeout| timeout.epoch > idle_before)
    );
}

#[test]
fn abor_stops_it_once() {
    let mut session = hashing(b"XMD5 file\r\n");
    session.handle_input(b"ABOR\r\n");
    let (codes, actions) = outputs(&mut session);
    assert!(codes.is_empty() && matches!(actions[..], [Action::AbortFile]));
    session.handle_input(b"ABOR\r\n");
    assert!(outputs(&mut session).1.is_empty());
    answer(&mut session, Err(Refusal::NotFound));
    assert_eq!(outputs(&mut session).0, [426, 226, 226]);
}

#[test]
fn one_that_was_complete_already_is_sent() {
    let mut session = hashing(b"HASH file\r\n");
    session.handle_input(b"ABOR\r\n");
    outputs(&mut session);
    answer(&mut session, digest());
    assert_eq!(outputs(&mut session).0, [213, 226]);
}

#[test]
fn an_end_of_the_client_ends_it_but_not_after_quit() {
    let mut session = hashing(b"HASH file\r\n");
    session.handle_eof();
    let (codes, actions) = outputs(&mut session);
    assert!(codes.is_empty() && matches!(actions[..], [Action::Close]));

    let mut session = hashing(b"HASH file\r\n");
    session.handle_input(b"QUIT\r\n");
    session.handle_eof();
    assert!(outputs(&mut session).1.is_empty());
    answer(&mut session, digest());
    let (codes, actions) = outputs(&mut session);
    assert_eq!(codes, [213, 221]);
    assert!(matches!(actions[..], [Action::Close]));

    let mut session = hashing(b"HASH file\r\n");
    session.handle_shutdown();
    let (codes, actions) = outputs(&mut session);
    assert_eq!(codes, [421]);
    assert!(matches!(actions[..], [Action::Close]));
}

#[test]
fn another_answer_refuses_it() {
    let mut session = hashing(b"HASH file\r\n");
    let misuse = session.handle_outcome(Outcome::File(Ok(FileAnswer::Done)));
    assert_eq!(misuse.unwrap_err().expected, Some("File(Digest)"));
    assert_eq!(outputs(&mut session).0, [451]);
}

#[test]
fn each_command_has_its_algorithm() {
    let algorithm = |session: &mut Session, line: &[u8]| {
        session.handle_input(line);
        let (_, actions) = outputs(session);
        let [Action::File(FileRequest::Hash(request))] = &actions[..] else {
            panic!("{actions:?}");
        };
        let algorithm = request.algorithm;
        answer(session, digest());
        outputs(session);
        algorithm
    };
    let mut session = logged_in(Account::new(Rights::READ_ONLY));
    for (line, expected) in [
        (&b"HASH a\r\n"[..], HashAlgorithm::Sha256),
        (b"XCRC a\r\n", HashAlgorithm::Crc32),
        (b"XMD5 a\r\n", HashAlgorithm::Md5),
        (b"XSHA a\r\n", HashAlgorithm::Sha1),
        (b"XSHA1 a\r\n", HashAlgorithm::Sha1),
        (b"XSHA256 a\r\n", HashAlgorithm::Sha256),
    ] {
        assert_eq!(algorithm(&mut session, line), expected);
    }
    session.handle_input(b"OPTS HASH crc32\r\n");
    outputs(&mut session);
    assert_eq!(algorithm(&mut session, b"HASH a\r\n"), HashAlgorithm::Crc32);
    assert_eq!(algorithm(&mut session, b"XSHA a\r\n"), HashAlgorithm::Sha1);
}
