//! A router that reads the control connection (nf_conntrack_ftp, nf_nat_ftp) and helps on its own.

use std::ops::RangeInclusive;

use super::announcements::{addresses, assert_announced, assert_not_connected};
use super::home_network::{FORWARDED, INNER, OUTER, OUTSIDE, ROUTED, Router};
use super::home_server::HomeServer;
use super::matrix::scenario;

/// The router rewrites the private address in the 227 and opens the port, whichever it is.
#[test]
fn helper_serves_clients_without_masquerade() {
    scenario(
        "conntrack::helper_serves_clients_without_masquerade",
        || {
            let home = HomeServer::behind(&helpful(None), &[]);
            let output = home.ftplib("client", OUTSIDE, true).expect_success();
            assert!(
                addresses(&output).iter().all(|address| *address == OUTER),
                "not rewritten:\n{}",
                output.text()
            );
            home.curl("client", OUTSIDE, &["--disable-epsv"]);
            home.curl("client", OUTSIDE, &[]);
            home.finish();
            "served; the router rewrites the 227"
        },
    );
}

#[test]
fn clients_fail_without_helper_and_masquerade() {
    let router = Router {
        forwarded: None,
        ..Router::default()
    };
    let home = HomeServer::behind(&router, &[]);
    let output = home.ftplib("client", OUTSIDE, true).expect_failure();
    assert_eq!(addresses(&output), [INNER], "{}", output.text());
    assert_not_connected(&output);
    home.finish();
}

/// A 227 that names the router already is none that the helper knows, so it leaves it alone.
#[test]
fn helper_and_masquerade_serve_clients() {
    scenario("conntrack::helper_and_masquerade_serve_clients", || {
        let home = HomeServer::behind(&helpful(Some(FORWARDED)), &ROUTED);
        for trust in [true, false] {
            let output = home.ftplib("client", OUTSIDE, trust).expect_success();
            assert_announced(&output, 227, OUTER);
        }
        for output in home.curl("client", OUTSIDE, &[]) {
            assert_announced(&output, 229, OUTER);
        }
        home.curl("client", OUTSIDE, &["--ftp-port", "-"]);
        home.finish();
        "served; 227 names 203.0.113.1"
    });
}

/// Then the forwarded range is what counts, with a helper as without.
#[test]
fn helper_and_masquerade_need_the_range() {
    let home = HomeServer::behind(&helpful(None), &ROUTED);
    let output = home.ftplib("client", OUTSIDE, true).expect_failure();
    assert_eq!(addresses(&output), [OUTER], "{}", output.text());
    assert_not_connected(&output);
    home.finish();
}

pub(super) fn helpful(forwarded: Option<RangeInclusive<u16>>) -> Router {
    Router {
        forwarded,
        helper: true,
        ..Router::default()
    }
}
