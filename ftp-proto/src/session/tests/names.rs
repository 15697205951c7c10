//! Names on the wire: the codec of the account, and OPTS UTF8.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::*;
use super::{logged_in, outputs};
use crate::account::Account;
use crate::action::FileRequest;
use crate::codec::{NameCodec, WireNames};
use crate::listing::style::ListStyle;
use crate::listing::{Entry, EntryBatch, EntryKind, FactSet, Selection, tests::entry};
use crate::listing::{ListRequest, NameList, OpenedDirectory, Walk, WalkAnswer, WalkStep};
use crate::outcome::{FileAnswer, Opened};
use crate::path::FtpPath;
use crate::rights::Rights;

/// ISO 8859-1, but 0x80 to 0x9f are no characters.
#[derive(Debug)]
struct Latin1;

impl NameCodec for Latin1 {
    fn decode(&self, wire: &[u8]) -> Option<Vec<u8>> {
        let is_name = !wire.iter().any(|byte| (0x80..0xa0).contains(byte));
        is_name.then(|| {
            wire.iter()
                .map(|&byte| char::from(byte))
                .collect::<String>()
                .into_bytes()
        })
    }

    fn encode(&self, name: &[u8]) -> Vec<u8> {
        let characters = str::from_utf8(name).unwrap_or("?").chars();
        characters
            .map(|character| u8::try_from(character).unwrap_or(b'?'))
            .collect()
    }
}

/// Sends a line and answers the request with `outcome`. Returns the bytes of the replies, and the
/// request.
fn send(session: &mut Session, line: &[u8], outcome: Option<Outcome>) -> (Vec<u8>, String) {
    let mut bytes = Vec::new();
    let mut shown = String::new();
    session.handle_input(&[line, b"\r\n"].concat());
    let mut outcome = outcome;
    while let Some(output) = session.poll_output() {
        match output {
            Output::Reply(reply) => reply.encode(&mut bytes),
            Output::Action(Action::StartTransfer(start)) => {
                let transfer = start.transfer;
                let result = Ok(());
                session
                    .handle_outcome(Outcome::TransferEnded { transfer, result })
                    .unwrap();
            }
            Output::Action(action) => {
                shown = format!("{action:?}");
                if let Some(outcome) = outcome.take() {
                    session.handle_outcome(outcome).unwrap();
                }
            }
        }
    }
    (bytes, shown)
}

fn latin1() -> Session {
    logged_in(Account::new(Rights::READ_WRITE).with_codec(Arc::new(Latin1)))
}

const DONE: Option<Outcome> = Some(Outcome::File(Ok(FileAnswer::Done)));

#[test]
fn paths_are_decoded_and_names_in_replies_are_encoded() {
    let mut session = latin1();
    let (reply, request) = send(&mut session, b"MKD \xe4\"", DONE);
    assert!(request.contains("/\u{e4}\""), "{request}");
    assert_eq!(reply, b"257 \"/\xe4\"\"\" created.\r\n");
    send(&mut session, b"CWD \xe4", DONE);
    let (reply, _) = send(&mut session, b"PWD", None);
    assert_eq!(reply, b"257 \"/\xe4\" is the current directory.\r\n");

    let facts = Outcome::File(Ok(FileAnswer::Entry(entry(EntryKind::File, 0o644, b"x"))));
    let (reply, request) = send(&mut session, b"MLST \xf6", Some(facts));
    assert!(request.contains("/\u{e4}/\u{f6}"), "{request}");
    assert!(
        reply.ends_with(b"; /\xe4/\xf6\r\n250 End.\r\n"),
        "{}",
        reply.escape_ascii()
    );

    let (reply, _) = send(&mut session, b"MFMT 20251122130709 \xf6", DONE);
    assert_eq!(reply, b"213 Modify=20251122130709; \xf6\r\n");
}

#[test]
fn the_name_of_an_upload_is_encoded() {
    let mut session = latin1();
    send(&mut session, b"PORT 198,51,100,7,200,10", None);
    let opened = Opened {
        name: Some("\u{e4}.1".into()),
        ..Opened::default()
    };
    let (reply, request) = send(
        &mut session,
        b"STOU \xe4",
        Some(Outcome::TransferOpened(Ok(opened))),
    );
    assert!(request.contains("/\u{e4}"), "{request}");
    assert_eq!(
        reply,
        b"150 FILE: \xe4.1\r\n226 Transfer complete; FILE: \xe4.1\r\n"
    );
}

