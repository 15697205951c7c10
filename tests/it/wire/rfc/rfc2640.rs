//! RFC 2640, Internationalization of FTP.

use crate::support::client::Client;
use crate::support::server::TestServer;

#[test]
fn rfc2640_2_2_names_are_utf8_both_ways() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    for name in ["文件", "büro", "файл ☃"] {
        client.store(format!("STOR {name}"), name);
        assert_eq!(server.read(name), name.as_bytes());
        let told = client.fetch(format!("NLST {name}"));
        assert_eq!(told, [name.as_bytes(), b"\r\n"].concat());
        assert_eq!(client.fetch(format!("RETR {name}")), name.as_bytes());
    }
}

/// Names that are no UTF-8 are somebody's all the same.
#[test]
fn rfc2640_2_2_other_names_can_be_used_too() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    client.store(b"STOR b\xfcro", "text");
    assert_eq!(client.fetch(b"RETR b\xfcro"), b"text");
    assert_eq!(client.fetch("NLST"), b"b\xfcro\r\n");
}

#[test]
fn rfc2640_3_1_a_cr_in_a_name_comes_with_a_nul() {
    let server = TestServer::in_process(&[]);
    let mut client = server.client();
    client.store(b"STOR a\r\0b", "text");
    assert_eq!(server.read("a\rb"), b"text");
}

#[test]
fn rfc2640_4_1_lang() {
    let server = TestServer::in_process(&[]);
    let mut client = Client::greeted(server.address);
    for (line, code) in [
        ("LANG", 200),
        ("LANG en", 200),
        ("lang EN-us", 200),
        ("LANG fr", 504),
        ("LANG f_r", 501),
    ] {
        client.command(line, code);
    }
}
