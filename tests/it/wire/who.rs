//! `--who` and orders: what the program shows of a server that runs, and has it do.

mod metrics;
mod watch;

use std::fs;
use std::io;
use std::process::Command;

use crate::support::client_program::path;
use crate::support::data::read_some;
use crate::support::process::{self, Finished, prefixed};
use crate::support::server::{self, Program, TestServer, USER};

/// The program with these flags, and the socket of that server.
fn asking(server: &TestServer<Program>, flags: &[&str]) -> Command {
    let socket = server.status_socket();
    server::command(&[flags, &["--status-socket", path(&socket)]].concat())
}

fn ask(server: &TestServer<Program>, flags: &[&str]) -> Finished {
    process::run(&mut asking(server, flags), SECONDS_MAX)
}

#[track_caller]
fn expect(finished: &Finished, code: i32, stdout: &str, stderr: &str) {
    let text = finished.text();
    let status = finished.status.and_then(|status| status.code());
    assert_eq!(status, Some(code), "{text}");
    let output = String::from_utf8_lossy(&finished.stdout);
    assert_eq!(output.trim_end(), stdout, "{text}");
    let errors = String::from_utf8_lossy(&finished.stderr);
    let is_it = if stderr.is_empty() {
        errors.is_empty()
    } else {
        errors.contains(stderr)
    };
    assert!(is_it, "{text}");
}

/// Through a pipe there is no escape sequence, and each session has one line.
#[test]
fn a_download_in_the_table_and_in_the_document() {
    let server = TestServer::program(&["--rate-out", "100K"]);
    server.write_sparse("big file", 64 << 20);
    let mut client = server.client();
    let mut data = client.data();
    client.command("RETR big file", 150);
    read_some(&mut data, 1000);
    let finished = ask(&server, &["--who"]).expect_success();
    let text = String::from_utf8(finished.stdout).expect("UTF-8");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains("\n1 of 512 sessions\n"), "{text}");
    let (heading, row) = text.trim_end().rsplit_once('\n').expect("a table");
    assert!(heading.ends_with("CONNECTED COMMAND"), "{text}");
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((cells[0], cells[1]), ("1", USER), "{row}");
    assert_eq!(&cells[7..9], ["transfer", "clear"], "{row}");
    let bytes: u64 = cells[10].parse().expect(row);
    assert!((1..64 << 20).contains(&bytes), "{row}");
    assert_eq!(cells[11], (64 << 20).to_string(), "{row}");
    assert!(
        row.contains(" yes ") && row.ends_with(" RETR /big file"),
        "{row}"
    );

    let finished = ask(&server, &["--who", "--json"]).expect_success();
    let document = String::from_utf8(finished.stdout).expect("UTF-8");
    for part in [
        "\n      \"number\": 1,\n",
        "\n        \"path\": \"/big file\",\n",
        "\n    \"phase\": \"serving\",\n",
    ] {
        assert!(document.contains(part), "no {part:?} in {document}");
    }
}

/// JSON lines end when no one reads them any more.
#[test]
fn a_line_of_json_each_second() {
    let server = TestServer::program(&[]);
    let mut child = process::start(&mut asking(&server, &["--who", "--watch", "--json"]));
    let stdout = child.stdout.take().expect("stdout is piped");
    let lines = io::BufRead::lines(io::BufReader::new(stdout)).take(2);
    let lines: Vec<String> = lines.map(|line| line.expect("a line")).collect();
    for line in lines {
        assert!(
            line.starts_with("{\"server\":{") && line.ends_with('}'),
            "{line}"
        );
    }
    let status = process::wait(&mut child, std::time::Duration::from_secs(SECONDS_MAX));
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
fn orders_are_done_or_refused() {
    let config = tempfile::NamedTempFile::new().expect("a file");
    fs::write(config.path(), "banner First.\n").expect("a file");
    let server = TestServer::program(&["--config", path(config.path())]);
    let (mut first, mut second) = (server.client(), server.client());
    expect(&ask(&server, &["--kick", "1"]), 0, "session 1 ends", "");
    first.expect(421);
    first.expect_closed();
    second.command("NOOP", 200);
    let refusal = "ftp-server-sync: no session has the number 99\n";
    expect(&ask(&server, &["--kick", "#99"]), 1, "", refusal);
    fs::write(config.path(), "banner Second.\n").expect("a file");
    expect(&ask(&server, &["--reload"]), 0, "reloaded", "");
    fs::write(config.path(), "bannner Third.\n").expect("a file");
    let refusal = "bannner: unknown name; did you mean banner?";
    expect(&ask(&server, &["--reload"]), 1, "", refusal);
    let text = "the server ends after its last session; 1 session left";
    expect(&ask(&server, &["--drain"]), 0, text, "");
    expect(&ask(&server, &["--stop"]), 0, "the server shuts down", "");
    second.expect(421);
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn where_the_server_is_searched_for() {
    let server = TestServer::program(&[]);
    let port = server.address.port().to_string();
    let mut here = server::command(&["--who", "-p", &port]);
    here.env("RUNTIME_DIRECTORY", server.directory());
    process::run(&mut here, SECONDS_MAX).expect_success();
    // The file of a server is enough, even where it names files that are not there.
    let config = tempfile::NamedTempFile::new().expect("a file");
    let socket = server.status_socket();
    let text = format!(
        "password-file /nonexistent\nstatus-socket {}\n",
        path(&socket)
    );
    fs::write(config.path(), text).expect("a file");
    let mut by_file = server::command(&["--who", "--config", path(config.path())]);
    process::run(&mut by_file, SECONDS_MAX).expect_success();

    let elsewhere = tempfile::tempdir().expect("a directory");
    let mut command = server::command(&["--who", "-p", &port]);
    command.env("XDG_STATE_HOME", elsewhere.path());
    command
        .env_remove("RUNTIME_DIRECTORY")
        .env_remove("STATE_DIRECTORY");
    let none = format!(
        "ftp-server-sync: no server answers at status-{port}.socket in /run/ftp-server-sync, \
         {}/ftp-server-sync, /var/lib/ftp-server-sync; --status-socket PATH names the socket",
        path(elsewhere.path())
    );
    expect(&process::run(&mut command, SECONDS_MAX), 2, "", &none);
}

/// The socket is for the server's user and root.
#[test]
fn another_user_is_refused_with_the_cure() {
    let server = TestServer::program(&[]);
    let words = [
        "setpriv",
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
    ];
    // Where that user may run it.
    let directory = tempfile::tempdir_in("/tmp").expect("a directory");
    let program = directory.path().join("ftp-server-sync");
    let asking = asking(&server, &["--who"]);
    fs::copy(asking.get_program(), &program).expect("a copy");
    let mode = |bits| std::os::unix::fs::PermissionsExt::from_mode(bits);
    fs::set_permissions(directory.path(), mode(0o755)).expect("a mode");
    let mut command = Command::new(&program);
    command.args(asking.get_args());
    let finished = process::run(&mut prefixed(&words, &command), SECONDS_MAX);
    let cure = "permission denied, run this as the server's user or as root";
    expect(&finished, 2, "", cure);
}

const SECONDS_MAX: u64 = 20;
