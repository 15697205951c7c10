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
        relaxed: bool,
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
    FindHeld(Index),
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
            .prop_map(|(local, peer, relaxed)| Operation::Request { local, peer, relaxed }),
        6 => index().prop_map(Operation::Take),
        6 => (index(), index()).prop_map(|(lease, port)| Operation::Bind { lease, port }),
        2 => (index(), index(), range())
            .prop_map(|(lease, port, range)| Operation::BindAndSetRange { lease, port, range }),
        2 => index().prop_map(Operation::FindHeld),
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

/// The pool, everything that was got from it, and the model beside it.
struct Play {
    pool: Arc<PassivePool>,
    allowed: Allowed,
    now: Instant,
    /// Whom the pool wakes, by arrival.
    sleepers: BTreeMap<u64, Sleeper>,
    leases: Vec<Lease>,
    listeners: Vec<PassiveListener>,
    tickets: Vec<Ticket>,
    models: BTreeMap<SocketAddr, Model>,
}

impl Play {
    fn new(range: Option<PortRange>) -> Self {
        Self {
            pool: PassivePool::new(range),
            allowed: Allowed::new(range),
            now: Instant::now(),
            sleepers: BTreeMap::new(),
            leases: Vec::new(),
            listeners: Vec::new(),
            tickets: Vec::new(),
            models: BTreeMap::new(),
        }
    }

    fn perform(&mut self, operation: &Operation) {
        let unworried = self.unworried_owners();
        self.sleep_on();
        match operation {
            Operation::Request {
                local,
                peer,
                relaxed,
            } => self.request(*local, *peer, *relaxed),
            Operation::Take(index) => self.take(index),
            Operation::Bind { lease, port } => self.bind(lease, port, None),
            Operation::BindAndSetRange { lease, port, range } => {
                self.bind(lease, port, Some(*range));
            }
            Operation::FindHeld(index) => self.find_held(index),
            Operation::Connect(index) => {
                if let Some(listener) = pluck(&mut self.listeners, index) {
                    self.end(&listener.lease);
                    listener.connected();
                }
            }
            Operation::DropLease(index) => {
                if let Some(lease) = pluck(&mut self.leases, index) {
                    self.end(&lease);
                }
            }
            Operation::DropListener(index) => {
                if let Some(listener) = pluck(&mut self.listeners, index) {
                    self.end(&listener.lease);
                }
            }
            Operation::DropTicket(index) => self.drop_ticket(index),
            Operation::SetRange(range) => self.set_range(*range),
            Operation::Pass { seconds } => self.now += Duration::from_secs(*seconds),
        }
        self.see_assigned(u64::MAX);
        self.check(&unworried);
    }

    /// Forgets earlier wakes of those who may be called next.
    fn sleep_on(&mut self) {
        let tickets = self.tickets.iter().map(|ticket| &ticket.applicant);
        let owners = self.listeners.iter().map(|owner| &owner.lease.applicant);
        for applicant in tickets.chain(owners) {
            self.sleepers.get_mut(&applicant.arrival).unwrap().woken();
        }
    }

    fn unworried_owners(&self) -> BTreeSet<u64> {
        let owners = self.listeners.iter();
        let unworried = owners.filter(|owner| owner.yield_deadline().is_none());
        unworried
            .map(|owner| owner.lease.applicant.arrival)
            .collect()
    }

    fn request(&mut self, local_last: u8, peer_last: u8, relaxed: bool) {
        let sleeper = Sleeper::new();
        let waker = sleeper.waker.clone();
        let expected = match relaxed {
            true => Expected::anybody(address(peer_last)),
            false => peer(peer_last),
        };
        let request = self
            .pool
            .request(local(local_last), expected, waker, self.now);
        let arrival = applicant(&request).arrival;
        assert!(self.sleepers.insert(arrival, sleeper).is_none());
        self.expect(request);
    }

