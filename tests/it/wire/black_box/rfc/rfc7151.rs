//! RFC 7151, HOST Command for Virtual Hosts.

use crate::support::client::Client;
use crate::support::server::{PASSWORD, TestServer, USER};

#[test]
fn rfc7151_3_1_host_names_a_host_without_a_port() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    for name in ["ftp.example", "FTP.Example.", "192.0.2.1", "[2001:db8::2]"] {
        client.command(format!("HOST {name}"), 220);
    }
    for name in [
        "",
        "ftp.example:21",
        "2001:db8::2",
        "[2001:db8::2",
        "[x]",
        "a b",
        "-",
        "a..b",
    ] {
        client.command(format!("HOST {name}"), 501);
    }
}

#[test]
fn rfc7151_3_2_host_comes_before_user() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    client.command("HOST ftp.example", 220);
    client.command(format!("USER {USER}"), 331);
    client.command("HOST ftp.example", 503);
    client.command(format!("PASS {PASSWORD}"), 230);
    client.command("HOST ftp.example", 503);
    client.command("REIN", 220);
    client.command("HOST other.example", 220);
}
