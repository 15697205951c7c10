//! The set-ups of the guide `docs/behind-a-router.md`: each command is read out of it and run as it
//! is printed there.
//!
//! Only two things are replaced: the program's name by its path, and `/srv/ftp` by a directory of
//! the test.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use super::announcements::{addresses, announcements};
use super::home_network::{
    INNER, INSIDE, OUTER, OUTER_SECOND, OUTSIDE, OUTSIDE_SECOND, OUTSIDE_V6, far_apart,
};
use super::home_network::{Router, home_network};
use super::matrix::scenario;
use crate::support::client_program::{SECONDS_MAX, curl, path};
use crate::support::file_contents::noise;
use crate::support::lab::Lab;
use crate::support::page::read as page;
use crate::support::process::{self, Finished};
use crate::support::server::{self, Program, Setup, TestServer};

#[test]
fn one_router() {
    scenario("guide::one_router", || {
        let home = Printed::new("One router");
        home.forward("server");
        home.assert_fine("server");
        home.assert_served("client", OUTSIDE, OUTER);
        home.assert_served("guest", OUTSIDE, OUTER);
        home.assert_served("neighbour", INSIDE, INNER);
        home.finish()
    });
}

/// The rules that the guide shows are those that the program prints.
#[test]
fn the_guide_shows_the_printed_rules() {
    let lab = home_network(&Router::default());
    let shown = blocks("One router", "nft").pop().expect("the lines");
    let printed = ask(
        &lab,
        "server",
        &command("One router", 0),
        &["--rules", "nft"],
    );
    let printed = String::from_utf8(printed.expect_success().stdout).expect("text");
    let printed: Vec<&str> = printed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), printed);
}

#[test]
fn two_public_addresses() {
    scenario("guide::two_public_addresses", || {
        let home = Printed::new("Two public addresses");
        home.forward("server");
        home.assert_fine("server");
        home.assert_served("client", OUTSIDE, OUTER);
        home.assert_served("client", OUTSIDE_SECOND, OUTER_SECOND);
        home.assert_served("neighbour", INSIDE, INNER);
        home.finish()
    });
}

#[test]
fn an_address_that_changes() {
    scenario("guide::an_address_that_changes", || {
        let lab = home_network(&closed());
        let _resolver = lab.resolver("server", &[("ftp.home.example", "203.0.113.1")]);
        let home = Printed::within(lab, "server", &command("An address that changes", 0));
        home.server.log_with("ftp.home.example is 203.0.113.1");
        home.forward("server");
        home.assert_fine("server");
        home.assert_served("client", OUTSIDE, OUTER);
        home.assert_served("neighbour", INSIDE, INNER);
        home.finish()
    });
}

/// No docker here: its bridge, its published ports and its proxy are made of the same parts of the
/// kernel.
#[test]
fn docker() {
    scenario("guide::docker", || {
        let command = command("Docker", 0);
        let (outside, container) = command.split_once(" IMAGE ").expect("an image");
        let rules = outside.split_once("$(").expect("the arguments of docker");
        let rules = rules.1.split_once(')').expect("the arguments of docker").0;
        // What the image starts.
        let container = format!("ftp-server-sync {container}");

        let mut lab = home_network(&closed());
        lab.host("container");
        lab.network("server", "docker0", "172.17.0.1/16");
        lab.plug("container", "eth0", "172.17.0.2/16", "server", "docker0");
        lab.default_route("container", "172.17.0.1");
        lab.forward("server");
        let arguments = ask(&lab, "server", rules, &[]).expect_success();
        lab.nft("server", &published(&arguments));
        lab.nft("router", TO_DOCKERS_HOST);

        let home = Printed::within(lab, "container", &container);
        home.assert_fine("container");
        home.assert_served("client", OUTSIDE, OUTER);
        home.assert_served("neighbour", "192.168.77.2:21", INNER);
        home.lab.nft("server", PROXY);
        home.assert_served("client", OUTSIDE, OUTER);
        let log = home.server.log();
        assert!(log.contains("@172.17.0.1 "), "no proxy:\n{log}");
        home.finish()
    });
}

