//! One protocol with one router: a port is forwarded, or no longer.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::epoch::{EpochRule, RouterEpoch};
use super::lease_clock::now;
use super::left_at_router::LeftAtRouter;
use super::link::{INTERVALS, Link, NoAnswer, REMOVAL_INTERVALS};
use super::nat_pmp::{NatPmpAnswer, NatPmpProblem, NatPmpRequest, NatPmpResponse};
use super::nonce::NonceSecret;
use super::outcome::{GrantedPort, MappingFailure, is_refusal, other_version};
use super::pcp_client::{OuterNumber, PcpClient};
use super::public_address::PublicSide;
use super::record::MadeMapping;
use super::router::Router;
use super::upnp::{EntryOwner, UpnpService};
use crate::settings::MappingProtocol;

/// Asks a router in one protocol.
#[derive(Debug)]
pub(super) struct RouterClient {
    pub(super) protocol: MappingProtocol,
    pub(super) router: Router,
    pcp: PcpClient,
    /// NAT-PMP's.
    epoch: RouterEpoch,
    /// NAT-PMP: the router has forgotten its mappings since the last
    /// [`take_restarted`](Self::take_restarted).
    restarted: bool,
    /// NAT-PMP and UPnP: what the router says about itself; a mapping does not say it.
    public: Option<PublicSide>,
    /// UPnP: where the router is asked.
    upnp: Option<UpnpService>,
    /// UPnP: the router shows the mappings that it has.
    shows_entries: bool,
    /// Each port here, with the router's number. Only with UPnP, a port may have several.
    pub(super) left: LeftAtRouter<(u16, u16)>,
    /// Those that the router has granted to this run of the server.
    granted: BTreeSet<(u16, u16)>,
}

impl RouterClient {
    pub(super) fn new(protocol: MappingProtocol, router: Router, secret: &NonceSecret) -> Self {
        Self {
            protocol,
            router,
            pcp: PcpClient::new(router.ends(), secret),
            epoch: RouterEpoch::new(EpochRule::NatPmp),
            restarted: false,
            public: None,
            upnp: None,
            shows_entries: false,
            left: LeftAtRouter::nothing(),
            granted: BTreeSet::new(),
        }
    }

    /// Asks for what all ports have in common.
    pub(super) fn begin(&mut self, link: &mut Link) -> Result<(), MappingFailure> {
        match self.protocol {
            MappingProtocol::Pcp => {}
            MappingProtocol::NatPmp => {
                let answer = self.ask_nat_pmp(link, NatPmpRequest::PublicAddress, &INTERVALS)?;
                self.left.has_answered = true;
                if let NatPmpAnswer::PublicAddress(address) = answer {
                    self.public = Some(judge(address)?);
                }
            }
            MappingProtocol::Upnp => {
                // A router that has restarted may have other places.
                if link.is_ending() {
                    return Err(NoAnswer::Ending.into());
                }
                let (service, address) = UpnpService::discover(self.router)?;
                self.left.has_answered = true;
                self.upnp = Some(service);
                self.public = Some(judge(address)?);
            }
        }
        Ok(())
    }

    /// Asks for a port, or for more time for it. NAT-PMP may give any number.
    pub(super) fn map(
        &mut self,
        link: &mut Link,
        inner: u16,
        outer: OuterNumber,
        lease: Duration,
    ) -> Result<GrantedPort, MappingFailure> {
        let answer = self.ask_for(link, inner, outer, lease);
        let (OuterNumber::Exact(number) | OuterNumber::Any(number)) = outer;
        self.left.intended.remove(&(inner, number));
        self.left.has_answered |= !matches!(answer, Err(MappingFailure::NoAnswer(_)));
        match &answer {
            Ok(granted) if granted.is_foreign => {}
            Ok(granted) => {
                self.forget_made(inner, granted.outer);
                self.left.made.insert((inner, granted.outer));
                self.granted.insert((inner, granted.outer));
            }
            // Perhaps the request has arrived.
            Err(MappingFailure::NoAnswer(_) | MappingFailure::Unbelievable(_)) => {
                let is_known = self.left.made.iter().any(|made| made.0 == inner);
                if !is_known || self.protocol == MappingProtocol::Upnp {
                    self.left.made.insert((inner, number));
                }
            }
            Err(_) => {}
        }
        answer
    }

