//! What the RFCs demand and only a server with certain flags shows; the rest is in `black_box/rfc`.

use std::fs;
use std::net::TcpListener;

use crate::support::client::Client;
use crate::support::data::{connect, read_all};
use crate::support::server::{PASSWORD, Setup, TestServer, USER};

/// A refused parameter leaves the old one, and the defaults hold from the beginning.
#[test]
fn rfc959_5_1_defaults_are_ascii_file_and_stream() {
    let server = TestServer::in_process(&["--ascii", "rfc959"]);
    server.write("file", "one\ntwo\n");
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    client.command(format!("PASS {PASSWORD}"), 230);
    client.command("TYPE E", 504);
    let text = client.command("STAT", 211).one_line();
    assert!(
        text.contains("TYPE: ASCII; STRU: FILE; MODE: STREAM"),
        "{text}"
    );
    assert_eq!(client.fetch("RETR file"), b"one\r\ntwo\r\n");
}

#[test]
fn rfc2428_2_eprt_over_both_families_and_with_any_delimiter() {
    for (host, family) in [("127.0.0.1", 1), ("::1", 2)] {
        let server = Setup::new().host(host).in_process();
        server.write("file", "text");
        let mut client = server.client();
        for delimiter in ['|', '!', '~', '#'] {
            let listener = TcpListener::bind((host, 0)).expect("a listener");
            let port = listener.local_addr().expect("its address").port();
            let fields = [family.to_string(), host.to_owned(), port.to_string()];
            let argument = fields.map(|field| format!("{delimiter}{field}")).concat();
            client.command(format!("EPRT {argument}{delimiter}"), 200);
            client.command("RETR file", 150);
            let (mut data, _) = listener.accept().expect("the server");
            assert_eq!(read_all(&mut data), b"text");
            client.expect(226);
        }
    }
}

#[test]
fn rfc2428_2_another_protocol_is_522_with_those_that_would_do() {
    for (host, other, protocols) in [
        ("127.0.0.1", "|2|::1|2000|", "(1)"),
        ("::1", "|1|127.0.0.1|2000|", "(2)"),
    ] {
        let server = Setup::new().host(host).in_process();
        let mut client = server.client();
        for line in [
            format!("EPRT {other}"),
            "EPRT |3|x|2000|".into(),
            "EPSV 3".into(),
        ] {
            let text = client.command(&line, 522).text();
            assert!(text.ends_with(protocols), "{line}: {text}");
        }
        for line in [
            "EPRT",
            "EPRT x",
            "EPRT |1|127.0.0.1|",
            "EPRT |1|127.0.0.1|x|",
            "EPSV x",
        ] {
            client.command(line, 501);
        }
    }
}

#[test]
fn rfc2428_3_epsv_announces_the_port_alone() {
    for (host, family) in [("127.0.0.1", "1"), ("::1", "2")] {
        let server = Setup::new().host(host).in_process();
        server.write("file", "text");
        let mut client = server.client();
        let reply = client.command(format!("EPSV {family}"), 229);
        let text = reply.text();
        assert!(text.contains("(|||") && text.ends_with("|)"), "{text}");
        let mut data = connect(client.announced(&reply));
        client.command("RETR file", 150);
        assert_eq!(read_all(&mut data), b"text");
        client.expect(226);
    }
}

#[test]
fn rfc959_4_2_a_reply_of_several_lines_repeats_its_code() {
    let server = TestServer::in_process(&["--banner", "one\ntwo\n226 three"]);
    let mut client = Client::connect(server.address);
    let greeting = client.expect(220);
    assert_eq!(greeting.lines[0], b"220-one");
    assert!(greeting.lines[1].starts_with(b" "), "{}", greeting.text());
    assert_eq!(greeting.lines[2], b"220 226 three");
    let help = client.command("HELP", 214);
    let (last, lines) = help.lines.split_last().expect("lines");
    assert!(last.starts_with(b"214 "));
    assert!(
        lines[1..].iter().all(|line| line.starts_with(b" ")),
        "{}",
        help.text()
    );
}

#[test]
fn rfc1123_4_1_3_2_passwords_are_taken_to_the_last_byte() {
    let server = Setup::without_account()
        .flags(&["-i", "127.0.0.1", "-u", USER, "-P", " two  blanks "])
        .in_process();
    let mut client = Client::greeted(server.address);
    client.command(format!("USER {USER}"), 331);
    client.command("PASS two  blanks", 530);
    client.command(format!("USER {USER}"), 331);
    client.command("PASS  two  blanks ", 230);
}

/// The letters list what would succeed, so a user who may only read gets fewer.
#[test]
fn rfc3659_7_5_5_perm_lists_what_is_permitted() {
    for (flags, file, directory) in [(&["-w"][..], "adfrw", "cdeflmp"), (&[], "r", "el")] {
        let server = Setup::without_account()
            .flags(&[&["-i", "127.0.0.1"], flags].concat())
            .in_process();
        fs::create_dir(server.path("directory")).expect("a directory");
        server.write("file", "");
        let mut client = Client::greeted(server.address);
        client.command("USER anonymous", 331);
        client.command("PASS x", 230);
        client.command("OPTS MLST perm;", 200);
        for (path, letters) in [("file", file), ("directory", directory)] {
            let text = client.command(format!("MLST {path}"), 250).one_line();
            assert!(text.contains(&format!(" perm={letters}; ")), "{text}");
        }
    }
}
