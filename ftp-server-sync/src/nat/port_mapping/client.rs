//! One protocol with one router: a port is forwarded, or no longer.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::epoch::RouterEpoch;
use super::link::{INTERVALS, Link, NoAnswer};
use super::nat_pmp::{NatPmpAnswer, NatPmpProblem, NatPmpRequest, NatPmpResponse};
use super::nonce::NonceSecret;
use super::outcome::{GrantedPort, MappingFailure};
use super::pcp::{PcpMapRequest, PcpMapping, PcpProblem};
use super::public_address::PublicSide;
use super::router::Router;
use super::upnp::UpnpService;
use crate::settings::MappingProtocol;

/// Asks a router in one protocol.
#[derive(Debug)]
pub(super) struct RouterClient {
    pub(super) protocol: MappingProtocol,
    pub(super) router: Router,
    secret: NonceSecret,
    epoch: RouterEpoch,
    /// The router has forgotten its mappings since [`take_restarted`](Self::take_restarted).
    restarted: bool,
    /// NAT-PMP and UPnP: what the router says about itself; a mapping does not say it.
    public: Option<PublicSide>,
    /// UPnP: where the router is asked.
    upnp: Option<UpnpService>,
}

impl RouterClient {
    pub(super) fn new(protocol: MappingProtocol, router: Router, secret: NonceSecret) -> Self {
        Self {
            protocol,
            router,
            secret,
            epoch: RouterEpoch::default(),
            restarted: false,
            public: None,
            upnp: None,
        }
    }

    /// Asks for what all ports have in common.
    pub(super) fn begin(&mut self, link: &mut Link) -> Result<(), MappingFailure> {
        match self.protocol {
            MappingProtocol::Pcp => {}
            MappingProtocol::NatPmp => {
                let answer = self.ask_nat_pmp(link, NatPmpRequest::PublicAddress, &INTERVALS)?;
                if let NatPmpAnswer::PublicAddress(address) = answer {
                    self.public = Some(judge(address)?);
                }
            }
            MappingProtocol::Upnp => {
                // A router that has restarted may have other places.
                self.upnp = Some(UpnpService::discover(self.router)?);
                let address = self.service(link)?.public_address()?;
                self.public = Some(judge(address)?);
            }
        }
        Ok(())
    }

