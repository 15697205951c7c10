//! Rights: no command reaches the driver with a path that the account may not use.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::*;
use super::{logged_in, outputs};
use crate::account::Account;
use crate::action::{FileRequest, TransferKind, UploadStart};
use crate::command::{COMMANDS, CommandInfo, Verb};
use crate::outcome::FileAnswer;
use crate::path::FtpPath;
use crate::rights::{Right, Rights};

/// What a command did: the codes of its replies, and the request to the driver with a path, if
/// there was one.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    codes: Vec<u16>,
    request: Option<String>,
}

/// Sends a line, after what it needs: a RNFR for RNTO, and type I for SIZE.
fn send(account: Account, line: &str) -> Done {
    let mut session = logged_in(account);
    let Phase::Ready(ready) = &mut session.phase else {
        panic!("not logged in");
    };
    ready.rename_from = Some(path("/old"));
    session.handle_input(format!("{line}\r\n").as_bytes());
    let (codes, actions) = outputs(&mut session);
    let request = actions
        .iter()
        .find(|action| matches!(action, Action::File(_) | Action::OpenTransfer(_)));
    Done {
        codes,
        request: request.map(|action| format!("{action:?}")),
    }
}

fn path(text: &str) -> FtpPath {
    FtpPath::parse(text.as_bytes()).unwrap()
}

/// A line of this command that names the path `/d/file` where it can.
fn line(command: &CommandInfo) -> String {
    match command.name {
        "CDUP" | "XCUP" => command.name.to_string(),
        "MFMT" => "MFMT 20251122130709 /d/file".into(),
        "SITE" => "SITE CHMOD 644 /d/file".into(),
        name => format!("{name} /d/file"),
    }
}

#[test]
fn every_command_of_the_table_is_checked() {
    let mut seen = Vec::new();
    for command in COMMANDS {
        let line = line(command);
        let done = send(Account::new(Rights::READ_WRITE), &line);
        if done.request.is_none() {
            // A command with a right must have reached the driver, or the rest of the test proves
            // nothing.
            assert!(command.right.is_none(), "{line}: {done:?}");
            continue;
        }
        let right = command.right.expect(command.name);
        seen.push(command.name);
        for (account, what) in [
            (Account::new(Rights::NONE), "no right"),
            (
                Account::new(Rights::READ_WRITE.without(right)),
                "all other rights",
            ),
            (
                Account::new(Rights::READ_WRITE)
                    .with_rights_below(path("/d"), Rights::READ_WRITE.without(right))
                    .with_home(path("/d/e")),
                "the right elsewhere",
            ),
        ] {
            let code = command.refusals.not_permitted;
            let refused = Done {
                codes: [code].into(),
                request: None,
            };
            assert_eq!(send(account, &line), refused, "{line} with {what}");
        }
        let only =
            Account::new(Rights::NONE).with_rights_below(path("/d"), Rights::NONE.with(right));
        let only = only.with_home(path("/d/e"));
        if !line.starts_with("RNTO") {
            assert!(
                send(only, &line).request.is_some(),
                "{line} with its right only"
            );
        }
    }
    let names_paths = |verb: Verb| {
        matches!(
            verb,
            Verb::File(_) | Verb::Hash(_) | Verb::Transfer(_) | Verb::Site
        )
    };
    let file_and_transfer = COMMANDS.iter().filter(|command| names_paths(command.verb));
    // STAT too.
    assert_eq!(seen.len(), file_and_transfer.count() + 1, "{seen:?}");
}

#[test]
fn both_paths_of_a_rename_are_checked() {
    let done = |account| send(account, "RNTO /new").request;
    let all = Account::new(Rights::READ_WRITE);
    let without = Rights::READ_WRITE.without(Right::Rename);
    assert!(done(all.clone()).is_some());
    assert_eq!(
        done(all.clone().with_rights_below(path("/old"), without)),
        None
    );
    assert_eq!(
        done(all.clone().with_rights_below(path("/new"), without)),
        None
    );
    // The directory would take /old/below to a place where more is allowed.
    assert_eq!(
        done(all.clone().with_rights_below(path("/old/below"), without)),
        None
    );

    let replaces = |account| done(account).unwrap().contains("replace: true");
    assert!(replaces(all.clone()));
    let without = Rights::READ_WRITE.without(Right::Overwrite);
    assert!(!replaces(all.with_rights_below(path("/new"), without)));
}

#[test]
fn a_pattern_is_looked_for_only_where_the_account_may_list() {
    let account = Account::new(Rights::READ_WRITE).with_rights_below(path("/d"), Rights::NONE);
    assert_eq!(send(account.clone(), "LIST /d/*").request, None);
    assert_eq!(send(account.clone(), "STAT /d/*").request, None);
    assert!(send(account.clone(), "LIST /e/*").request.is_some());
    // Only a directory whose name is the pattern may be listed, and not what else the pattern
    // finds.
    let account = account.with_rights_below(path("/d/*"), Rights::READ_WRITE);
    assert_eq!(send(account, "LIST /d/*").request, None);
}

/// The driver creates `/in.1` where `/in` exists.
#[test]
fn a_unique_file_is_created_only_where_files_may_be_stored() {
    let store = Rights::NONE.with(Right::Store);
    let account = Account::new(Rights::NONE)
        .with_rights_below(path("/in"), store)
        .with_home(path("/in"));
    for line in ["STOU", "STOU a", "STOU /in/a", "STOU below/a"] {
        assert!(send(account.clone(), line).request.is_some(), "{line}");
    }
    let refused = Done {
        codes: [553].into(),
        request: None,
    };
    for line in ["STOU .", "STOU /in", "STOU /in/", "STOU below/.."] {
        assert_eq!(send(account.clone(), line), refused, "{line}");
    }
}

