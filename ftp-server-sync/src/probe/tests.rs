//! Kinds of sites and what clients make of them: golden answers, without a network.

use std::net::SocketAddr;

use super::clients::{CLIENTS, Prospect};
use super::reach::not_tried;
use super::report;
use super::seen::{Answer, Attempt, Failure, Listing, Seen, Status, Way};
use crate::cli::{self, golden};

/// Each question describes a site: the server's address, the address in its reply to PASV, and what
/// the three data connections lead to.
#[test]
fn sites() {
    let golden = include_str!("../../tests/probe.txt");
    golden::check("tests/probe.txt", golden, 20, |site| {
        let seen = seen(site);
        let mut text = report::status(&seen);
        for attempt in &seen.attempts {
            text += &report::attempt(attempt, seen.dialled.ip());
        }
        text + &report::conclusion(&seen).0
    });
}

/// The flags exist, and the server accepts their values.
#[test]
fn flags_are_accepted() {
    let golden = include_str!("../../tests/probe.txt");
    let marker = "add to the server's flags: ";
    let mut flags: Vec<&str> = golden
        .lines()
        .filter_map(|line| Some(line.split_once(marker)?.1))
        .collect();
    flags.sort_unstable();
    flags.dedup();
    assert!(flags.len() >= 5, "{flags:?}");
    for flag in flags {
        let words = flag.split_whitespace().map(Into::into);
        let parsed = cli::parse(words, |_| None);
        assert!(parsed.is_ok(), "{flag}: {parsed:?}");
    }
}

/// Five groups of clients, in the seven kinds of sites of the NAT lab.
#[test]
fn groups_of_clients() {
    let sites = [
        (
            "server=203.0.113.1 announced=192.168.77.2 pasv=no-answer epsv=no-answer again=no-answer",
            "",
        ),
        (
            "server=203.0.113.1 announced=192.168.77.2 pasv=no-answer",
            "FileZilla WinSCP tnftp lftp ncftp curl Python",
        ),
        (
            "server=203.0.113.1",
            "FileZilla WinSCP Windows tnftp inetutils lftp ncftp curl wget Python",
        ),
        (
            "server=192.168.77.2 announced=203.0.113.1 pasv=refused",
            "tnftp lftp curl Python",
        ),
        (
            "server=203.0.113.1 announced=0.0.0.0 pasv=not-tried",
            "FileZilla WinSCP tnftp lftp ncftp curl Python",
        ),
        (
            "server=203.0.113.1 announced=203.0.113.2 epsv=no-answer again=no-answer",
            "FileZilla WinSCP Windows lftp ncftp wget",
        ),
        (
            "server=203.0.113.1 epsv=not-offered:502_No.",
            "FileZilla WinSCP Windows tnftp inetutils lftp ncftp curl wget Python",
        ),
    ];
    for (site, expected) in sites {
        let seen = seen(site);
        let expected: Vec<&str> = expected.split_whitespace().collect();
        for client in &CLIENTS {
            let works = client.prospect(&seen) == Prospect::Works;
            let listed = expected.iter().any(|name| client.name.contains(name));
            assert_eq!(works, listed, "{} at {site}", client.name);
        }
    }
}

#[test]
fn status_of_other_servers_is_none() {
    let parse = |text: &str| Status::parse(text.lines().map(str::as_bytes));
    assert_eq!(
        parse("FTP server status:\nConnected to 10.0.0.1\nEnd of status"),
        None
    );
    assert_eq!(parse("Passive mode announces nothing, by x."), None);
    let status = parse(
        "Status:\nConnected from 198.51.100.7.\nPassive mode announces 192.168.77.2, by no \
         masquerade rule.\nPassive mode: 1 data connection did not arrive; look.\nEnd of status.",
    );
    let status = status.expect("ours");
    assert_eq!(status.client, "198.51.100.7".parse().ok());
    assert_eq!(status.announced.to_string(), "192.168.77.2");
    assert_eq!(status.reason, "no masquerade rule");
    let reported = status.never_connected.expect("a line");
    assert_eq!(reported, "1 data connection did not arrive; look.");
}

