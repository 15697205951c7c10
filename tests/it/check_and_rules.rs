//! The program with `--check` or `--rules`: exit codes, and what is printed where.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::process::{self, Finished};
use crate::support::server::{self, Setup};

#[test]
fn check_succeeds_when_clients_can_be_served() {
    let place = Place::new(1);
    let output = place.ask(&["--check"]);
    assert_output(&output, 0, &["Clients on this machine can be served"]);
    assert_eq!(output.stderr, b"");
    // More than clients need fails none of them.
    assert_output(
        &place.ask(&["--check", "-w"]),
        0,
        &["RISK     anonymous may change"],
    );
    let narrow = ["--check", "-r", "20000-20001", "-D"];
    assert_output(
        &place.ask(&narrow),
        0,
        &["note     --passive-ports has 2 ports"],
    );
}

#[test]
fn check_fails_when_clients_would_fail() {
    let place = Place::new(2);
    let output = place.ask(&["--check", "-n", "192.168.1.5", "-r", "20000-20009"]);
    assert_output(
        &output,
        1,
        &["FAILS    --masquerade-address 192.168.1.5 is a private"],
    );
    assert_eq!(output.stderr, b"");
    // The machine's own table of names knows this one.
    let output = place.ask(&["--check", "-n", "localhost", "-r", "20000-20009"]);
    assert_output(
        &output,
        1,
        &["localhost resolves to 127.", "which is a loopback address"],
    );
}

#[test]
fn check_reports_ports_in_use_by_other_programs() {
    let place = Place::new(3);
    let (_held, port) = place.hold();
    let range = format!("{port}-{}", port + 9);
    let output = place.ask(&["--check", "-r", &range]);
    assert_output(
        &output,
        0,
        &[&format!("note     passive port {port} is in use")],
    );
    let output = place.ask(&["--check", "-r", &port.to_string()]);
    assert_output(&output, 1, &["the whole range, is in use by other"]);
    // On another address it is free.
    let output = Place::new(4).ask(&["--check", "-r", &port.to_string()]);
    assert_output(&output, 0, &["can be served"]);
}

#[test]
fn check_fails_when_the_server_cannot_start() {
    let place = Place::new(5);
    let (_held, port) = place.hold();
    let output = place.ask_on(&port.to_string(), &["--check", "-r", "20000-20009"]);
    assert_output(
        &output,
        2,
        &[
            "Passive mode replies to each kind of client",
            "227 Entering Passive Mode",
        ],
    );
    let text = words(&output);
    let taken = format!("FAILS cannot listen on {}:{port}: ", place.address);
    // Once, and nowhere else.
    assert_eq!(text.matches(&taken).count(), 1, "{text}");
    assert_eq!(output.stderr, b"");
    assert!(text.contains("or this server runs already"), "{text}");
    assert!(!text.contains("can be served"), "{text}");

    let elsewhere = ["--check", "-i", "198.51.100.77", "-p", "0"];
    let output = ask(&elsewhere);
    assert_output(&output, 2, &[]);
    let text = words(&output);
    assert!(text.contains("cannot listen on 198.51.100.77:0"), "{text}");
    let problem = "198.51.100.77 is not an address of this machine, which has ";
    assert!(text.contains(problem), "{text}");
    let remedy = "; a router's public address goes to --masquerade-address";
    assert!(text.contains(remedy), "{text}");

    for bad in [
        &["--check", "-d", "/nowhere/at/all"][..],
        &["--check", "-n", "::1"],
    ] {
        let output = ask(bad);
        assert_output(&output, 2, &[]);
        assert_eq!(output.stdout, b"");
        assert!(stderr(&output).starts_with("ftp-server-sync: --"));
    }
}

#[test]
fn rules_prints_rules_and_nothing_else() {
    let flags = [
        "-i",
        "10.0.0.2",
        "-n",
        "192.168.1.5",
        "-r",
        "60000-60009",
        "-D",
    ];
    let docker = "--publish 21:2121\n--publish 60000-60009:60000-60009\n";
    let ufw = "ufw allow proto tcp to 10.0.0.2 port 2121\n\
               ufw allow proto tcp to 10.0.0.2 port 60000:60009\n";
    let iptables = "iptables -t nat -A PREROUTING -d 192.168.1.5 -p tcp --dport 21 -j DNAT \
                    --to-destination 10.0.0.2:2121\n\
                    iptables -t nat -A PREROUTING -d 192.168.1.5 -p tcp --dport 60000:60009 -j DNAT \
                    --to-destination 10.0.0.2\n";
    for (kind, lines) in [("docker", docker), ("ufw", ufw), ("iptables", iptables)] {
        // A private address, with which some clients would fail, is no reason to print nothing.
        let output = ask(&[&flags[..], &["--rules", kind]].concat());
        assert_eq!(code(&output), Some(0), "{}", output.text());
        assert_eq!(String::from_utf8_lossy(&output.stdout), lines);
        assert_eq!(output.stderr, b"");
    }
    let output = ask(&[&flags[..], &["--rules", "nft"]].concat());
    let table = "table ip ftp-server-sync\ndelete table ip ftp-server-sync\n";
    assert_output(&output, 0, &[table, " dnat to 10.0.0.2:2121\n"]);
}

