//! The log as programs and operators read it: the form of a session's lines, and what strangers
//! can cause.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use crate::support::client::Client;
use crate::support::data::connect_stranger;
use crate::support::server::{Program, Setup, TestServer, USER};

#[test]
fn each_line_of_a_session_begins_with_its_name() {
    let server = TestServer::program(&["--debug"]);
    server.write("file", "text");
    let mut client = server.client();
    client.fetch("RETR file");
    client.store("STOR new", "text");
    client.command("MKD d", 257);
    client.command("CWD d", 250);
    client.command("SIZE missing", 550);
    client.command("NONSENSE", 500);
    client.command("QUIT", 221);
    client.expect_closed();
    server.session_log_with(1, " closed");
    let log = server.finish();
    let at_info: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once(" INFO  "))
        .filter_map(|(_, text)| text.starts_with('#').then_some(text))
        .collect();
    check(
        &at_info,
        &[
            "#1 tester@127.0.0.1 logged in",
            "#1 tester@127.0.0.1 RETR /file: 4 bytes in 0.*",
            "#1 tester@127.0.0.1 STOR /new: 4 bytes in 0.*",
            "#1 tester@127.0.0.1 MKD /d",
            "#1 tester@127.0.0.1 SIZE /d/missing refused: 550 No such file or directory.",
            "#1 tester@127.0.0.1 NONSENSE refused: 500 *",
            "#1 tester@127.0.0.1 closed: the client sent QUIT",
        ],
    );
    let is_named = |text: &str| {
        let mut words = text.split(' ');
        words.next() == Some("#1")
            && matches!(words.next(), Some("-@127.0.0.1" | "tester@127.0.0.1"))
    };
    let debug = log.lines().filter_map(|line| line.split_once(" DEBUG "));
    let debug: Vec<&str> = debug.map(|(_, text)| text).collect();
    let dialogue = debug.iter().filter(|text| text.contains(" > "));
    assert!(dialogue.count() > 8, "{log}");
    let unnamed: Vec<_> = debug.iter().filter(|text| text.starts_with('#')).collect();
    assert!(unnamed.iter().all(|text| is_named(text)), "{unnamed:#?}");
}

#[test]
fn anonymous_has_one_name_and_one_flag_as_the_cure() {
    let server = Setup::without_account()
        .flags(&["-i", "127.0.0.1"])
        .program();
    let mut client = Client::greeted(server.address);
    client.command("USER FTP", 331);
    client.command("PASS x@y", 230);
    for _ in 0..2 {
        client.command("MKD d", 550);
    }
    client.extended_passive();
    client.command("STOR a b", 553);
    client.command("CWD /", 250);
    let log = server.finish();
    let refused = session_lines(&log, "refused");
    check(
        &refused,
        &[
            "#1 anonymous@127.0.0.1 MKD /d refused: 550 This login may only read. (see --write)",
            "#1 anonymous@127.0.0.1 MKD /d refused: 550 This login may only read.",
            "#1 anonymous@127.0.0.1 STOR /a b refused: 553 This login may only read.",
        ],
    );
}

/// For this one, --write changes nothing.
#[test]
fn anonymous_beside_a_user_may_only_read() {
    let server = TestServer::program(&["--anonymous"]);
    let mut client = Client::greeted(server.address);
    client.command("USER anonymous", 331);
    client.command("PASS x@y", 230);
    client.command("DELE file", 550);
    let log = server.finish();
    check(
        &session_lines(&log, "refused"),
        &[
            "#1 anonymous@127.0.0.1 DELE /file refused: 550 This login may only read. (anonymous \
           may only read beside --username)",
        ],
    );
}

#[test]
fn no_name_forges_a_line_or_a_field() {
    let server = TestServer::program(&["--debug"]);
    let mut client = server.client();
    for (name, shown) in [
        ("a: 5 bytes in 0.001 s", "/a:\\x205 bytes in 0.001 s"),
        ("b\u{202e}txt.exe", "/b\\u{202e}txt.exe"),
        (
            "c\u{2028}#9 root@10.0.0.1 logged in",
            "/c\\u{2028}#9 root@10.0.0.1 logged in",
        ),
        ("d\u{200b}\u{feff}e", "/d\\u{200b}\\u{feff}e"),
    ] {
        // In replies the client's bytes stay as they are.
        client.send(format!("MKD {name}"));
        let reply = client.line().expect("a reply");
        let expected = format!("257 \"/{name}\" created.");
        assert_eq!(reply.trim_ascii_end(), expected.as_bytes());
        server.log_with(&format!(" {USER}@127.0.0.1 MKD {shown}\n"));
    }
    let mut stranger = Client::greeted(server.address);
    stranger.command("USER x\u{2029}y\u{85}z\u{200f}", 331);
    stranger.command("a\u{2066}b", 500);
    let log = server.finish();
    let hidden = |character: char| {
        (character.is_control() && character != '\n')
            || (character.is_whitespace() && !matches!(character, ' ' | '\n'))
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!log.contains(hidden), "{log:?}");
}

