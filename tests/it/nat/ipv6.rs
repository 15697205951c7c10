//! IPv6 reaches the server around the NAT: no address to translate, no PASV.

use std::net::IpAddr;

use super::home::{OUTSIDE_V6, ROUTED};
use super::matrix::scenario;
use super::site::{SIZE, Site};
use crate::clients::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::process;

#[test]
fn pasv_is_refused() {
    scenario("ipv6::pasv_is_refused", || {
        let site = Site::new(&ROUTED);
        for host in ["client", "neighbour"] {
            let mut client = site.client(host, OUTSIDE_V6);
            let refusal = client.expect("PASV", "425");
            assert!(refusal.contains("EPSV"), "{refusal}");
            client.expect("RETR from-server.bin", "425");
            let announced = client.epsv("2");
            let data = client.connect(announced);
            assert!(client.download_over(data, "from-server.bin") == noise(SIZE));
            client.expect("QUIT", "221");
        }
        site.finish();
        "425, which names EPSV; then EPSV works"
    });
}

#[test]
fn extended_commands() {
    scenario("ipv6::extended_commands", || {
        let site = Site::new(&ROUTED);
        for host in ["client", "neighbour"] {
            for flags in [&[][..], &["--ftp-port", "-"]] {
                let stories = site.curl(host, OUTSIDE_V6, flags);
                let verb = if flags.is_empty() { "> EPSV" } else { "> EPRT" };
                assert!(stories.iter().all(|story| story.text().contains(verb)));
            }
            site.ftplib(host, OUTSIDE_V6, false).expect_success();
            let mut client = site.client(host, OUTSIDE_V6);
            client.expect("EPSV 1", "522");
            client.expect("EPRT |1|203.0.113.9|51210|", "522");
            client.expect("PORT 203,0,113,9,200,10", "522");
            client.expect("EPRT |2|2001:db8:1::bad|51210|", "501");
            let (bytes, from) = client.download_active("from-server.bin");
            assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
            assert_eq!(
                from,
                "2001:db8:77::2".parse::<IpAddr>().expect("an address")
            );
        }
        site.server.log_with("[2001:db8:1::9]:");
        site.finish();
        "served, both modes"
    });
}

/// The lab offers no way from IPv6 to IPv4: with an IPv4 listener only, the clients above have none.
#[test]
fn with_an_ipv4_listener_only() {
    let site = Site::new(&[&ROUTED[..], &["-i", "0.0.0.0"]].concat());
    let mut command = site.curl_command("client", &[], &[&format!("ftp://{OUTSIDE_V6}/")]);
    process::run(&mut command, SECONDS_MAX).expect_failure();
    site.finish();
}