/// What to type into a router's form, without a public address too.
#[test]
fn rules_prints_a_text_for_people() {
    let flags = ["--rules", "text", "-i", "10.0.0.2", "-r", "60000-60009"];
    let output = ask(&flags);
    assert_output(
        &output,
        0,
        &["Port forwarding on the router:", "60000-60009", "TCP\n"],
    );
    assert_eq!(output.stderr, b"");
}

#[test]
fn rules_refuses_what_it_cannot_print() {
    for (flags, error) in [
        (
            &["--rules", "nft", "-r", "60000"][..],
            "add --masquerade-address",
        ),
        (&["--rules", "docker"], "add --passive-ports"),
        (
            &["--rules", "ufw", "-r", "60000", "-p", "0"],
            "give it with --port",
        ),
        (&["--rules", "nft", "--check"], "give only one of them"),
        (
            &[
                "--rules",
                "nft",
                "-i",
                "127.0.0.1",
                "-n",
                "203.0.113.1",
                "-r",
                "60000",
            ],
            "--interface",
        ),
    ] {
        let output = ask(flags);
        assert_eq!(code(&output), Some(2), "{}", output.text());
        assert_eq!(output.stdout, b"");
        assert!(stderr(&output).contains(error), "{}", output.text());
    }
}

/// At a reload the server holds ports itself; these are not in use by other programs.
#[test]
fn the_start_reports_ports_in_use_and_a_reload_does_not() {
    let place = Place::new(6);
    let (_held, port) = place.hold();
    let range = format!("{port}-{}", port + 9);
    let setup = Setup::without_account().host(place.address);
    let server = setup.flags(&["-r", &range]).program();
    let finding = format!("note: passive port {port} is in use by other programs");
    server.log_with(&finding);
    server.signal(Signal::HUP);
    let log = server.log_with("reloaded the settings");
    assert_eq!(log.matches("in use by other programs").count(), 1, "{log}");
    server.finish();
}

/// An address that no other test uses, and a directory.
struct Place {
    address: IpAddr,
    directory: TempDir,
}

impl Place {
    fn new(last: u8) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::write(directory.path().join("file"), b"").expect("a file");
        Self {
            address: [127, 77, 9, last].into(),
            directory,
        }
    }

    /// Another program's listener, with room for a range above its port.
    fn hold(&self) -> (TcpListener, u16) {
        let listener = TcpListener::bind((self.address, 0)).expect("a listener");
        let port = listener
            .local_addr()
            .map(|address: SocketAddr| address.port());
        (listener, port.expect("its port"))
    }

    fn flags(&self, port: &str, more: &[&str]) -> Vec<String> {
        let (address, directory) = (self.address.to_string(), self.directory.path());
        let directory = directory.to_str().expect("text");
        let flags = ["-i", &address, "-p", port, "-d", directory];
        flags
            .iter()
            .chain(more)
            .map(|&flag| flag.to_owned())
            .collect()
    }

    fn ask(&self, more: &[&str]) -> Finished {
        self.ask_on("0", more)
    }

    fn ask_on(&self, port: &str, more: &[&str]) -> Finished {
        let flags = self.flags(port, more);
        ask(&flags.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

fn ask(flags: &[&str]) -> Finished {
    process::run(&mut server::command(flags), SECONDS_MAX)
}

#[track_caller]
fn assert_output(output: &Finished, expected: i32, parts: &[&str]) {
    assert_eq!(code(output), Some(expected), "{}", output.text());
    let text = String::from_utf8_lossy(&output.stdout);
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{}", output.text());
    }
}

fn code(output: &Finished) -> Option<i32> {
    output.status.and_then(|status| status.code())
}

/// The report, as if its lines were not wrapped.
fn words(output: &Finished) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn stderr(output: &Finished) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const SECONDS_MAX: u64 = 20;