/// A site from words `key=value`, with `_` for a blank.
fn seen(site: &str) -> Seen {
    let value = |key: &str| {
        let mut words = site.split_whitespace();
        let value = words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        value.map(|value| value.replace('_', " "))
    };
    let server = value("server")
        .expect("an address")
        .parse()
        .expect("an address");
    let dialled = SocketAddr::new(server, 21);
    let announced = value("announced").map_or(server, |text| text.parse().expect("an address"));
    let status = value("status").map(|text| {
        let (address, reason) = text.split_once(',').expect("address and reason");
        Status {
            client: value("client").map(|text| text.parse().expect("an address")),
            announced: address.parse().expect("an address"),
            reason: reason.to_owned(),
            never_connected: value("reported"),
        }
    });
    let attempt = |way: Way, key: &str, port: u16| {
        let outcome = value(key).unwrap_or_else(|| "works".to_owned());
        let announced = match way {
            Way::Epsv => SocketAddr::new(server, port),
            _ => SocketAddr::new(announced, port),
        };
        let target = match way {
            Way::PasvAsAnnounced => announced,
            _ => SocketAddr::new(server, port),
        };
        attempt(way, &outcome, announced, target)
    };
    let mut attempts = vec![
        attempt(Way::PasvAsAnnounced, "pasv", 60000),
        attempt(Way::Epsv, "epsv", 60001),
    ];
    if dialled.is_ipv4() {
        attempts.push(attempt(Way::PasvToServer, "again", 60002));
    }
    Seen {
        host: value("host").unwrap_or_else(|| server.to_string()),
        dialled,
        tls: value("tls").is_some(),
        status,
        attempts,
        written: value("written").map(|text| match text.as_str() {
            "yes" => Ok(()),
            reason => Err(reason.to_owned()),
        }),
    }
}

fn attempt(way: Way, outcome: &str, announced: SocketAddr, target: SocketAddr) -> Attempt {
    let (kind, text) = outcome.split_once(':').unwrap_or((outcome, ""));
    let answer = || {
        let (code, text) = text.split_once(' ').expect("a reply");
        Answer {
            code: code.parse().expect("a code"),
            text: text.into(),
        }
    };
    let listing = Listing {
        lines: 3,
        cut: false,
        resumed: false,
    };
    let result = match kind {
        "works" => Ok(listing),
        "no-answer" => Err(Failure::NoAnswer(6)),
        "refused" => Err(Failure::Refused),
        "not-offered" => Err(Failure::NotOffered(answer())),
        "no-address" => Err(Failure::NoAddress),
        "not-tried" => Err(Failure::NotTried(
            not_tried(target, "203.0.113.1".parse().expect("an address")).expect("a reason"),
        )),
        "transfer" => Err(Failure::TransferRefused(answer())),
        "broken" => Err(Failure::Broken(text.to_owned())),
        "control" => Err(Failure::Control(text.to_owned())),
        _ => panic!("{outcome}"),
    };
    let (reply, is_announced) = match (&result, way) {
        (Err(Failure::NotOffered(answer)), _) => (Some(answer.clone()), false),
        (Err(Failure::Control(_)), _) => (None, false),
        (_, Way::Epsv) => (
            Some(Answer {
                code: 229,
                text: format!("Extended (|||{}|)", announced.port()).into(),
            }),
            true,
        ),
        (result, _) => (
            Some(Answer {
                code: 227,
                text: match result {
                    Err(Failure::NoAddress) => "Passive (ftp,home,example,234,99)".into(),
                    _ => format!("Passive ({announced})").into(),
                },
            }),
            !matches!(result, Err(Failure::NoAddress)),
        ),
    };
    Attempt {
        way,
        reply,
        announced: is_announced.then_some(announced),
        target: is_announced.then_some(target),
        result,
    }
}
