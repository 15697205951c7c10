//! `--check`: whether the router's firewall lets clients in over IPv6 when it is asked, with an
//! opening that is closed at once.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::answers::by_hand;
use super::client::PinholeClient;
use super::router::PinholeRouter;
use crate::nat::port_mapping::job::MappingJob;
use crate::nat::port_mapping::link::Link;
use crate::nat::port_mapping::nonce::NonceSecret;
use crate::nat::port_mapping::outcome::MappingFailure;
use crate::settings::MappingProtocol;

/// A sentence about what the router does; `None` if no client comes over IPv6. Takes some seconds
/// if the router is silent.
///
/// # Errors
///
/// A text with a remedy.
pub(crate) fn ask_firewall(job: &MappingJob) -> Option<Result<String, String>> {
    let found = PinholeRouter::find(job.interface.as_deref(), &job.listen_v6);
    let router = found.ok().flatten()?;
    let answer = ask(job, router);
    Some(answer.map_err(|trouble| by_hand(&router, &job.ports, &trouble)))
}

fn ask(job: &MappingJob, router: PinholeRouter) -> Result<String, String> {
    let failed = |error: io::Error| error.to_string();
    // A port that no other program has.
    let listener = TcpListener::bind((router.own, 0)).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let (mut link, _) = Link::new(Arc::new(AtomicBool::new(false))).map_err(failed)?;
    link.connect(router.ends()).map_err(failed)?;
    let secret = NonceSecret::random().map_err(failed)?;
    let mut troubles = Vec::new();
    for protocol in &job.protocols {
        if *protocol == MappingProtocol::NatPmp {
            continue;
        }
        let mut client = PinholeClient::new(*protocol, router, &secret);
        let begun = client.begin(&link);
        let opened = begun.and_then(|is_off| {
            if !is_off {
                client.open(&mut link, port, LEASE)?;
                // If it gets lost, the opening ends soon, and leads to a port that is closed.
                let _: Result<(), MappingFailure> = client.close(&mut link, port);
            }
            Ok(is_off)
        });
        let (address, own) = (router.address, router.own);
        match opened {
            Ok(true) => {
                return Ok(format!(
                    "The router {address} has its firewall for IPv6 switched off ({protocol}): clients \
                     outside reach {own}."
                ));
            }
            Ok(false) => {
                return Ok(format!(
                    "The router {address} lets clients in over IPv6 when it is asked ({protocol}), to \
                     {own}."
                ));
            }
            Err(failure) => troubles.push(format!("{protocol}: it {failure}")),
        }
    }
    if troubles.is_empty() {
        troubles.push("NAT-PMP is for IPv4: give --port-mapping auto".to_owned());
    }
    Err(troubles.join("; "))
}

/// Long enough to close it.
const LEASE: Duration = Duration::from_secs(120);
