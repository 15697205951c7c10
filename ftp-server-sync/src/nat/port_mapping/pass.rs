//! One round: every port is asked for, or for more time for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::client::{GrantedPort, MappingFailure, RouterClient};
use super::job::{MappingJob, PortPurpose, WantedPort};
use super::link::Link;
use super::public_address::PublicSide;

/// What the router has answered about all ports.
#[derive(Clone, Debug)]
pub(super) struct PassResult {
    pub(super) public: PublicSide,
    /// The router's number for each port that it forwards.
    pub(super) granted: BTreeMap<u16, u16>,
    /// Why it does not forward the others.
    pub(super) refused: BTreeMap<u16, String>,
    /// The shortest time that it forwards one for.
    pub(super) lease: Duration,
    /// It has forgotten the mappings of the round before.
    pub(super) restarted: bool,
}

/// Asks for every port of the job. `held` has the router's numbers of the last round, which are to
/// stay.
///
/// # Errors
///
/// If there is no answer, or none that is any use.
pub(super) fn map_all(
    client: &mut RouterClient,
    link: &mut Link,
    job: &MappingJob,
    held: &BTreeMap<u16, u16>,
) -> Result<PassResult, MappingFailure> {
    let mut result = map_once(client, link, job, held)?;
    result.restarted = client.take_restarted();
    if result.restarted {
        // Ports that were asked for before the restart are forgotten.
        result = map_once(client, link, job, held)?;
        result.restarted = true;
        client.take_restarted();
    }
    Ok(result)
}

fn map_once(
    client: &mut RouterClient,
    link: &mut Link,
    job: &MappingJob,
    held: &BTreeMap<u16, u16>,
) -> Result<PassResult, MappingFailure> {
    client.begin(link)?;
    let mut public = None;
    let (mut granted, mut refused) = (BTreeMap::new(), BTreeMap::new());
    let mut numbers = BTreeSet::new();
    let mut lease = job.lease;
    for port in &job.ports {
        let wished = held.get(&port.inner).copied().unwrap_or(port.outer);
        match map_port(client, link, port, wished, job.lease) {
            Ok(answer) => {
                let first = public.get_or_insert_with(|| answer.public.clone());
                if *first != answer.public {
                    let problem = "forwards it from another address".to_owned();
                    refused.insert(port.inner, problem);
                } else if !numbers.insert(answer.outer) {
                    let outer = answer.outer;
                    let problem = format!("forwards its port {outer} to two ports");
                    refused.insert(port.inner, problem);
                } else {
                    granted.insert(port.inner, answer.outer);
                    lease = lease.min(answer.lease);
                }
            }
            Err(MappingFailure::Refused(reason)) => {
                refused.insert(port.inner, reason);
            }
            Err(failure) => return Err(failure),
        }
    }
    let Some(public) = public else {
        let reason = refused.into_values().next();
        return Err(MappingFailure::Refused(
            reason.unwrap_or("is asked for no port".to_owned()),
        ));
    };
    Ok(PassResult {
        public,
        granted,
        refused,
        lease,
        restarted: false,
    })
}

/// Routers often keep the ports below 1024 to themselves: then the control port has the number that
/// it has here, rather than any other one.
fn map_port(
    client: &mut RouterClient,
    link: &mut Link,
    port: &WantedPort,
    wished: u16,
    lease: Duration,
) -> Result<GrantedPort, MappingFailure> {
    let answer = client.map(link, port.inner, wished, lease);
    let is_other = match &answer {
        Ok(granted) => granted.outer != wished && granted.outer != port.inner,
        Err(failure) => matches!(failure, MappingFailure::Refused(_)),
    };
    if !is_other || port.purpose == PortPurpose::Passive || wished == port.inner {
        return answer;
    }
    if answer.is_ok() {
        // A port that is forwarded keeps its number.
        client.unmap(link, port.inner)?;
    }
    client.map(link, port.inner, port.inner, lease)
}
