//! The golden reports of `tests/check.txt`, for several machines.

use std::collections::BTreeMap;

use super::*;
use crate::cli::golden;
use crate::cli::{self, Invocation};
use crate::nat::diagnose;
use crate::net::port_probe::HeldPorts;
use crate::settings::Names;

/// The machines that the golden file names.
fn interfaces(name: &str) -> Seen {
    let seen = |addresses: &str, networks: &str, gateways: &str| Seen {
        interfaces: golden::interfaces(addresses, networks, gateways),
        ..Seen::default()
    };
    let home = || {
        seen(
            "127.0.0.1 ::1 192.168.77.2 2001:db8:77::2 fe80::2",
            "127.0.0.0/8 192.168.77.0/24 ::1/128 2001:db8:77::/64 fe80::/64",
            "192.168.77.1 fe80::1",
        )
    };
    let host_name = || "ftp.home.example".to_owned();
    match name {
        "home" => home(),
        "home, name found" => Seen {
            names: Names::from([(host_name(), [203, 0, 113, 5].into())]),
            ..home()
        },
        "home, name not found" => Seen {
            unresolved: BTreeMap::from([(host_name(), "no answer within 5 s".to_owned())]),
            ..home()
        },
        "home, ports held" => {
            let ports = [60003, 60007, 60008, 60009];
            let by_address = home().interfaces.addresses.into_iter();
            Seen {
                held: HeldPorts {
                    by_address: by_address.map(|address| (address, ports.into())).collect(),
                    ..HeldPorts::default()
                },
                ..home()
            }
        }
        "carrier" => seen(
            "127.0.0.1 100.64.3.4",
            "127.0.0.0/8 100.64.0.0/10",
            "100.64.0.1",
        ),
        // No default gateway, and a tunnel without a network.
        "cellar" => seen("192.168.77.2 10.8.0.6", "192.168.77.0/24 10.8.0.6/32", ""),
        other => panic!("{other}: no such machine"),
    }
}

fn settings(line: &str) -> Settings {
    let arguments = line.split_whitespace().map(Into::into);
    match cli::parse(arguments, |_| None).unwrap() {
        Invocation::Serve(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

fn report(machine_name: &str, line: &str) -> String {
    let (settings, seen) = (settings(line), interfaces(machine_name));
    text(
        &settings,
        &seen,
        &diagnose::findings(&settings, &seen),
        None,
    )
}

#[test]
fn golden_reports() {
    let golden = include_str!("../../../../tests/check.txt");
    golden::check("tests/check.txt", golden, 9, |question| {
        let (interfaces, line) = question.split_once(": ").expect("a machine and flags");
        report(interfaces, line)
    });
    for line in golden.lines().filter(|line| !line.starts_with("$ ")) {
        assert!(line.len() <= WIDTH && line.trim_end() == line, "{line}");
    }
}

/// The widest addresses and networks that there are.
#[test]
fn the_widest_lines() {
    let wide: Seen = Seen {
        interfaces: golden::interfaces(
            "192.168.177.222 2001:db8:1111:2222:3333:4444:5555:6666",
            "192.168.177.128/25",
            "192.168.177.221",
        ),
        ..Seen::default()
    };
    let settings = settings(
        "-r 65534 --masquerade-client 192.168.111.222/31=203.100.113.122 -n 203.100.113.111 \
         --local-networks 192.168.177.128/25,100.111.122.128/25",
    );
    let text = text(&settings, &wide, &[], None);
    assert!(
        text.contains("192.168.111.222/31  203.100.113.122 port 65534, by"),
        "{text}"
    );
    for line in text.lines() {
        assert!(line.len() <= WIDTH, "{line}");
    }
}

/// Nothing contradicts that the server cannot start.
#[test]
fn a_server_that_cannot_start() {
    let settings = settings("-r 60000-60009");
    let seen = interfaces("home");
    let text = text(&settings, &seen, &[], Some("cannot listen"));
    let end = "\nFAILS    cannot listen\n\nThe server cannot start.\n";
    assert!(text.ends_with(end), "{text}");
    assert!(!text.contains("Nothing is wrong") && !text.contains("can be served"));
}

#[test]
fn a_server_for_this_machine_alone() {
    let settings = settings("-i 127.0.0.1 -i ::1 -r 60000-60009");
    let text = text(&settings, &interfaces("home"), &[], None);
    let end = "\nClients on this machine can be served, and no others.\n";
    assert!(text.ends_with(end), "{text}");
}
