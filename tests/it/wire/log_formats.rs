//! The forms of log lines: text, JSON, and what journald reads.

use std::process::Command;

use crate::support::client::Client;
use crate::support::process::{self, prefixed};
use crate::support::server::{self, Program, Setup, TestServer, USER};

/// Sets the variable as systemd does for stderr, or to another stream.
fn under_systemd(serve: &Command, is_for_stderr: bool) -> Command {
    let added = if is_for_stderr { "" } else { "1" };
    let script = format!(
        "JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2){added}; export JOURNAL_STREAM; exec \"$@\""
    );
    prefixed(&["sh", "-c", &script, "sh"], serve)
}

fn with_journal(flags: &[&str], is_for_stderr: bool) -> TestServer<Program> {
    let setup = Setup::new().flags(flags);
    let setup = setup.wrapped(|serve| under_systemd(&serve, is_for_stderr));
    setup.program()
}

/// Text has the year first.
fn is_text(log: &str) -> bool {
    log.lines().all(|line| line.starts_with("20"))
}

#[test]
fn journald_gets_priorities_and_no_time() {
    let server = with_journal(&["--debug", "--login-delay", "0"], true);
    let mut client = Client::greeted(server.address);
    client.command("USER bob", 331);
    client.command("PASS wrong", 530);
    server.client().command("MKD d", 257);
    let log = server.finish();
    let has = |start: &str| log.lines().any(|line| line.starts_with(start));
    for start in [
        "<6>listening on 127.0.0.1:",
        "<4>#1 -@127.0.0.1 login failed from 127.0.0.1 as \"bob\"",
        "<7>#1 -@127.0.0.1 > USER bob",
        "<6>#2 tester@127.0.0.1 MKD /d",
        "<6>ended",
    ] {
        assert!(has(start), "{start}: {log}");
    }
    assert!(log.lines().all(|line| line.starts_with('<')), "{log}");
}

#[test]
fn another_stream_of_journald_changes_nothing() {
    let log = with_journal(&[], false).finish();
    assert!(
        is_text(&log) && log.contains(" INFO  listening on "),
        "{log}"
    );
}

#[test]
fn the_flag_wins_over_what_is_detected() {
    let log = with_journal(&["--log-format", "text"], true).finish();
    assert!(is_text(&log), "{log}");
    let log = TestServer::program(&["--log-format", "journald"]).finish();
    assert!(log.lines().all(|line| line.starts_with('<')), "{log}");
}

/// Each line of a message has its priority.
#[test]
fn errors_at_the_start_reach_journald_too() {
    let mut serve = under_systemd(&server::command(&["--port", "x"]), true);
    let found = process::run(&mut serve, 20).expect_failure();
    let stderr = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(
        stderr.starts_with("<3>ftp-server-sync: --port x: "),
        "{stderr}"
    );
    assert!(
        stderr.lines().all(|line| line.starts_with("<3>")),
        "{stderr}"
    );
    let mut serve = server::command(&["--port", "x"]);
    let found = process::run(&mut serve, 20).expect_failure();
    assert!(found.stderr.starts_with(b"ftp-server-sync: --port x: "));
}

/// Prints what a reader finds in each line.
const READER: &str = r##"
import json, sys
for line in open(sys.argv[1], encoding="utf-8", newline="\n"):
    found = json.loads(line)
    assert found["time"].endswith("Z") and "T" in found["time"], line
    assert found["level"] in ("ERROR", "WARN", "INFO", "DEBUG"), line
    if "session" in found:
        fields = [found["session"], found.get("user"), found["client"], found["text"]]
        print(json.dumps(fields))
    else:
        assert not found["text"].startswith("#"), line
        assert set(found) == {"time", "level", "text"}, line
"##;

#[test]
fn json_is_read_by_programs_whatever_names_clients_send() {
    let server = Setup::new()
        .flags(&["--log-format", "json", "--login-delay", "0", "--debug"])
        .program();
    let hostile = "x\",\"session\":99,\"user\":\"root\\";
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {hostile}"), 331);
    client.command("PASS wrong", 530);
    client.command("USER #99 root@10.0.0.1 \u{2028}", 331);
    client.command("PASS wrong", 530);
    let mut client = server.client();
    for name in [
        "a\"b\\",
        "#9 root@10.0.0.1 logged in",
        "c\u{202e}d\u{2028}e",
    ] {
        client.send(format!("MKD {name}"));
        client.line().expect("a reply");
    }
    client.send_bytes(b"MKD \xff\xfe\xe4\r\n");
    client.line().expect("a reply");
    client.command("QUIT", 221);
    client.expect_closed();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("log");
    std::fs::write(&file, server.finish()).expect("a log");
    let mut reader = Command::new("python3");
    reader.arg("-c").arg(READER).arg(&file);
    let found = process::run(&mut reader, 30).expect_success();
    let found = String::from_utf8(found.stdout).expect("UTF-8");
    for line in [
        format!("[2, \"{USER}\", \"127.0.0.1\", \"logged in\"]"),
        format!("[2, \"{USER}\", \"127.0.0.1\", \"MKD /a\\\"b\\\\\\\\\"]"),
        format!("[2, \"{USER}\", \"127.0.0.1\", \"MKD /#9 root@10.0.0.1 logged in\"]"),
        format!("[2, \"{USER}\", \"127.0.0.1\", \"MKD /c\\\\u{{202e}}d\\\\u{{2028}}e\"]"),
        format!("[2, \"{USER}\", \"127.0.0.1\", \"closed: the client sent QUIT\"]"),
    ] {
        assert!(found.contains(&line), "{line} in {found}");
    }
    for line in found.lines() {
        let is_own = line.starts_with("[1, null, \"127.0.0.1\", ")
            || line.starts_with("[2, null, \"127.0.0.1\", ")
            || line.starts_with(&format!("[2, \"{USER}\", \"127.0.0.1\", "));
        assert!(is_own, "{line}");
    }
}

/// A reload takes the new form at once.
#[test]
fn a_reload_changes_the_form() {
    let directory = tempfile::tempdir().expect("a directory");
    let config = directory.path().join("conf");
    std::fs::write(&config, "log-format text\n").expect("a file");
    let config_flag = config.to_str().expect("UTF-8");
    let server = TestServer::program(&["--config", config_flag]);
    std::fs::write(&config, "log-format json\n").expect("a file");
    server.signal(rustix::process::Signal::HUP);
    server.log_with("\"text\":\"reloaded the settings\"}");
    server.finish();
}

/// What libraries say of their insides is not for `--debug`.
#[test]
fn debug_lines_are_of_the_server_alone() {
    let secure = server::SecureServer::program(&["--debug"]);
    let config = secure.config(&rustls::version::TLS13);
    secure.client(&config).command("QUIT", 221);
    let log = secure.server.finish();
    let of_rustls = [
        "ALPN",
        "ciphersuite",
        "we got a clienthello",
        "decided upon",
    ];
    for text in of_rustls {
        assert!(!log.contains(text), "{text} in {log}");
    }
}