    /// The outcome of a request must be the model's: a lease exactly when there is a port for it.
    fn expect(&mut self, request: Request) {
        let Applicant {
            local,
            arrival,
            ref expected,
            ..
        } = *applicant(&request);
        let expected = expected.clone();
        // Those before it may have been served first.
        let (model, _, now) = self.model(local);
        model.revive(now);
        self.see_assigned(arrival);
        let (model, allowed, _) = self.model(local);
        let must_get = model.must_get(&allowed, arrival, &expected);
        match request {
            Request::Granted(lease) => {
                assert!(must_get, "out of turn, or there is no port");
                match lease.grant {
                    Grant::Any => assert!(allowed.is_any()),
                    Grant::Port(port) => {
                        assert!(
                            model.may_have(&allowed, port, &expected),
                            "{port} is not free"
                        );
                        model.give(port, arrival, &expected);
                        self.check_choice(&lease, port);
                    }
                }
                self.leases.push(lease);
            }
            Request::Queued(ticket) => {
                assert!(!must_get, "queued beside a free port");
                model.waiting.insert(arrival, expected);
                self.tickets.push(ticket);
            }
        }
    }

    fn check_choice(&self, lease: &Lease, port: u16) {
        let Applicant {
            local,
            ref expected,
            ..
        } = lease.applicant;
        let books = self.pool.books.lock().unwrap();
        let ledger = books.ledger(local).unwrap();
        if ledger.is_shunned(expected.peer(), port) {
            assert!(ledger.all_others_are_shunned(expected));
        }
    }

    fn take(&mut self, index: &Index) {
        if self.tickets.is_empty() {
            return;
        }
        let which = index.index(self.tickets.len());
        let lease = self.tickets[which].take(self.now);
        let Applicant { local, arrival, .. } = self.tickets[which].applicant;
        let (model, _, now) = self.model(local);
        model.revive(now);
        if let Some(lease) = lease {
            // It may have been assigned a moment ago, when ports came back that others had held.
            let (model, allowed, _) = self.model(local);
            let expected = lease.applicant.expected.clone();
            match model.assigned.remove(&arrival) {
                Some(grant) => assert_eq!(grant, lease.grant),
                None => {
                    assert!(model.waiting.remove(&arrival).is_some());
                    match lease.grant {
                        Grant::Any => assert!(allowed.is_any()),
                        Grant::Port(port) => {
                            assert!(model.may_have(&allowed, port, &expected));
                            model.give(port, arrival, &expected);
                        }
                    }
                }
            }
            self.leases.push(lease);
            drop(self.tickets.swap_remove(which));
        } else {
            assert!(!self.model(local).0.assigned.contains_key(&arrival));
        }
    }

    /// Listens somewhere else, but says that it was at the port.
    fn bind(&mut self, lease: &Index, port: &Index, change: Option<Option<PortRange>>) {
        let Some(lease) = pluck(&mut self.leases, lease) else {
            return;
        };
        let Applicant { local, arrival, .. } = lease.applicant;
        let (expected, grant, now) = (lease.applicant.expected.clone(), lease.grant, self.now);
        let port = match grant {
            Grant::Port(port) => port,
            Grant::Any => self.unbound_port(local, port),
        };
        let (model, allowed, _) = self.model(local);
        let mut is_in_force = model.is_in_force(&allowed, arrival, grant);
        let bound = lease.bind_with(now, |_| {
            assert!(is_in_force);
            if let Some(range) = change {
                self.set_range(range);
                self.see_assigned(u64::MAX);
            }
            Ok((elsewhere(), port))
        });
        let (model, allowed, _) = self.model(local);
        is_in_force &= model.is_in_force(&allowed, arrival, grant) && allowed.permits(port);
        if is_in_force {
            if grant == Grant::Any {
                model.leased.remove(&port);
                model.give(port, arrival, &expected);
            }
            self.listeners.push(bound.unwrap());
            return;
        }
        model.end(arrival, grant);
        match bound.unwrap_err() {
            BindError::Withdrawn(request) => self.expect(*request),
            other => panic!("{other}"),
        }
    }