#[test]
fn a_listing_carries_the_codec() {
    let names = |session: &mut Session| {
        session.handle_input(b"LIST \xe4\r\n");
        let (_, mut actions) = outputs(session);
        let Some(Action::OpenTransfer(request)) = actions.pop() else {
            panic!("no transfer");
        };
        let refused = Outcome::TransferOpened(Err(Refusal::NotFound));
        session.handle_outcome(refused).unwrap();
        outputs(session);
        match request.kind {
            crate::action::TransferKind::List(request) => (request.names, request.selection.path),
            _ => panic!("no listing"),
        }
    };
    let mut session = latin1();
    let (codec, path) = names(&mut session);
    assert_eq!(codec.encode("\u{e4}".as_bytes())[..], *b"\xe4");
    assert_eq!(path.as_bytes(), "/\u{e4}".as_bytes());
    send(&mut session, b"OPTS UTF8 ON", None);
    let (codec, path) = names(&mut session);
    assert!(codec.is_identity() && path.as_bytes() == b"/\xe4");
}

#[test]
fn bytes_outside_the_character_set_are_refused() {
    let mut session = latin1();
    for line in [
        &b"CWD \x80"[..],
        b"RETR \x80",
        b"LIST \x80",
        b"STAT \x80",
        b"STOU \x80",
    ] {
        let (reply, request) = send(&mut session, line, None);
        assert!(reply.starts_with(b"501 "), "{}", line.escape_ascii());
        assert_eq!(request, "");
    }
}

#[test]
fn opts_utf8_switches_the_codec() {
    let mut session = latin1();
    let sends = |session: &mut Session, line: &[u8], code: &[u8]| {
        let (reply, request) = send(session, line, Some(Outcome::File(Err(Refusal::NotFound))));
        assert!(reply.starts_with(code), "{}", reply.escape_ascii());
        request
    };
    sends(&mut session, b"OPTS UTF8 ON", b"200");
    assert!(sends(&mut session, "DELE \u{e4}".as_bytes(), b"550").contains("/\u{e4}"));
    sends(&mut session, b"OPTS UTF8 OFF", b"200");
    assert!(sends(&mut session, b"DELE \xe4", b"550").contains("/\u{e4}"));
    sends(&mut session, b"OPTS UTF8", b"200");
    assert!(sends(&mut session, b"DELE \xe4", b"550").contains("\\xe4"));
    // What a client has asked for, a name does not change.
    sends(&mut session, b"OPTS UTF8 OFF", b"200");
    assert!(sends(&mut session, b"DELE \xc3\xa4", b"550").contains("\u{c3}\u{a4}"));
    // An account without a codec has nothing to return to.
    let mut plain = logged_in(Account::new(Rights::READ_WRITE));
    sends(&mut plain, b"OPTS UTF8 OFF", b"504");
    sends(&mut plain, b"OPTS UTF8 ON", b"200");
    assert!(sends(&mut plain, b"DELE \xe4", b"550").contains("\\xe4"));
}

#[test]
fn a_client_that_asks_for_utf8_before_it_logs_in_gets_it() {
    let mut session = super::session();
    outputs(&mut session);
    send(&mut session, b"OPTS UTF8 ON", None);
    let account = Account::new(Rights::READ_WRITE).with_codec(Arc::new(Latin1));
    super::log_in(&mut session, account.clone());
    session.handle_input("DELE \u{e4}\r\n".as_bytes());
    let (_, actions) = outputs(&mut session);
    let [Action::File(FileRequest::DeleteFile(path))] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(path.as_bytes(), "/\u{e4}".as_bytes());
    session
        .handle_outcome(Outcome::File(Ok(FileAnswer::Done)))
        .unwrap();
    outputs(&mut session);
    // The next login starts anew.
    super::log_in(&mut session, account);
    let (reply, request) = send(&mut session, b"MKD \xe4", DONE);
    assert!(request.contains("/\u{e4}"), "{request}");
    assert_eq!(reply, b"257 \"/\xe4\" created.\r\n");
}

