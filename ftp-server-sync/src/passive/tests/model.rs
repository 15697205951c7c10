//! The pool against a reference model: any operations in any order, the range changing among them.

use proptest::prelude::*;
use proptest::sample::Index;

use super::reference::Model;
use super::*;
use crate::passive::ports::Ports;
use crate::passive::sharing::can_share_port;

#[derive(Clone, Debug)]
enum Operation {
    Request {
        local: u8,
        client: RandomClient,
    },
    /// A session that gave up its port asks for another one.
    RequestAgain(Index),
    Take(Index),
    Bind(Index),
    /// The range changes in the middle of it.
    BindAndSetRange {
        lease: Index,
        range: Option<PortRange>,
    },
    FindInUse(Index),
    Connect(Index),
    DropLease(Index),
    DropListener(Index),
    DropTicket(Index),
    GiveUp {
        listener: Index,
        has_connected: bool,
    },
    /// A session ends that gave up its port.
    EndSession(Index),
    SetRange(Option<PortRange>),
    Pass {
        seconds: u64,
    },
}

/// Neighbours, clients that are far apart, local ones or not, and those who need a port of their
/// own.
#[derive(Clone, Copy, Debug)]
struct RandomClient {
    network: u8,
    last: u8,
    is_local: bool,
    accepts_any: bool,
}

impl RandomClient {
    fn requester(self) -> Requester {
        let address = IpAddr::from([192, 0, self.network, self.last]);
        let allowed_peers = if self.accepts_any {
            AllowedPeers::any(address)
        } else {
            AllowedPeers::only(address)
        };
        Requester {
            is_local: self.is_local,
            ..requester(allowed_peers)
        }
    }
}

fn client() -> impl Strategy<Value = RandomClient> {
    let weighted = prop::bool::weighted;
    (1..=3u8, 1..=2u8, weighted(0.3), weighted(0.15)).prop_map(
        |(network, last, is_local, accepts_any)| RandomClient {
            network,
            last,
            is_local,
            accepts_any,
        },
    )
}

