//! The golden lines of `tests/rules.txt`, and what is refused because of the machine.

use super::*;
use crate::cli::golden;
use crate::cli::{self, Invocation};

fn interfaces(name: &str) -> Interfaces {
    let (addresses, networks, gateways) = match name {
        "home" => (
            "127.0.0.1 ::1 192.168.77.2 2001:db8:77::2",
            "127.0.0.0/8 192.168.77.0/24 2001:db8:77::/64",
            "192.168.77.1 fe80::1",
        ),
        // Containers have a network of their own, without a way out.
        "docker" => (
            "127.0.0.1 172.17.0.1 192.168.77.2",
            "172.17.0.0/16 192.168.77.0/24",
            "192.168.77.1",
        ),
        "no gateway" => ("127.0.0.1 192.168.77.2", "192.168.77.0/24", ""),
        "two networks" => (
            "127.0.0.1 192.168.77.2 10.0.0.2",
            "192.168.77.0/24 10.0.0.0/24",
            "",
        ),
        "two addresses" => (
            "192.168.77.12 192.168.77.2",
            "192.168.77.0/24",
            "192.168.77.1",
        ),
        "loopback" => ("127.0.0.1 ::1", "127.0.0.0/8", ""),
        other => panic!("{other}: no such machine"),
    };
    golden::interfaces(addresses, networks, gateways)
}

/// The lines, or the refusal.
fn printed(machine_name: &str, line: &str) -> String {
    let arguments = format!("--rules {line}");
    let arguments = arguments.split_whitespace().map(Into::into);
    let Invocation::Rules(settings, kind) = cli::parse(arguments, |_| None).unwrap() else {
        panic!("{line}");
    };
    rules_on(&settings, &interfaces(machine_name), kind)
        .unwrap_or_else(|error| format!("{error}\n"))
}

#[test]
fn golden_lines() {
    let golden = include_str!("../../../tests/rules.txt");
    golden::check("tests/rules.txt", golden, 28, |question| {
        let (interfaces, line) = question.split_once(": ").expect("a machine and flags");
        printed(interfaces, line)
    });
}

/// One rule for a thousand ports, not a thousand.
#[test]
fn long_ranges_stay_short() {
    let flags = "-n 203.0.113.1 -r 60000-60999 --outer-ports 50000-50999";
    let text = printed("home", &format!("iptables {flags}"));
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        text.contains(
            "--dport 50000:50999 -j DNAT --to-destination 192.168.77.2:60000-60999/50000\n"
        )
    );
    let text = printed("home", &format!("nft {flags}"));
    assert!(text.contains(" 50999 : 60999\n"), "{text}");
    assert_eq!(text.matches(" : ").count(), 1001, "one pair each");
}
