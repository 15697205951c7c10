//! The passive ports: who may listen on which, and who waits for one.
//!
//! The lock is never held across a system call: ports are marked under it, and bound, or their next
//! owners woken, outside it. No listener outside the range is ever announced: what is granted is looked
//! at again before it is bound, and after, since the range may have changed in between.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ftp_proto::canonical;
use log::{debug, warn};
use mio::Waker;

use super::allowed_peers::AllowedPeers;
use super::allowed_ports::AllowedPorts;
use super::ephemeral;
use super::lease::{BindError, Lease, Ticket};
use super::listener::PassiveListener;
use super::pool_state::{Grant, PoolState, Request};
use super::waits::WaitsReport;
use crate::net::port_range::PortRange;
use crate::sync::lock;

/// The ports that passive listeners may use, shared by all sessions.
///
/// The key of a port is (local address, port): each local address has the whole range to itself. When
/// none is free, clients with different addresses share one, since a connection's address tells
/// whose it is; several sessions of one address never do. The range may change at any time; what is
/// announced by then stays as it is.
#[derive(Debug)]
pub(crate) struct PassivePool {
    /// Where to listen without a range.
    pub(super) ephemeral: PortRange,
    pub(super) state: Mutex<PoolState>,
}

/// What came of asking for a port.
#[derive(Debug)]
#[must_use = "dropping it gives the port, or the place in the queue, back"]
pub(crate) enum RequestOutcome {
    /// The port is ours to listen on.
    Granted(Lease),
    /// All ports are taken: the ticket's waker is called when one is assigned to it.
    Queued(Ticket),
}

/// What came of asking for a listener.
#[derive(Debug)]
#[must_use = "dropping it closes the listener, or gives the place in the queue back"]
pub(crate) enum OpenOutcome {
    /// A listener whose port may be announced.
    Opened(PassiveListener),
    /// All ports are taken; call [`Ticket::open`] when the waker was called, and every second or so.
    Queued(Ticket),
}

#[cfg(test)]
/// How the ports are used, summed over all local addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The size of the range, 0 without one; every local address has so many.
    pub ports: usize,
    /// Leased ports, also those that are leased since another range, or none, was in force.
    pub in_use: usize,
    /// Leases of these ports, some of which may be shared.
    pub leases: usize,
    /// Clients in the queue.
    pub waiting: usize,
    /// Ports that another program held when they were last tried.
    pub set_aside: usize,
}

impl PassivePool {
    /// A pool of these ports; without a range any free one is taken, and nobody ever waits.
    /// An empty range is never granted, and port 0 is not a port.
    pub(crate) fn new(range: Option<PortRange>) -> Arc<Self> {
        Arc::new(Self {
            ephemeral: ephemeral::range(),
            state: Mutex::new(PoolState::new(AllowedPorts::new(range))),
        })
    }

    /// Grants from this range only, from now on; without one, any port. Who listens keeps its port, and
    /// gives it back to the range that is in force by then, if it lies in it. What was granted and is
    /// not bound yet is exchanged when it is bound; clients in the queue keep their places, and get
    /// what is free in the new range at once.
    pub(crate) fn set_range(&self, range: Option<PortRange>, now: Instant) {
        self.update(now, |state| {
            state.set_allowed_ports(AllowedPorts::new(range), now)
        });
    }

    #[cfg(test)]
    /// The range that is in force.
    pub(crate) fn range(&self) -> Option<PortRange> {
        self.read(|state| state.allowed_ports().range())
    }

    /// Asks for a port to listen on at `local`, the control connection's own address (its port is
    /// ignored, the scope of a link-local address is not). Never blocks: whoever gets a ticket is
    /// called through `waker`. So is the owner of a lease when others begin to wait for its port, and
    /// when its client's connection has been handed over.
    pub(crate) fn request(
        self: &Arc<Self>,
        local: SocketAddr,
        allowed_peers: AllowedPeers,
        waker: Arc<Waker>,
        now: Instant,
    ) -> RequestOutcome {
        let mut request = Request {
            local: listening_address(local),
            allowed_peers,
            waker,
            id: 0,
            since: now,
            waited: false,
        };
        let grant = self.update(now, |state| {
            request.id = state.next_id();
            state.request(&mut request, now)
        });
        self.answer(request, grant)
    }

