//! The lines of `--rules`, loaded on the router as they were printed.

use super::announcements::{assert_announced, assert_not_connected};
use super::home_network::{
    INNER, INNER_SECOND, OUTER, OUTER_SECOND, OUTSIDE, OUTSIDE_SECOND, ROUTED, Router, home_network,
};
use super::home_server::HomeServer;
use super::matrix::scenario;
use super::port_scan::{Leads, assert_leads, leads, some_ports};

#[test]
fn rules_for_nftables() {
    scenario("printed_rules::rules_for_nftables", || {
        let home = bare(&ONE);
        let lines = print(&home, "nft");
        home.lab.nft("router", &lines);
        assert_served(&home, OUTSIDE);
        assert_leads(&home, OUTER, 1..=u16::MAX, &leads(INNER, 60_000, 10));
        assert_leads(&home, OUTER_SECOND, 1..=u16::MAX, &Leads::new());
        // Again, over the first: nothing doubles, nothing is lost.
        home.lab.nft("router", &lines);
        assert_served(&home, OUTSIDE);
        assert_leads(&home, OUTER, some_ports(), &leads(INNER, 60_000, 10));
        home.finish();
        "served; of 65535 ports 11 lead in"
    });
}

#[test]
fn rules_for_iptables() {
    scenario("printed_rules::rules_for_iptables", || {
        let home = bare(&ONE);
        let lines = print(&home, "iptables");
        // Twice is once too often, and does no harm.
        for _ in 0..2 {
            home.lab.sh("router", &lines);
            assert_served(&home, OUTSIDE);
            assert_leads(&home, OUTER, some_ports(), &leads(INNER, 60_000, 10));
        }
        assert_leads(&home, OUTER_SECOND, some_ports(), &Leads::new());
        home.finish();
        "served; nothing else leads in"
    });
}

/// Exactly what the scenarios here are without.
#[test]
fn clients_fail_without_the_rules() {
    let home = bare(&ONE);
    let output = home.ftplib("client", OUTSIDE, true).expect_failure();
    assert_not_connected(&output);
    assert_leads(&home, OUTER, some_ports(), &Leads::new());
    home.finish();
}

#[test]
fn rules_for_two_public_addresses() {
    scenario("printed_rules::rules_for_two_public_addresses", || {
        for kind in ["nft", "iptables"] {
            let home = bare(&[
                "--masquerade-address-map",
                "192.168.77.2=203.0.113.1,192.168.77.12=203.0.113.2",
                "-r",
                "60000-60009",
            ]);
            load(&home, kind);
            for (to, outer, inner) in [
                (OUTSIDE, OUTER, INNER),
                (OUTSIDE_SECOND, OUTER_SECOND, INNER_SECOND),
            ] {
                let output = home.ftplib("client", to, true).expect_success();
                assert_announced(&output, 227, outer);
                assert_leads(&home, outer, some_ports(), &leads(inner, 60_000, 10));
            }
            home.finish();
        }
        "each public address leads to its own private one"
    });
}

#[test]
fn rules_for_outer_ports() {
    scenario("printed_rules::rules_for_outer_ports", || {
        for kind in ["nft", "iptables"] {
            let home = bare(&[&ONE[..], &["--outer-ports", "50000-50009"]].concat());
            load(&home, kind);
            // Port by port: each leads to its own, and none of the inner numbers leads in.
            assert_leads(&home, OUTER, some_ports(), &leads(INNER, 50_000, 10));
            home.ftplib("client", OUTSIDE, true).expect_success();
            home.curl("client", OUTSIDE, &[]);
            home.curl("client", OUTSIDE, &TRUSTING);
            home.finish();
        }
        "each outer number leads to its inner one"
    });
}

/// The same when the router has the outer numbers but the server does not announce them.
#[test]
fn outer_ports_must_be_announced() {
    let home = bare(&ONE);
    let printed = home.ask(&["--rules", "nft", "--outer-ports", "50000-50009"]);
    home.lab
        .nft("router", &text(printed.expect_success().stdout));
    let output = home.ftplib("client", OUTSIDE, true).expect_failure();
    assert_not_connected(&output);
    home.finish();
}

