//! Golden tables, and the client against servers of a test.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::status::snapshot::{Activity, Snapshot};

/// The one that the golden files are made from.
pub(crate) fn snapshot() -> Snapshot {
    serde_json::from_str(SNAPSHOT).unwrap()
}

const SNAPSHOT: &str = include_str!("../../../tests/status/snapshot.json");

#[track_caller]
fn golden(file: &str, expected: &str, text: &str) {
    assert!(
        text == expected,
        "tests/status/{file} differs; now:\n{text}"
    );
}

/// The snapshot after it has come over a socket.
fn received(document: &str) -> Snapshot {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let line = serde_json::json!({ "protocol": 1, "snapshot": document }).to_string();
    match reply::parse(line.as_bytes()) {
        Ok(Answer::Snapshot(answer)) => answer.snapshot,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_table_in_80_columns() {
    let expected = include_str!("../../../tests/status/table-80.txt");
    let text = table::text(&snapshot(), &Rates::default(), 80);
    golden("table-80.txt", expected, &text);
}

#[test]
fn the_table_in_160_columns() {
    let expected = include_str!("../../../tests/status/table-160.txt");
    let mut old = snapshot();
    old.totals.downloads.bytes -= 20_000_000;
    if let Activity::Transfer(transfer) = &mut old.sessions[1].activity {
        transfer.bytes -= 20_000_000;
    }
    let rates = Rates::between(&old, &snapshot(), 2.0);
    let text = table::text(&snapshot(), &rates, 160);
    golden("table-160.txt", expected, &text);
}

#[test]
fn the_table_for_programs() {
    let expected = include_str!("../../../tests/status/plain.txt");
    golden("plain.txt", expected, &plain::text(&snapshot()));
}

/// Programs split its lines at blanks.
#[test]
fn names_of_users_are_one_word_for_programs() {
    for (name, word) in [
        ("a b", "\"a b\""),
        ("-", "\"-\""),
        ("a\" \"b", "\"a\\x22 \\x22b\""),
    ] {
        let mut snapshot = snapshot();
        snapshot.sessions.truncate(1);
        snapshot.sessions[0].user = Some(name.to_owned());
        let text = plain::text(&snapshot);
        let line = text.lines().last().unwrap();
        assert!(line.starts_with(&format!("3  {word} ")), "{line}");
    }
}

/// Each row of it has as many words as there are columns, but for the last one, the command.
#[test]
fn rows_for_programs_have_the_same_columns() {
    let text = plain::text(&snapshot());
    let table: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("NO "))
        .collect();
    let starts: Vec<usize> = table[0]
        .match_indices(' ')
        .filter(|(index, _)| !table[0][index + 1..].starts_with(' '))
        .map(|(index, _)| text::width(&table[0][..index]))
        .collect();
    assert_eq!(starts.len(), 18);
    for row in &table[1..] {
        for start in &starts {
            let mut columns = 0;
            let at = row.chars().find(|character| {
                columns += text::width(&character.to_string());
                columns > *start
            });
            assert_eq!(at, Some(' '), "{row}");
        }
    }
}

#[test]
fn names_from_a_server_cannot_command_the_terminal() {
    let document = SNAPSHOT.replace("\"bob\"", "\"b\\u001b[2Job\\u009b\\u202e\"");
    let document = document.replace("/films", "/fi\\r\\nlms\\\\x1b");
    let snapshot = received(&document);
    for text in [
        table::text(&snapshot, &Rates::default(), 200),
        plain::text(&snapshot),
    ] {
        let is_unsafe = |character: char| {
            character.is_control() && character != '\n' || character == '\u{202e}'
        };
        assert!(!text.contains(is_unsafe), "{text}");
        assert!(text.contains("b\\u{1b}[2Job\\u{9b}\\u{202e}"), "{text}");
        assert!(text.contains("/fi\\r\\nlms\\x1b/2025/"), "{text}");
    }
}

/// What a newer server adds is a part of the document.
#[test]
fn the_document_is_passed_on() {
    let mut value: serde_json::Value = serde_json::from_str(SNAPSHOT).unwrap();
    value["server"]["new"] = "a\u{9b}\u{7f}\n".into();
    let snapshot = received(&value.to_string());
    let answer = SnapshotAnswer {
        snapshot,
        json: value.clone(),
    };
    let line = json_line(&answer);
    let is_control = |character: char| character.is_control();
    assert!(
        line.ends_with('\n') && !line.trim_end().contains(is_control),
        "{line}"
    );
    let text = json_text(&answer);
    assert!(
        text.contains("\n  \"server\": {\n") && !text.contains('\u{9b}'),
        "{text}"
    );
    for text in [line, text] {
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document, value);
    }
}

#[test]
fn a_server_that_drains_says_so() {
    let document = SNAPSHOT.replace("\"serving\"", "\"draining\"");
    let mut draining = received(&document);
    draining.server.listen.clear();
    let text = table::text(&draining, &Rates::default(), 80);
    assert!(text.contains(", serves /srv/ftp\n"), "{text}");
    assert!(
        text.contains("\ndraining: no new session starts, "),
        "{text}"
    );
    let mut empty = snapshot();
    empty.sessions.clear();
    empty.server.passive_ports = None;
    let text = table::text(&empty, &Rates::default(), 80);
    assert!(text.contains("\n0 of 512 sessions  PASV gives"), "{text}");
    assert!(
        text.ends_with("\nNO  USER  CLIENT  TLS  AGE  ACTIVITY\n"),
        "{text}"
    );
}

