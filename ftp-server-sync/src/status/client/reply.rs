//! The answers of a status socket, checked and made safe for a terminal.

use ftp_proto::text::printable;
use serde_json::Value;

use super::text::is_mark;
use crate::status::reply::{StatusAnswer, StatusReply};
use crate::status::snapshot::{Activity, PROTOCOL_VERSION, SessionStatus, Snapshot};

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Snapshot(Box<SnapshotAnswer>),
    /// The command is done.
    Done(String),
    /// It is refused.
    Error(String),
}

/// A snapshot, and the same with what a newer server adds to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SnapshotAnswer {
    pub(super) snapshot: Snapshot,
    pub(super) json: Value,
}

/// One line of a server.
pub(super) fn parse(line: &[u8]) -> Result<Answer, String> {
    let strange = || "the answer is not that of a server; is that another program's socket?";
    let mut value: Value = serde_json::from_slice(line).map_err(|_| strange().to_owned())?;
    match value["protocol"].as_u64() {
        Some(version) if version == u64::from(PROTOCOL_VERSION) => {}
        Some(version) => {
            return Err(format!(
                "the server has version {version} of the protocol, and this program version \
                 {PROTOCOL_VERSION}; use the program that the server was started from"
            ));
        }
        None => return Err(strange().to_owned()),
    }
    let reply: StatusReply = serde_json::from_value(value.clone())
        .map_err(|error| format!("the answer is not as it should be: {error}"))?;
    Ok(match reply.answer {
        StatusAnswer::Error(text) => Answer::Error(clean(&text)),
        StatusAnswer::Done(text) => Answer::Done(clean(&text)),
        StatusAnswer::Snapshot(snapshot) => {
            let snapshot = cleaned(*snapshot);
            let json = value["snapshot"].take();
            Answer::Snapshot(SnapshotAnswer { snapshot, json }.into())
        }
    })
}

/// The same with texts that a terminal can be given.
fn cleaned(mut snapshot: Snapshot) -> Snapshot {
    let server = &mut snapshot.server;
    server.version = clean(&server.version);
    server.directory = clean(&server.directory);
    snapshot.sessions.iter_mut().for_each(clean_session);
    snapshot
}

fn clean_session(session: &mut SessionStatus) {
    session.user = session.user.take().map(|user| clean(&user));
    session.tls = session.tls.take().map(|version| clean(&version));
    match &mut session.activity {
        Activity::Transfer(transfer) => {
            transfer.command = clean(&transfer.command);
            transfer.path = clean(&transfer.path);
        }
        Activity::Working { command } => *command = clean(command),
        Activity::Login
        | Activity::Idle
        | Activity::WaitingForPort { .. }
        | Activity::WaitingForConnection { .. }
        | Activity::Connected => {}
    }
    if let Some(announced) = &mut session.announced {
        announced.rule = clean(&announced.rule);
    }
}

/// A text without what is not visible as itself. Backslashes stay: the server has escaped its texts
/// already.
fn clean(text: &str) -> String {
    let pieces = text.split('\\');
    let pieces: Vec<String> = pieces
        .map(|piece| printable(piece.as_bytes()).to_string())
        .collect();
    with_few_marks(&pieces.join("\\"))
}

/// The text with escapes for more marks on a letter than a language has. They take no column of
/// their own, so no width would limit them, and they would cover the lines around.
fn with_few_marks(text: &str) -> String {
    let mut marks = 0;
    let mut few = String::with_capacity(text.len());
    for character in text.chars() {
        marks = if is_mark(character) { marks + 1 } else { 0 };
        if marks <= MARKS_MAX {
            few.push(character);
        } else {
            few.extend(character.escape_unicode());
        }
    }
    few
}

/// On one letter, as in Vietnamese, Hebrew or Thai.
const MARKS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_command_a_terminal() {
        assert_eq!(
            clean("a\\x1b\u{1b}[2J\n\u{9b}ü"),
            "a\\x1b\\u{1b}[2J\\n\\u{9b}ü"
        );
        let line = br#"{"protocol":1,"error":"no \u001b[31msession"}"#;
        let expected = Answer::Error("no \\u{1b}[31msession".to_owned());
        assert_eq!(parse(line), Ok(expected));
    }

    #[test]
    fn marks_without_end_are_escaped() {
        let name = format!("ế\u{323} a{}b", "\u{301}".repeat(6));
        let expected = "ế\u{323} a\u{301}\u{301}\u{301}\u{301}\\u{301}\\u{301}b";
        assert_eq!(clean(&name), expected);
    }

    #[test]
    fn other_answers_are_refused_with_words() {
        for (line, problem) in [
            ("", "another program's socket"),
            ("220 FTP server ready.\r", "another program's socket"),
            ("[]", "another program's socket"),
            ("{\"protocol\":\"1\"}", "another program's socket"),
            (
                "{\"protocol\":2,\"done\":\"x\"}",
                "version 2 of the protocol",
            ),
            ("{\"protocol\":1}", "not as it should be"),
            ("{\"protocol\":1,\"snapshot\":{}}", "not as it should be"),
        ] {
            let error = parse(line.as_bytes()).unwrap_err();
            assert!(error.contains(problem), "{line}: {error}");
        }
    }
}
