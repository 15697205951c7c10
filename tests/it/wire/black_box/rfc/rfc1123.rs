//! RFC 1123, Requirements for Internet Hosts, section 4.1.

use crate::support::data::{connect, read_all};
use crate::support::server::TestServer;

#[test]
fn rfc1123_4_1_2_1_local_8_is_image() {
    let server = TestServer::black_box();
    server.write("file", "one\ntwo\r\n");
    let mut client = server.client();
    client.command("TYPE A", 200);
    client.command("TYPE L 8", 200);
    assert_eq!(client.fetch("RETR file"), b"one\ntwo\r\n");
}

#[test]
fn rfc1123_4_1_2_6_pasv_serves_one_transfer() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    for _ in 0..3 {
        let mut data = connect(client.passive());
        client.command("RETR file", 150);
        assert_eq!(read_all(&mut data), b"text");
        client.expect(226);
    }
    client.command("RETR file", 425);
}

#[test]
fn rfc1123_4_1_2_7_listings_are_ascii_whatever_the_type() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    for kind in ["TYPE I", "TYPE A"] {
        client.command(kind, 200);
        assert_eq!(client.fetch("NLST"), b"file\r\n", "{kind}");
        assert!(client.fetch("LIST").ends_with(b" file\r\n"), "{kind}");
        // Names of NLST can be used as they are.
        assert_eq!(client.fetch("RETR file"), b"text");
    }
}

#[test]
fn rfc1123_4_1_2_8_site_help_lists_what_site_has() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let text = client.command("SITE HELP", 214).text();
    for name in ["CHMOD", "HELP", "UMASK"] {
        assert!(text.contains(name), "{text}");
    }
    client.command("SITE NOSUCH", 500);
}

#[test]
fn rfc1123_4_1_2_13_the_minimum_implementation() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let text = client.command("HELP", 214).text();
    for name in [
        "USER", "PASS", "ACCT", "CWD", "CDUP", "QUIT", "PORT", "PASV", "TYPE", "MODE", "STRU",
        "RETR", "STOR", "APPE", "RNFR", "RNTO", "DELE", "RMD", "MKD", "PWD", "LIST", "NLST",
        "SYST", "STAT", "HELP", "NOOP",
    ] {
        assert!(text.split_whitespace().any(|word| word == name), "{name}");
    }
    for line in ["TYPE A N", "TYPE I", "TYPE L 8", "MODE S", "STRU F"] {
        client.command(line, 200);
    }
}