    /// The router is to be asked for this next.
    pub(super) fn intend(&mut self, inner: u16, outer: u16) {
        self.left.intended.insert((inner, outer));
    }

    /// It was not asked for the rest.
    pub(super) fn forget_intended(&mut self) {
        self.left.intended.clear();
    }

    /// The router has replaced or ended this mapping.
    fn forget_made(&mut self, inner: u16, outer: u16) {
        let is_upnp = self.protocol == MappingProtocol::Upnp;
        let is_other = |made: &(u16, u16)| made.0 != inner || is_upnp && made.1 != outer;
        self.left.made.retain(is_other);
        self.granted.retain(is_other);
    }

    fn ask_for(
        &mut self,
        link: &mut Link,
        inner: u16,
        outer: OuterNumber,
        lease: Duration,
    ) -> Result<GrantedPort, MappingFailure> {
        let lifetime = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX).max(1);
        let (OuterNumber::Exact(number) | OuterNumber::Any(number)) = outer;
        let granted = match self.protocol {
            MappingProtocol::Pcp => {
                let mapping = self.pcp.map(link, inner, outer, lifetime)?;
                GrantedPort {
                    outer: mapping.outer,
                    lease: Duration::from_secs(mapping.lifetime.into()),
                    public: judge(mapping.address)?,
                    is_foreign: false,
                }
            }
            MappingProtocol::Upnp => {
                let public = self.public.clone().ok_or(NoAnswer::Silence)?;
                let is_made = self.granted.contains(&(inner, number));
                self.service(link)?
                    .map(inner, number, lease, &public, is_made)?
            }
            MappingProtocol::NatPmp => {
                let request = NatPmpRequest::Map {
                    inner,
                    outer: number,
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
                    is_foreign: false,
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
        let answer = match self.protocol {
            MappingProtocol::Upnp => {
                let is_made = self.granted.contains(&(inner, outer));
                self.service(link)?.unmap(inner, outer, is_made)
            }
            MappingProtocol::Pcp => self.pcp.unmap(link, inner, &REMOVAL_INTERVALS),
            MappingProtocol::NatPmp => {
                let request = NatPmpRequest::Map {
                    inner,
                    outer: 0,
                    lifetime: 0,
                };
                self.ask_nat_pmp(link, request, &REMOVAL_INTERVALS)
                    .map(drop)
            }
        };
        if !matches!(answer, Err(MappingFailure::NoAnswer(_))) {
            self.forget_made(inner, outer);
        }
        answer
    }

    /// What it may have left there, as a former run of the server has recorded it.
    pub(super) fn restored(made: &[MadeMapping], secret: &NonceSecret) -> Vec<Self> {
        let mut clients: Vec<Self> = Vec::new();
        for mapping in made {
            let (IpAddr::V4(address), IpAddr::V4(own)) = (mapping.router, mapping.own) else {
                continue;
            };
            let router = Router { address, own };
            let mut known = clients.iter_mut();
            let is_it =
                |client: &&mut Self| client.protocol == mapping.protocol && client.router == router;
            match known.find(is_it) {
                Some(client) => client.left.restore((mapping.inner, mapping.outer)),
                None => {
                    let mut client = Self::new(mapping.protocol, router, secret);
                    client.left.restore((mapping.inner, mapping.outer));
                    clients.push(client);
                }
            }
        }
        clients
    }

    /// For [`restored`](Self::restored).
    pub(super) fn recorded(&self) -> impl Iterator<Item = MadeMapping> {
        self.left.recorded().map(|(inner, outer)| MadeMapping {
            protocol: self.protocol,
            router: self.router.address.into(),
            scope: 0,
            own: self.router.own.into(),
            inner,
            outer,
        })
    }

    /// Whether the router may forward a port for this server.
    pub(super) fn has_mappings(&self) -> bool {
        !self.left.made.is_empty()
    }

    /// Ends the forwarding of those ports, by the numbers here and at the router. It may be gone:
    /// then there is no answer.
    pub(super) fn unmap_made(
        &mut self,
        link: &mut Link,
        is_unwanted: impl Fn(u16, u16) -> bool,
        until: Instant,
    ) {
        if self.protocol == MappingProtocol::Upnp
            && self.upnp.is_none()
            && self
                .left
                .made
                .iter()
                .any(|made| is_unwanted(made.0, made.1))
            && self.begin(link).is_err()
        {
            return;
        }
        let mut unanswered = 0;
        for (inner, outer) in self.left.made.clone() {
            if !is_unwanted(inner, outer) {
                continue;
            }
            if let Err(MappingFailure::NoAnswer(_)) = self.unmap(link, inner, outer) {
                unanswered += 1;
            }
            // One answer may get lost.
            if unanswered >= 2 || now() > until {
                return;
            }
        }
    }

    /// UPnP: whether the router has its address and its mappings as before. One that has restarted
    /// says so to no one.
    pub(super) fn is_unchanged(&mut self, link: &Link) -> bool {
        let own = self.left.made.first().copied();
        let public = self.public.clone();
        let Ok(service) = self.service(link) else {
            return false;
        };
        let address = service.public_address().and_then(judge);
        if address.ok() != public {
            return false;
        }
        let Some((inner, outer)) = own else {
            return true;
        };
        match service.owner(inner, outer) {
            Ok(EntryOwner::Own | EntryOwner::SamePort) => {
                self.shows_entries = true;
                true
            }
            // Some routers do not show them.
            Ok(EntryOwner::Unmapped) => !self.shows_entries,
            Ok(EntryOwner::Other(_)) | Err(_) => false,
        }
    }

    /// UPnP: the machine that the router forwards its port `outer` to, if it says so.
    pub(super) fn machine_behind(&mut self, link: &Link, outer: u16) -> Option<Ipv4Addr> {
        match self.service(link).ok()?.owner(0, outer) {
            Ok(EntryOwner::Other(machine)) => machine,
            Ok(EntryOwner::Unmapped | EntryOwner::Own | EntryOwner::SamePort) | Err(_) => None,
        }
    }

    /// After a search and an answer about the address.
    #[cfg(test)]
    pub(super) fn found(mut self, service: UpnpService, public: PublicSide) -> Self {
        self.upnp = Some(service);
        self.public = Some(public);
        self
    }

    /// Whether the router finds another number by itself if the one that was asked for is taken.
    pub(super) fn router_chooses(&self) -> bool {
        self.protocol != MappingProtocol::Upnp
    }

    /// UPnP: whether mappings last until they are removed.
    pub(super) fn is_permanent(&self) -> bool {
        self.upnp.as_ref().is_some_and(UpnpService::is_permanent)
    }

    /// Whether the router has forgotten its mappings since the last call.
    pub(super) fn take_restarted(&mut self) -> bool {
        std::mem::take(&mut self.restarted) | self.pcp.take_restarted()
    }

    /// Whether it has in the round that is not over.
    pub(super) fn has_restarted(&self) -> bool {
        self.restarted || self.pcp.has_restarted()
    }

    /// PCP and NAT-PMP: whether the router's count of seconds stands still.
    pub(super) fn is_epoch_stuck(&self) -> bool {
        self.epoch.is_stuck() || self.pcp.is_epoch_stuck()
    }

    /// UPnP: requests are not interrupted, so that none begins when the thread is to end.
    fn service(&mut self, link: &Link) -> Result<&mut UpnpService, MappingFailure> {
        if link.is_ending() {
            return Err(NoAnswer::Ending.into());
        }
        Ok(self.upnp.as_mut().ok_or(NoAnswer::Silence)?)
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
            // Late, or the second one of a request that was repeated.
            Err(NatPmpProblem::OtherPort) => Err(None),
            Err(problem) => Err(Some(problem)),
        };
        let response = link.exchange(
            self.router.ends().router,
            &request.encode(),
            intervals,
            read,
        )?;
        let NatPmpResponse { epoch, result } =
            response.map_err(|version| other_version(version, "PCP"))?;
        self.restarted |= self.epoch.on_answer(epoch, now());
        result.map_err(|refusal| match refusal.0 {
            1 | 5 => MappingFailure::OtherProtocol(refusal.to_string()),
            _ => MappingFailure::Refused(refusal.to_string()),
        })
    }
}

fn judge(address: impl Into<IpAddr>) -> Result<PublicSide, MappingFailure> {
    match address.into() {
        IpAddr::V4(address) => PublicSide::of(address).map_err(MappingFailure::Unbelievable),
        // The codec refuses it for a request over IPv4.
        IpAddr::V6(address) => Err(MappingFailure::Unbelievable(address.to_string())),
    }
}
