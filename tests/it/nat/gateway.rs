//! A gateway that takes the clients' place on one of the two connections, as docker's proxy does.

use super::home_network::{OUTSIDE, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::data::read_all;
use crate::support::file_contents::noise;

#[test]
fn a_trusted_gateway_is_served() {
    scenario("gateway::a_trusted_gateway_is_served", || {
        for ports in [CONTROL, DATA] {
            let home = HomeServer::new(&[&ROUTED[..], &TRUST].concat());
            hide_clients(&home, ports);
            home.ftplib("client", OUTSIDE, true).expect_success();
            home.curl("client", OUTSIDE, &[]);
            home.finish();
        }
        "served, whichever of the two connections comes from it"
    });
}

#[test]
fn a_gateway_is_refused_by_default() {
    for ports in [CONTROL, DATA] {
        let home = HomeServer::new(&ROUTED);
        hide_clients(&home, ports);
        home.ftplib("client", OUTSIDE, true).expect_failure();
        let log = home.server.log();
        assert!(log.contains("rejected a connection from"), "{log}");
        home.finish();
    }
}

/// A connection that comes neither from the client nor from the gateway is refused.
#[test]
fn a_trusted_gateway_admits_no_other_address() {
    scenario("gateway::a_trusted_gateway_admits_no_other_address", || {
        let home = HomeServer::new(&[&ROUTED[..], &TRUST].concat());
        let mut client = home.client("client", OUTSIDE);
        let to = client.passive();
        let stranger = home.client_from("client", Some("203.0.113.10"), OUTSIDE);
        let _uninvited = stranger.connect_data(to);
        client.command("RETR from-server.bin", 150);
        home.server
            .log_with("rejected a connection from 203.0.113.10");
        let mut data = client.connect_data(to);
        let bytes = read_all(&mut data);
        assert!(bytes == noise(SIZE));
        client.expect(226);
        home.finish();
        "a stranger is refused; the client is served"
    });
}

/// From now on connections to these ports come from the router.
fn hide_clients(home: &HomeServer, ports: &str) {
    let rules = format!(
        "
table ip proxy {{
    chain postrouting {{
        type nat hook postrouting priority srcnat - 1;
        oifname lan tcp dport {ports} masquerade
    }}
}}"
    );
    home.lab.nft("router", &rules);
}

const CONTROL: &str = "2121";
const DATA: &str = "60000-60009";
const TRUST: [&str; 2] = ["--trust-gateway", "192.168.77.1"];