#[test]
fn a_client_that_asks_for_another_charset_before_it_logs_in_gets_it() {
    let mut session = super::session();
    outputs(&mut session);
    let (reply, _) = send(&mut session, b"OPTS UTF8 OFF", None);
    assert!(reply.starts_with(b"200 "));
    let account = Account::new(Rights::READ_WRITE).with_codec(Arc::new(Latin1OrUtf8));
    super::log_in(&mut session, account);
    let (_, request) = send(&mut session, b"MKD \xc3\xa4", DONE);
    assert!(request.contains("/\u{c3}\u{a4}"), "{request}");
}

/// LANG is of RFC 2640, which wants UTF-8.
#[test]
fn a_client_that_gets_a_language_gets_utf8() {
    let mut session = latin1();
    for (line, is_identity) in [
        (&b"LANG fr"[..], false),
        (b"LANG", true),
        (b"OPTS UTF8 OFF", false),
        (b"LANG en", true),
    ] {
        send(&mut session, line, None);
        assert_eq!(session.names().is_identity(), is_identity);
    }
}

/// [`Latin1`] until an argument is UTF-8.
#[derive(Debug)]
struct Latin1OrUtf8;

impl NameCodec for Latin1OrUtf8 {
    fn decode(&self, wire: &[u8]) -> Option<Vec<u8>> {
        Latin1.decode(wire)
    }

    fn encode(&self, name: &[u8]) -> Vec<u8> {
        Latin1.encode(name)
    }

    fn shows_utf8(&self, argument: &[u8]) -> bool {
        !argument.is_ascii() && str::from_utf8(argument).is_ok()
    }
}

#[test]
fn a_name_in_utf8_ends_the_codec() {
    let account = || Account::new(Rights::READ_WRITE).with_codec(Arc::new(Latin1OrUtf8));
    for command in ["CWD", "SIZE", "SITE CHMOD 644", "XMD5", "STAT -a", "RNFR"] {
        let mut session = logged_in(account());
        let refused = || Some(Outcome::File(Err(Refusal::NotFound)));
        let (_, request) = send(&mut session, b"DELE \xe4", refused());
        assert!(request.contains("/\u{e4}"), "{request}");
        let line = format!("{command} \u{f6}");
        // The command that shows it counts as UTF-8 already.
        let (_, request) = send(&mut session, line.as_bytes(), refused());
        assert!(request.contains("/\u{f6}"), "{command}: {request}");
        let (_, request) = send(&mut session, b"DELE \xe4", refused());
        assert!(request.contains("/\\xe4"), "{command}: {request}");
        assert!(session.names().is_identity());
    }
    // The next login starts anew.
    let mut session = logged_in(account());
    send(&mut session, "CWD \u{f6}".as_bytes(), DONE);
    super::log_in(&mut session, account());
    let (reply, _) = send(&mut session, b"MKD \xe4", DONE);
    assert_eq!(reply, b"257 \"/\xe4\" created.\r\n");
}

/// A password or a user name is no name of a file.
#[test]
fn only_paths_end_the_codec() {
    let mut session = logged_in(Account::new(Rights::READ_ONLY).with_codec(Arc::new(Latin1OrUtf8)));
    for line in ["ACCT \u{f6}", "NOSUCH \u{f6}", "TYPE \u{f6}", "PASV \u{f6}"] {
        send(&mut session, line.as_bytes(), None);
        assert!(!session.names().is_identity(), "{line}");
    }
}

#[test]
fn stat_says_how_names_are_written() {
    let mut session = latin1();
    let status = |session: &mut Session| {
        let (reply, _) = send(session, b"STAT", None);
        String::from_utf8(reply).unwrap()
    };
    let text = status(&mut session);
    assert!(
        text.contains(" Names are in the character set of the account.\r\n"),
        "{text}"
    );
    send(&mut session, b"OPTS UTF8 ON", None);
    let text = status(&mut session);
    assert!(text.contains(" Names are in UTF-8.\r\n"), "{text}");
    let text = status(&mut logged_in(Account::new(Rights::READ_WRITE)));
    assert!(!text.contains("Names are"), "{text}");
}

/// An attacker may have inserted it, and the client would not notice.
#[test]
fn utf8_that_was_asked_for_in_clear_text_ends_with_it() {
    let mut session = super::before_tls_with(b"OPTS UTF8 ON\r\n");
    let (established, leftover) = (true, 0);
    let outcome = Outcome::Tls {
        established,
        leftover,
    };
    session.handle_outcome(outcome).unwrap();
    let account = Account::new(Rights::READ_WRITE).with_codec(Arc::new(Latin1));
    super::log_in(&mut session, account);
    let (_, request) = send(&mut session, b"MKD \xe4", DONE);
    assert!(request.contains("/\u{e4}"), "{request}");
}

