//! A router that forwards other port numbers than the server's own.

use super::announced::assert_announced_in;
use super::home::{FORWARDED, INNER, INSIDE, OUTER, OUTSIDE, OUTSIDE_V6, ROUTED, Router};
use super::matrix::scenario;
use super::site::{SIZE, Site};
use crate::support::file_contents::noise;

#[test]
fn numbers_for_clients_outside() {
    scenario("outer::numbers_for_clients_outside", || {
        let site = Site::behind(&shifted(), &SHIFTED);
        for trust in [true, false] {
            let story = site.ftplib("client", OUTSIDE, trust).expect_success();
            assert_announced_in(&story, "227", OUTER, OUTER_PORTS);
        }
        for (host, flags, code) in [
            ("client", &[][..], "229"),
            ("guest", &["--disable-epsv"], "227"),
            // Hairpinned: it reaches the server through the router too.
            ("neighbour", &["--disable-epsv"], "227"),
            ("neighbour", &[], "229"),
        ] {
            for story in site.curl(host, OUTSIDE, flags) {
                assert_announced_in(&story, code, OUTER, OUTER_PORTS);
            }
        }
        site.finish();
        "served; 227 and 229 name 50000-50009"
    });
}

#[test]
fn not_for_local_and_ipv6_clients() {
    scenario("outer::not_for_local_and_ipv6_clients", || {
        let site = Site::behind(&shifted(), &SHIFTED);
        let story = site.ftplib("neighbour", INSIDE, true).expect_success();
        assert_announced_in(&story, "227", INNER, FORWARDED);
        for story in site.curl("neighbour", INSIDE, &[]) {
            assert_announced_in(&story, "229", INNER, FORWARDED);
        }
        for host in ["client", "neighbour"] {
            let mut client = site.client(host, OUTSIDE_V6);
            let announced = client.epsv("");
            assert!(FORWARDED.contains(&announced.port()), "{announced}");
            let data = client.connect(announced);
            assert!(client.download_over(data, "from-server.bin") == noise(SIZE));
        }
        site.finish();
        "served; 227 and 229 name 60000-60009"
    });
}

/// Behind the same router, a server that knows its own numbers only.
#[test]
fn unknown_to_the_server() {
    let site = Site::behind(&shifted(), &ROUTED);
    site.ftplib("client", OUTSIDE, true).expect_failure();
    let mut client = site.client("client", OUTSIDE);
    let announced = client.epsv("");
    assert!(FORWARDED.contains(&announced.port()), "{announced}");
    site.finish();
}

fn shifted() -> Router {
    Router {
        outer_first: Some(*OUTER_PORTS.start()),
        hairpin: true,
        ..Router::default()
    }
}

const OUTER_PORTS: std::ops::RangeInclusive<u16> = 50_000..=50_009;
const SHIFTED: [&str; 6] = [
    "-n",
    "203.0.113.1",
    "-r",
    "60000-60009",
    "--outer-ports",
    "50000-50009",
];
