//! `--probe` from outside and inside, and that its advice cures.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;

use tempfile::TempDir;

use super::forwarder::{RANGE, Vsftpd, forwarder};
use super::home_network::{INSIDE, OUTSIDE, OUTSIDE_V6, ROUTED, Router, home_network};
use super::home_server::HomeServer;
use crate::support::client_program::SECONDS_MAX;
use crate::support::lab::Lab;
use crate::support::process::{self, Finished};
use crate::support::server::{self, PASSWORD, USER};
use crate::support::wait::wait_until;

#[test]
fn every_client_outside_and_inside_gets_through() {
    let home = HomeServer::new(&ROUTED);
    for (host, to) in [
        ("client", OUTSIDE),
        ("guest", OUTSIDE),
        ("neighbour", INSIDE),
    ] {
        let text = expect(&as_user(&home.lab, host, to, &["--write-test"]), 0);
        assert!(text.contains("write works"), "{text}");
    }
    let text = expect(&as_user(&home.lab, "client", OUTSIDE_V6, &[]), 0);
    assert!(
        text.contains("curl                    works  sends EPSV over IPv6"),
        "{text}"
    );
    home.finish();
}

#[test]
fn every_client_gets_through_over_a_hairpin() {
    let router = Router {
        hairpin: true,
        ..Router::default()
    };
    let home = HomeServer::behind(&router, &ROUTED);
    expect(&as_user(&home.lab, "neighbour", OUTSIDE, &[]), 0);
    home.finish();
}

/// Without flags the address is private, and the ports are not those that the router forwards.
/// Exactly the flags that are printed cure both.
#[test]
fn long_the_printed_flags_cure_a_server_without_flags() {
    let home = HomeServer::new(&[]);
    let text = expect(&as_user(&home.lab, "client", OUTSIDE, &[]), 1);
    assert!(
        text.contains("names 192.168.77.2 (a private address)"),
        "{text}"
    );
    assert!(text.contains("note     the server says: "), "{text}");
    let flags = printed_flags(&text);
    assert_eq!(
        flags,
        [
            "--masquerade-address 203.0.113.1",
            "--passive-ports 60000-60009"
        ]
    );
    home.finish();
    let cured = HomeServer::new(&words(&flags));
    expect(&as_user(&cured.lab, "client", OUTSIDE, &[]), 0);
    cured.finish();
}

/// With the range alone, clients that replace private addresses get through.
#[test]
fn a_private_address_fails_some_clients() {
    let home = HomeServer::new(&ROUTED[2..]);
    let text = expect(&as_user(&home.lab, "client", OUTSIDE, &[]), 1);
    for row in [
        "FileZilla               works  ",
        "lftp                    works  ",
        "curl                    works  ",
        "wget                    FAILS  connects to 192.168.77.2: no answer within 6 s",
        "Linux ftp (inetutils)   FAILS  refuses 192.168.77.2",
    ] {
        assert!(text.contains(row), "no {row:?} in\n{text}");
    }
    assert_eq!(printed_flags(&text), ["--masquerade-address 203.0.113.1"]);
    home.finish();
}

#[test]
fn the_printed_flag_cures_a_client_inside_that_gets_the_public_address() {
    let flags = [&ROUTED[..], &["--local-networks", "none"]].concat();
    let home = HomeServer::new(&flags);
    let text = expect(&as_user(&home.lab, "neighbour", INSIDE, &[]), 1);
    let printed = printed_flags(&text);
    assert_eq!(printed, ["--masquerade-client 192.168.77.3/32=local"]);
    home.finish();
    let cured = HomeServer::new(&[&flags[..], &words(&printed)].concat());
    expect(&as_user(&cured.lab, "neighbour", INSIDE, &[]), 0);
    cured.finish();
}

/// The router's helper changes the 227, which STAT shows.
#[test]
fn a_reply_that_a_router_has_changed_is_noticed() {
    let router = Router {
        forwarded: None,
        helper: true,
        ..Router::default()
    };
    let home = HomeServer::behind(&router, &[]);
    let text = expect(&as_user(&home.lab, "client", OUTSIDE, &[]), 0);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let noticed = "note the server has announced 192.168.77.2, and a router on the way has put \
                   203.0.113.1 into the reply";
    assert!(text.contains(noticed), "{text}");
    home.finish();
}