    /// Asks for a port and binds it; a port that another program holds is passed over.
    ///
    /// # Errors
    ///
    /// What the system said when the fault is not in the port but, for instance, in the address.
    pub(crate) fn open(
        self: &Arc<Self>,
        local: SocketAddr,
        allowed_peers: AllowedPeers,
        waker: Arc<Waker>,
        now: Instant,
    ) -> io::Result<OpenOutcome> {
        let outcome = self.request(local, allowed_peers, waker, now);
        self.bind_first(outcome, now)
    }

    #[cfg(test)]
    /// How many ports there are, are in use, and are waited for.
    pub(crate) fn usage(&self) -> Usage {
        self.read(PoolState::usage)
    }

    /// Binds until a port is not held by another program. Each round sets a port aside for a while, or
    /// follows a change of the range: there are about as many as ports, and an end in any case.
    pub(super) fn bind_first(
        &self,
        mut outcome: RequestOutcome,
        now: Instant,
    ) -> io::Result<OpenOutcome> {
        for _ in 0..=u16::MAX {
            let lease = match outcome {
                RequestOutcome::Granted(lease) => lease,
                RequestOutcome::Queued(ticket) => return Ok(OpenOutcome::Queued(ticket)),
            };
            outcome = match lease.bind(now) {
                Ok(listener) => return Ok(OpenOutcome::Opened(listener)),
                Err(BindError::Failed(error)) => return Err(error),
                Err(BindError::InUse(outcome) | BindError::Withdrawn(outcome)) => *outcome,
            };
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    pub(super) fn answer(
        self: &Arc<Self>,
        request: Request,
        grant: Option<Grant>,
    ) -> RequestOutcome {
        match grant {
            Some(grant) => RequestOutcome::Granted(Lease::new(self.clone(), request, grant)),
            None => RequestOutcome::Queued(Ticket::new(self.clone(), request)),
        }
    }

    /// Looks into the state and changes nothing.
    pub(super) fn read<T>(&self, read: impl FnOnce(&PoolState) -> T) -> T {
        read(&lock(&self.state))
    }

    /// Looks into the state and marks them; what must be told to others is told without the lock.
    pub(super) fn update<T>(&self, now: Instant, change: impl FnOnce(&mut PoolState) -> T) -> T {
        let (answer, wakes, report) = {
            let mut state = lock(&self.state);
            let answer = change(&mut state);
            (answer, state.take_wakes(), state.waits_due(now))
        };
        for waker in wakes {
            // Not fatal: whoever waits also asks by itself every second or so.
            if let Err(error) = waker.wake() {
                debug!("cannot wake a session about its passive port: {error}");
            }
        }
        if let Some(report) = report {
            warn_of_waits(&report);
        }
        answer
    }
}

fn warn_of_waits(report: &WaitsReport) {
    let range = report.range;
    let ports = match range.count() {
        1 => format!("passive port {range}"),
        _ => format!("passive range {range}"),
    };
    let problem = match report.kept_out == report.clients {
        true => "is held by other programs",
        false => "is too small",
    };
    let longest = report.longest.as_secs_f64();
    if report.clients == 1 {
        warn!("{ports} {problem}: a client waited {longest:.1} s for a port");
    } else {
        warn!(
            "{ports} {problem}: {} clients waited for a port in the last {} s, up to {longest:.1} s",
            report.clients,
            report.over.as_secs_f64().ceil(),
        );
    }
}

/// The canonical address without what does not tell listeners apart.
pub(super) fn listening_address(local: SocketAddr) -> SocketAddr {
    let mut address = canonical(local);
    address.set_port(0);
    if let SocketAddr::V6(address) = &mut address {
        address.set_flowinfo(0);
    }
    address
}
