//! A port with another number at the router returns to its own one when that is free.

use std::net::TcpListener;
use std::time::Duration;

use super::client::RouterClient;
use super::job::WantedPort;
use super::link::Link;
use super::pcp_client::OuterNumber;
use super::round_answers::RoundObserver;

/// Tries it for a port that has the number `last`. Returns the number that it has then; `None`: the
/// router has taken the last one away too.
pub(super) fn retake(
    client: &mut RouterClient,
    link: &mut Link,
    port: &WantedPort,
    last: u16,
    lease: Duration,
    observer: &mut impl RoundObserver,
) -> Option<u16> {
    let (inner, own) = (port.inner, port.outer);
    // With UPnP, a port can have several numbers. Else it would lose the last one for the attempt:
    // another port of this machine asks whether the number is free.
    if client.router_chooses() {
        if !is_free(client, link, own, observer) {
            return Some(last);
        }
        if client.unmap(link, inner, last).is_err() {
            // Without an answer, the next round asks again.
            return Some(last);
        }
    }
    client.intend(inner, own);
    client.intend(inner, last);
    observer.before_request(client);
    let exact = |number| OuterNumber::Exact(number);
    let answer = client.map(link, inner, exact(own), lease);
    if let Ok(granted) = &answer
        && granted.outer == own
    {
        if !client.router_chooses() {
            // If it gets lost, the next round removes it.
            let _ = client.unmap(link, inner, last);
        }
        return Some(own);
    }
    if !client.router_chooses() {
        return Some(last);
    }
    if let Ok(granted) = &answer
        && client.unmap(link, inner, granted.outer).is_err()
    {
        return Some(granted.outer);
    }
    let answer = client.map(link, inner, exact(last), lease);
    answer.ok().map(|granted| granted.outer)
}

/// Whether the router gives this number to a port of this machine that no program has.
fn is_free(
    client: &mut RouterClient,
    link: &mut Link,
    number: u16,
    observer: &mut impl RoundObserver,
) -> bool {
    let Ok(listener) = TcpListener::bind((client.router.own, 0)) else {
        return false;
    };
    let Ok(probe) = listener.local_addr().map(|address| address.port()) else {
        return false;
    };
    client.intend(probe, number);
    observer.before_request(client);
    let answer = client.map(link, probe, OuterNumber::Exact(number), PROBE_LEASE);
    let Ok(granted) = answer else {
        return false;
    };
    // If it gets lost, the number is not free, and the end of the round removes it.
    client.unmap(link, probe, granted.outer).is_ok() && granted.outer == number
}

/// Long enough to remove it.
const PROBE_LEASE: Duration = Duration::from_secs(120);
