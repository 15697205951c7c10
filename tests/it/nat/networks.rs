//! The server's own networks and routers, while they change under a running server.

use super::home::{INNER, INSIDE, OUTER, ROUTED};
use super::matrix::scenario;
use super::site::Site;
use crate::support::lab::Lab;

/// A VPN between the server and one client, whose address is in no network of the server's yet.
fn vpn(lab: &mut Lab) {
    lab.host("peer");
    lab.network("peer", "vpn", "10.8.0.6/24");
    lab.plug("server", "vpn", "10.8.0.1/32", "peer", "vpn");
    lab.route_over("server", "10.8.0.6", "vpn");
}

#[test]
fn come_and_go() {
    scenario("networks::come_and_go", || {
        let mut site = Site::new(&ROUTED);
        vpn(&mut site.lab);
        let mut client = site.client("peer", VPN);
        assert_eq!(client.pasv().ip(), OUTER);
        site.lab.address("server", "vpn", "10.8.0.2/24");
        site.server.log_with("local networks: 10.8.0.0/24 is new");
        assert_eq!(client.pasv().ip().to_string(), "10.8.0.1");
        client.download("from-server.bin");
        site.lab.remove_address("server", "vpn", "10.8.0.2/24");
        site.server.log_with("local networks: 10.8.0.0/24 is gone");
        assert_eq!(client.pasv().ip(), OUTER);
        site.finish();
        "the session's next 227 follows"
    });
}

#[test]
fn of_a_new_interface() {
    scenario("networks::of_a_new_interface", || {
        let mut site = Site::new(&ROUTED);
        site.lab.host("peer");
        site.lab.network("peer", "vpn", "10.8.0.6/24");
        site.lab.plug("server", "vpn", "10.8.0.1/24", "peer", "vpn");
        let log = site.server.log_with(" 10.8.0.0/24 is new");
        assert!(log.contains("local networks: "), "{log}");
        let story = site.ftplib("peer", VPN, true).expect_success();
        assert!(story.text().contains("(10,8,0,1,"), "{}", story.text());
        site.finish();
        "its client is served; 227 names the interface's address"
    });
}

/// The operator has decided which clients are local. That the server has looked is seen by the gateway, which it
/// follows in any case.
#[test]
fn do_not_matter_where_none_is_local() {
    let mut site = Site::new(&[&ROUTED[..], &["--local-networks", "none"]].concat());
    vpn(&mut site.lab);
    let mut client = site.client("peer", VPN);
    site.lab.address("server", "vpn", "10.8.0.2/24");
    site.lab.replace_default_route("server", "192.168.77.3");
    site.server
        .log_with("gateways: 192.168.77.3 is new, 192.168.77.1 is gone");
    assert_eq!(client.pasv().ip(), OUTER);
    let log = site.server.log();
    assert!(!log.contains("10.8.0.0/24"), "{log}");
    site.finish();
}

/// Far more than the socket has room for: the kernel drops messages, and says that it did.
#[test]
fn more_changes_than_the_kernel_can_tell() {
    scenario("networks::more_changes_than_the_kernel_can_tell", || {
        let mut site = Site::new(&ROUTED);
        vpn(&mut site.lab);
        let mut client = site.client("peer", VPN);
        site.server.pause(true);
        site.lab.flood("server", "vpn", FLOOD);
        site.lab.address("server", "vpn", "10.8.0.2/24");
        site.server.pause(false);
        site.server.log_with("local networks: 10.8.0.0/24 is new");
        assert_eq!(client.pasv().ip().to_string(), "10.8.0.1");
        site.lab.remove_address("server", "vpn", "10.8.0.2/24");
        site.server.log_with("local networks: 10.8.0.0/24 is gone");
        assert_eq!(client.pasv().ip(), OUTER);
        site.finish();
        "noticed, and the next change too"
    });
}

/// A client that comes from the default gateway may come from anywhere behind it.
#[test]
fn gateways_follow_the_routes() {
    scenario("networks::gateways_follow_the_routes", || {
        let site = Site::new(&[&ROUTED[..], &["--local-networks", "192.168.77.0/24"]].concat());
        let mut client = site.client("neighbour", INSIDE);
        assert_eq!(client.pasv().ip(), INNER);
        site.lab.replace_default_route("server", "192.168.77.3");
        site.server
            .log_with("gateways: 192.168.77.3 is new, 192.168.77.1 is gone");
        assert_eq!(client.pasv().ip(), OUTER);
        site.lab.replace_default_route("server", "192.168.77.1");
        site.server
            .log_with("gateways: 192.168.77.1 is new, 192.168.77.3 is gone");
        assert_eq!(client.pasv().ip(), INNER);
        site.finish();
        "the router's address is not local, whoever the router is"
    });
}

/// The socket's buffer holds a few hundred messages.
const FLOOD: u32 = 5000;
const VPN: &str = "10.8.0.1:2121";
