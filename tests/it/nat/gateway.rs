//! A gateway that takes the clients' place on one of the two connections, as docker's proxy does.

use std::time::Duration;

use super::home::{OUTSIDE, ROUTED};
use super::matrix::scenario;
use super::site::{SIZE, Site};
use crate::support::file_contents::noise;

#[test]
fn is_trusted() {
    scenario("gateway::is_trusted", || {
        for ports in [CONTROL, DATA] {
            let site = Site::new(&[&ROUTED[..], &TRUST].concat());
            hide_clients(&site, ports);
            site.ftplib("client", OUTSIDE, true).expect_success();
            site.curl("client", OUTSIDE, &[]);
            site.finish();
        }
        "served, whichever of the two connections comes from it"
    });
}

#[test]
fn is_a_stranger_by_default() {
    for ports in [CONTROL, DATA] {
        let site = Site::new(&ROUTED);
        hide_clients(&site, ports);
        site.ftplib("client", OUTSIDE, true).expect_failure();
        let log = site.server.log();
        assert!(log.contains("dropped a connection from"), "{log}");
        site.finish();
    }
}

/// Whoever comes neither from the client nor from the gateway is turned away as ever.
#[test]
fn vouches_for_nobody_else() {
    scenario("gateway::vouches_for_nobody_else", || {
        let site = Site::new(&[&ROUTED[..], &TRUST].concat());
        let mut client = site.client("client", OUTSIDE);
        let to = client.pasv();
        let stranger = site.client_from("client", Some("203.0.113.10"), OUTSIDE);
        let _uninvited = stranger.connect(to);
        client.expect("RETR from-server.bin", "150");
        client.assert_silent(Duration::from_millis(300));
        let mut data = client.connect(to);
        let bytes = super::raw::read_to_end(&mut data);
        assert!(bytes == noise(SIZE));
        client.expect_reply("226");
        site.finish();
        "a stranger is turned away; the client is served"
    });
}

/// From now on the server sees connections to these ports come from the router.
fn hide_clients(site: &Site, ports: &str) {
    let rules = format!(
        "
table ip proxy {{
    chain postrouting {{
        type nat hook postrouting priority srcnat - 1;
        oifname lan tcp dport {ports} masquerade
    }}
}}"
    );
    site.lab.nft("router", &rules);
}

const CONTROL: &str = "2121";
const DATA: &str = "60000-60009";
const TRUST: [&str; 2] = ["--trust-gateway", "192.168.77.1"];
