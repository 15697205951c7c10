//! The server behind a NAT router, and clients on both sides of it, in network namespaces.
//!
//! ```text
//!  client ──────────── isp ──────────── router ─────────┬──────── server
//!  203.0.113.9    wan  .254 (drops   203.0.113.1        │ lan   192.168.77.2:2121
//!                 private addresses) 192.168.77.1       └──────── neighbour 192.168.77.3
//! ```
//!
//! The router forwards port 21 and ports 60000-60009, nothing else. Each story that must work has a neighbour
//! here that must fail because one thing is missing: a lab in which everything passes would prove nothing.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use tempfile::TempDir;

use crate::clients::{
    PASSWORD, SECONDS_MAX, USER, assert_same_files, curl_itself, ftplib, noise, path,
};
use crate::lab::Lab;
use crate::process::{self, Finished};
use crate::server::{self, Server};

/// What breaks without this server's two flags.
#[test]
fn without_masquerade_a_trusting_client_fails() {
    let site = Site::new(&[]);
    let story = site.ftplib("client", OUTSIDE, true).expect_failure();
    assert_eq!(addresses(&story), [INNER], "{}", story.text());
    assert_timed_out(&story);
    site.finish();
}

/// The masquerade address alone is not enough: the ports must be those that the router forwards.
#[test]
fn without_the_forwarded_range_a_trusting_client_fails() {
    let site = Site::new(&["-n", "203.0.113.1", "-r", "61000-61009"]);
    let story = site.ftplib("client", OUTSIDE, true).expect_failure();
    assert_eq!(addresses(&story), [OUTER], "{}", story.text());
    assert_timed_out(&story);
    site.finish();
}

#[test]
fn with_masquerade_and_range_clients_pass_the_router() {
    let site = Site::new(&["-n", "203.0.113.1", "-r", "60000-60009"]);
    for trust in [true, false] {
        let story = site.ftplib("client", OUTSIDE, trust).expect_success();
        assert_announced(&story, "227", OUTER);
    }
    let trusting = site.curl(
        "client",
        OUTSIDE,
        &["--disable-epsv", "--no-ftp-skip-pasv-ip"],
    );
    trusting
        .iter()
        .for_each(|story| assert_announced(story, "227", OUTER));
    let ignoring = site.curl("client", OUTSIDE, &["--disable-epsv"]);
    ignoring
        .iter()
        .for_each(|story| assert_announced(story, "227", OUTER));
    let default = site.curl("client", OUTSIDE, &[]);
    default
        .iter()
        .for_each(|story| assert_announced(story, "229", OUTER));
    site.finish();
}

/// A client in the server's own network never sees the router's address, which would not serve it.
#[test]
fn with_masquerade_a_local_client_gets_the_local_address() {
    let site = Site::new(&["-n", "203.0.113.1", "-r", "60000-60009"]);
    for trust in [true, false] {
        let story = site.ftplib("neighbour", INSIDE, trust).expect_success();
        assert_announced(&story, "227", INNER);
    }
    let trusting = site.curl(
        "neighbour",
        INSIDE,
        &["--disable-epsv", "--no-ftp-skip-pasv-ip"],
    );
    trusting
        .iter()
        .for_each(|story| assert_announced(story, "227", INNER));
    // The two kinds of client at the same server, one after the other.
    assert_announced(
        &site.ftplib("client", OUTSIDE, true).expect_success(),
        "227",
        OUTER,
    );
    assert_announced(
        &site.ftplib("neighbour", INSIDE, true).expect_success(),
        "227",
        INNER,
    );
    site.finish();
}

/// The same local client without the exemption.
#[test]
fn without_local_networks_a_trusting_local_client_fails() {
    let masquerade = ["-n", "203.0.113.1", "-r", "60000-60009"];
    let site = Site::new(&[&masquerade[..], &["--local-networks", "none"]].concat());
    let story = site.ftplib("neighbour", INSIDE, true).expect_failure();
    assert_eq!(addresses(&story), [OUTER], "{}", story.text());
    site.finish();
}

/// The lab above, with a server in it that serves one file.
struct Site {
    // Dropped in this order: nothing runs in a namespace any more when it goes.
    server: Server,
    lab: Lab,
    directory: TempDir,
}

impl Site {
    fn new(arguments: &[&str]) -> Self {
        let lab = home_behind_a_router();
        let directory = TempDir::new().expect("a temporary directory");
        let root = directory.path().join("root");
        fs::create_dir(&root).expect("the root");
        fs::create_dir(directory.path().join("work")).expect("the client's directory");
        fs::write(root.join("from-server.bin"), noise(600_016)).expect("a file to serve");
        let common = [
            "-p",
            "2121",
            "-d",
            path(&root),
            "-w",
            "-u",
            USER,
            "-P",
            PASSWORD,
        ];
        let command = server::command(&[&common, arguments].concat());
        let server = Server::spawn(&mut lab.command_on("server", &command));
        Self {
            server,
            lab,
            directory,
        }
    }

    fn finish(self) {
        self.server.finish(&[PASSWORD]);
    }

    /// List, download and upload with ftplib; `trust` makes it dial the address that a 227 names.
    fn ftplib(&self, host: &str, to: &str, trust: bool) -> Finished {
        let (root, work) = (
            self.directory.path().join("root"),
            self.directory.path().join("work"),
        );
        let mut command = ftplib(to.parse::<SocketAddr>().expect("an address"), &root, &work);
        command.args(["--timeout", &TIMEOUT_SECONDS.to_string()]);
        if trust {
            command.arg("--trust-pasv");
        }
        command.arg("short");
        process::run(&mut self.lab.command_on(host, &command), SECONDS_MAX)
    }

