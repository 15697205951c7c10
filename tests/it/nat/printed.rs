//! The lines of `--rules`, loaded on the router as they were printed.

use super::announced::{assert_announced, assert_not_connected};
use super::home::{
    INNER, INNER_SECOND, OUTER, OUTER_SECOND, OUTSIDE, OUTSIDE_SECOND, ROUTED, Router, home,
};
use super::matrix::scenario;
use super::scan::{Leads, assert_leads, leads, some_ports};
use super::site::Site;

#[test]
fn for_nftables() {
    scenario("printed::for_nftables", || {
        let site = bare(&ONE);
        let lines = print(&site, "nft");
        site.lab.nft("router", &lines);
        assert_served(&site, OUTSIDE);
        assert_leads(&site, OUTER, 1..=u16::MAX, &leads(INNER, 60_000, 10));
        assert_leads(&site, OUTER_SECOND, 1..=u16::MAX, &Leads::new());
        // Again, over the first: nothing doubles, nothing is lost.
        site.lab.nft("router", &lines);
        assert_served(&site, OUTSIDE);
        assert_leads(&site, OUTER, some_ports(), &leads(INNER, 60_000, 10));
        site.finish();
        "served; of 65535 ports 11 lead in"
    });
}

#[test]
fn for_iptables() {
    scenario("printed::for_iptables", || {
        let site = bare(&ONE);
        let lines = print(&site, "iptables");
        // Twice is once too often, and does no harm.
        for _ in 0..2 {
            site.lab.sh("router", &lines);
            assert_served(&site, OUTSIDE);
            assert_leads(&site, OUTER, some_ports(), &leads(INNER, 60_000, 10));
        }
        assert_leads(&site, OUTER_SECOND, some_ports(), &Leads::new());
        site.finish();
        "served; nothing else leads in"
    });
}

/// Exactly what the scenarios here are without.
#[test]
fn and_not_loaded() {
    let site = bare(&ONE);
    let story = site.ftplib("client", OUTSIDE, true).expect_failure();
    assert_not_connected(&story);
    assert_leads(&site, OUTER, some_ports(), &Leads::new());
    site.finish();
}

#[test]
fn for_two_addresses() {
    scenario("printed::for_two_addresses", || {
        for kind in ["nft", "iptables"] {
            let site = bare(&[
                "--masquerade-address-map",
                "192.168.77.2=203.0.113.1,192.168.77.12=203.0.113.2",
                "-r",
                "60000-60009",
            ]);
            load(&site, kind);
            for (to, outer, inner) in [
                (OUTSIDE, OUTER, INNER),
                (OUTSIDE_SECOND, OUTER_SECOND, INNER_SECOND),
            ] {
                let story = site.ftplib("client", to, true).expect_success();
                assert_announced(&story, "227", outer);
                assert_leads(&site, outer, some_ports(), &leads(inner, 60_000, 10));
            }
            site.finish();
        }
        "each public address leads to its own private one"
    });
}

#[test]
fn for_other_outer_numbers() {
    scenario("printed::for_other_outer_numbers", || {
        for kind in ["nft", "iptables"] {
            let site = bare(&[&ONE[..], &["--outer-ports", "50000-50009"]].concat());
            load(&site, kind);
            // Port by port: each leads to its own, and none of the inner numbers leads in.
            assert_leads(&site, OUTER, some_ports(), &leads(INNER, 50_000, 10));
            site.ftplib("client", OUTSIDE, true).expect_success();
            site.curl("client", OUTSIDE, &[]);
            site.curl("client", OUTSIDE, &TRUSTING);
            site.finish();
        }
        "each outer number leads to its inner one"
    });
}

/// The same when the router has the outer numbers but the server does not tell them.
#[test]
fn for_other_outer_numbers_untold() {
    let site = bare(&ONE);
    let told = site.ask(&["--rules", "nft", "--outer-ports", "50000-50009"]);
    site.lab.nft("router", &text(told.expect_success().stdout));
    let story = site.ftplib("client", OUTSIDE, true).expect_failure();
    assert_not_connected(&story);
    site.finish();
}

/// A long range is one rule for iptables, and a long map for nft.
#[test]
fn for_long_ranges() {
    let long = [
        "-i",
        "192.168.77.2",
        "-n",
        "203.0.113.1",
        "-r",
        "30000-33999",
    ];
    let site = bare(&[&long[..], &["--outer-ports", "40000-43999"]].concat());
    let expected = || {
        let mut leads = Leads::from([(21, (INNER, 2121))]);
        leads.extend((0..4000).map(|index| (40_000 + index, (INNER, 30_000 + index))));
        leads
    };
    let ports = || [21, 22].into_iter().chain(29_999..=44_001);
    site.lab.nft("router", &print(&site, "nft"));
    assert_leads(&site, OUTER, ports(), &expected());
    site.lab.nft("router", "delete table ip ftp-server-sync");
    assert_leads(&site, OUTER, ports(), &Leads::new());
    site.lab.sh("router", &print(&site, "iptables"));
    assert_leads(&site, OUTER, ports(), &expected());
    site.finish();
}

/// The router's address may change, so the lines name none.
#[test]
fn for_a_host_name() {
    scenario("printed::for_a_host_name", || {
        for kind in ["nft", "iptables"] {
            let lab = home(&closed());
            let _resolver = lab.resolver("server", &[("ftp.home.example", "203.0.113.1")]);
            let named = [
                "-i",
                "192.168.77.2",
                "-n",
                "ftp.home.example",
                "-r",
                "60000-60009",
            ];
            let site = Site::within(lab, &named);
            site.server.log_with("ftp.home.example is 203.0.113.1");
            load(&site, kind);
            assert_served(&site, OUTSIDE);
            // Both are addresses of the router.
            for outer in [OUTER, OUTER_SECOND] {
                assert_leads(&site, outer, some_ports(), &leads(INNER, 60_000, 10));
            }
            site.finish();
        }
        "whatever address the router has"
    });
}

/// The server listens on two addresses of one network: the lines lead to the one that it had first.
#[test]
fn for_either_of_two_neighbours() {
    let site = bare(&ROUTED);
    load(&site, "nft");
    assert_served(&site, OUTSIDE);
    assert_leads(&site, OUTER, some_ports(), &leads(INNER, 60_000, 10));
    site.finish();
}

/// The lab behind a router that forwards nothing by itself.
fn bare(arguments: &[&str]) -> Site {
    Site::behind(&closed(), arguments)
}

fn closed() -> Router {
    Router {
        forwards: false,
        ..Router::default()
    }
}

fn print(site: &Site, kind: &str) -> String {
    let printed = site.ask(&["--rules", kind]).expect_success();
    assert_eq!(printed.stderr, b"", "{}", printed.text());
    text(printed.stdout)
}

fn load(site: &Site, kind: &str) {
    let lines = print(site, kind);
    match kind {
        "nft" => site.lab.nft("router", &lines),
        _ => site.lab.sh("router", &lines),
    }
}

/// In both ways to ask for a port, by clients that trust the address of a 227.
fn assert_served(site: &Site, to: &str) {
    let story = site.ftplib("client", to, true).expect_success();
    assert_announced(&story, "227", OUTER);
    for story in site.curl("client", to, &TRUSTING) {
        assert_announced(&story, "227", OUTER);
    }
    for story in site.curl("client", to, &[]) {
        assert_announced(&story, "229", OUTER);
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
