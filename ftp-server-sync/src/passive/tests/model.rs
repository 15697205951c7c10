//! The pool against a reference model: any operations in any order, the range changing among them.

use proptest::prelude::*;
use proptest::sample::Index;

use super::reference::Model;
use super::*;

#[derive(Clone, Debug)]
enum Operation {
    Request {
        local: u8,
        peer: u8,
        accepts_any: bool,
    },
    Take(Index),
    Bind {
        lease: Index,
        port: Index,
    },
    /// The range changes in the middle of it.
    BindAndSetRange {
        lease: Index,
        port: Index,
        range: Option<PortRange>,
    },
    FindInUse(Index),
    Connect(Index),
    DropLease(Index),
    DropListener(Index),
    DropTicket(Index),
    SetRange(Option<PortRange>),
    Pass {
        seconds: u64,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let index = any::<Index>;
    prop_oneof![
        8 => (1..=2u8, 1..=3u8, prop::bool::weighted(0.15))
            .prop_map(|(local, peer, accepts_any)| Operation::Request { local, peer, accepts_any }),
        6 => index().prop_map(Operation::Take),
        6 => (index(), index()).prop_map(|(lease, port)| Operation::Bind { lease, port }),
        2 => (index(), index(), range())
            .prop_map(|(lease, port, range)| Operation::BindAndSetRange { lease, port, range }),
        2 => index().prop_map(Operation::FindInUse),
        2 => index().prop_map(Operation::Connect),
        2 => index().prop_map(Operation::DropLease),
        2 => index().prop_map(Operation::DropListener),
        2 => index().prop_map(Operation::DropTicket),
        3 => range().prop_map(Operation::SetRange),
        2 => (0..12u64).prop_map(|seconds| Operation::Pass { seconds }),
    ]
}

/// Ranges that overlap, touch, contain each other, or are missing.
fn range() -> impl Strategy<Value = Option<PortRange>> {
    let some = (0..5u16, 1..=4u16).prop_map(|(from, count)| {
        let first = FIRST + from;
        super::range(first..=first + count - 1)
    });
    prop::option::weighted(0.8, some)
}

/// The pool, everything that it granted, and the model beside it.
struct Run {
    pool: PassivePool,
    allowed_ports: AllowedPorts,
    now: Instant,
    /// The wakers of the requests, by id.
    sleepers: BTreeMap<u64, Sleeper>,
    leases: Vec<Lease>,
    listeners: Vec<PassiveListener>,
    tickets: Vec<Ticket>,
    models: BTreeMap<SocketAddr, Model>,
}

impl Run {
    fn new(range: Option<PortRange>) -> Self {
        Self {
            pool: PassivePool::new(range),
            allowed_ports: AllowedPorts::new(range),
            now: Instant::now(),
            sleepers: BTreeMap::new(),
            leases: Vec::new(),
            listeners: Vec::new(),
            tickets: Vec::new(),
            models: BTreeMap::new(),
        }
    }

    fn perform(&mut self, operation: &Operation) {
        let without_deadline = self.owners_without_deadline();
        self.clear_wakes();
        match operation {
            Operation::Request {
                local,
                peer,
                accepts_any,
            } => self.request(*local, *peer, *accepts_any),
            Operation::Take(index) => self.take(index),
            Operation::Bind { lease, port } => self.bind(lease, port, None),
            Operation::BindAndSetRange { lease, port, range } => {
                self.bind(lease, port, Some(*range));
            }
            Operation::FindInUse(index) => self.find_in_use(index),
            Operation::Connect(index) => {
                if let Some(listener) = take_one(&mut self.listeners, index) {
                    self.end(&listener.lease);
                    listener.close(LeaseEnd::Connected);
                }
            }
            Operation::DropLease(index) => {
                if let Some(lease) = take_one(&mut self.leases, index) {
                    self.end(&lease);
                }
            }
            Operation::DropListener(index) => {
                if let Some(listener) = take_one(&mut self.listeners, index) {
                    self.end(&listener.lease);
                }
            }
            Operation::DropTicket(index) => self.drop_ticket(index),
            Operation::SetRange(range) => self.set_range(*range),
            Operation::Pass { seconds } => self.now += Duration::from_secs(*seconds),
        }
        self.follow_assigned(u64::MAX);
        self.check(&without_deadline);
    }

    /// Forgets earlier calls of the wakers that may be called next.
    fn clear_wakes(&mut self) {
        let tickets = self.tickets.iter().map(|ticket| &ticket.request);
        let owners = self.listeners.iter().map(|owner| &owner.lease.request);
        for request in tickets.chain(owners) {
            self.sleepers.get_mut(&request.id).unwrap().woken();
        }
    }