    /// List, download and upload with curl, each with what curl and the server said.
    fn curl(&self, host: &str, to: &str, flags: &[&str]) -> Vec<Finished> {
        let (root, work) = (
            self.directory.path().join("root"),
            self.directory.path().join("work"),
        );
        let url = |name: &str| format!("ftp://{to}/{name}");
        let run = |arguments: &[&str]| {
            let mut command: Command = curl_itself();
            command.args([
                "--verbose",
                "--connect-timeout",
                &TIMEOUT_SECONDS.to_string(),
            ]);
            command
                .args(["--user", &format!("{USER}:{PASSWORD}")])
                .args(flags)
                .args(arguments);
            process::run(&mut self.lab.command_on(host, &command), SECONDS_MAX).expect_success()
        };
        let list = run(&[&url("")]);
        assert!(list.text().contains(" from-server.bin"), "{}", list.text());
        let (wanted, got) = (root.join("from-server.bin"), work.join("got"));
        let download = run(&["-o", path(&got), &url("from-server.bin")]);
        assert_same_files(&wanted, &got);
        let upload = run(&["-T", path(&wanted), &url("from-curl.bin")]);
        assert_same_files(&wanted, &root.join("from-curl.bin"));
        fs::remove_file(root.join("from-curl.bin")).expect("the upload");
        vec![list, download, upload]
    }
}

/// A server at home: the seed of this project.
fn home_behind_a_router() -> Lab {
    let mut lab = Lab::new();
    for host in ["isp", "client", "router", "server", "neighbour"] {
        lab.host(host);
    }
    lab.network("isp", "wan", "203.0.113.254/24");
    lab.plug("client", "wan", "203.0.113.9/24", "isp", "wan");
    lab.plug("router", "wan", "203.0.113.1/24", "isp", "wan");
    lab.network("router", "lan", "192.168.77.1/24");
    lab.plug("server", "lan", "192.168.77.2/24", "router", "lan");
    lab.plug("neighbour", "lan", "192.168.77.3/24", "router", "lan");
    lab.default_route("client", "203.0.113.254");
    lab.default_route("router", "203.0.113.254");
    lab.default_route("server", "192.168.77.1");
    lab.default_route("neighbour", "192.168.77.1");
    lab.forward("isp");
    lab.forward("router");
    lab.nft("isp", ISP);
    lab.nft("router", ROUTER);
    lab
}

/// Checks that every reply with this code names a forwarded port (and, in a 227, this address).
#[track_caller]
fn assert_announced(story: &Finished, code: &str, address: Ipv4Addr) {
    let text = story.text();
    let announced = announcements(&text);
    assert!(!announced.is_empty(), "no 227 or 229 in:\n{text}");
    for announcement in announced {
        assert_eq!(announcement.code, code, "{text}");
        assert!(
            announcement.address.is_none_or(|found| found == address),
            "not {address}:\n{text}"
        );
        assert!(
            FORWARDED.contains(&announcement.port),
            "not forwarded: {}\n{text}",
            announcement.port
        );
    }
}

/// Checks that the client failed for the reason that the story is about.
#[track_caller]
fn assert_timed_out(story: &Finished) {
    let text = story.text();
    assert!(
        text.contains("timed out") || text.contains("TimeoutError"),
        "another failure:\n{text}"
    );
}

/// The addresses of all 227 replies that a client printed.
fn addresses(story: &Finished) -> Vec<Ipv4Addr> {
    announcements(&story.text())
        .into_iter()
        .filter_map(|announcement| announcement.address)
        .collect()
}

/// A 227 or 229 reply.
struct Announcement {
    code: String,
    address: Option<Ipv4Addr>,
    port: u16,
}

/// All 227 and 229 replies in what a client printed.
fn announcements(text: &str) -> Vec<Announcement> {
    text.lines().filter_map(announcement).collect()
}

fn announcement(line: &str) -> Option<Announcement> {
    let start = ["227 ", "229 "].iter().find_map(|code| line.find(code))?;
    let (code, rest) = line[start..].split_at(3);
    let inner = rest.split_once('(')?.1.split_once(')')?.0;
    if code == "229" {
        let port = inner.trim_matches('|').parse().ok()?;
        return Some(Announcement {
            code: code.to_owned(),
            address: None,
            port,
        });
    }
    let numbers: Vec<u8> = inner
        .split(',')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [a, b, c, d, high, low] = numbers[..] else {
        return None;
    };
    let address = Some(Ipv4Addr::new(a, b, c, d));
    Some(Announcement {
        code: code.to_owned(),
        address,
        port: u16::from_be_bytes([high, low]),
    })
}

/// Real providers carry nothing to private addresses; the trusting client's SYN just vanishes.
const ISP: &str = "
table ip lab {
    chain prerouting {
        type filter hook prerouting priority raw; policy accept;
        ip daddr { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 } drop
    }
}";

/// A home router: masquerading to the outside, closed from outside but for what is forwarded.
const ROUTER: &str = "
table ip lab {
    chain prerouting {
        type nat hook prerouting priority dstnat;
        iifname wan ip daddr 203.0.113.1 tcp dport 21 dnat to 192.168.77.2:2121
        iifname wan ip daddr 203.0.113.1 tcp dport 60000-60009 dnat to 192.168.77.2
    }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname wan masquerade
    }
    chain input {
        type filter hook input priority filter; policy accept;
        iifname wan ct state new drop
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established accept
        ct status dnat accept
        iifname lan oifname wan accept
    }
}";

const OUTSIDE: &str = "203.0.113.1:21";
const INSIDE: &str = "192.168.77.2:2121";
const OUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const INNER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 2);
const FORWARDED: std::ops::RangeInclusive<u16> = 60_000..=60_009;
const TIMEOUT_SECONDS: u32 = 3;