/// A server that answers each command with the next of these lines.
fn server(answers: Vec<String>) -> (ClientRequest, thread::JoinHandle<Vec<String>>, PathBuf) {
    let directory = tempfile::tempdir().unwrap().keep();
    let path = directory.join("status-21.socket");
    let listener = UnixListener::bind(&path).unwrap();
    let thread = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut commands = Vec::new();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for answer in answers {
            commands.push(lines.next().unwrap().unwrap());
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
        commands
    });
    let request = ClientRequest {
        task: ClientTask::Stop,
        socket: SocketSearch::File { path, port: None },
    };
    (request, thread, directory)
}

#[test]
fn orders_and_their_answers() {
    let done = "{\"protocol\":1,\"done\":\"it is done\"}\n";
    let refused = "{\"protocol\":1,\"error\":\"there is no session #17\"}\n";
    for (task, command) in [
        (ClientTask::Kick(17), "kick 17"),
        (ClientTask::Stop, "stop"),
        (ClientTask::Reload, "reload"),
        (ClientTask::Drain, "drain"),
    ] {
        for (answer, result, shown) in [
            (done, Ok(()), "it is done\n"),
            (
                refused,
                Err(ClientFailure::Refused("there is no session #17".to_owned())),
                "",
            ),
        ] {
            let (request, thread, directory) = server(vec![answer.to_owned()]);
            let mut text = String::new();
            let mut show = |part: &str| {
                text.push_str(part);
                true
            };
            assert_eq!(
                perform(&ClientRequest { task, ..request }, &mut show),
                result
            );
            assert_eq!(text, shown);
            assert_eq!(thread.join().unwrap(), [command]);
            std::fs::remove_dir_all(directory).unwrap();
        }
    }
}

/// Servers that share a configuration file share its line `status-socket` too.
#[test]
fn a_server_with_another_port_gets_no_order() {
    let done = "{\"protocol\":1,\"done\":\"it is done\"}\n".to_owned();
    let listens = "the server there listens on port 21, not on 2121";
    let ends = "the server there ends, and listens on no port";
    for (port, listen, problem) in [
        (21, true, None),
        (2121, true, Some(listens)),
        // It is not known which one it was.
        (21, false, Some(ends)),
    ] {
        let mut document: serde_json::Value = serde_json::from_str(SNAPSHOT).unwrap();
        if !listen {
            document["server"]["listen"] = serde_json::json!([]);
        }
        let known = serde_json::json!({ "protocol": 1, "snapshot": document }).to_string() + "\n";
        let mut answers = vec![known, done.clone()];
        answers.truncate(if problem.is_none() { 2 } else { 1 });
        let (mut request, thread, directory) = server(answers);
        let path = directory.join("status-21.socket");
        request.socket = SocketSearch::File {
            path: path.clone(),
            port: Some(port),
        };
        let outcome = perform(&request, &mut |_| true);
        let commands = thread.join().unwrap();
        let advice = "name the socket of the other one, or leave --port out";
        let refusal = |problem| format!("{}: {problem}; {advice}", path.display());
        let expected = problem.map_or(Ok(()), |problem| {
            Err(ClientFailure::Unreachable(refusal(problem)))
        });
        assert_eq!(outcome, expected);
        let orders = ["who", "stop"];
        assert_eq!(commands, orders[..if problem.is_none() { 2 } else { 1 }]);
        std::fs::remove_dir_all(directory).unwrap();
    }
}

/// Each second the same connection is asked again, until the reader is gone.
#[test]
fn json_lines() {
    let document: serde_json::Value = serde_json::from_str(SNAPSHOT).unwrap();
    let line = serde_json::json!({ "protocol": 1, "snapshot": document }).to_string() + "\n";
    let (request, thread, directory) = server(vec![line.clone(), line]);
    let task = ClientTask::Who {
        watch: true,
        json: true,
    };
    let mut lines = Vec::new();
    let mut show = |part: &str| {
        lines.push(part.to_owned());
        lines.len() < 2
    };
    assert_eq!(
        perform(&ClientRequest { task, ..request }, &mut show),
        Ok(())
    );
    assert_eq!(thread.join().unwrap(), ["who", "who"]);
    let expected = document.to_string() + "\n";
    assert_eq!(lines, [expected.clone(), expected]);
    std::fs::remove_dir_all(directory).unwrap();
}

proptest! {
    /// Of a terminal that is not too narrow, no line is wider.
    #[test]
    fn no_line_is_wider_than_the_terminal(
        columns in 66usize..200,
        user in "\\PC{0,40}",
        path in "\\PC{0,300}",
        rule in "\\PC{0,90}",
        number in 1u64..100_000,
        age in 0f64..1e6,
    ) {
        let mut snapshot = snapshot();
        let session = &mut snapshot.sessions[1];
        (session.number, session.age_seconds) = (number, age);
        session.user = Some(user);
        session.announced.as_mut().unwrap().rule = rule;
        if let Activity::Transfer(transfer) = &mut session.activity {
            transfer.path = path;
        }
        let text = table::text(&snapshot, &Rates::default(), columns);
        for line in text.split('\n') {
            prop_assert!(text::width(line) <= columns, "{}", line);
        }
    }
}