    /// A port where the kernel could let us listen: one that nobody listens on. Those that are leased
    /// and not bound come first.
    fn unbound_port(&mut self, local: SocketAddr, index: &Index) -> u16 {
        let mut ports: Vec<u16> = (FIRST..FIRST + 128).collect();
        ports.retain(|port| !self.is_bound(local, *port));
        let (model, ..) = self.model(local);
        ports.sort_by_key(|port| !model.leased.contains_key(port));
        ports[index.index(4)]
    }

    fn is_bound(&self, local: SocketAddr, port: u16) -> bool {
        let here = |owner: &PassiveListener| owner.lease.applicant.local == local;
        let mut listeners = self.listeners.iter();
        listeners.any(|owner| here(owner) && owner.port() == port)
    }

    fn find_held(&mut self, index: &Index) {
        let Some(lease) = pluck(&mut self.leases, index) else {
            return;
        };
        let Applicant { local, arrival, .. } = lease.applicant;
        let (model, allowed, now) = self.model(local);
        let grant = lease.grant;
        let is_in_force = model.is_in_force(&allowed, arrival, grant);
        let shares = matches!(grant, Grant::Port(port) if self.is_bound(local, port));
        let found = lease.bind_with(now, |_| Err(io::ErrorKind::AddrInUse.into()));
        let found = match found {
            // Others listen there already, so that nothing had to be opened.
            Ok(listener) => {
                assert!(is_in_force && shares);
                return self.listeners.push(listener);
            }
            Err(error) => error,
        };
        assert!(!is_in_force || !shares);
        match (found, grant) {
            (BindError::Held(request), Grant::Port(port)) => {
                assert!(is_in_force);
                let sleepers = self.expectations();
                let (model, allowed, now) = self.model(local);
                model.withdraw(|gone| gone == grant, |arrival| sleepers[&arrival].clone());
                model.leased.remove(&port);
                if allowed.lists(port) {
                    model.blocked.insert(port, now + BLOCKED_FOR);
                }
                self.expect(*request);
            }
            (BindError::Failed(_), Grant::Any) => assert!(is_in_force),
            (BindError::Withdrawn(request), _) => {
                assert!(!is_in_force);
                self.model(local).0.end(arrival, grant);
                self.expect(*request);
            }
            (error, _) => panic!("{error}"),
        }
    }

    fn drop_ticket(&mut self, index: &Index) {
        if let Some(ticket) = pluck(&mut self.tickets, index) {
            let arrival = ticket.applicant.arrival;
            let (model, ..) = self.model(ticket.applicant.local);
            model.waiting.remove(&arrival);
            if let Some(grant) = model.assigned.remove(&arrival) {
                model.end(arrival, grant);
            }
        }
    }

    fn set_range(&mut self, range: Option<PortRange>) {
        self.pool.set_range(range, self.now);
        assert_eq!(self.pool.range(), range);
        let allowed = Allowed::new(range);
        if allowed != self.allowed {
            let is_gone = |grant| match grant {
                Grant::Any => !allowed.is_any(),
                Grant::Port(port) => !allowed.lists(port),
            };
            let expectations = self.expectations();
            for model in self.models.values_mut() {
                model.withdraw(is_gone, |arrival| expectations[&arrival].clone());
                model.blocked.retain(|&port, _| allowed.lists(port));
                model.revive(self.now);
            }
            self.allowed = allowed;
        }
    }

    /// Whom each ticket's holder expects.
    fn expectations(&self) -> BTreeMap<u64, Expected> {
        let applicants = self.tickets.iter().map(|ticket| &ticket.applicant);
        applicants
            .map(|applicant| (applicant.arrival, applicant.expected.clone()))
            .collect()
    }

    fn end(&mut self, lease: &Lease) {
        let (model, ..) = self.model(lease.applicant.local);
        model.end(lease.applicant.arrival, lease.grant);
    }

    fn model(&mut self, local: SocketAddr) -> (&mut Model, Allowed, Instant) {
        let model = self.models.entry(local).or_default();
        (model, self.allowed.clone(), self.now)
    }

