//! TLS through the router: its helper cannot read along, so everything depends on what the server
//! says itself.

use tempfile::TempDir;

use super::announcements::{addresses, assert_announced};
use super::conntrack::helpful;
use super::home_network::{FORWARDED, INNER, OUTER, OUTSIDE, ROUTED};
use super::home_server::HomeServer;
use super::matrix::scenario;
use crate::support::certificates::Certificate;
use crate::support::process::{self, Finished};

#[test]
fn tls_passes_a_router_that_reads_along() {
    scenario("tls::tls_passes_a_router_that_reads_along", || {
        let directory = TempDir::new().expect("a temporary directory");
        let certificate = Certificate::new(directory.path(), &["203.0.113.1"]);
        let flags = [&certificate.flags()[..], &STRICT, &ROUTED].concat();
        let home = HomeServer::behind(&helpful(Some(FORWARDED)), &flags);
        let secure = ["--ssl-reqd", "--cacert", &certificate.chain];
        let trusting = ["--disable-epsv", "--no-ftp-skip-pasv-ip"];
        for output in home.curl("client", OUTSIDE, &[&secure[..], &trusting].concat()) {
            assert_announced(&output, 227, OUTER);
        }
        for output in home.curl("client", OUTSIDE, &secure) {
            assert_announced(&output, 229, OUTER);
        }
        // The guest is behind a second NAT.
        for output in home.curl("guest", OUTSIDE, &secure) {
            assert_announced(&output, 229, OUTER);
        }
        home.finish();
        "all served; 227 names 203.0.113.1"
    });
}

/// In clear text the helper would do: see `conntrack::helper_serves_clients_without_masquerade`.
#[test]
fn tls_fails_without_masquerade_behind_a_helper() {
    let directory = TempDir::new().expect("a temporary directory");
    let certificate = Certificate::new(directory.path(), &["203.0.113.1"]);
    let home = HomeServer::behind(&helpful(None), &certificate.flags());
    let list = |flags: &[&str]| -> Finished {
        let url = format!("ftp://{OUTSIDE}/");
        let mut command = home.curl_command("client", flags, &[&url]);
        process::run(&mut command, 60)
    };
    let trusting = ["--disable-epsv", "--no-ftp-skip-pasv-ip"];
    list(&trusting).expect_success();
    let secure = ["--ssl-reqd", "--cacert", &certificate.chain];
    let output = list(&[&secure[..], &trusting].concat()).expect_failure();
    assert_eq!(addresses(&output), [INNER], "{}", output.text());
    let text = output.text();
    assert!(text.contains("Connecting to 192.168.77.2"), "{text}");
    // curl has two ways to say it.
    let reasons = ["Failed to connect", "timed out"];
    assert!(reasons.iter().any(|reason| text.contains(reason)), "{text}");
    home.finish();
}

const STRICT: [&str; 3] = [
    "--tls-control-required",
    "--tls-data-required",
    "--tls-require-resumption",
];