/// The line of the upload stands for all that a mirror does with its file.
#[test]
fn times_and_modes_have_the_clients_own_verb() {
    let server = TestServer::program(&[]);
    server.write("old", "text");
    let mut client = server.client();
    client.store("STOR new", "text");
    client.store("STOR other", "text");
    client.command("MFMT 20251122130709 new", 213);
    client.command("SITE CHMOD 600 new", 200);
    client.command("MFMT 20251122130709 old", 213);
    client.command("MDTM 20251122130709 old", 213);
    client.command("SITE UTIME 20251122130709 old", 200);
    client.command("SITE CHMOD 600 old", 200);
    client.command("SITE UTIME 20251122130709 missing", 550);
    let log = server.finish();
    let verbs = ["STOR", "MFMT", "MDTM", "SITE"].map(|verb| format!(" {verb} "));
    let lines = session_lines(&log, "");
    let lines: Vec<&str> = lines
        .into_iter()
        .filter(|line| verbs.iter().any(|verb| line.contains(verb)))
        .collect();
    check(
        &lines,
        &[
            "#1 tester@127.0.0.1 STOR /new: 4 bytes in *",
            "#1 tester@127.0.0.1 STOR /other: 4 bytes in *",
            "#1 tester@127.0.0.1 MFMT /old",
            "#1 tester@127.0.0.1 MDTM /old",
            "#1 tester@127.0.0.1 SITE UTIME /old",
            "#1 tester@127.0.0.1 SITE CHMOD 0600 /old",
            "#1 tester@127.0.0.1 SITE UTIME /missing refused: 550 No such file or directory.",
        ],
    );
}

/// Of each kind one line, and at the end of the server how many there were.
#[test]
fn strangers_do_not_fill_the_log() {
    let server = TestServer::program(&["--max-cons-per-ip", "0"]);
    for _ in 0..20 {
        drop(TcpStream::connect(server.address).expect("a connection"));
        garbage(&server, b"\x01\x02\x03\r\n\xff\xfe\r\n");
        garbage(&server, b"GET / HTTP/1.1\r\n\r\n");
    }
    let mut client = server.client();
    let to = client.extended_passive();
    client.command("NLST", 150);
    for _ in 0..20 {
        // It may be closed before it is there.
        let _ = connect_stranger(to);
    }
    server.log_with(" rejected a connection from ");
    client.send("ABOR");
    client.expect_all(&[426, 226]);
    for _ in 0..20 {
        client.command("NONSENSE", 500);
    }
    let log = server.finish();
    for (own, summary) in [
        (
            " sent an HTTP request ",
            "clients that send HTTP: 19 more in the last ",
        ),
        (
            " NONSENSE refused: 500 ",
            "unknown commands: 19 more in the last ",
        ),
        (
            "sessions without a login: 60 in the last ",
            "sessions without a login: 60 in the last ",
        ),
    ] {
        assert_eq!(log.matches(own).count(), 1, "{own}: {log}");
        assert_eq!(log.matches(summary).count(), 1, "{summary}: {log}");
    }
    assert!(!log.contains(" -@127.0.0.1 closed"), "{log}");
    let rejected = log.matches(" rejected a connection from ").count();
    assert_eq!(rejected, 1, "{log}");
    // The client's own connection is there, although it came after many that were not written.
    let own = session_lines(&log, "#61 ");
    check(
        &own[..2],
        &[
            "#61 -@127.0.0.1 connected to 127.0.0.1:* from port *",
            "#61 tester@127.0.0.1 logged in",
        ],
    );
    let connected = log.matches(" connected to ").count();
    assert_eq!(connected, 1, "{log}");
}

/// Sends these bytes, and waits for the end of the session.
fn garbage(server: &TestServer<Program>, bytes: &[u8]) {
    let mut client = Client::connect(server.address);
    client.stream.write_all(bytes).expect("sending");
    client
        .stream
        .shutdown(Shutdown::Write)
        .expect("half a close");
    while client.line().is_some() {}
}

/// The texts of the session lines that hold this.
fn session_lines<'a>(log: &'a str, text: &str) -> Vec<&'a str> {
    let lines = log
        .lines()
        .filter_map(|line| Some(&line[line.find(" #")? + 1..]));
    lines.filter(|line| line.contains(text)).collect()
}

/// Compares lines with patterns: `*` stands for anything.
#[track_caller]
fn check(lines: &[&str], patterns: &[&str]) {
    let fits = |line: &str, pattern: &str| {
        let mut rest = Some(line);
        let mut pieces = pattern.split('*');
        let first = pieces.next().unwrap_or_default();
        rest = rest.and_then(|rest| rest.strip_prefix(first));
        for piece in pieces {
            rest = rest
                .and_then(|rest| rest.split_once(piece))
                .map(|(_, rest)| rest);
        }
        rest.is_some_and(|rest| rest.is_empty() || pattern.ends_with('*'))
    };
    let is_equal = lines.len() == patterns.len()
        && lines
            .iter()
            .zip(patterns)
            .all(|(line, pattern)| fits(line, pattern));
    assert!(is_equal, "{lines:#?} are not {patterns:#?}");
}
