//! The server's own networks and routers, while they change under a running server.

use super::home_network::{INNER, INSIDE, OUTER, ROUTED};
use super::home_server::HomeServer;
use super::matrix::scenario;
use crate::support::lab::Lab;

/// A VPN between the server and one client, whose address is in no network of the server's yet: the
/// route to it has a gateway.
fn vpn(lab: &mut Lab) {
    lab.host("peer");
    lab.network("peer", "vpn", "10.8.0.6/24");
    lab.plug("server", "vpn", "10.8.0.1/32", "peer", "vpn");
    lab.route_by_itself("server", "10.8.0.6", "vpn");
}

#[test]
fn local_networks_come_and_go() {
    scenario("networks::local_networks_come_and_go", || {
        let mut home = HomeServer::new(&ROUTED);
        vpn(&mut home.lab);
        let mut client = home.client("peer", VPN);
        assert_eq!(client.passive().ip(), OUTER);
        home.lab.address("server", "vpn", "10.8.0.2/24");
        home.server.log_with("local networks: 10.8.0.0/24 is new");
        assert_eq!(client.passive().ip().to_string(), "10.8.0.1");
        client.fetch_passive("RETR from-server.bin");
        home.lab.remove_address("server", "vpn", "10.8.0.2/24");
        home.server.log_with("local networks: 10.8.0.0/24 is gone");
        assert_eq!(client.passive().ip(), OUTER);
        home.finish();
        "the session's next 227 follows"
    });
}

/// The interface of a VPN often has an address without a network, and only routes say what it leads
/// to.
#[test]
fn routes_over_a_vpn_make_clients_local() {
    scenario("networks::routes_over_a_vpn_make_clients_local", || {
        let mut home = HomeServer::new(&ROUTED);
        vpn(&mut home.lab);
        let mut client = home.client("peer", VPN);
        assert_eq!(client.passive().ip(), OUTER);
        // A VPN that carries the Internet too makes none of it local.
        home.lab.route_over("server", "198.51.100.0/24", "vpn");
        home.lab.route_over("server", "10.8.0.0/24", "vpn");
        home.server.log_with("local networks: 10.8.0.0/24 is new");
        assert_eq!(client.passive().ip().to_string(), "10.8.0.1");
        client.fetch_passive("RETR from-server.bin");
        home.lab.remove_route_over("server", "10.8.0.0/24", "vpn");
        home.server.log_with("local networks: 10.8.0.0/24 is gone");
        assert_eq!(client.passive().ip(), OUTER);
        home.finish_with(|log| assert!(!log.contains("198.51.100.0/24"), "{log}"));
        "the session's next 227 follows"
    });
}

#[test]
fn a_new_interface_brings_its_network() {
    scenario("networks::a_new_interface_brings_its_network", || {
        let mut home = HomeServer::new(&ROUTED);
        home.lab.host("peer");
        home.lab.network("peer", "vpn", "10.8.0.6/24");
        home.lab.plug("server", "vpn", "10.8.0.1/24", "peer", "vpn");
        let log = home.server.log_with(" 10.8.0.0/24 is new");
        assert!(log.contains("local networks: "), "{log}");
        let output = home.ftplib("peer", VPN, true).expect_success();
        assert!(output.text().contains("(10,8,0,1,"), "{}", output.text());
        home.finish();
        "its client is served; 227 names the interface's address"
    });
}

/// The operator has decided which clients are local. That the server has looked is seen by the
/// gateway, which it follows in any case.
#[test]
fn networks_do_not_matter_where_none_is_local() {
    let mut home = HomeServer::new(&[&ROUTED[..], &["--local-networks", "none"]].concat());
    vpn(&mut home.lab);
    let mut client = home.client("peer", VPN);
    home.lab.address("server", "vpn", "10.8.0.2/24");
    home.lab.replace_default_route("server", "192.168.77.3");
    home.server
        .log_with("gateways: 192.168.77.3 is new, 192.168.77.1 is gone");
    assert_eq!(client.passive().ip(), OUTER);
    let log = home.server.log();
    assert!(!log.contains("10.8.0.0/24"), "{log}");
    home.finish();
}

/// Far more than the socket has room for: the kernel drops messages, and reports that it did.
#[test]
fn more_changes_than_the_kernel_can_report() {
    scenario("networks::more_changes_than_the_kernel_can_report", || {
        let mut home = HomeServer::new(&ROUTED);
        vpn(&mut home.lab);
        let mut client = home.client("peer", VPN);
        home.server.pause(true);
        home.lab.flood("server", "vpn", FLOOD);
        home.lab.address("server", "vpn", "10.8.0.2/24");
        home.server.pause(false);
        home.server.log_with("local networks: 10.8.0.0/24 is new");
        assert_eq!(client.passive().ip().to_string(), "10.8.0.1");
        home.lab.remove_address("server", "vpn", "10.8.0.2/24");
        home.server.log_with("local networks: 10.8.0.0/24 is gone");
        assert_eq!(client.passive().ip(), OUTER);
        home.finish();
        "noticed, and the next change too"
    });
}

/// A client that comes from the default gateway may come from anywhere behind it.
#[test]
fn gateways_follow_the_routes() {
    scenario("networks::gateways_follow_the_routes", || {
        let home =
            HomeServer::new(&[&ROUTED[..], &["--local-networks", "192.168.77.0/24"]].concat());
        let mut client = home.client("neighbour", INSIDE);
        assert_eq!(client.passive().ip(), INNER);
        home.lab.replace_default_route("server", "192.168.77.3");
        home.server
            .log_with("gateways: 192.168.77.3 is new, 192.168.77.1 is gone");
        assert_eq!(client.passive().ip(), OUTER);
        home.lab.replace_default_route("server", "192.168.77.1");
        home.server
            .log_with("gateways: 192.168.77.1 is new, 192.168.77.3 is gone");
        assert_eq!(client.passive().ip(), INNER);
        home.finish();
        "the address of the present router is not local"
    });
}

/// The socket's buffer holds a few hundred messages.
const FLOOD: u32 = 5000;
const VPN: &str = "10.8.0.1:2121";
