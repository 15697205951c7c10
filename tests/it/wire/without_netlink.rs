//! A server that may open no netlink sockets, as in a systemd unit whose `RestrictAddressFamilies=`
//! has no AF_NETLINK: it serves, and says what to add.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::support::client_program::path;
use crate::support::lab::Lab;
use crate::support::process;
use crate::support::server::{self, Setup};

#[test]
fn the_server_starts_and_names_the_cure() {
    let setup = Setup::new();
    let forbid = compile(setup.directory());
    let server = setup.wrapped(|serve| process::prefixed(&[path(&forbid)], &serve));
    let server = server.program();
    let mut client = server.client();
    client.fetch_passive("NLST");
    client.command("QUIT", 221);
    server.signal(Signal::HUP);
    server.log_with("reloaded the settings");
    let log = server.finish();
    // At the start and at the reload.
    assert_eq!(log.matches(CURE).count(), 2, "{log}");
    assert_eq!(log.matches("noticed at SIGHUP").count(), 2, "{log}");
}

/// Two interfaces, and a tunnel that carries the Internet and a wide private network.
const INTERFACES: &str = "set -e
    while read device address; do
        ip link show $device >/dev/null 2>&1 || ip link add $device type bridge
        ip link set $device up
        ip address add $address dev $device
    done <<'END'
        eth0 192.168.77.2/24
        eth0 192.168.77.3/24
        br0 172.17.0.1/16
        wg0 10.66.66.2/32
END
    ip route add default via 192.168.77.1
    ip route add 10.20.0.0/16 via 192.168.77.5
    for network in 0.0.0.0/1 128.0.0.0/1 10.0.0.0/8; do ip route add $network dev wg0; done
";

/// On a host of its own: the tables of the machine that runs the tests may leave more open.
#[test]
fn check_prints_the_same_without_netlink() {
    let setup = Setup::new();
    let mut lab = Lab::new();
    lab.host("server");
    lab.sh("server", INTERFACES);
    let forbid = compile(setup.directory());
    let directory = path(setup.directory());
    let check = server::command(&["--check", "-p", "0", "-d", directory]);
    let text = |finished: process::Finished| {
        assert_eq!(finished.stderr, b"", "{}", finished.text());
        String::from_utf8(finished.stdout).expect("UTF-8")
    };
    let run = |check: &Command| text(process::run(&mut lab.command_on("server", check), 20));
    let with = run(&check);
    let without = run(&process::prefixed(&[path(&forbid)], &check));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&without).contains(CURE), "{without}");
    assert!(!words(&with).contains(CURE), "{with}");
    // What leads where, and each kind of client.
    let shown = |text: &str| {
        let end = text.find("\nFAILS").or(text.find("\nnote"));
        let shown = text.get(..end.unwrap_or(text.len())).expect("a part");
        shown.to_owned()
    };
    assert!(shown(&with).contains("  this machine "), "{with}");
    // The tables name no interface whose address has no network.
    let with_parts = shown(&with).replace(" (wg0)", "");
    assert_eq!(words(&shown(&without)), words(&with_parts));
    // The Internet is not local, and neither is what a router leads to.
    for network in ["192.168.77.0/24", "172.17.0.0/16", "10.21.0.0/16"] {
        assert!(words(&with).contains(network), "{network}: {with}");
    }
    for network in [
        " 0.0.0.0/1 ",
        " 128.0.0.0/1 ",
        " 10.0.0.0/8 ",
        " 10.20.0.0/16 ",
    ] {
        assert!(!words(&with).contains(network), "{network}: {with}");
    }
}

/// The program that starts another one without netlink.
fn compile(directory: &Path) -> PathBuf {
    let source = directory.join("forbid.c");
    fs::write(&source, include_str!("without_netlink/forbid.c")).expect("the source");
    let program = directory.join("forbid");
    let mut compile = Command::new("cc");
    compile.args(["-O1", "-o"]).args([&program, &source]);
    process::run(&mut compile, 20).expect_success();
    program
}

const CURE: &str = "add AF_NETLINK to RestrictAddressFamilies";
