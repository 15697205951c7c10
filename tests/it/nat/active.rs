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

/// Refused at once: lftp changes to passive mode after a refusal, but not when a transfer never
/// begins.
#[test]
fn active_mode_is_refused_at_once_behind_another_nat() {
    scenario(
        "active::active_mode_is_refused_at_once_behind_another_nat",
        || {
            let home = HomeServer::new(&ROUTED);
            let mut client = home.client("guest", OUTSIDE);
            assert_eq!(client.local_ip(), GUEST.ip());
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
            "501, then served in passive mode"
        },
    );
}

/// Without the comparison the address is taken, and the data connection goes nowhere.
#[test]
fn active_mode_fails_late_with_foreign_addresses() {
    let flags = ["--permit-foreign-addresses", "--passive-timeout", "2"];
    let home = HomeServer::new(&[&ROUTED[..], &flags].concat());
    let mut client = home.client("guest", OUTSIDE);
    client.command(port_command(GUEST), 200);
    client.command("RETR from-server.bin", 150);
    client.expect(425);
    home.finish();
}

fn lftp_active(home: &HomeServer) -> std::process::Command {
    let url = home.lftp_url(OUTSIDE);
    let script = format!("set ftp:passive-mode false; cat {url}/from-server.bin");
    home.lftp_command("guest", &script)
}

const GUEST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 9, 0, 5)), 50_000);