    fn owners_without_deadline(&self) -> BTreeSet<u64> {
        let owners = self.listeners.iter();
        let without_deadline = owners.filter(|owner| owner.yield_deadline().is_none());
        without_deadline
            .map(|owner| owner.lease.request.id)
            .collect()
    }

    fn request(&mut self, local_last: u8, peer_last: u8, accepts_any: bool) {
        let sleeper = Sleeper::new();
        let waker = sleeper.waker.clone();
        let allowed_peers = if accepts_any {
            AllowedPeers::any(address(peer_last))
        } else {
            peer(peer_last)
        };
        let outcome = self
            .pool
            .request(local(local_last), allowed_peers, waker, self.now);
        let id = request(&outcome).id;
        assert!(self.sleepers.insert(id, sleeper).is_none());
        self.expect(outcome);
    }

    /// The outcome of a request must be the model's: a lease exactly when there is a port for it.
    fn expect(&mut self, outcome: RequestOutcome) {
        let Request {
            local,
            id,
            ref allowed_peers,
            ..
        } = *request(&outcome);
        let allowed_peers = allowed_peers.clone();
        // Older requests may have been served first.
        let (model, _, now) = self.model(local);
        model.retry_due(now);
        self.follow_assigned(id);
        let (model, allowed_ports, _) = self.model(local);
        let must_get = model.must_get(&allowed_ports, id, &allowed_peers);
        match outcome {
            RequestOutcome::Granted(lease) => {
                assert!(must_get, "too early, or there is no port");
                match lease.grant {
                    Grant::Any => assert!(allowed_ports.is_any()),
                    Grant::Port(port) => {
                        assert!(
                            model.may_get(&allowed_ports, port, &allowed_peers),
                            "{port} is not free"
                        );
                        model.give(port, id, &allowed_peers);
                        self.check_choice(&lease, port);
                    }
                }
                self.leases.push(lease);
            }
            RequestOutcome::Queued(ticket) => {
                assert!(!must_get, "queued beside a free port");
                model.waiting.insert(id, allowed_peers);
                self.tickets.push(ticket);
            }
        }
    }

    fn check_choice(&self, lease: &Lease, port: u16) {
        let Request {
            local,
            ref allowed_peers,
            ..
        } = lease.request;
        let state = self.pool.shared.state.lock().unwrap();
        let ports = state.ports(local).unwrap();
        if ports.is_recently_unused(allowed_peers.peer(), port) {
            assert!(ports.all_others_are_recently_unused(allowed_peers));
        }
    }

    fn take(&mut self, index: &Index) {
        if self.tickets.is_empty() {
            return;
        }
        let which = index.index(self.tickets.len());
        let lease = self.tickets[which].take(self.now);
        let Request { local, id, .. } = self.tickets[which].request;
        let (model, _, now) = self.model(local);
        model.retry_due(now);
        if let Some(lease) = lease {
            // It may have been assigned just now, when ports of other programs were retried.
            let (model, allowed_ports, _) = self.model(local);
            let allowed_peers = lease.request.allowed_peers.clone();
            match model.assigned.remove(&id) {
                Some(grant) => assert_eq!(grant, lease.grant),
                None => {
                    assert!(model.waiting.remove(&id).is_some());
                    match lease.grant {
                        Grant::Any => assert!(allowed_ports.is_any()),
                        Grant::Port(port) => {
                            assert!(model.may_get(&allowed_ports, port, &allowed_peers));
                            model.give(port, id, &allowed_peers);
                        }
                    }
                }
            }
            self.leases.push(lease);
            drop(self.tickets.swap_remove(which));
        } else {
            assert!(!self.model(local).0.assigned.contains_key(&id));
        }
    }

    /// Listens on another port, but reports this one as bound.
    fn bind(&mut self, lease: &Index, port: &Index, change: Option<Option<PortRange>>) {
        let Some(lease) = take_one(&mut self.leases, lease) else {
            return;
        };
        let Request { local, id, .. } = lease.request;
        let (allowed_peers, grant, now) =
            (lease.request.allowed_peers.clone(), lease.grant, self.now);
        let port = match grant {
            Grant::Port(port) => port,
            Grant::Any => self.unbound_port(local, port),
        };
        let (model, allowed_ports, _) = self.model(local);
        let mut is_in_force = model.is_in_force(&allowed_ports, id, grant);
        let bound = lease.bind_with(now, |_| {
            assert!(is_in_force);
            if let Some(range) = change {
                self.set_range(range);
                self.follow_assigned(u64::MAX);
            }
            Ok((other_listener(), port))
        });
        let (model, allowed_ports, _) = self.model(local);
        is_in_force &= model.is_in_force(&allowed_ports, id, grant) && allowed_ports.permits(port);
        if is_in_force {
            if grant == Grant::Any {
                model.leased.remove(&port);
                model.give(port, id, &allowed_peers);
            }
            self.listeners.push(bound.unwrap());
            return;
        }
        model.end(id, grant);
        match bound.unwrap_err() {
            BindError::Withdrawn(outcome) => self.expect(*outcome),
            other => panic!("{other}"),
        }
    }