#[test]
fn carrier_nat() {
    scenario("guide::carrier_nat", || {
        let home = Printed::new("Carrier NAT");
        let check = command("Carrier NAT", 1);
        let output = ask(&home.lab, "server", &check, &["-p", "2122"]);
        assert_eq!(output.status.and_then(|status| status.code()), Some(1));
        let text = output.text().replace("\n         ", " ");
        assert!(text.contains("serve over IPv6"), "{text}");
        home.assert_served_v6();
        home.finish()
    });
}

#[test]
fn ipv6_only() {
    scenario("guide::ipv6_only", || {
        let home = Printed::new("IPv6 only");
        home.assert_fine("server");
        home.assert_served_v6();
        home.finish()
    });
}

#[test]
fn one_forwarded_port() {
    scenario("guide::one_forwarded_port", || {
        let home = Printed::new("One forwarded port");
        home.forward("server");
        home.assert_fine("server");
        thread::scope(|scope| {
            for number in 1..=20 {
                let home = &home;
                scope.spawn(move || {
                    let from = far_apart(number);
                    let flags = [&TRUSTING[..], &["--interface", &from]].concat();
                    let output = home.fetch("client", OUTSIDE, &flags);
                    assert_eq!(addresses(&output), [OUTER], "{}", output.text());
                });
            }
        });
        let log = home.server.log();
        assert!(!log.contains("too small"), "a client waited:\n{log}");
        home.finish()
    });
}

/// Each row of the README's table leads to a set-up of the guide, and each set-up has a test here.
#[test]
fn each_set_up_has_a_line_in_the_table() {
    let readme = page("README.md");
    let table = section(&readme, "## Behind a router\n", "\n## ");
    let link = format!("]({GUIDE}#");
    let links: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.split_once(&link)?.1.split_once(')'))
        .map(|(anchor, _)| anchor)
        .collect();
    assert_eq!(links, SET_UPS.map(anchor));
    for heading in SET_UPS {
        command(heading, 0);
    }
}

/// A server that was started as printed.
struct Printed {
    command: String,
    server: TestServer<Program>,
    lab: Lab,
}

impl Printed {
    /// The first command under the heading, behind a router that forwards nothing yet.
    fn new(heading: &str) -> Self {
        Self::within(home_network(&closed()), "server", &command(heading, 0))
    }

    fn within(lab: Lab, host: &str, command: &str) -> Self {
        let setup = Setup::from_flags_alone();
        fs::write(setup.root().join("file"), noise(SIZE)).expect("a file to serve");
        let words = words(command, &setup.root());
        let server = setup.flags(&words).on_host(&lab, host).program();
        Self {
            command: command.to_owned(),
            server,
            lab,
        }
    }

    /// Loads on the router what the same command prints with `--rules nft`.
    fn forward(&self, host: &str) {
        let printed = ask(&self.lab, host, &self.command, &["--rules", "nft"]);
        let lines = String::from_utf8(printed.expect_success().stdout).expect("text");
        self.lab.nft("router", &lines);
    }

    /// `--check` beside the same command finds nothing that fails; on another port, as this one is
    /// taken.
    fn assert_fine(&self, host: &str) {
        ask(&self.lab, host, &self.command, &["--check", "-p", "2122"]).expect_success();
    }

    /// In both ways to ask for a port, by a client that trusts the address of a 227.
    #[track_caller]
    fn assert_served(&self, host: &str, to: &str, announced: Ipv4Addr) {
        let output = self.fetch(host, to, &TRUSTING);
        assert_eq!(addresses(&output), [announced], "{}", output.text());
        let output = self.fetch(host, to, &[]);
        assert!(output.text().contains("< 229 "), "{}", output.text());
    }

    #[track_caller]
    fn assert_served_v6(&self) {
        for host in ["client", "neighbour"] {
            let output = self.fetch(host, OUTSIDE_V6, &[]);
            let announced = announcements(&output.text());
            let in_range = |port| (60_000..=60_009).contains(&port);
            assert!(announced.iter().all(|announced| in_range(announced.port)));
            assert_eq!(announced.len(), 1, "{}", output.text());
        }
    }

