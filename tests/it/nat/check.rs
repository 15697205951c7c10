//! `--check` on the server's own machine: clients get the replies that it prints.

use tempfile::TempDir;

use super::home_network::{INSIDE, OUTSIDE, OUTSIDE_V6, ROUTED, Router, home_network};
use super::home_server::HomeServer;
use super::matrix::scenario;
use crate::support::certificates::Certificate;
use crate::support::process::Finished;

#[test]
fn check_prints_the_replies_that_clients_get() {
    scenario("check::check_prints_the_replies_that_clients_get", || {
        // One port only, so that there is one reply that can be right.
        let flags = ["-n", "203.0.113.1", "-r", "60000", "--outer-ports", "50000"];
        let router = Router {
            hairpin: true,
            ..Router::default()
        };
        let home = HomeServer::behind(&router, &flags);
        let output = home.ask(&["--check", "-p", "2122"]).expect_success();
        let report = text(&output);
        for (host, to, place, kind) in [
            ("client", OUTSIDE, "192.168.77.2", "outside"),
            ("neighbour", INSIDE, "192.168.77.2", "local network"),
            ("neighbour", OUTSIDE, "192.168.77.2", "hairpin"),
            ("server", "127.0.0.1:2121", "127.0.0.1", "this machine"),
            ("server", INSIDE, "192.168.77.2", "this machine"),
            ("client", OUTSIDE_V6, "2001:db8:77::2", "over IPv6"),
            ("neighbour", OUTSIDE_V6, "2001:db8:77::2", "over IPv6"),
        ] {
            let foretold = replies(&report, place, kind);
            let mut client = home.client(host, to);
            let real = ["PASV", "EPSV"].map(|command| {
                client.send(command);
                client.reply().text()
            });
            assert_eq!(foretold, real, "{host} to {to}:\n{report}");
            client.command("QUIT", 221);
        }
        let outside = replies(&report, "192.168.77.2", "outside");
        assert_eq!(
            outside[0],
            "227 Entering Passive Mode (203,0,113,1,195,80)."
        );
        home.finish();
        "seven kinds of clients get what it prints"
    });
}

/// A client in clear text would get 530 and 522.
#[test]
fn check_prints_the_replies_that_clients_get_over_tls() {
    let directory = TempDir::new().expect("a temporary directory");
    let certificate = Certificate::new(directory.path(), &["203.0.113.1"]);
    let required = ["--tls-control-required", "--tls-data-required"];
    let flags = ["-n", "203.0.113.1", "-r", "60000"];
    let flags = [&flags[..], &required, &certificate.flags()].concat();
    let home = HomeServer::new(&flags);
    let output = home.ask(&["--check", "-p", "2122"]).expect_success();
    let report = text(&output);
    let [pasv, epsv] = replies(&report, "192.168.77.2", "outside");
    let secure = ["--ssl-reqd", "--cacert", &certificate.chain];
    let trusting = ["--disable-epsv", "--no-ftp-skip-pasv-ip"];
    for (flags, foretold) in [
        (&[&secure[..], &trusting].concat(), pasv),
        (&secure.to_vec(), epsv),
    ] {
        for output in home.curl("client", OUTSIDE, flags) {
            assert!(
                output.text().contains(&foretold),
                "{}\n{report}",
                output.text()
            );
        }
    }
    home.finish();
}

/// Without masquerade the clients outside would fail, and the report names the flag to set.
#[test]
fn check_fails_without_masquerade() {
    let home = HomeServer::new(&[]);
    let output = home.ask(&["--check", "-p", "2122"]);
    assert_eq!(code(&output), Some(1), "{}", output.text());
    let report = text(&output);
    for part in [
        "FAILS",
        "192.168.77.2 or 192.168.77.12",
        "--masquerade-address",
    ] {
        assert!(report.contains(part), "no {part}:\n{report}");
    }
    home.finish();
}

/// One name that leads to the router, one that leads to the server itself, and one that does not
/// exist.
#[test]
fn check_resolves_host_names() {
    let lab = home_network(&Router::default());
    let names = [
        ("ftp.home.example", "203.0.113.1"),
        ("inside.home.example", "192.168.77.2"),
    ];
    let _resolver = lab.resolver("server", &names);
    let home = HomeServer::within(lab, &ROUTED);
    for (name, expected, said) in [
        (
            "ftp.home.example",
            0,
            "ftp.home.example resolves to 203.0.113.1 now.",
        ),
        (
            "inside.home.example",
            1,
            "resolves to 192.168.77.2, which is a private",
        ),
        (
            "missing.home.example",
            1,
            "missing.home.example cannot be resolved: ",
        ),
    ] {
        let flags = ["-p", "2122", "-r", "60000-60009", "-n", name];
        let output = home.ask_with(&flags, &["--check"]);
        assert_eq!(code(&output), Some(expected), "{}", output.text());
        let report = text(&output).replace("\n         ", " ");
        assert!(report.contains(said), "no {said:?}:\n{report}");
    }
    home.finish();
}

/// The two flags make all the difference; and beside the server itself, it is the port that is
/// taken.
#[test]
fn check_passes_with_masquerade_and_range() {
    let home = HomeServer::new(&ROUTED);
    let output = home.ask(&["--check", "-p", "2122"]);
    assert_eq!(code(&output), Some(0), "{}", output.text());
    let report = text(&output);
    let end = "Every kind of client can be served, if the router forwards port 21 to 2122 and";
    assert!(report.contains(end), "{report}");
    assert_eq!(output.stderr, b"");

    let output = home.ask(&["--check", "-p", "2121"]);
    assert_eq!(code(&output), Some(2), "{}", output.text());
    let report = text(&output).replace("\n         ", " ");
    assert!(report.contains("or this server runs already"), "{report}");
    home.finish();
}

/// The replies that such a client gets there, as the report has them: beside the rows of the kinds
/// of clients that are given the same.
fn replies(report: &str, place: &str, kind: &str) -> [String; 2] {
    let is_of_place = |line: &&str| {
        let heading = line.strip_prefix("connecting to ");
        heading.is_some_and(|heading| {
            let mut addresses = heading.split([' ', ',', ';']);
            addresses.any(|address| address == place)
        })
    };
    let lines = report.lines().skip_while(|line| !is_of_place(line)).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let label = format!("    {kind}  ");
    let of_kind = lines.iter().position(|line| line.starts_with(&label));
    let of_kind = of_kind.unwrap_or_else(|| panic!("no {kind} at {place}:\n{report}"));
    let is_meaning = |line: &&str| !line.starts_with("    ");
    let meaning = lines[..of_kind]
        .iter()
        .rposition(is_meaning)
        .expect("a meaning");
    let reply = |line: usize| {
        let line = lines.get(line).expect("a reply");
        // At its side stands a kind of client with the example's address, or nothing.
        line.get(41..).expect("a reply").to_owned()
    };
    [reply(meaning + 1), reply(meaning + 2)]
}

fn code(output: &Finished) -> Option<i32> {
    output.status.and_then(|status| status.code())
}

fn text(output: &Finished) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}
