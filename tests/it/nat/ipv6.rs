//! IPv6 reaches the server around the NAT: no address to translate, no PASV.

use std::net::IpAddr;

use super::home_network::{OUTSIDE_V6, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client_program::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::process;

#[test]
fn pasv_is_refused_over_ipv6() {
    scenario("ipv6::pasv_is_refused_over_ipv6", || {
        let home = HomeServer::new(&ROUTED);
        for host in ["client", "neighbour"] {
            let mut client = home.client(host, OUTSIDE_V6);
            let refusal = client.command("PASV", 425).text();
            assert!(refusal.contains("EPSV"), "{refusal}");
            client.command("RETR from-server.bin", 425);
            let reply = client.command("EPSV 2", 229);
            let announced = client.announced(&reply);
            let data = client.connect_data(announced);
            assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
            client.command("QUIT", 221);
        }
        home.finish();
        "425, which names EPSV; then EPSV works"
    });
}

#[test]
fn epsv_and_eprt_work_over_ipv6() {
    scenario("ipv6::epsv_and_eprt_work_over_ipv6", || {
        let home = HomeServer::new(&ROUTED);
        for host in ["client", "neighbour"] {
            for flags in [&[][..], &["--ftp-port", "-"]] {
                let outputs = home.curl(host, OUTSIDE_V6, flags);
                let verb = if flags.is_empty() { "> EPSV" } else { "> EPRT" };
                assert!(outputs.iter().all(|output| output.text().contains(verb)));
            }
            home.ftplib(host, OUTSIDE_V6, false).expect_success();
            let mut client = home.client(host, OUTSIDE_V6);
            client.command("EPSV 1", 522);
            client.command("EPRT |1|203.0.113.9|51210|", 522);
            client.command("PORT 203,0,113,9,200,10", 522);
            client.command("EPRT |2|2001:db8:1::bad|51210|", 501);
            let (bytes, from) = client.fetch_active("RETR from-server.bin");
            assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
            assert_eq!(
                from,
                "2001:db8:77::2".parse::<IpAddr>().expect("an address")
            );
        }
        home.server.log_with(" -@2001:db8:1::9 connected to ");
        home.finish();
        "served, both modes"
    });
}

/// The lab offers no way from IPv6 to IPv4: with an IPv4 listener only, the clients above have
/// none.
#[test]
fn an_ipv4_listener_serves_no_ipv6_client() {
    let home = HomeServer::new(&[&ROUTED[..], &["-i", "0.0.0.0"]].concat());
    let mut command = home.curl_command("client", &[], &[&format!("ftp://{OUTSIDE_V6}/")]);
    process::run(&mut command, SECONDS_MAX).expect_failure();
    home.finish();
}
