//! A gateway that takes the clients' place on one of the two connections, as docker's proxy does.

use super::home_network::{OUTSIDE, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client_program::SECONDS_MAX;
use crate::support::data::read_all;
use crate::support::file_contents::noise;
use crate::support::process;

#[test]
fn a_trusted_gateway_is_served() {
    scenario("gateway::a_trusted_gateway_is_served", || {
        for ports in [CONTROL, DATA] {
            let home = HomeServer::new(&[&ROUTED[..], &TRUST].concat());
            home.lab.hide_clients(ports);
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
        home.lab.hide_clients(ports);
        home.ftplib("client", OUTSIDE, true).expect_failure();
        home.server.log_with("rejected a connection from");
        home.finish();
    }
}

/// A carrier's NAT takes an address of its pool for each connection.
#[test]
fn a_network_of_gateways_is_served() {
    scenario("gateway::a_network_of_gateways_is_served", || {
        let trust = ["--trust-gateway", "192.168.77.0/30,203.0.113.10/31"];
        for ports in [CONTROL, DATA] {
            let home = HomeServer::new(&[&ROUTED[..], &trust].concat());
            home.lab.hide_clients(ports);
            home.curl("client", OUTSIDE, &[]);
            home.finish();
        }
        let home = HomeServer::new(&[&ROUTED[..], &trust].concat());
        let mut client = home.client_from("client", Some("203.0.113.10"), OUTSIDE);
        let to = client.passive();
        let other = home.client_from("client", Some("203.0.113.11"), OUTSIDE);
        let mut data = other.connect_data(to);
        client.command("RETR from-server.bin", 150);
        assert!(read_all(&mut data) == noise(SIZE));
        client.expect(226);
        home.finish();
        "served, whichever address of the network a connection comes from"
    });
}

/// In active mode the data could reach any client of the gateway.
#[test]
fn active_mode_through_a_gateway_is_refused() {
    scenario("gateway::active_mode_through_a_gateway_is_refused", || {
        let home = HomeServer::new(&[&ROUTED[..], &TRUST].concat());
        home.lab.hide_clients(CONTROL);
        let mut client = home.client("client", OUTSIDE);
        for line in [GATEWAY, "PORT 203,0,113,9,200,10", "PORT 10,0,0,5,200,10"] {
            let reply = client.command(line, 501).text();
            assert!(reply.contains("use passive mode"), "{line}: {reply}");
        }
        let url = home.lftp_url(OUTSIDE);
        let script = format!("set ftp:passive-mode false; cat {url}/from-server.bin");
        let output = process::run(&mut home.lftp_command("client", &script), SECONDS_MAX);
        let output = output.expect_success();
        assert!(output.stdout == noise(SIZE), "{}", output.text());
        home.finish();
        "501, then lftp is served in passive mode"
    });
}

#[test]
fn active_mode_leads_to_a_gateway_by_default() {
    let home = HomeServer::new(&ROUTED);
    home.lab.hide_clients(CONTROL);
    home.client("client", OUTSIDE).command(GATEWAY, 200);
    home.finish();
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

const CONTROL: &str = "2121";
const DATA: &str = "60000-60009";
const GATEWAY: &str = "PORT 192,168,77,1,200,10";
const TRUST: [&str; 2] = ["--trust-gateway", "192.168.77.1"];