/// The router's own numbers for the ports are others than the server's.
#[test]
fn every_client_gets_through_to_outer_ports() {
    let router = Router {
        outer_first: Some(50_000),
        ..Router::default()
    };
    let flags = [&ROUTED[..], &["--outer-ports", "50000-50009"]].concat();
    let home = HomeServer::behind(&router, &flags);
    let text = expect(&as_user(&home.lab, "client", OUTSIDE, &[]), 0);
    assert_eq!(
        text.matches("to 203.0.113.1 port 5000").count(),
        3,
        "{text}"
    );
    home.finish();
}

#[test]
fn another_server_needs_a_setting_of_its_own() {
    let lab = home_network(&Router::default());
    let _vsftpd = Vsftpd::start(&lab, "server", 2121, &RANGE);
    let text = expect(&probe(&lab, "client", OUTSIDE, &[]), 1);
    assert!(text.contains("pasv_address in"), "{text}");
    assert!(!text.contains("this is ftp-server-sync"), "{text}");
    assert_eq!(printed_flags(&text), [""; 0]);
    let _cured = Vsftpd::start(
        &lab,
        "server",
        2122,
        &[&RANGE[..], &["pasv_address=203.0.113.1"]].concat(),
    );
    lab.nft(
        "router",
        "insert rule ip lab prerouting iifname wan tcp dport 21 dnat to 192.168.77.2:2122",
    );
    expect(&probe(&lab, "client", OUTSIDE, &[]), 0);
}

/// The story that masquerading was made for, with the server that it was made in.
#[test]
fn pyftpdlib_needs_its_own_masquerade_address() {
    let lab = home_network(&Router::default());
    let served = TempDir::new().expect("a temporary directory");
    let ports = ["--range", "60000-60009"];
    let naive = Pyftpdlib::start(&lab, served.path(), &ports);
    let text = expect(&probe(&lab, "client", OUTSIDE, &[]), 1);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("names 192.168.77.2 (a private address)"),
        "{text}"
    );
    assert!(text.contains("masquerade_address in pyftpdlib"), "{text}");
    drop(naive);
    let _cured = Pyftpdlib::start(
        &lab,
        served.path(),
        &[&ports[..], &["--nat-address", "203.0.113.1"]].concat(),
    );
    expect(&probe(&lab, "client", OUTSIDE, &[]), 0);
}

#[test]
fn another_server_behind_the_forwarder_is_reached() {
    let lab = home_network(&Router::default());
    let _vsftpd = Vsftpd::start(&lab, "neighbour", 21, &[]);
    let forwarder = forwarder(&lab, "192.168.77.3:21", &["--passive-ports", "60000-60009"]);
    expect(&probe(&lab, "client", OUTSIDE, &[]), 0);
    forwarder.finish();
}

/// The server of the Python library, as its own program, on the port that the router forwards.
struct Pyftpdlib(Child);

impl Pyftpdlib {
    fn start(lab: &Lab, served: &Path, more: &[&str]) -> Self {
        // Debian's library is for Debian's Python.
        let mut command = lab.on("server", "/usr/bin/python3");
        command.args([
            "-m",
            "pyftpdlib",
            "--interface",
            "0.0.0.0",
            "--port",
            "2121",
        ]);
        command.arg("--directory").arg(served).args(more);
        let server = Self(process::start(&mut command));
        wait_until("pyftpdlib listens", || {
            let address = SocketAddr::from(([127, 0, 0, 1], 2121));
            lab.namespace_of("server").connect(None, address).is_ok()
        });
        server
    }
}

impl Drop for Pyftpdlib {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn as_user(lab: &Lab, host: &str, to: &str, more: &[&str]) -> Finished {
    probe(
        lab,
        host,
        to,
        &[&["-u", USER, "-P", PASSWORD], more].concat(),
    )
}

fn probe(lab: &Lab, host: &str, to: &str, more: &[&str]) -> Finished {
    let command = server::command(&[&["--probe", to], more].concat());
    process::run(&mut lab.command_on(host, &command), SECONDS_MAX)
}

/// The flags that are to be added, one with its value each.
pub(super) fn printed_flags(text: &str) -> Vec<&str> {
    let marker = "add to the server's flags: ";
    let lines = text.lines();
    lines
        .filter_map(|line| Some(line.split_once(marker)?.1))
        .collect()
}

fn words<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    flags.iter().flat_map(|flag| flag.split(' ')).collect()
}

#[track_caller]
pub(super) fn expect(output: &Finished, code: i32) -> String {
    let found = output.status.and_then(|status| status.code());
    assert_eq!(found, Some(code), "{}", output.text());
    String::from_utf8(output.stdout.clone()).expect("text")
}
