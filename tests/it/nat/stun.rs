//! The public address by STUN: what coturn, a server outside, sees through the router.

use std::process::Child;

use super::home_network::{OUTER, OUTER_SECOND, OUTSIDE, Router, change_router, home_network};
use super::home_server::HomeServer;
use super::host_names::assert_served;
use super::matrix::scenario;
use crate::support::lab::Lab;
use crate::support::process;

/// coturn on the client's host; dropping it ends it.
pub(super) struct StunServer(Child);

impl StunServer {
    pub(super) fn start(lab: &Lab, address: &str) -> Self {
        let mut command = lab.on("client", "turnserver");
        command
            .args(COTURN)
            .arg(format!("--listening-ip={address}"));
        let mut child = process::start(&mut command);
        for output in [
            child.stdout.take().map(process::drain),
            child.stderr.take().map(process::drain),
        ] {
            drop(output);
        }
        Self(child)
    }
}

impl Drop for StunServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server needs to know nothing of the router.
#[test]
fn the_announced_address_is_what_a_stun_server_sees() {
    scenario(
        "stun::the_announced_address_is_what_a_stun_server_sees",
        || {
            let lab = home_network(&Router::default());
            let stun = StunServer::start(&lab, "203.0.113.9");
            let flags = "-n stun:203.0.113.9 -r 60000-60009 --masquerade-refresh 1";
            let flags: Vec<&str> = flags.split(' ').collect();
            let home = HomeServer::within(lab, &flags);
            let is = "the address from stun:203.0.113.9 is";
            home.server.log_with(&format!("{is} {OUTER}"));
            let mut client = home.client("client", OUTSIDE);
            assert_served(&home, &mut client, OUTER);

            let moved = Router {
                moved: true,
                ..Router::default()
            };
            change_router(&home.lab, &moved);
            home.lab.nft("router", OTHER_SOURCE);
            home.server
                .log_with(&format!("{is} now {OUTER_SECOND}, it was {OUTER}"));
            assert_served(&home, &mut client, OUTER_SECOND);

            drop(stun);
            home.server.log_with(&format!(
                "; let UDP to its port out of this network, or give another server; clients are still \
                 given {OUTER_SECOND}"
            ));
            assert_served(&home, &mut client, OUTER_SECOND);
            home.finish();
            "each 227 names the address that the STUN server sees; the last one, when it is gone"
        },
    );
}

/// The router's connections come from its new address. Those of the provider's old one are over.
const OTHER_SOURCE: &str = "
table ip moved {
    chain postrouting {
        type nat hook postrouting priority srcnat - 1;
        oifname wan snat to 203.0.113.2
    }
}";

const COTURN: [&str; 7] = [
    "-n",
    "--stun-only",
    "--no-cli",
    "--no-tls",
    "--no-dtls",
    "--log-file=stdout",
    "--pidfile=/dev/null",
];