    /// Asks for a port, or for more time for it.
    pub(super) fn map(
        &mut self,
        link: &mut Link,
        inner: u16,
        outer: u16,
        lease: Duration,
    ) -> Result<GrantedPort, MappingFailure> {
        let lifetime = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX).max(1);
        let granted = match self.protocol {
            MappingProtocol::Pcp => {
                let request = self.pcp_request(inner, outer, lifetime);
                let mapping = self.ask_pcp(link, &request, &INTERVALS)?;
                GrantedPort {
                    outer: mapping.outer,
                    lease: Duration::from_secs(mapping.lifetime.into()),
                    public: judge(mapping.address)?,
                }
            }
            MappingProtocol::Upnp => {
                let public = self.public.clone().ok_or(NoAnswer::Silence)?;
                self.service(link)?.map(inner, outer, lease, &public)?
            }
            MappingProtocol::NatPmp => {
                let request = NatPmpRequest::Map {
                    inner,
                    outer,
                    lifetime,
                };
                let answer = self.ask_nat_pmp(link, request, &INTERVALS)?;
                let (NatPmpAnswer::Mapped { outer, lifetime }, Some(public)) =
                    (answer, self.public.clone())
                else {
                    return Err(MappingFailure::Unbelievable("nothing of use".to_owned()));
                };
                GrantedPort {
                    outer,
                    lease: Duration::from_secs(lifetime.into()),
                    public,
                }
            }
        };
        Ok(granted)
    }

    /// Ends the forwarding of a port.
    pub(super) fn unmap(
        &mut self,
        link: &mut Link,
        inner: u16,
        outer: u16,
    ) -> Result<(), MappingFailure> {
        match self.protocol {
            MappingProtocol::Upnp => self.service(link)?.unmap(outer),
            MappingProtocol::Pcp => {
                let request = self.pcp_request(inner, 0, 0);
                self.ask_pcp(link, &request, &REMOVAL_INTERVALS).map(drop)
            }
            MappingProtocol::NatPmp => {
                let request = NatPmpRequest::Map {
                    inner,
                    outer: 0,
                    lifetime: 0,
                };
                self.ask_nat_pmp(link, request, &REMOVAL_INTERVALS)
                    .map(drop)
            }
        }
    }

    /// UPnP: whether mappings last until they are removed.
    pub(super) fn is_permanent(&self) -> bool {
        self.upnp.as_ref().is_some_and(UpnpService::is_permanent)
    }

    /// Whether the router has forgotten its mappings since the last call.
    pub(super) fn take_restarted(&mut self) -> bool {
        std::mem::take(&mut self.restarted)
    }

    /// UPnP: requests are not interrupted, so that none begins when the thread is to end.
    fn service(&mut self, link: &Link) -> Result<&mut UpnpService, MappingFailure> {
        if link.is_ending() {
            return Err(NoAnswer::Ending.into());
        }
        Ok(self.upnp.as_mut().ok_or(NoAnswer::Silence)?)
    }

    fn pcp_request(&self, inner: u16, outer: u16, lifetime: u32) -> PcpMapRequest {
        PcpMapRequest {
            client: self.router.own,
            nonce: self.secret.nonce_for(self.router.address),
            inner,
            outer,
            lifetime,
        }
    }

    fn ask_pcp(
        &mut self,
        link: &mut Link,
        request: &PcpMapRequest,
        intervals: &[Duration],
    ) -> Result<PcpMapping, MappingFailure> {
        let read = |datagram: &[u8]| match request.response(datagram) {
            Ok(response) => Ok(Ok(response)),
            Err(PcpProblem::OtherVersion(version)) if is_refusal(datagram) => Ok(Err(version)),
            Err(problem) => Err(problem),
        };
        let response = link.exchange(&request.encode(), intervals, read)?;
        let response = response.map_err(|version| other_version(version, "NAT-PMP"))?;
        self.on_epoch(response.epoch);
        response.result.map_err(|refusal| match refusal.0 {
            1 | 4 | 5 | 9 => MappingFailure::OtherProtocol(refusal.to_string()),
            _ => MappingFailure::Refused(refusal.to_string()),
        })
    }

    fn ask_nat_pmp(
        &mut self,
        link: &mut Link,
        request: NatPmpRequest,
        intervals: &[Duration],
    ) -> Result<NatPmpAnswer, MappingFailure> {
        let read = |datagram: &[u8]| match request.response(datagram) {
            Ok(response) => Ok(Ok(response)),
            Err(NatPmpProblem::OtherVersion(version)) if is_refusal(datagram) => Ok(Err(version)),
            Err(problem) => Err(problem),
        };
        let response = link.exchange(&request.encode(), intervals, read)?;
        let NatPmpResponse { epoch, result } =
            response.map_err(|version| other_version(version, "PCP"))?;
        self.on_epoch(epoch);
        result.map_err(|refusal| match refusal.0 {
            1 | 5 => MappingFailure::OtherProtocol(refusal.to_string()),
            _ => MappingFailure::Refused(refusal.to_string()),
        })
    }

    fn on_epoch(&mut self, epoch: u32) {
        self.restarted |= self.epoch.on_answer(epoch, Instant::now());
    }
}

fn judge(address: Ipv4Addr) -> Result<PublicSide, MappingFailure> {
    PublicSide::of(address).map_err(MappingFailure::Unbelievable)
}

/// Whether a datagram of the other protocol says that it does not know this one's version (RFC
/// 6887, section 9 and appendix A): both have the version and then the response's bit, and the
/// result 1 in the fourth byte.
fn is_refusal(datagram: &[u8]) -> bool {
    matches!(datagram, [0 | 2, operation, _, 1, ..] if operation & 0x80 != 0) && datagram.len() >= 8
}

fn other_version(version: u8, name: &str) -> MappingFailure {
    MappingFailure::OtherProtocol(match version {
        0 | 2 => format!("speaks {name} only"),
        version => format!("speaks version {version} only"),
    })
}

/// The server ends meanwhile.
const REMOVAL_INTERVALS: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(500)];
