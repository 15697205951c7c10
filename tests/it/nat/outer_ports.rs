//! A router that forwards other port numbers than the server's own.

use super::announcements::assert_announced_in;
use super::home_network::{FORWARDED, INNER, INSIDE, OUTER, OUTSIDE, OUTSIDE_V6, ROUTED, Router};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::file_contents::noise;

#[test]
fn clients_outside_get_outer_ports() {
    scenario("outer_ports::clients_outside_get_outer_ports", || {
        let home = HomeServer::behind(&shifted(), &SHIFTED);
        for trust in [true, false] {
            let output = home.ftplib("client", OUTSIDE, trust).expect_success();
            assert_announced_in(&output, 227, OUTER, OUTER_PORTS);
        }
        for (host, flags, code) in [
            ("client", &[][..], 229),
            ("guest", &["--disable-epsv"], 227),
            // Hairpinned: it reaches the server through the router too.
            ("neighbour", &["--disable-epsv"], 227),
            ("neighbour", &[], 229),
        ] {
            for output in home.curl(host, OUTSIDE, flags) {
                assert_announced_in(&output, code, OUTER, OUTER_PORTS);
            }
        }
        home.finish();
        "served; 227 and 229 name 50000-50009"
    });
}

#[test]
fn local_and_ipv6_clients_get_inner_ports() {
    scenario(
        "outer_ports::local_and_ipv6_clients_get_inner_ports",
        || {
            let home = HomeServer::behind(&shifted(), &SHIFTED);
            let output = home.ftplib("neighbour", INSIDE, true).expect_success();
            assert_announced_in(&output, 227, INNER, FORWARDED);
            for output in home.curl("neighbour", INSIDE, &[]) {
                assert_announced_in(&output, 229, INNER, FORWARDED);
            }
            for host in ["client", "neighbour"] {
                let mut client = home.client(host, OUTSIDE_V6);
                let announced = client.extended_passive();
                assert!(FORWARDED.contains(&announced.port()), "{announced}");
                let data = client.connect_data(announced);
                assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
            }
            home.finish();
            "served; 227 and 229 name 60000-60009"
        },
    );
}

/// Behind the same router, a server that knows its own numbers only.
#[test]
fn clients_outside_fail_without_outer_ports() {
    let home = HomeServer::behind(&shifted(), &ROUTED);
    home.ftplib("client", OUTSIDE, true).expect_failure();
    let mut client = home.client("client", OUTSIDE);
    let announced = client.extended_passive();
    assert!(FORWARDED.contains(&announced.port()), "{announced}");
    home.finish();
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