    /// Who is served, of those before this arrival, must be among those who waited, in turn, and called;
    /// what it got must have been free for it.
    fn see_assigned(&mut self, before: u64) {
        let books = self.pool.books.lock().unwrap();
        for (&local, model) in &mut self.models {
            let seen = books.ledger(local).unwrap().assigned();
            let known = model.assigned.range(..before);
            assert!(
                known
                    .clone()
                    .all(|(arrival, grant)| seen.get(arrival) == Some(grant))
            );
            for (&arrival, &grant) in seen.range(..before) {
                if model.assigned.contains_key(&arrival) {
                    continue;
                }
                let expected = model.waiting.remove(&arrival).expect("it waited");
                match grant {
                    Grant::Any => assert!(self.allowed.is_any()),
                    Grant::Port(port) => {
                        assert!(model.may_have(&self.allowed, port, &expected), "{port}");
                        model.give(port, arrival, &expected);
                    }
                }
                let mut earlier = model.waiting.range(..arrival).map(|(_, other)| other);
                assert!(
                    earlier.all(|other| other.may_share() && other.peer() != expected.peer()),
                    "out of turn"
                );
                model.assigned.insert(arrival, grant);
                assert!(self.sleepers.get_mut(&arrival).unwrap().woken());
            }
        }
    }

    fn check(&mut self, unworried: &BTreeSet<u64>) {
        self.pool.books.lock().unwrap().check();
        for model in self.models.values() {
            for (&arrival, expected) in &model.waiting {
                assert!(
                    !model.must_get(&self.allowed, arrival, expected),
                    "left waiting"
                );
            }
        }
        let sum = |count: fn(&Model) -> usize| -> usize { self.models.values().map(count).sum() };
        assert_eq!(
            self.pool.usage(),
            Usage {
                ports: self.allowed.count(),
                in_use: sum(|model| model.leased.len()),
                leases: sum(|model| model.leased.values().map(BTreeMap::len).sum()),
                waiting: sum(|model| model.waiting.len()),
                blocked: sum(|model| model.blocked.len()),
            }
        );
        for owner in &self.listeners {
            let Applicant {
                local,
                arrival,
                ref expected,
                ..
            } = owner.lease.applicant;
            let model = &self.models[&local];
            assert!(model.owns(arrival, owner.port()), "lost");
            let keeps_out = |other: &Expected| {
                !other.may_share() || !expected.may_share() || other.peer() == expected.peer()
            };
            let must_yield =
                self.allowed.lists(owner.port()) && model.waiting.values().any(keeps_out);
            let deadline = must_yield.then_some(owner.announced + seconds(5));
            assert_eq!(owner.yield_deadline(), deadline);
            if must_yield && unworried.contains(&arrival) {
                assert!(self.sleepers.get_mut(&arrival).unwrap().woken());
            }
        }
    }

    /// Drops everything; afterwards each local address has all ports of the range back, and of any
    /// other range.
    fn finish(mut self, other: Option<PortRange>) {
        self.listeners.clear();
        self.leases.clear();
        self.tickets.clear();
        self.now += BLOCKED_FOR;
        self.check_all_free();
        self.pool.set_range(other, self.now);
        self.allowed = Allowed::new(other);
        self.check_all_free();
    }

    fn check_all_free(&self) {
        let sleeper = Sleeper::new();
        for &local in self.models.keys() {
            let ask = |_| {
                let waker = sleeper.waker.clone();
                self.pool.request(local, peer(9), waker, self.now)
            };
            let Some(range) = self.allowed.range() else {
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
        assert_eq!((usage.waiting, usage.blocked), (0, 0));
    }
}

fn elsewhere() -> mio::net::TcpListener {
    listen(SocketAddr::from(([127, 83, 0, 10], 0)), false).unwrap()
}

fn applicant(request: &Request) -> &Applicant {
    match request {
        Request::Granted(lease) => &lease.applicant,
        Request::Queued(ticket) => &ticket.applicant,
    }
}

fn pluck<T>(things: &mut Vec<T>, index: &Index) -> Option<T> {
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
        let mut play = Play::new(first);
        for operation in &operations {
            play.perform(operation);
        }
        play.finish(last);
    }
}
