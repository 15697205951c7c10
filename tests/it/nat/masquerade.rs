//! Which address a 227 names: to clients outside, inside, and inside by way of the router.

use super::announcements::{addresses, assert_announced, assert_not_connected};
use super::home_network::{
    INNER, INSIDE, OUTER, OUTER_SECOND, OUTSIDE, OUTSIDE_SECOND, ROUTED, Router,
};
use super::home_server::HomeServer;
use super::matrix::scenario;

#[test]
fn masquerade_and_range_serve_clients_outside() {
    scenario(
        "masquerade::masquerade_and_range_serve_clients_outside",
        || {
            let home = HomeServer::new(&ROUTED);
            for trust in [true, false] {
                let output = home.ftplib("client", OUTSIDE, trust).expect_success();
                assert_announced(&output, 227, OUTER);
            }
            for output in home.curl("client", OUTSIDE, &TRUSTING) {
                assert_announced(&output, 227, OUTER);
            }
            for output in home.curl("client", OUTSIDE, &["--disable-epsv"]) {
                assert_announced(&output, 227, OUTER);
            }
            for output in home.curl("client", OUTSIDE, &[]) {
                assert_announced(&output, 229, OUTER);
            }
            // The guest is behind a second NAT, which passive mode does not notice.
            let guest = home.ftplib("guest", OUTSIDE, true).expect_success();
            assert_announced(&guest, 227, OUTER);
            home.finish();
            "all served; 227 names 203.0.113.1"
        },
    );
}

/// What breaks without this server's two flags.
#[test]
fn clients_outside_fail_without_masquerade() {
    let home = HomeServer::new(&[]);
    let output = home.ftplib("client", OUTSIDE, true).expect_failure();
    assert_eq!(addresses(&output), [INNER], "{}", output.text());
    assert_not_connected(&output);
    home.finish();
}

/// The masquerade address alone is not enough: the ports must be those that the router forwards.
#[test]
fn clients_outside_fail_without_the_forwarded_range() {
    let home = HomeServer::new(&["-n", "203.0.113.1", "-r", "61000-61009"]);
    let output = home.ftplib("client", OUTSIDE, true).expect_failure();
    assert_eq!(addresses(&output), [OUTER], "{}", output.text());
    assert_not_connected(&output);
    home.finish();
}

/// The default listener is dual-stack, so the server sees `::ffff:192.168.77.12`; the map means
/// that address too.
#[test]
fn two_addresses_work_on_one_listener() {
    scenario("masquerade::two_addresses_work_on_one_listener", || {
        let map = "192.168.77.2=203.0.113.1,192.168.77.12=203.0.113.2";
        let home = HomeServer::new(&["--masquerade-address-map", map, "-r", "60000-60009"]);
        assert!(home.server.address.is_ipv6(), "{}", home.server.address);
        for (to, outer) in [(OUTSIDE, OUTER), (OUTSIDE_SECOND, OUTER_SECOND)] {
            let output = home.ftplib("client", to, true).expect_success();
            assert_announced(&output, 227, outer);
            for output in home.curl("client", to, &TRUSTING) {
                assert_announced(&output, 227, outer);
            }
            for output in home.curl("client", to, &[]) {
                assert_announced(&output, 229, outer);
            }
        }
        home.finish();
        "each 227 names the address that the client connected to"
    });
}

/// One masquerade address for both: a client of the second is sent to the first, where the port is
/// closed.
#[test]
fn one_address_fails_clients_of_the_second() {
    let home = HomeServer::new(&ROUTED);
    home.ftplib("client", OUTSIDE, true).expect_success();
    let output = home.ftplib("client", OUTSIDE_SECOND, true).expect_failure();
    assert_eq!(addresses(&output), [OUTER], "{}", output.text());
    assert_not_connected(&output);
    home.finish();
}

/// A client in the server's own network never sees the router's address, which would not serve it.
#[test]
fn a_local_client_gets_the_local_address() {
    scenario("masquerade::a_local_client_gets_the_local_address", || {
        let home = HomeServer::new(&ROUTED);
        for trust in [true, false] {
            let output = home.ftplib("neighbour", INSIDE, trust).expect_success();
            assert_announced(&output, 227, INNER);
        }
        for output in home.curl("neighbour", INSIDE, &TRUSTING) {
            assert_announced(&output, 227, INNER);
        }
        // The two kinds of client at the same server, one after the other.
        for (host, to, address) in [("client", OUTSIDE, OUTER), ("neighbour", INSIDE, INNER)] {
            let output = home.ftplib(host, to, true).expect_success();
            assert_announced(&output, 227, address);
        }
        home.finish();
        "served; 227 names 192.168.77.2"
    });
}

/// The same local client without the exemption.
#[test]
fn local_clients_fail_without_local_networks() {
    let home = HomeServer::new(&[&ROUTED[..], &["--local-networks", "none"]].concat());
    let output = home.ftplib("neighbour", INSIDE, true).expect_failure();
    assert_eq!(addresses(&output), [OUTER], "{}", output.text());
    home.finish();
}

/// It arrives from the router's own address in the LAN, which the netmask would call local.
#[test]
fn a_hairpinned_client_gets_the_public_address() {
    scenario(
        "masquerade::a_hairpinned_client_gets_the_public_address",
        || {
            let home = HomeServer::behind(&hairpin(), &ROUTED);
            for trust in [true, false] {
                let output = home.ftplib("neighbour", OUTSIDE, trust).expect_success();
                assert_announced(&output, 227, OUTER);
            }
            for output in home.curl("neighbour", OUTSIDE, &TRUSTING) {
                assert_announced(&output, 227, OUTER);
            }
            let log = home.server.log_with(" -@192.168.77.1 connected to ");
            assert!(!log.contains("192.168.77.3"), "not hairpinned:\n{log}");
            // The direct way stays open, with the direct address.
            let direct = home.ftplib("neighbour", INSIDE, true).expect_success();
            assert_announced(&direct, 227, INNER);
            home.finish();
            "served; 227 names 203.0.113.1"
        },
    );
}

/// With the local address it connects from its own address, not from the router's: a stranger.
#[test]
fn a_hairpinned_client_fails_with_the_local_address() {
    let local = ["--masquerade-client", "192.168.77.1/32=local"];
    // The server only gives up after its own time; the client's is shorter.
    let home = HomeServer::behind(&hairpin(), &[&ROUTED[..], &local].concat());
    let output = home.ftplib("neighbour", OUTSIDE, true).expect_failure();
    assert_eq!(addresses(&output), [INNER], "{}", output.text());
    home.finish();
}

fn hairpin() -> Router {
    Router {
        hairpin: true,
        ..Router::default()
    }
}

/// curl with PASV, which connects to the announced address.
const TRUSTING: [&str; 2] = ["--disable-epsv", "--no-ftp-skip-pasv-ip"];
