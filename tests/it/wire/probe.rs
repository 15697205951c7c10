//! `--probe` against servers of this machine: ours, and hostile ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::process::{self, Finished};
use crate::support::server::{self, PASSWORD, SecureServer, Setup, TestServer, USER, own_address};

#[test]
fn a_server_that_works() {
    let server = TestServer::in_process(&[]);
    server.write("file", "text");
    let output = probe(
        server.address,
        &["-u", USER, "-P", PASSWORD, "--write-test"],
    );
    let text = expect(&output, 0);
    assert_eq!(
        text.matches("works, a listing of 1 line\n").count(),
        3,
        "{text}"
    );
    for part in [
        "220 FTP server ready.\n",
        "logged in as tester\n",
        "this is ftp-server-sync; it sees this client at 127.0.0.1, and announces 127.0.0.1 in PASV",
        "write works, a small file was stored and removed\n",
        "\nEvery client of the table would get through.\n",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(!output.text().contains(&format!(" {PASSWORD}\n")), "{text}");
    let left = server.root().read_dir().expect("the share").count();
    assert_eq!(left, 1, "only the file of before");
}

/// Each of the four data connections resumes the session of its control connection.
#[test]
fn a_server_that_demands_tls() {
    let flags = [
        "--tls-control-required",
        "--tls-data-required",
        "--tls-require-resumption",
    ];
    let secure = SecureServer::in_process(&flags);
    let login = ["-u", USER, "-P", PASSWORD];
    let text = expect(
        &probe(
            secure.server.address,
            &[&login[..], &["--tls", "--write-test"]].concat(),
        ),
        0,
    );
    assert_eq!(text.matches("; TLS session resumed\n").count(), 3, "{text}");
    assert!(text.contains("write works"), "{text}");
    assert!(
        text.contains("the certificate is not verified\nSHA-256 fingerprint "),
        "{text}"
    );
    let without = probe(secure.server.address, &login);
    expect(&without, 2);
    let error = stderr(&without);
    assert!(error.contains("the login is refused: 5"), "{error}");
    assert!(error.ends_with(" Add --tls\n"), "{error}");
}

#[test]
fn an_address_that_leads_elsewhere() {
    let elsewhere = own_address();
    let rule = format!("127.0.0.0/8={elsewhere}");
    let setup = Setup::without_account().on_own_address();
    let server = setup.flags(&["--masquerade-client", &rule]).in_process();
    let text = expect(&probe(server.address, &[]), 1);
    for part in [
        format!("to {elsewhere} port "),
        ", as the reply says: FAILS, connection refused\n".to_owned(),
        "  Windows Explorer        FAILS  connects to 127.".to_owned(),
        "  curl                    works  ".to_owned(),
        "add to the server's flags: --masquerade-client 127.0.0.1/32=local\n".to_owned(),
        "\nSome clients would fail.\n".to_owned(),
    ] {
        assert!(text.contains(&part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_login_that_may_only_read() {
    let server = Setup::without_account().host("127.0.0.1").in_process();
    let text = expect(&probe(server.address, &["--write-test"]), 1);
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ");
    for part in [
        "write FAILS, STOR ftp-server-sync-probe-",
        ": the server does not let this user write there: 553 ",
        "note this login may only read. ",
        "add to the server's flags: --write Every client",
    ] {
        assert!(words.contains(part), "no {part:?} in\n{text}");
    }
    expect(&probe(server.address, &[]), 0);
}

#[test]
fn no_connection_and_no_login() {
    let address = SocketAddr::from((own_address(), 21));
    let output = probe(address, &[]);
    expect(&output, 2);
    let refused = format!(
        "ftp-server-sync: {} port 21: connection refused; check that the router forwards this port",
        address.ip()
    );
    let error = stderr(&output);
    assert!(error.starts_with(&refused), "{error}");
    assert!(error.contains("on its machine, --check"), "{error}");

    let server = TestServer::in_process(&[]);
    let output = probe(server.address, &["-u", USER, "-P", "wrong-word"]);
    expect(&output, 2);
    let error = stderr(&output);
    assert!(error.contains("the login is refused: 530 "), "{error}");
    assert!(
        !output
            .text()
            .replace("\"wrong-word\"", "")
            .contains("wrong-word"),
        "{error}"
    );
}

/// Port 22 is another protocol's, which clients offer beside FTP.
#[test]
fn an_ssh_server_is_named() {
    let address = hostile(|stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_10.0\r\n");
        while stream.read(&mut [0; 100]).is_ok_and(|count| count > 0) {}
    });
    let output = probe(address, &[]);
    expect(&output, 2);
    let error = stderr(&output);
    let named = "an SSH server answers there, and no FTP server: give the port of the FTP server";
    assert!(error.contains(named), "{error}");
}

/// What such a server sends is read up to a limit, and the rest of it changes nothing.
#[test]
fn endless_replies_end_the_probe() {
    for (piece, problem) in [
        ("x", "not FTP"),
        ("220-x\r\n", "a reply is too long"),
        ("120 x\r\n", "replies without end"),
        (
            "220 xxxxxxxxxxxxxxxxxxxxxxxxxx",
            "a line of a reply is too long",
        ),
    ] {
        let address = hostile(move |stream| {
            let pieces = piece.repeat(1000);
            while stream.write_all(pieces.as_bytes()).is_ok() {}
        });
        let start = Instant::now();
        let output = probe(address, &[]);
        expect(&output, 2);
        let error = stderr(&output);
        assert!(
            error.contains(problem) || error.contains("too long"),
            "{piece}: {error}"
        );
        assert!(error.len() < 1000, "{error}");
        assert!(start.elapsed() < Duration::from_secs(10), "{piece}");
    }
}

/// Text of a server stays on its line, and a reply leads to no service of another host.
#[test]
fn a_server_cannot_use_the_probe() {
    // A service that would be harmed, on a port below 1024.
    let service = TcpListener::bind((own_address(), 25)).expect("root may listen there");
    let target = service.local_addr().expect("its address").ip().to_string();
    let passive = format!("227 ({},0,25)\r\n", target.replace('.', ","));
    let address = hostile(move |stream| {
        let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
        let greeting = "220 a\u{1b}[2J\u{202e}b\rlogged in as root\r\n";
        let mut reply = greeting.to_owned();
        while stream.write_all(reply.as_bytes()).is_ok() {
            let Some(Ok(line)) = lines.next() else {
                return;
            };
            reply = match &line[..4] {
                "USER" | "PASS" => "230 In.\r\n".to_owned(),
                "PASV" => passive.clone(),
                _ => "502 No.\r\n".to_owned(),
            };
        }
    });
    let output = probe(address, &[]);
    let text = expect(&output, 1);
    assert!(
        text.contains("220 a\\u{1b}[2J\\u{202e}b\\rlogged in as root\n"),
        "{text}"
    );
    assert!(
        text.contains("FAILS, not tried: it is a port below 1024"),
        "{text}"
    );
    service.set_nonblocking(true).expect("a listener");
    assert!(service.accept().is_err(), "the probe has connected");
}

/// A server of the test, for as many connections as come. Each has a thread.
fn hostile(serve: impl Fn(&mut TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a listener");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(&mut stream));
        }
    });
    address
}

fn probe(address: SocketAddr, more: &[&str]) -> Finished {
    let address = address.to_string();
    let flags = [&["--probe", &address], more].concat();
    process::run(&mut server::command(&flags), SECONDS_MAX)
}

#[track_caller]
fn expect(output: &Finished, code: i32) -> String {
    let found = output.status.and_then(|status| status.code());
    assert_eq!(found, Some(code), "{}", output.text());
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Finished) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

const SECONDS_MAX: u64 = 60;