/// The lines of a directory /in with one entry, "\u{e4}".
fn listed(style: ListStyle, account: &Arc<Account>, names: WireNames) -> Vec<u8> {
    let selection = Selection::of_path(FtpPath::parse(b"/in").unwrap());
    let request = ListRequest::with_names(selection, style, account.clone(), names);
    let mut walk = Walk::new(request, 0);
    let mut lines = Vec::new();
    loop {
        let answer = match walk.step(&mut lines) {
            WalkStep::Open(_) => WalkAnswer::Opened(OpenedDirectory::default()),
            WalkStep::Read(_) => WalkAnswer::Names {
                names: NameList::from_iter(["\u{e4}"]),
                is_last: true,
            },
            WalkStep::LookAt { .. } | WalkStep::Look { .. } => {
                let mut entry = Entry::new("\u{e4}", EntryKind::File, 3, 0);
                entry.link_target = Some("\u{f6}".into());
                WalkAnswer::Entry(entry)
            }
            WalkStep::End => return lines,
            WalkStep::Failed(refusal) => panic!("{refusal}"),
            _ => continue,
        };
        walk.answer(answer);
    }
}

#[test]
fn the_lines_of_a_walk_are_encoded() {
    let below = FtpPath::parse("/in/\u{e4}".as_bytes()).unwrap();
    let account = Account::new(Rights::NONE).with_rights_below(below, Rights::READ_ONLY);
    let account = Arc::new(account);
    let facts = ListStyle::Facts(FactSet::parse(b"perm;").unwrap());
    let latin1 = WireNames::new(Arc::new(Latin1));
    for (style, wire, plain) in [
        (ListStyle::Names, &b"\xe4\r\n"[..], "\u{e4}\r\n"),
        (ListStyle::Long, b" \xe4\r\n", " \u{e4}\r\n"),
        // The rights are those of the name that the file system has.
        (facts, b"perm=r; \xe4\r\n", "perm=r; \u{e4}\r\n"),
    ] {
        let lines = listed(style, &account, latin1.clone());
        assert!(lines.ends_with(wire), "{}", lines.escape_ascii());
        let lines = listed(style, &account, WireNames::default());
        assert!(
            lines.ends_with(plain.as_bytes()),
            "{}",
            lines.escape_ascii()
        );
    }
}

#[test]
fn the_lines_of_stat_are_encoded() {
    let mut link = Entry::new("\u{e4}", EntryKind::Symlink, 3, 0);
    link.link_target = Some("\u{f6}".into());
    let mut batch = EntryBatch::new([link].into(), 0, true);
    batch.directory = Some("/\u{fc}".into());
    let outcome = Outcome::File(Ok(FileAnswer::Entries(batch)));
    let (reply, _) = send(&mut latin1(), b"STAT -R /\xfc", Some(outcome));
    let shown = reply.escape_ascii();
    assert!(reply.windows(3).any(|part| part == b"/\xfc:"), "{shown}");
    assert!(
        reply.windows(8).any(|part| part == b"\xe4 -> \xf6\r\n"),
        "{shown}"
    );
}

#[test]
fn the_target_of_a_link_is_encoded_in_its_facts() {
    let mut link = Entry::new("\u{e4}", EntryKind::Symlink, 3, 0);
    link.link_target = Some("\u{f6}".into());
    let outcome = Outcome::File(Ok(FileAnswer::Entry(link)));
    let (reply, _) = send(&mut latin1(), b"MLST \xe4", Some(outcome));
    let shown = reply.escape_ascii();
    assert!(
        reply.windows(8).any(|part| part == b"slink:\xf6;"),
        "{shown}"
    );
    assert!(reply.windows(4).any(|part| part == b"/\xe4\r\n"), "{shown}");
}

/// Sends lines and answers each request with the next outcome. Returns the replies and the
/// requests.
fn exchange(lines: &[&[u8]], outcomes: &[Outcome]) -> (String, Vec<String>) {
    let mut session = logged_in(Account::new(Rights::READ_WRITE));
    let (mut bytes, mut requests) = (Vec::new(), Vec::new());
    let mut outcomes = outcomes.iter();
    for line in lines {
        session.handle_input(&[line, &b"\r\n"[..]].concat());
        while let Some(output) = session.poll_output() {
            match output {
                Output::Reply(reply) => reply.encode(&mut bytes),
                Output::Action(action) => {
                    requests.push(format!("{action:?}"));
                    if let Some(outcome) = outcomes.next() {
                        session.handle_outcome(outcome.clone()).unwrap();
                    }
                }
            }
        }
    }
    (format!("{}", bytes.escape_ascii()), requests)
}