    #[track_caller]
    fn fetch(&self, host: &str, to: &str, flags: &[&str]) -> Finished {
        let mut command = curl();
        command.args(["--verbose", "--connect-timeout", "5"]);
        command.args(flags).arg(format!("ftp://{to}/file"));
        let output = process::run(&mut self.lab.command_on(host, &command), SECONDS_MAX);
        assert!(output.stdout == noise(SIZE), "{}", output.text());
        output.expect_success()
    }

    fn finish(self) -> &'static str {
        self.server.finish();
        "served as printed"
    }
}

/// Runs a printed command with more flags, on a host where its directory need not exist.
fn ask(lab: &Lab, host: &str, command: &str, more: &[&str]) -> Finished {
    let directory = TempDir::new().expect("a temporary directory");
    let mut words = words(command, directory.path());
    words.extend(more.iter().map(|&word| word.to_owned()));
    let program = server::command(&words);
    process::run(&mut lab.command_on(host, &program), SECONDS_MAX)
}

/// The arguments of a printed command.
fn words(command: &str, directory: &Path) -> Vec<String> {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("ftp-server-sync"), "{command}");
    words
        .map(|word| word.replace("/srv/ftp", path(directory)))
        .collect()
}

/// A command under a heading, its lines joined.
fn command(heading: &str, number: usize) -> String {
    let block = blocks(heading, "sh").into_iter().nth(number);
    let block = block.unwrap_or_else(|| panic!("{heading}: no command {number}"));
    block.replace("\\\n", " ").trim().to_owned()
}

/// The fenced blocks of this kind under a heading.
fn blocks(heading: &str, kind: &str) -> Vec<String> {
    let guide = page(GUIDE);
    let text = section(&guide, &format!("\n### {heading}\n"), "\n#");
    let fence = format!("```{kind}\n");
    let blocks = text.split(&fence).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

fn section<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page
        .split_once(from)
        .unwrap_or_else(|| panic!("no {from:?} in the page"));
    rest.split(to).next().unwrap_or(rest)
}

/// As web sites make it of a heading.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

/// What `docker run` does with `--publish OUTER:INNER`.
fn published(arguments: &Finished) -> String {
    let mut rules = String::new();
    let arguments = String::from_utf8_lossy(&arguments.stdout);
    for line in arguments.lines() {
        let ports = line.strip_prefix("--publish ").expect("--publish");
        let (outer, inner) = ports.split_once(':').expect("two sides");
        let to = if outer == inner {
            "172.17.0.2".to_owned()
        } else {
            format!("172.17.0.2:{inner}")
        };
        rules += &format!("fib daddr type local tcp dport {outer} dnat to {to}\n");
    }
    format!(
        "table ip docker {{\nchain prerouting {{\ntype nat hook prerouting priority dstnat;\n{rules}}}\n}}"
    )
}

fn closed() -> Router {
    Router {
        forwards: false,
        ..Router::default()
    }
}

const TO_DOCKERS_HOST: &str = "
table ip forwards {
    chain prerouting {
        type nat hook prerouting priority dstnat;
        ip daddr 203.0.113.1 tcp dport { 21, 60000-60009 } dnat to 192.168.77.2
    }
}";

/// Control connections come from docker's host from now on, as with its userland proxy.
const PROXY: &str = "
table ip proxy {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname docker0 tcp dport 2121 masquerade
    }
}";

/// curl with PASV, which connects to the announced address.
const TRUSTING: [&str; 2] = ["--disable-epsv", "--no-ftp-skip-pasv-ip"];
const SIZE: usize = 100_003;
const GUIDE: &str = "ftp-server-sync/docs/behind-a-router.md";
/// In the order of the README's table.
const SET_UPS: [&str; 7] = [
    "One router",
    "Two public addresses",
    "An address that changes",
    "Docker",
    "Carrier NAT",
    "IPv6 only",
    "One forwarded port",
];
