//! `--metrics` and `/healthz`, read with the parser of Prometheus' client library.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::process::Command;

use crate::support::client::Client;
use crate::support::client_program::{path, script};
use crate::support::data::{connect, read_all, read_some};
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer, USER};

use super::ask;

/// The answer to a GET request: its status, and its text.
fn get(address: SocketAddr, page: &str) -> (String, String) {
    let mut stream = connect(address);
    let request = format!("GET {page} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let answer = String::from_utf8(read_all(&mut stream)).expect("UTF-8");
    let (head, text) = answer.split_once("\r\n\r\n").expect("an answer");
    let status = head.lines().next().unwrap_or_default();
    (status.replace("HTTP/1.1 ", ""), text.to_owned())
}

/// Each sample with its value.
fn samples(address: SocketAddr) -> BTreeMap<String, f64> {
    let (status, text) = get(address, "/metrics");
    assert_eq!(status, "200 OK");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script("metrics.py"));
    let finished = process::run_typing(&mut command, &text, 20).expect_success();
    let samples = String::from_utf8(finished.stdout).expect("UTF-8");
    let samples = samples.lines().filter_map(|line| line.rsplit_once(' '));
    samples
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect()
}

/// Where the log says that they are.
fn address(server: &TestServer<Program>) -> SocketAddr {
    let log = server.log_with("/metrics");
    let rest = log.split("metrics at http://").nth(1).expect("the address");
    let address = rest.split('/').next().unwrap_or_default();
    address.parse().expect("an address")
}

#[test]
fn what_happens_is_counted() {
    let server = TestServer::program(&["--metrics", "0", "-r", "60000-60009"]);
    let address = address(&server);
    let before = samples(address);
    assert_eq!(before["ftp_server_sync_sessions_started_total{}"], 0.0);
    server.write("file", "0123456789");
    let mut client = server.client();
    assert_eq!(client.fetch("RETR file"), b"0123456789");
    client.store("STOR other", "1234");
    let mut stranger = Client::greeted(server.address);
    stranger.command(format!("USER {USER}"), 331);
    stranger.command("PASS wrong", 530);
    let samples = samples(address);
    for (name, value) in [
        ("sessions{state=\"idle\"}", 1.0),
        ("sessions{state=\"login\"}", 1.0),
        ("sessions{state=\"transferring\"}", 0.0),
        ("sessions_started_total{}", 2.0),
        ("logins_total{result=\"success\"}", 1.0),
        ("logins_total{result=\"failure\"}", 1.0),
        (
            "transfers_total{kind=\"download\",result=\"completed\"}",
            1.0,
        ),
        ("transfers_total{kind=\"upload\",result=\"completed\"}", 1.0),
        ("transferred_bytes_total{kind=\"download\"}", 10.0),
        ("transferred_bytes_total{kind=\"upload\"}", 4.0),
        ("passive_ports{}", 10.0),
        ("phase{phase=\"serving\"}", 1.0),
    ] {
        let name = format!("ftp_server_sync_{name}");
        assert_eq!(samples.get(&name), Some(&value), "{name} in {samples:?}");
    }
    let names = ["process_resident_memory_bytes{}", "process_open_fds{}"];
    assert!(names.iter().all(|name| samples[*name] > 0.0), "{samples:?}");
    let start = "process_start_time_seconds{}";
    assert_eq!(before[start], samples[start]);
    // No name of a user, a file or an address is in them.
    let text = get(address, "/metrics").1;
    for name in [USER, "file\"", "127.0.0.1"] {
        assert!(!text.contains(name), "{text}");
    }
}

/// The server that takes its place needs all of its ports.
#[test]
fn a_server_that_ends_leaves_the_port_to_the_next_one() {
    for order in ["--drain", "--stop"] {
        let old = TestServer::program(&["--shutdown-grace", "600", "--metrics", "0"]);
        let address = address(&old);
        let healthy = ("200 OK".to_owned(), "ok\n".to_owned());
        assert_eq!(get(address, "/healthz"), healthy);
        assert!(!old.log().contains("note: --metrics"), "{}", old.log());
        old.write("big", noise(32 << 20));
        let mut busy = old.client();
        let mut data = busy.data();
        busy.command("RETR big", 150);
        read_some(&mut data, 1);
        ask(&old, &[order]).expect_success();
        TcpStream::connect(address).expect_err("the port is closed");
        let new = TestServer::program(&["--metrics", &address.to_string()]);
        assert_eq!(get(address, "/healthz"), healthy);
        new.finish();
        // The old one is still there for its transfer.
        assert_eq!(read_all(&mut data).len(), (32 << 20) - 1);
        busy.expect(226);
    }
}

/// The port is opened with the rights of root, and read without them.
#[test]
fn metrics_of_another_user_in_a_sandbox() {
    let setup = Setup::new().on_own_address();
    let host = crate::support::server::own_address();
    for directory in [setup.directory(), &setup.root()] {
        chown(directory, Some(65534), Some(65534)).expect("an owner");
    }
    let flags = ["--run-as", "65534:65534", "--sandbox", "--metrics"];
    let server = setup.flags(&flags).flags(&[format!("{host}:81")]).program();
    let address = SocketAddr::from((host, 81));
    let _client = server.client();
    let samples = samples(address);
    assert_eq!(samples["ftp_server_sync_sessions{state=\"idle\"}"], 1.0);
    assert!(samples["process_cpu_seconds_total{}"] > 0.0);
}

#[test]
fn other_addresses_are_a_note_and_changes_need_a_restart() {
    let config = tempfile::NamedTempFile::new().expect("a file");
    fs::write(config.path(), "metrics 0.0.0.0:0\n").expect("a file");
    let server = TestServer::program(&["--config", path(config.path())]);
    let note = "everyone who reaches this address can read how much this server does, though no";
    server.log_with(note);
    fs::write(config.path(), "metrics 127.0.0.1:0\n").expect("a file");
    ask(&server, &["--reload"]).expect_success();
    server.log_with("--metrics has changed: restart the server, whose metrics stay until then");
    get(
        SocketAddr::from(([127, 0, 0, 1], address(&server).port())),
        "/healthz",
    );
}

#[test]
fn a_port_that_is_taken_ends_the_start() {
    let first = TestServer::program(&["--metrics", "0"]);
    let address = address(&first).to_string();
    let flags = ["-p", "0", "-i", "127.0.0.1", "--metrics", &address];
    let finished = process::run(&mut crate::support::server::command(&flags), 20);
    finished.expect_refusal(&format!("--metrics {address}: Address already in use"));
}