fn operation() -> impl Strategy<Value = Operation> {
    let index = any::<Index>;
    prop_oneof![
        8 => (1..=2u8, client()).prop_map(|(local, client)| Operation::Request { local, client }),
        3 => index().prop_map(Operation::RequestAgain),
        6 => index().prop_map(Operation::Take),
        6 => index().prop_map(Operation::Bind),
        2 => (index(), range())
            .prop_map(|(lease, range)| Operation::BindAndSetRange { lease, range }),
        2 => index().prop_map(Operation::FindInUse),
        2 => index().prop_map(Operation::Connect),
        2 => index().prop_map(Operation::DropLease),
        2 => index().prop_map(Operation::DropListener),
        2 => index().prop_map(Operation::DropTicket),
        4 => (index(), any::<bool>()).prop_map(|(listener, has_connected)| Operation::GiveUp {
            listener,
            has_connected,
        }),
        1 => index().prop_map(Operation::EndSession),
        3 => range().prop_map(Operation::SetRange),
        2 => (0..20u64).prop_map(|seconds| Operation::Pass { seconds }),
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
    range: Option<PortRange>,
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
            range,
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
            Operation::Request { local, client } => {
                self.request(super::local(*local), client.requester());
            }
            Operation::RequestAgain(index) => {
                if let Some((local, requester)) = self.owner_before(index) {
                    self.request(local, requester);
                }
            }
            Operation::Take(index) => self.take(index),
            Operation::Bind(lease) => self.bind(lease, None),
            Operation::BindAndSetRange { lease, range } => self.bind(lease, Some(*range)),
            Operation::FindInUse(index) => self.find_in_use(index),
            Operation::Connect(index) => {
                if let Some(listener) = take_one(&mut self.listeners, index) {
                    self.end(listener.request(), listener.port());
                    listener.close_at(LeaseEnd::Connected, self.now);
                }
            }
            Operation::DropLease(index) => {
                if let Some(lease) = take_one(&mut self.leases, index) {
                    self.end(&lease.request, lease.port);
                }
            }
            Operation::DropListener(index) => {
                if let Some(listener) = take_one(&mut self.listeners, index) {
                    self.end(listener.request(), listener.port());
                }
            }
            Operation::DropTicket(index) => self.drop_ticket(index),
            Operation::GiveUp {
                listener,
                has_connected,
            } => self.give_up(listener, *has_connected),
            Operation::EndSession(index) => {
                if let Some((_, Requester { session, .. })) = self.owner_before(index) {
                    drop(self.pool.end_guard(session));
                    for model in self.models.values_mut() {
                        model.forget(session);
                    }
                }
            }
            Operation::SetRange(range) => self.set_range(*range),
            Operation::Pass { seconds } => self.now += Duration::from_secs(*seconds),
        }
        self.follow_assigned(u64::MAX);
        self.check(&without_deadline);
    }

    /// Forgets earlier calls of the wakers that may be called next.
    fn clear_wakes(&mut self) {
        let tickets = self.tickets.iter().map(|ticket| &ticket.request);
        let owners = self.listeners.iter().map(PassiveListener::request);
        for request in tickets.chain(owners) {
            self.sleepers.get_mut(&request.id).unwrap().woken();
        }
    }

    fn owners_without_deadline(&self) -> BTreeSet<u64> {
        let owners = self.listeners.iter();
        let without_deadline = owners.filter(|owner| owner.yield_deadline().is_none());
        without_deadline.map(|owner| owner.request().id).collect()
    }

    fn request(&mut self, local: SocketAddr, requester: Requester) {
        let sleeper = Sleeper::new();
        let waker = sleeper.waker.clone();
        let outcome = self.pool.request(local, requester, waker, self.now);
        let id = request(&outcome).id;
        assert!(self.sleepers.insert(id, sleeper).is_none());
        self.expect(outcome);
    }

    /// The outcome of a request must be the model's: a lease exactly when there is a port for it.
    fn expect(&mut self, outcome: RequestOutcome) {
        let Request {
            key: local,
            id,
            ref requester,
            ..
        } = *request(&outcome);
        let requester = requester.clone();
        let range = self.range;
        if range.is_none() {
            assert!(matches!(outcome, RequestOutcome::NoRange(_)));
            return;
        }
        // Older requests may have been served first.
        let now = self.now;
        let model = self.model(local);
        model.forget(requester.session);
        model.pass_time(now);
        self.follow_assigned(id);
        let model = self.model(local);
        let must_get = model.must_get(range, id, &requester);
        match outcome {
            RequestOutcome::Granted(lease) => {
                assert!(must_get, "too early, or there is no port");
                let port = lease.port;
                assert!(model.may_get(range, port, &requester), "{port} is not free");
                model.give(port, id, &requester);
                self.check_choice(&lease);
                self.leases.push(lease);
            }
            RequestOutcome::Queued(ticket) => {
                assert!(!must_get, "queued beside a free port");
                model.waiting.insert(id, requester);
                self.tickets.push(ticket);
            }
            RequestOutcome::NoRange(_) => panic!("there is a range"),
        }
    }

    fn check_choice(&self, lease: &Lease) {
        let Request {
            key: local,
            ref requester,
            ..
        } = lease.request;
        let state = self.pool.shared.state.lock().unwrap();
        let ports = state.ports(local).unwrap();
        if ports.is_recently_unused(requester.address(), lease.port) {
            assert!(ports.all_others_are_recently_unused(requester));
        }
    }

    fn take(&mut self, index: &Index) {
        let Some(ticket) = take_one(&mut self.tickets, index) else {
            return;
        };
        let (range, now) = (self.range, self.now);
        let outcome = ticket.take(now);
        let Request { key: local, id, .. } = *request(&outcome);
        let model = self.model(local);
        if range.is_none() {
            assert!(matches!(outcome, RequestOutcome::NoRange(_)));
            assert!(model.waiting.remove(&id).is_some());
            return;
        }
        model.pass_time(now);
        match outcome {
            RequestOutcome::Granted(lease) => {
                // It may have been assigned just now, when ports of other programs were retried.
                match model.assigned.remove(&id) {
                    Some(port) => assert_eq!(port, lease.port),
                    None => {
                        let requester = model.waiting.remove(&id).unwrap();
                        assert!(model.may_get(range, lease.port, &requester));
                        model.give(lease.port, id, &requester);
                    }
                }
                self.leases.push(lease);
            }
            RequestOutcome::Queued(ticket) => {
                assert!(!model.assigned.contains_key(&id));
                self.tickets.push(ticket);
            }
            RequestOutcome::NoRange(_) => panic!("there is a range"),
        }
    }

    /// A session whose port is kept out.
    fn owner_before(&self, index: &Index) -> Option<(SocketAddr, Requester)> {
        let mut owners = Vec::new();
        for (&local, model) in &self.models {
            let given_up = model.kept_out.iter();
            owners.extend(given_up.map(|given_up| (local, given_up.owner.clone())));
        }
        take_one(&mut owners, index)
    }

    fn give_up(&mut self, index: &Index, has_connected: bool) {
        let Some(listener) = take_one(&mut self.listeners, index) else {
            return;
        };
        let (range, now) = (self.range, self.now);
        let (request, port) = (listener.request(), listener.port());
        self.end(request, port);
        let owner = request.requester.clone();
        let model = self.model(request.key);
        model.give_up(range, port, owner, has_connected, now);
        let end = if has_connected {
            LeaseEnd::Lost
        } else {
            LeaseEnd::GivenUp
        };
        listener.close_at(end, now);
    }

    /// Listens on another port, but reports this one as bound.
    fn bind(&mut self, lease: &Index, change: Option<Option<PortRange>>) {
        let Some(lease) = take_one(&mut self.leases, lease) else {
            return;
        };
        let Request { key: local, id, .. } = lease.request;
        let (port, range, now) = (lease.port, self.range, self.now);
        let mut is_in_force = self.model(local).is_in_force(range, id, port);
        let bound = lease.bind_with(now, || {
            assert!(is_in_force);
            if let Some(range) = change {
                self.set_range(range);
                self.follow_assigned(u64::MAX);
            }
            Ok(other_listener())
        });
        let range = self.range;
        is_in_force &= self.model(local).is_in_force(range, id, port);
        if is_in_force {
            self.listeners.push(bound.unwrap());
            return;
        }
        self.model(local).end(id, port);
        match bound.unwrap_err() {
            BindError::Withdrawn(outcome) => self.expect(*outcome),
            other => panic!("{other}"),
        }
    }

    fn is_bound(&self, local: SocketAddr, port: u16) -> bool {
        let here = |owner: &PassiveListener| owner.request().key == local;
        let mut listeners = self.listeners.iter();
        listeners.any(|owner| here(owner) && owner.port() == port)
    }

    fn find_in_use(&mut self, index: &Index) {
        let Some(lease) = take_one(&mut self.leases, index) else {
            return;
        };
        let Request { key: local, id, .. } = lease.request;
        let (port, range, now) = (lease.port, self.range, self.now);
        let is_in_force = self.model(local).is_in_force(range, id, port);
        let shares = self.is_bound(local, port);
        let found = lease.bind_with(now, || Err(io::ErrorKind::AddrInUse.into()));
        let found = match found {
            // Other sessions listen there already, so that no socket had to be opened.
            Ok(listener) => {
                assert!(is_in_force && shares);
                return self.listeners.push(listener);
            }
            Err(error) => error,
        };
        assert!(!is_in_force || !shares);
        match found {
            BindError::InUse(outcome) => {
                assert!(is_in_force);
                let requesters = self.requesters();
                let model = self.model(local);
                model.withdraw(|other| other == port, |id| requesters[&id].clone());
                model.leased.remove(&port);
                model.set_aside.insert(port, now + RETRY_AFTER);
                self.expect(*outcome);
            }
            BindError::Withdrawn(outcome) => {
                assert!(!is_in_force);
                self.model(local).end(id, port);
                self.expect(*outcome);
            }
            error => panic!("{error}"),
        }
    }

    fn drop_ticket(&mut self, index: &Index) {
        if let Some(ticket) = take_one(&mut self.tickets, index) {
            let id = ticket.request.id;
            let model = self.model(ticket.request.key);
            model.waiting.remove(&id);
            if let Some(port) = model.assigned.remove(&id) {
                model.end(id, port);
            }
        }
    }

    fn set_range(&mut self, range: Option<PortRange>) {
        self.pool.set_range(range, self.now);
        assert_eq!(self.pool.range(), range);
        if range == self.range {
            return;
        }
        let contains = |port: u16| range.is_some_and(|range| range.contains(port));
        let requesters = self.requesters();
        for model in self.models.values_mut() {
            model.withdraw(|port| !contains(port), |id| requesters[&id].clone());
            model.set_range(range, self.now);
        }
        self.range = range;
        if range.is_none() {
            for ticket in &self.tickets {
                assert!(self.sleepers.get_mut(&ticket.request.id).unwrap().woken());
            }
        }
    }

    /// The requester of each ticket.
    fn requesters(&self) -> BTreeMap<u64, Requester> {
        let requests = self.tickets.iter().map(|ticket| &ticket.request);
        requests
            .map(|request| (request.id, request.requester.clone()))
            .collect()
    }

    fn end(&mut self, request: &Request, port: u16) {
        self.model(request.key).end(request.id, port);
    }

    fn model(&mut self, local: SocketAddr) -> &mut Model {
        self.models.entry(local).or_default()
    }

    /// Follows the pool's assignments to requests before this id. Each must be to a waiting
    /// request, in order, with its waker called, and of a port that was available to it.
    fn follow_assigned(&mut self, before: u64) {
        let state = self.pool.shared.state.lock().unwrap();
        for (&local, model) in &mut self.models {
            let seen = state.ports(local).unwrap().queue.assigned();
            let mut known = model.assigned.range(..before);
            assert!(known.all(|(id, port)| seen.get(id) == Some(port)));
            for (&id, &port) in seen.range(..before) {
                if model.assigned.contains_key(&id) {
                    continue;
                }
                let requester = model.waiting.remove(&id).expect("it waited");
                assert!(model.may_get(self.range, port, &requester), "{port}");
                model.give(port, id, &requester);
                let mut earlier = model.waiting.range(..id);
                assert!(
                    earlier.all(|(_, other)| can_share_port(other, &requester)),
                    "not in order"
                );
                model.assigned.insert(id, port);
                assert!(self.sleepers.get_mut(&id).unwrap().woken());
            }
        }
    }

    fn check(&mut self, without_deadline: &BTreeSet<u64>) {
        self.check_kept_out();
        for model in self.models.values() {
            for (&id, requester) in &model.waiting {
                assert!(!model.must_get(self.range, id, requester), "left waiting");
            }
        }
        let sum = |count: fn(&Model) -> usize| -> usize { self.models.values().map(count).sum() };
        assert_eq!(
            self.pool.usage(),
            Usage {
                ports: self.range.map_or(0, |range| range.count().into()),
                in_use: sum(|model| model.leased.len()),
                leases: sum(|model| model.leased.values().map(BTreeMap::len).sum()),
                waiting: sum(|model| model.waiting.len()),
                set_aside: sum(|model| model.set_aside.len()),
            }
        );
        for owner in &self.listeners {
            let Request {
                key: local,
                id,
                ref requester,
                ..
            } = *owner.request();
            let model = &self.models[&local];
            assert!(model.owns(id, owner.port()), "lost");
            let is_in_the_way = |other: &Requester| {
                !can_share_port(other, requester) && !model.is_kept_from(other, owner.port())
            };
            let contains = |range: PortRange| range.contains(owner.port());
            let must_yield =
                self.range.is_some_and(contains) && model.waiting.values().any(is_in_the_way);
            let deadline = must_yield.then_some(owner.announced + seconds(5));
            assert_eq!(owner.yield_deadline(), deadline);
            if must_yield && without_deadline.contains(&id) {
                assert!(self.sleepers.get_mut(&id).unwrap().woken());
            }
        }
    }

    fn check_kept_out(&self) {
        let state = self.pool.shared.state.lock().unwrap();
        state.check();
        for (&local, model) in &self.models {
            let expected = model.kept_out.iter();
            let expected = expected.map(|given_up| (given_up.port, given_up.owner.session));
            let kept_out = state.ports(local).map(Ports::kept_out).unwrap_or_default();
            assert!(kept_out.into_iter().eq(expected));
        }
    }

    /// Drops everything; afterwards all ports of the range, and of any other range, are free at
    /// each local address.
    fn finish(mut self, other: Option<PortRange>) {
        self.listeners.clear();
        self.leases.clear();
        self.tickets.clear();
        self.now += KEPT_OUT_FOR;
        self.check_all_free();
        self.pool.set_range(other, self.now);
        self.range = other;
        self.check_all_free();
    }

    fn check_all_free(&self) {
        let sleeper = Sleeper::new();
        for &local in self.models.keys() {
            let ask = |_| {
                let waker = sleeper.waker.clone();
                self.pool.request(local, peer(9), waker, self.now)
            };
            let Some(range) = self.range else {
                assert!(matches!(ask(0), RequestOutcome::NoRange(_)));
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
        RequestOutcome::NoRange(request) => request,
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