/// A long range is one rule for iptables, and a long map for nft.
#[test]
fn rules_for_long_ranges() {
    let long = [
        "-i",
        "192.168.77.2",
        "-n",
        "203.0.113.1",
        "-r",
        "30000-33999",
    ];
    let home = bare(&[&long[..], &["--outer-ports", "40000-43999"]].concat());
    let expected = || {
        let mut leads = Leads::from([(21, (INNER, 2121))]);
        leads.extend((0..4000).map(|index| (40_000 + index, (INNER, 30_000 + index))));
        leads
    };
    let ports = || [21, 22].into_iter().chain(29_999..=44_001);
    home.lab.nft("router", &print(&home, "nft"));
    assert_leads(&home, OUTER, ports(), &expected());
    home.lab.nft("router", "delete table ip ftp-server-sync");
    assert_leads(&home, OUTER, ports(), &Leads::new());
    home.lab.sh("router", &print(&home, "iptables"));
    assert_leads(&home, OUTER, ports(), &expected());
    home.finish();
}

/// The router's address may change, so the lines name none.
#[test]
fn rules_for_a_host_name() {
    scenario("printed_rules::rules_for_a_host_name", || {
        for kind in ["nft", "iptables"] {
            let lab = home_network(&closed());
            let _resolver = lab.resolver("server", &[("ftp.home.example", "203.0.113.1")]);
            let named = [
                "-i",
                "192.168.77.2",
                "-n",
                "ftp.home.example",
                "-r",
                "60000-60009",
            ];
            let home = HomeServer::within(lab, &named);
            home.server.log_with("ftp.home.example is 203.0.113.1");
            load(&home, kind);
            assert_served(&home, OUTSIDE);
            // Both are addresses of the router.
            for outer in [OUTER, OUTER_SECOND] {
                assert_leads(&home, outer, some_ports(), &leads(INNER, 60_000, 10));
            }
            home.finish();
        }
        "whatever address the router has"
    });
}

/// The server listens on two addresses of one network: the lines lead to the one that it had first.
#[test]
fn rules_for_two_addresses_of_one_network() {
    let home = bare(&ROUTED);
    load(&home, "nft");
    assert_served(&home, OUTSIDE);
    assert_leads(&home, OUTER, some_ports(), &leads(INNER, 60_000, 10));
    home.finish();
}

/// The lab behind a router that forwards nothing by itself.
fn bare(arguments: &[&str]) -> HomeServer {
    HomeServer::behind(&closed(), arguments)
}

fn closed() -> Router {
    Router {
        forwards: false,
        ..Router::default()
    }
}

fn print(home: &HomeServer, kind: &str) -> String {
    let printed = home.ask(&["--rules", kind]).expect_success();
    assert_eq!(printed.stderr, b"", "{}", printed.text());
    text(printed.stdout)
}

fn load(home: &HomeServer, kind: &str) {
    let lines = print(home, kind);
    match kind {
        "nft" => home.lab.nft("router", &lines),
        _ => home.lab.sh("router", &lines),
    }
}

/// In both ways to ask for a port, by clients that trust the address of a 227.
fn assert_served(home: &HomeServer, to: &str) {
    let output = home.ftplib("client", to, true).expect_success();
    assert_announced(&output, 227, OUTER);
    for output in home.curl("client", to, &TRUSTING) {
        assert_announced(&output, 227, OUTER);
    }
    for output in home.curl("client", to, &[]) {
        assert_announced(&output, 229, OUTER);
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

/// One of the server's two addresses, so that it is clear where to forward to.
const ONE: [&str; 6] = [
    "-i",
    "192.168.77.2",
    "-n",
    "203.0.113.1",
    "-r",
    "60000-60009",
];
const TRUSTING: [&str; 2] = ["--disable-epsv", "--no-ftp-skip-pasv-ip"];
