//! A server with an address on the Internet, whose control connections come another way: a router
//! that forwards nothing but port 21 stands for a balancer.

use std::io::Read;
use std::net::Ipv4Addr;

use super::announcements::{addresses, assert_announced, assert_not_connected};
use super::home_network::{OUTSIDE, Router, home_network};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use super::probe::{as_user, expect, printed_flags};
use crate::support::client_program::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::process;

/// A server with these flags beside `-n` and the range.
fn server(flags: &[&str]) -> HomeServer {
    let lab = home_network(&Router {
        forwarded: None,
        ..Router::default()
    });
    lab.plug("server", "wan", "203.0.113.3/24", "isp", "wan");
    for interface in ["all", "lan", "wan"] {
        let name = format!("net/ipv4/conf/{interface}/rp_filter");
        lab.set("server", &name, "0");
    }
    // Replies leave through the router where the connection came through it.
    lab.sh(
        "server",
        "ip rule add from 192.168.77.2 table 77 && \
         ip route add default via 192.168.77.1 table 77",
    );
    // Without this the clients outside would be in a network of the server's.
    let local = ["--local-networks", "192.168.77.0/24"];
    let announced = ["-n", "203.0.113.3", "-r", "60000-60009"];
    HomeServer::within(lab, &[&announced[..], &local, flags].concat())
}

#[test]
fn data_goes_straight_to_the_second_address() {
    scenario(
        "two_addresses::data_goes_straight_to_the_second_address",
        || {
            let home = server(&[]);
            let output = home.ftplib("client", OUTSIDE, true).expect_success();
            assert_announced(&output, 227, SECOND);
            // A stranger's connection to the second address is refused as at the first.
            let mut client = home.client("client", OUTSIDE);
            let to = client.passive();
            let mut stranger = home
                .lab
                .namespace_of("far")
                .connect(None, to)
                .expect("open");
            let data = client.connect_data(to);
            assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
            let received = stranger.read(&mut [0; 1]);
            assert!(!matches!(received, Ok(1)), "{received:?}");
            // Both ways share one range: the same client gets different ports at the same time.
            let mut direct = home.client("client", "203.0.113.3:2121");
            let ports = [client.passive(), direct.passive()];
            assert_eq!(ports.map(|to| to.ip()), [SECOND; 2]);
            assert_ne!(ports[0].port(), ports[1].port());
            let checked = home.ask(&["--check", "-p", "0"]).text();
            assert!(
                checked.contains("203.0.113.3, another address of"),
                "{checked}"
            );
            home.finish();
            "served over both ways; strangers are refused"
        },
    );
}

/// The balancer replaces the address of its clients, so that their data connections come from
/// another one.
#[test]
fn a_trusted_balancer_may_replace_addresses() {
    scenario(
        "two_addresses::a_trusted_balancer_may_replace_addresses",
        || {
            let home = server(&["--trust-gateway", "192.168.77.1"]);
            home.lab.nft("router", TRANSLATING);
            let output = home.ftplib("client", OUTSIDE, true).expect_success();
            assert_announced(&output, 227, SECOND);
            home.finish();
            "served"
        },
    );
}

#[test]
fn another_balancer_must_not_replace_addresses() {
    let home = server(&[]);
    home.lab.nft("router", TRANSLATING);
    let output = home.ftplib("client", OUTSIDE, true).expect_failure();
    assert!(addresses(&output).contains(&SECOND), "{}", output.text());
    home.finish();
}

/// EPSV leads to the address of the control connection, where no data arrives.
#[test]
fn clients_turn_to_pasv_without_epsv() {
    scenario("two_addresses::clients_turn_to_pasv_without_epsv", || {
        let home = server(&["--deny-commands", "EPSV"]);
        // curl begins with EPSV, and has to trust the address of the 227.
        for output in home.curl("client", OUTSIDE, &["--no-ftp-skip-pasv-ip"]) {
            assert_eq!(addresses(&output), [SECOND], "{}", output.text());
        }
        let checked = home.ask(&["--check", "-p", "0"]).text();
        assert!(!checked.contains("add --deny-commands EPSV"), "{checked}");
        // What is left fails of clients that use no address but the first.
        let seen = expect(&as_user(&home.lab, "client", OUTSIDE, &[]), 1);
        assert_eq!(printed_flags(&seen), [""; 0], "{seen}");
        home.finish();
        "502, then 227 and served"
    });
}

#[test]
fn epsv_leads_to_the_other_address() {
    let home = server(&[]);
    let url = format!("ftp://{OUTSIDE}/");
    // curl would turn to PASV after this.
    let mut command = home.curl_command("client", &[], &["--max-time", "2", &url]);
    let output = process::run(&mut command, SECONDS_MAX).expect_failure();
    assert_not_connected(&output);
    let seen = expect(&as_user(&home.lab, "client", OUTSIDE, &[]), 1);
    assert_eq!(printed_flags(&seen), ["--deny-commands EPSV"], "{seen}");
    let checked = home.ask(&["--check", "-p", "0"]).text();
    assert!(checked.contains("add --deny-commands EPSV"), "{checked}");
    home.finish();
}

/// Connections that the router passes on come from its own address.
const TRANSLATING: &str = "
table ip balancer {
    chain postrouting {
        type nat hook postrouting priority srcnat - 1;
        oifname lan tcp dport 2121 masquerade
    }
}";
const SECOND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 3);