    /// A port on which the kernel could let us listen: one without a listener. Those that are
    /// leased and not bound come first.
    fn unbound_port(&mut self, local: SocketAddr, index: &Index) -> u16 {
        let mut ports: Vec<u16> = (FIRST..FIRST + 128).collect();
        ports.retain(|port| !self.is_bound(local, *port));
        let (model, ..) = self.model(local);
        ports.sort_by_key(|port| !model.leased.contains_key(port));
        ports[index.index(4)]
    }

    fn is_bound(&self, local: SocketAddr, port: u16) -> bool {
        let here = |owner: &PassiveListener| owner.lease.request.local == local;
        let mut listeners = self.listeners.iter();
        listeners.any(|owner| here(owner) && owner.port() == port)
    }

    fn find_in_use(&mut self, index: &Index) {
        let Some(lease) = take_one(&mut self.leases, index) else {
            return;
        };
        let Request { local, id, .. } = lease.request;
        let (model, allowed_ports, now) = self.model(local);
        let grant = lease.grant;
        let is_in_force = model.is_in_force(&allowed_ports, id, grant);
        let shares = matches!(grant, Grant::Port(port) if self.is_bound(local, port));
        let found = lease.bind_with(now, |_| Err(io::ErrorKind::AddrInUse.into()));
        let found = match found {
            // Other sessions listen there already, so that no socket had to be opened.
            Ok(listener) => {
                assert!(is_in_force && shares);
                return self.listeners.push(listener);
            }
            Err(error) => error,
        };
        assert!(!is_in_force || !shares);
        match (found, grant) {
            (BindError::InUse(outcome), Grant::Port(port)) => {
                assert!(is_in_force);
                let allowed_peers = self.allowed_peers();
                let (model, allowed_ports, now) = self.model(local);
                model.withdraw(
                    |withdrawn| withdrawn == grant,
                    |id| allowed_peers[&id].clone(),
                );
                model.leased.remove(&port);
                if allowed_ports.contains(port) {
                    model.set_aside.insert(port, now + RETRY_AFTER);
                }
                self.expect(*outcome);
            }
            (BindError::Failed(_), Grant::Any) => assert!(is_in_force),
            (BindError::Withdrawn(outcome), _) => {
                assert!(!is_in_force);
                self.model(local).0.end(id, grant);
                self.expect(*outcome);
            }
            (error, _) => panic!("{error}"),
        }
    }

    fn drop_ticket(&mut self, index: &Index) {
        if let Some(ticket) = take_one(&mut self.tickets, index) {
            let id = ticket.request.id;
            let (model, ..) = self.model(ticket.request.local);
            model.waiting.remove(&id);
            if let Some(grant) = model.assigned.remove(&id) {
                model.end(id, grant);
            }
        }
    }

    fn set_range(&mut self, range: Option<PortRange>) {
        self.pool.set_range(range, self.now);
        assert_eq!(self.pool.range(), range);
        let allowed_ports = AllowedPorts::new(range);
        if allowed_ports != self.allowed_ports {
            let is_withdrawn = |grant| match grant {
                Grant::Any => !allowed_ports.is_any(),
                Grant::Port(port) => !allowed_ports.contains(port),
            };
            let allowed_peers = self.allowed_peers();
            for model in self.models.values_mut() {
                model.withdraw(is_withdrawn, |id| allowed_peers[&id].clone());
                model
                    .set_aside
                    .retain(|&port, _| allowed_ports.contains(port));
                model.retry_due(self.now);
            }
            self.allowed_ports = allowed_ports;
        }
    }

    /// The allowed peers of each ticket.
    fn allowed_peers(&self) -> BTreeMap<u64, AllowedPeers> {
        let requests = self.tickets.iter().map(|ticket| &ticket.request);
        requests
            .map(|request| (request.id, request.allowed_peers.clone()))
            .collect()
    }

    fn end(&mut self, lease: &Lease) {
        let (model, ..) = self.model(lease.request.local);
        model.end(lease.request.id, lease.grant);
    }

    fn model(&mut self, local: SocketAddr) -> (&mut Model, AllowedPorts, Instant) {
        let model = self.models.entry(local).or_default();
        (model, self.allowed_ports.clone(), self.now)
    }