#[test]
fn an_upload_begins_as_the_rights_say() {
    let check = |letters: Rights, lines: &[&str], expected: Option<UploadStart>| {
        let mut session = logged_in(Account::new(letters));
        let mut starts = Vec::new();
        for line in lines {
            session.handle_input(format!("{line}\r\n").as_bytes());
            let (_, actions) = outputs(&mut session);
            starts.extend(actions.into_iter().filter_map(|action| match action {
                Action::OpenTransfer(request) => match request.kind {
                    TransferKind::Store { start, .. } => Some(start),
                    TransferKind::Retrieve { .. } | TransferKind::List(_) => None,
                },
                _ => None,
            }));
        }
        assert_eq!(starts, Vec::from_iter(expected), "{letters:?} {lines:?}");
    };
    let at = |replace| UploadStart::At {
        offset: 5.try_into().unwrap(),
        replace,
    };
    let resumed = &["TYPE I", "REST 5", "STOR f"][..];
    let store = Rights::NONE.with(Right::Store);
    let (overwrite, append) = (store.with(Right::Overwrite), store.with(Right::Append));
    check(overwrite, &["STOR f"], Some(UploadStart::Replace));
    check(
        overwrite,
        &["TYPE I", "REST 0", "STOR f"],
        Some(UploadStart::Replace),
    );
    check(overwrite, resumed, Some(at(true)));
    check(store, &["STOR f"], Some(UploadStart::Create));
    check(store, resumed, None);
    check(append, resumed, Some(at(false)));
    check(append, &["APPE f"], Some(UploadStart::End));
    check(store, &["APPE f"], None);
    check(store, &["STOU f"], Some(UploadStart::Unique));
    check(append.without(Right::Store), resumed, None);
}

#[test]
fn the_session_starts_at_home() {
    let mut session = logged_in(Account::new(Rights::READ_ONLY).with_home(path("/a/b")));
    let mut reply = |line: &str| {
        session.handle_input(line.as_bytes());
        let mut text = String::new();
        while let Some(output) = session.poll_output() {
            match output {
                Output::Reply(reply) => {
                    let mut bytes = Vec::new();
                    reply.encode(&mut bytes);
                    text.push_str(str::from_utf8(&bytes).unwrap());
                }
                Output::Action(_) => {
                    session
                        .handle_outcome(Outcome::File(Ok(FileAnswer::Done)))
                        .unwrap();
                }
            }
        }
        text
    };
    let directory = |text: &str| format!("257 \"{text}\" is the current directory.\r\n");
    assert_eq!(reply("PWD\r\n"), directory("/a/b"));
    reply("CDUP\r\n");
    assert_eq!(reply("PWD\r\n"), directory("/a"));
    reply("CWD\r\n");
    assert_eq!(reply("PWD\r\n"), directory("/a/b"));
}

#[test]
fn the_perm_fact_shows_the_rights_of_the_path() {
    let account =
        Account::new(Rights::READ_ONLY).with_rights_below(path("/in"), Rights::READ_WRITE);
    let perm = |argument: &str| {
        let mut session = logged_in(account.clone());
        session.handle_input(format!("MLST {argument}\r\n").as_bytes());
        let (_, actions) = outputs(&mut session);
        assert!(matches!(
            &actions[..],
            [Action::File(FileRequest::Facts(_))]
        ));
        let entry = crate::listing::tests::entry(crate::listing::EntryKind::File, 0o644, b"x");
        session
            .handle_outcome(Outcome::File(Ok(FileAnswer::Entry(entry))))
            .unwrap();
        let Some(Output::Reply(reply)) = session.poll_output() else {
            panic!("no reply");
        };
        let mut bytes = Vec::new();
        reply.encode(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (_, rest) = text.split_once("perm=").unwrap();
        rest.split_once(';').unwrap().0.to_string()
    };
    assert_eq!(perm("/x"), "r");
    assert_eq!(perm("/in/x"), "adfrw");
}

/// A log needs the whole path, and only this one refusal has a flag as its cure.
#[test]
fn a_refusal_names_command_path_and_reason() {
    let read_only = || Account::new(Rights::READ_ONLY).with_home(path("/home"));
    let no_overwrite = || {
        let rights = Rights::READ_WRITE.without(Right::Delete);
        Account::new(rights).with_home(path("/home"))
    };
    for (account, line, expected) in [
        (read_only(), "DELE a b", Some(("DELE", "/home/a b", true))),
        (read_only(), "XMKD ../c", Some(("XMKD", "/c", true))),
        (read_only(), "STOR f", Some(("STOR", "/home/f", true))),
        (
            read_only(),
            "SITE CHMOD 644 f",
            Some(("SITE CHMOD", "/home/f", true)),
        ),
        (
            read_only(),
            "SITE UTIME 20251122130709 f",
            Some(("SITE UTIME", "/home/f", true)),
        ),
        (no_overwrite(), "DELE f", Some(("DELE", "/home/f", false))),
        (read_only(), "NONSENSE f", None),
        (read_only(), "MFMT never f", None),
    ] {
        let mut session = logged_in(account);
        session.handle_input(format!("{line}\r\n").as_bytes());
        let Some(Output::Reply(reply)) = session.poll_output() else {
            panic!("no reply to {line}");
        };
        let refused = reply.refused().map(|refused| {
            let path = refused.path.to_string();
            (refused.command, path, refused.is_read_only_login)
        });
        let refused = refused.as_ref();
        let refused = refused.map(|(command, path, read_only)| (*command, &path[..], *read_only));
        assert_eq!(refused, expected, "{line}");
    }
}
