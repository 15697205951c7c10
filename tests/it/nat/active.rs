//! Active mode: the server connects out through its router, from the address that the client knows.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use super::home::{OUTER, OUTER_SECOND, OUTSIDE, OUTSIDE_SECOND, ROUTED};
use super::matrix::scenario;
use super::raw::port_argument;
use super::site::{SIZE, Site};
use crate::clients::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::process;

#[test]
fn data_comes_from_the_address_that_the_client_knows() {
    scenario(
        "active::data_comes_from_the_address_that_the_client_knows",
        || {
            let site = Site::new(&ROUTED);
            for (to, outer) in [(OUTSIDE, OUTER), (OUTSIDE_SECOND, OUTER_SECOND)] {
                let mut client = site.client("client", to);
                let (bytes, from) = client.download_active("from-server.bin");
                assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
                assert_eq!(from, IpAddr::from(outer), "data came from elsewhere");
                site.curl("client", to, &["--ftp-port", "-"]);
                site.curl("client", to, &["--ftp-port", "-", "--disable-eprt"]);
            }
            let script = format!(
                "set ftp:passive-mode false; cat {}/from-server.bin",
                site.lftp_url(OUTSIDE)
            );
            let story = process::run(&mut site.lftp_command("client", &script), SECONDS_MAX);
            let story = story.expect_success();
            assert!(story.stdout == noise(SIZE), "{} bytes", story.stdout.len());
            assert!(story.text().contains("---> PORT"), "{}", story.text());
            site.finish();
            "served, from each of the two"
        },
    );
}

/// Refused at once: lftp believes a refusal, but not a transfer that never comes.
#[test]
fn is_refused_early_behind_another_nat() {
    scenario("active::is_refused_early_behind_another_nat", || {
        let site = Site::new(&ROUTED);
        let mut client = site.client("guest", OUTSIDE);
        assert_eq!(client.local_ip(), GUEST);
        let asked = Instant::now();
        client.expect(&format!("PORT {}", port_argument(GUEST, 50_000)), "5");
        client.expect(&format!("EPRT |1|{GUEST}|50000|"), "5");
        assert!(asked.elapsed().as_secs() < 1, "{:?}", asked.elapsed());
        // The session is as before.
        assert!(client.download("from-server.bin") == noise(SIZE));
        let story = process::run(&mut lftp_active(&site), SECONDS_MAX).expect_success();
        assert!(story.stdout == noise(SIZE), "{} bytes", story.stdout.len());
        for verb in ["---> PORT", "---> PASV"] {
            assert!(story.text().contains(verb), "no {verb}:\n{}", story.text());
        }
        site.finish();
        "501, then served in passive mode"
    });
}

/// Without the comparison the address is taken, and the data connection goes nowhere.
#[test]
fn is_refused_late_with_foreign_addresses() {
    let flags = ["--permit-foreign-addresses", "--passive-timeout", "2"];
    let site = Site::new(&[&ROUTED[..], &flags].concat());
    let mut client = site.client("guest", OUTSIDE);
    client.expect(&format!("PORT {}", port_argument(GUEST, 50_000)), "200");
    client.expect("RETR from-server.bin", "150");
    client.expect_reply("425");
    site.finish();
}

fn lftp_active(site: &Site) -> std::process::Command {
    let url = site.lftp_url(OUTSIDE);
    let script = format!("set ftp:passive-mode false; cat {url}/from-server.bin");
    site.lftp_command("guest", &script)
}

const GUEST: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 5);
