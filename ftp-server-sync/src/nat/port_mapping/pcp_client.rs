//! PCP with one router, from one address of this machine.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::epoch::{EpochRule, RouterEpoch};
use super::lease_clock::now;
use super::link::{INTERVALS, Link};
use super::nonce::NonceSecret;
use super::outcome::{MappingFailure, is_refusal, other_version};
use super::pcp::{MappingNonce, PcpMapRequest, PcpMapping, PcpProblem};
use super::router::LinkEnds;

/// Asks a router for mappings, and notices that it has forgotten them.
#[derive(Debug)]
pub(super) struct PcpClient {
    own: IpAddr,
    router: SocketAddr,
    nonce: MappingNonce,
    epoch: RouterEpoch,
    /// The router has forgotten its mappings since [`take_restarted`](Self::take_restarted).
    restarted: bool,
    /// The router knows the option PREFER_FAILURE, as far as is known.
    knows_exact: bool,
}

/// Which number the router may give to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OuterNumber {
    /// This one or none.
    Exact(u16),
    /// The router chooses; it may take this one.
    Any(u16),
}

impl PcpClient {
    pub(super) fn new(ends: LinkEnds, secret: &NonceSecret) -> Self {
        Self {
            own: ends.own.ip(),
            router: ends.router,
            nonce: secret.nonce_for(ends.router.ip()),
            epoch: RouterEpoch::new(EpochRule::Pcp),
            restarted: false,
            knows_exact: true,
        }
    }

    /// Asks for a port, or for more time for it.
    pub(super) fn map(
        &mut self,
        link: &mut Link,
        inner: u16,
        outer: OuterNumber,
        lifetime: u32,
    ) -> Result<PcpMapping, MappingFailure> {
        let (number, exact) = match outer {
            OuterNumber::Exact(number) => (number, self.knows_exact),
            OuterNumber::Any(number) => (number, false),
        };
        let request = PcpMapRequest {
            exact,
            ..self.request(inner, number, lifetime)
        };
        // A router takes its time to search for another number, and does so for each request.
        let intervals = match outer {
            OuterNumber::Exact(_) => &INTERVALS[..],
            OuterNumber::Any(_) => &SEARCH_INTERVALS[..],
        };
        match self.ask(link, &request, intervals)? {
            Ok(mapping) => Ok(mapping),
            // UNSUPP_OPTION or MALFORMED_OPTION, from a router without the option.
            Err(5 | 6) if exact => {
                self.knows_exact = false;
                self.map(link, inner, outer, lifetime)
            }
            Err(CANNOT_PROVIDE_EXTERNAL) if exact => Err(MappingFailure::Taken),
            Err(code) => Err(MappingFailure::from_pcp(code)),
        }
    }

    /// Ends the forwarding of a port.
    pub(super) fn unmap(
        &mut self,
        link: &mut Link,
        inner: u16,
        intervals: &[Duration],
    ) -> Result<(), MappingFailure> {
        let request = self.request(inner, 0, 0);
        let answer = self.ask(link, &request, intervals)?;
        answer.map(drop).map_err(MappingFailure::from_pcp)
    }

    /// Whether the router has forgotten its mappings since the last call.
    pub(super) fn take_restarted(&mut self) -> bool {
        std::mem::take(&mut self.restarted)
    }

    /// Whether it has, without taking it.
    pub(super) fn has_restarted(&self) -> bool {
        self.restarted
    }

    /// Whether the router's count of seconds stands still.
    pub(super) fn is_epoch_stuck(&self) -> bool {
        self.epoch.is_stuck()
    }

    fn request(&self, inner: u16, outer: u16, lifetime: u32) -> PcpMapRequest {
        PcpMapRequest {
            client: self.own,
            nonce: self.nonce,
            inner,
            outer,
            lifetime,
            exact: false,
        }
    }

    /// The mapping, or the code of a refusal.
    fn ask(
        &mut self,
        link: &mut Link,
        request: &PcpMapRequest,
        intervals: &[Duration],
    ) -> Result<Result<PcpMapping, u8>, MappingFailure> {
        let read = |datagram: &[u8]| match request.response(datagram) {
            Ok(response) => Ok(Ok(response)),
            Err(PcpProblem::OtherVersion(version)) if is_refusal(datagram) => Ok(Err(version)),
            // Late, or the second one of a request that was repeated.
            Err(PcpProblem::OtherPort) => Err(None),
            Err(problem) => Err(Some(problem)),
        };
        let response = link.exchange(self.router, &request.encode(), intervals, read)?;
        let response = response.map_err(|version| other_version(version, "NAT-PMP"))?;
        self.restarted |= self.epoch.on_answer(response.epoch, now());
        Ok(response.result.map_err(|refusal| refusal.0))
    }
}

/// The router has no such number, or another machine has it.
const CANNOT_PROVIDE_EXTERNAL: u8 = 11;

/// One request, for as long as the others take.
const SEARCH_INTERVALS: [Duration; 1] = [Duration::from_secs(2)];
