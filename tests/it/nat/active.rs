//! Active mode: the server connects out through its router, from the address that the client knows.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use super::home_network::{OUTER, OUTER_SECOND, OUTSIDE, OUTSIDE_SECOND, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client_program::SECONDS_MAX;
use crate::support::data::{eprt_command, port_command};
use crate::support::file_contents::noise;
use crate::support::process;

#[test]
fn data_comes_from_the_address_that_the_client_knows() {
    scenario(
        "active::data_comes_from_the_address_that_the_client_knows",
        || {
            let home = HomeServer::new(&ROUTED);
            for (to, outer) in [(OUTSIDE, OUTER), (OUTSIDE_SECOND, OUTER_SECOND)] {
                let mut client = home.client("client", to);
                let (bytes, from) = client.fetch_active("RETR from-server.bin");
                assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
                assert_eq!(from, IpAddr::from(outer), "data came from elsewhere");
                home.curl("client", to, &["--ftp-port", "-"]);
                home.curl("client", to, &["--ftp-port", "-", "--disable-eprt"]);
            }
            let script = format!(
                "set ftp:passive-mode false; cat {}/from-server.bin",
                home.lftp_url(OUTSIDE)
            );
            let output = process::run(&mut home.lftp_command("client", &script), SECONDS_MAX);
            let output = output.expect_success();
            assert!(
                output.stdout == noise(SIZE),
                "{} bytes",
                output.stdout.len()
            );
            assert!(output.text().contains("---> PORT"), "{}", output.text());
            home.finish();
            "served, from each of the two"
        },
    );
}

/// A device that knows only its private address, and that its router forwards everything to.
#[test]
fn a_device_behind_one_to_one_nat_is_served() {
    scenario("active::a_device_behind_one_to_one_nat_is_served", || {
        let home = HomeServer::new(&ROUTED);
        home.lab.nft("far", ONE_TO_ONE);
        let mut device = home.client("guest", OUTSIDE);
        assert_eq!(device.local_ip(), GUEST.ip());
        for _ in 0..2 {
            let (bytes, from) = device.fetch_active("RETR from-server.bin");
            assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
            assert_eq!(from, IpAddr::from(OUTER), "data came from elsewhere");
        }
        let line = "active mode: the client named 10.9.0.5; connecting to 203.0.113.77 instead";
        let log = home.server.log_with(line);
        assert_eq!(log.matches(line).count(), 1, "once in a session: {log}");
        // What has worked may fail once. No one listens at port 9999.
        device.command("PORT 10,9,0,5,39,15", 200);
        device.command("RETR from-server.bin", 150);
        device.expect(425);
        assert!(device.fetch_active("RETR from-server.bin").0 == noise(SIZE));
        home.curl("guest", OUTSIDE, &["--ftp-port", "-"]);
        home.curl("guest", OUTSIDE, &["--ftp-port", "-", "--disable-eprt"]);
        home.finish();
        "served, at the address that it connects from"
    });
}

/// The same device where the server must use addresses as they are named.
#[test]
fn a_device_behind_one_to_one_nat_fails_with_foreign_addresses() {
    let flags = ["--permit-foreign-addresses", "--passive-timeout", "2"];
    let home = HomeServer::new(&[&ROUTED[..], &flags].concat());
    home.lab.nft("far", ONE_TO_ONE);
    let mut device = home.client("guest", OUTSIDE);
    // Whether the device listens there does not matter: the provider carries nothing to 10.9.0.5.
    for _ in 0..2 {
        device.command(port_command(GUEST), 200);
        device.command("RETR from-server.bin", 150);
        let reply = device.expect(425);
        assert_eq!(reply.text(), "425 Cannot connect to 10.9.0.5:50000.");
    }
    home.finish();
}

/// Refused at once after one try: lftp changes to passive mode after a refusal.
#[test]
fn active_mode_is_refused_behind_another_nat() {
    scenario("active::active_mode_is_refused_behind_another_nat", || {
        let flags = ["--passive-timeout", "2"];
        let home = HomeServer::new(&[&ROUTED[..], &flags].concat());
        home.lab.nft("far", CLOSED);
        let mut client = home.client("guest", OUTSIDE);
        client.command(port_command(GUEST), 200);
        client.command("RETR from-server.bin", 150);
        let reply = client.expect(425);
        assert_eq!(
            reply.text(),
            "425 Cannot connect to 203.0.113.77:50000, the address that you connect from (10.9.0.5 is \
             private); use passive mode."
        );
        let asked = Instant::now();
        client.command(port_command(GUEST), 501);
        client.command(eprt_command(GUEST), 501);
        assert!(asked.elapsed().as_secs() < 1, "{:?}", asked.elapsed());
        // The session is as before.
        assert!(client.fetch_passive("RETR from-server.bin") == noise(SIZE));
        let output = process::run(&mut lftp_active(&home), SECONDS_MAX).expect_success();
        assert!(
            output.stdout == noise(SIZE),
            "{} bytes",
            output.stdout.len()
        );
        for verb in ["---> PORT", "---> PASV"] {
            assert!(
                output.text().contains(verb),
                "no {verb}:\n{}",
                output.text()
            );
        }
        home.finish();
        "425 once, then 501 at once; then served in passive mode"
    });
}

fn lftp_active(home: &HomeServer) -> std::process::Command {
    let url = home.lftp_url(OUTSIDE);
    let script =
        format!("set net:max-retries 4; set ftp:passive-mode false; cat {url}/from-server.bin");
    home.lftp_command("guest", &script)
}

const GUEST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 5)), 50_000);

/// Everything that arrives at the guest's router is for the guest.
const ONE_TO_ONE: &str = "
table ip one_to_one {
    chain prerouting {
        type nat hook prerouting priority dstnat;
        iifname wan dnat to 10.9.0.5
    }
}
add rule ip lab forward ct status dnat accept";

/// The guest's router answers nothing.
const CLOSED: &str = "
table ip closed {
    chain input {
        type filter hook input priority filter; policy accept;
        iifname wan ct state new drop
    }
}";