/// FF FF is one FF for Telnet. Where that name does not exist, the client may mean both.
#[test]
fn a_name_with_ff_ff_is_tried_as_it_was_sent() {
    let refused = |refusal| Outcome::File(Err(refusal));
    let missing = refused(Refusal::NotFound);
    let size = Outcome::File(Ok(FileAnswer::Size(7)));
    let line: &[u8] = b"SIZE a\xff\xff";
    let both = [r"/a\xff", r"/a\xff\xff"]
        .map(|path| format!("File(Size {{ path: {path}, representation: Image }})"));
    for (outcomes, replies, requests) in [
        (&[size.clone()][..], "213 7\\r\\n", &both[..1]),
        (&[missing.clone(), size], "213 7\\r\\n", &both[..]),
        (
            &[missing.clone(), missing.clone()],
            "550 No such file or directory.\\r\\n",
            &both[..],
        ),
        (
            &[refused(Refusal::Denied)],
            "550 Permission denied.\\r\\n",
            &both[..1],
        ),
    ] {
        let found = exchange(&[line], outcomes);
        assert!(found.0.ends_with(replies), "{}", found.0);
        assert_eq!(found.1, requests);
    }
    // What came before the command applies to both.
    let done = DONE.expect("an outcome");
    let (replies, requests) = exchange(
        &[b"RNFR a", b"RNTO \xff\xff"],
        &[done.clone(), missing.clone(), done],
    );
    assert!(
        replies.starts_with("350 ") && replies.contains("\\n250 "),
        "{replies}"
    );
    assert!(requests[1].contains("to: /\\xff,"), "{}", requests[1]);
    assert!(
        requests[2].contains("from: /a, to: /\\xff\\xff,"),
        "{}",
        requests[2]
    );
    let no_file = Outcome::TransferOpened(Err(Refusal::NotFound));
    let (replies, requests) = exchange(
        &[b"REST 5", b"RETR \xff\xff", b"RETR \xff"],
        &[no_file.clone(), no_file.clone(), no_file],
    );
    assert_eq!(replies.matches("550 No such").count(), 2, "{replies}");
    let offsets: Vec<bool> = requests
        .iter()
        .map(|text| text.contains("offset: 5"))
        .collect();
    assert_eq!(offsets, [true, true, false], "{requests:?}");
    assert_eq!(requests.len(), 3);
}

/// Each of the two names with a time before it is tried as a whole first.
#[test]
fn a_name_with_ff_ff_may_follow_a_time() {
    let missing = Outcome::File(Err(Refusal::NotFound));
    let done = DONE.expect("an outcome");
    let line: &[u8] = b"MDTM 19700101000001 \xff\xff";
    let outcomes = [missing.clone(), missing.clone(), missing, done];
    let all = [
        r"File(ModifiedTime(/19700101000001 \xff))",
        r"File(SetModified { path: /\xff, modified: 1 })",
        r"File(ModifiedTime(/19700101000001 \xff\xff))",
        r"File(SetModified { path: /\xff\xff, modified: 1 })",
    ];
    let (replies, requests) = exchange(&[line], &outcomes);
    // Telnet doubles each FF.
    assert_eq!(replies, r"213 Modify=19700101000001; \xff\xff\xff\xff\r\n");
    assert_eq!(requests, all);
    let (replies, requests) = exchange(&[line], &outcomes[2..]);
    assert_eq!(replies, r"213 Modify=19700101000001; \xff\xff\r\n");
    assert_eq!(requests, all[..2]);
}

#[test]
fn a_pattern_with_ff_ff_is_tried_as_it_was_sent() {
    let missing = Outcome::TransferOpened(Err(Refusal::NoMatch));
    let (replies, requests) = exchange(&[b"NLST \xff\xff*"], &[missing.clone(), missing]);
    assert!(replies.starts_with("550 No files found\\r"), "{replies}");
    assert_eq!(requests.len(), 2, "{requests:?}");
}