    /// Follows the pool's assignments to requests before this id. Each must be to a waiting
    /// request, in order, with its waker called, and of a port that was available to it.
    fn follow_assigned(&mut self, before: u64) {
        let state = self.pool.shared.state.lock().unwrap();
        for (&local, model) in &mut self.models {
            let seen = state.ports(local).unwrap().assigned();
            let known = model.assigned.range(..before);
            assert!(known.clone().all(|(id, grant)| seen.get(id) == Some(grant)));
            for (&id, &grant) in seen.range(..before) {
                if model.assigned.contains_key(&id) {
                    continue;
                }
                let allowed_peers = model.waiting.remove(&id).expect("it waited");
                match grant {
                    Grant::Any => assert!(self.allowed_ports.is_any()),
                    Grant::Port(port) => {
                        assert!(
                            model.may_get(&self.allowed_ports, port, &allowed_peers),
                            "{port}"
                        );
                        model.give(port, id, &allowed_peers);
                    }
                }
                let mut earlier = model.waiting.range(..id).map(|(_, other)| other);
                assert!(
                    earlier.all(|other| other.can_share_port() && other.peer() != allowed_peers.peer()),
                    "not in order"
                );
                model.assigned.insert(id, grant);
                assert!(self.sleepers.get_mut(&id).unwrap().woken());
            }
        }
    }

    fn check(&mut self, without_deadline: &BTreeSet<u64>) {
        self.pool.shared.state.lock().unwrap().check();
        for model in self.models.values() {
            for (&id, allowed_peers) in &model.waiting {
                assert!(
                    !model.must_get(&self.allowed_ports, id, allowed_peers),
                    "left waiting"
                );
            }
        }
        let sum = |count: fn(&Model) -> usize| -> usize { self.models.values().map(count).sum() };
        assert_eq!(
            self.pool.usage(),
            Usage {
                ports: self.allowed_ports.count(),
                in_use: sum(|model| model.leased.len()),
                leases: sum(|model| model.leased.values().map(BTreeMap::len).sum()),
                waiting: sum(|model| model.waiting.len()),
                set_aside: sum(|model| model.set_aside.len()),
            }
        );
        for owner in &self.listeners {
            let Request {
                local,
                id,
                ref allowed_peers,
                ..
            } = owner.lease.request;
            let model = &self.models[&local];
            assert!(model.owns(id, owner.port()), "lost");
            let is_in_the_way = |other: &AllowedPeers| {
                !other.can_share_port()
                    || !allowed_peers.can_share_port()
                    || other.peer() == allowed_peers.peer()
            };
            let must_yield = self.allowed_ports.contains(owner.port())
                && model.waiting.values().any(is_in_the_way);
            let deadline = must_yield.then_some(owner.announced + seconds(5));
            assert_eq!(owner.yield_deadline(), deadline);
            if must_yield && without_deadline.contains(&id) {
                assert!(self.sleepers.get_mut(&id).unwrap().woken());
            }
        }
    }

    /// Drops everything; afterwards all ports of the range, and of any other range, are free at
    /// each local address.
    fn finish(mut self, other: Option<PortRange>) {
        self.listeners.clear();
        self.leases.clear();
        self.tickets.clear();
        self.now += RETRY_AFTER;
        self.check_all_free();
        self.pool.set_range(other, self.now);
        self.allowed_ports = AllowedPorts::new(other);
        self.check_all_free();
    }

    fn check_all_free(&self) {
        let sleeper = Sleeper::new();
        for &local in self.models.keys() {
            let ask = |_| {
                let waker = sleeper.waker.clone();
                self.pool.request(local, peer(9), waker, self.now)
            };
            let Some(range) = self.allowed_ports.range() else {
                assert_eq!(granted(ask(0)).grant, Grant::Any);
                continue;
            };
            let all: Vec<Lease> = range.ports().map(ask).map(granted).collect();
            let ports = BTreeSet::from_iter(all.iter().map(port_of));
            assert!(ports.into_iter().eq(range.ports()));
            let _ticket = queued(ask(0));
        }
        let usage = self.pool.usage();
        assert_eq!((usage.in_use, usage.leases), (0, 0));
        assert_eq!((usage.waiting, usage.set_aside), (0, 0));
    }
}

fn other_listener() -> mio::net::TcpListener {
    listen(SocketAddr::from(([127, 83, 0, 10], 0)), false).unwrap()
}

fn request(outcome: &RequestOutcome) -> &Request {
    match outcome {
        RequestOutcome::Granted(lease) => &lease.request,
        RequestOutcome::Queued(ticket) => &ticket.request,
    }
}

fn take_one<T>(things: &mut Vec<T>, index: &Index) -> Option<T> {
    (!things.is_empty()).then(|| things.swap_remove(index.index(things.len())))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pool_agrees_with_the_model(
        first in range(),
        operations in prop::collection::vec(operation(), 1..120),
        last in range(),
    ) {
        let mut run = Run::new(first);
        for operation in &operations {
            run.perform(operation);
        }
        run.finish(last);
    }
}
