//! The pool against a reference model: any operations in any order, the range changing among them.

use proptest::prelude::*;
use proptest::sample::Index;

use super::reference::Model;
use super::*;

#[derive(Clone, Debug)]
enum Operation {
    Request { local: u8, peer: u8 },
    Take(Index),
    Bind { lease: Index, port: Index },
    FindHeld(Index),
    Connect(Index),
    DropLease(Index),
    DropListener(Index),
    DropTicket(Index),
    SetRange(Option<RangeInclusive<u16>>),
    Pass { seconds: u64 },
}

fn operation() -> impl Strategy<Value = Operation> {
    let index = any::<Index>;
    prop_oneof![
        8 => (1..=2u8, 1..=3u8).prop_map(|(local, peer)| Operation::Request { local, peer }),
        6 => index().prop_map(Operation::Take),
        6 => (index(), index()).prop_map(|(lease, port)| Operation::Bind { lease, port }),
        2 => index().prop_map(Operation::FindHeld),
        2 => index().prop_map(Operation::Connect),
        2 => index().prop_map(Operation::DropLease),
        2 => index().prop_map(Operation::DropListener),
        2 => index().prop_map(Operation::DropTicket),
        3 => range().prop_map(Operation::SetRange),
        2 => (0..12u64).prop_map(|seconds| Operation::Pass { seconds }),
    ]
}

/// Ranges that overlap, touch, contain each other, are empty or missing.
fn range() -> impl Strategy<Value = Option<RangeInclusive<u16>>> {
    let some = (0..5u16, 0..=4u16).prop_map(|(from, count)| {
        let first = FIRST + from;
        first..=first + count - 1
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
    fn new(range: Option<RangeInclusive<u16>>) -> Self {
        Self {
            pool: PassivePool::new(range.clone()),
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
            Operation::Request { local, peer } => self.request(*local, *peer),
            Operation::Take(index) => self.take(index),
            Operation::Bind { lease, port } => self.bind(lease, port),
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
            Operation::SetRange(range) => self.set_range(range.clone()),
            Operation::Pass { seconds } => self.now += Duration::from_secs(*seconds),
        }
        self.see_assigned();
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

    fn request(&mut self, local_last: u8, peer_last: u8) {
        let sleeper = Sleeper::new();
        let waker = sleeper.waker.clone();
        let request = self
            .pool
            .request(local(local_last), peer(peer_last), waker, self.now);
        let arrival = applicant(&request).arrival;
        assert!(self.sleepers.insert(arrival, sleeper).is_none());
        self.expect(request);
    }

    /// The outcome of a request must be the model's: a lease exactly when a port is free.
    fn expect(&mut self, request: Request) {
        let Applicant { local, arrival, .. } = *applicant(&request);
        let (model, allowed, now) = self.model(local);
        model.revive(now);
        model.serve(&allowed, arrival);
        match request {
            Request::Granted(lease) => {
                assert!(model.has_free(&allowed));
                match lease.grant {
                    Grant::Any => assert!(allowed.is_any()),
                    Grant::Port(port) => {
                        assert!(allowed.lists(port), "outside the range");
                        assert!(!model.blocked.contains_key(&port));
                        let former = model.leased.insert(port, arrival);
                        assert_eq!(former, None, "leased twice");
                        self.check_choice(&lease, port);
                    }
                }
                self.leases.push(lease);
            }
            Request::Queued(ticket) => {
                assert!(!model.has_free(&allowed), "queued beside a free port");
                model.waiting.insert(arrival);
                self.tickets.push(ticket);
            }
        }
        self.model(local).0.serve(&allowed, u64::MAX);
    }

    fn check_choice(&self, lease: &Lease, port: u16) {
        let Applicant { local, peer, .. } = lease.applicant;
        let books = self.pool.books.lock().unwrap();
        let ledger = books.ledger(local).unwrap();
        if ledger.is_shunned(peer, port) {
            assert!(ledger.all_free_are_shunned(peer));
        }
    }

    fn take(&mut self, index: &Index) {
        if self.tickets.is_empty() {
            return;
        }
        let (which, now) = (index.index(self.tickets.len()), self.now);
        let lease = self.tickets[which].take(now);
        let Applicant { local, arrival, .. } = self.tickets[which].applicant;
        let (model, allowed, now) = self.model(local);
        model.revive(now);
        model.serve(&allowed, u64::MAX);
        let expected = model.assigned.remove(&arrival);
        assert_eq!(expected.is_some(), lease.is_some());
        if let Some(lease) = lease {
            assert_eq!(expected.flatten().unwrap_or(lease.grant), lease.grant);
            match lease.grant {
                Grant::Any => assert!(allowed.is_any()),
                Grant::Port(port) => {
                    assert!(allowed.lists(port), "outside the range");
                    assert_eq!(model.leased.insert(port, arrival), None, "leased twice");
                }
            }
            self.leases.push(lease);
            drop(self.tickets.swap_remove(which));
        }
    }

    /// Listens somewhere else, but says that it was at the port: as if the range had changed after the
    /// first look, whenever it has changed at all.
    fn bind(&mut self, lease: &Index, port: &Index) {
        let Some(lease) = pluck(&mut self.leases, lease) else {
            return;
        };
        let Applicant { local, arrival, .. } = lease.applicant;
        let port = match lease.grant {
            Grant::Port(port) => port,
            Grant::Any => self.unbound_port(local, port),
        };
        let (model, allowed, now) = self.model(local);
        let is_in_force = model.is_in_force(&allowed, arrival, lease.grant);
        assert_eq!(lease.is_in_force(), is_in_force);
        let listener = listen(SocketAddr::from(([127, 83, 0, 10], 0))).unwrap();
        if is_in_force {
            assert!(allowed.permits(port));
            model.leased.insert(port, arrival);
            let listener = lease.settle(Ok((listener, port)), now).unwrap();
            self.listeners.push(listener);
            return;
        }
        model.end(&allowed, &lease);
        match lease.settle(Ok((listener, port)), now).unwrap_err() {
            BindError::Withdrawn(request) => self.expect(request),
            other => panic!("{other}"),
        }
    }

    /// A port where the kernel could let us listen: one that nobody listens on. Those that are leased
    /// and not bound come first.
    fn unbound_port(&mut self, local: SocketAddr, index: &Index) -> u16 {
        let here = |owner: &&PassiveListener| owner.lease.applicant.local == local;
        let bound = self.listeners.iter().filter(here);
        let bound = BTreeSet::from_iter(bound.map(PassiveListener::port));
        let mut ports: Vec<u16> = (FIRST..FIRST + 128).collect();
        ports.retain(|port| !bound.contains(port));
        let (model, ..) = self.model(local);
        ports.sort_by_key(|port| !model.leased.contains_key(port));
        ports[index.index(4)]
    }

    fn find_held(&mut self, index: &Index) {
        let Some(lease) = pluck(&mut self.leases, index) else {
            return;
        };
        let Applicant { local, arrival, .. } = lease.applicant;
        let (model, allowed, now) = self.model(local);
        if let Grant::Port(port) = lease.grant
            && model.leased.get(&port) == Some(&arrival)
        {
            model.leased.remove(&port);
            if allowed.lists(port) {
                model.blocked.insert(port, now + BLOCKED_FOR);
            }
        }
        let grant = lease.grant;
        let attempt = Err(io::ErrorKind::AddrInUse.into());
        match (lease.settle(attempt, now).unwrap_err(), grant) {
            (BindError::Held(request), Grant::Port(_)) => self.expect(request),
            (BindError::Failed(_), Grant::Any) => {}
            (error, _) => panic!("{error}"),
        }
    }

    fn drop_ticket(&mut self, index: &Index) {
        if let Some(ticket) = pluck(&mut self.tickets, index) {
            let (model, allowed, _) = self.model(ticket.applicant.local);
            model.waiting.remove(&ticket.applicant.arrival);
            model.assigned.remove(&ticket.applicant.arrival);
            model.serve(&allowed, u64::MAX);
        }
    }

    fn set_range(&mut self, range: Option<RangeInclusive<u16>>) {
        self.pool.set_range(range.clone(), self.now);
        assert_eq!(self.pool.range(), range);
        let allowed = Allowed::new(range);
        if allowed != self.allowed {
            for model in self.models.values_mut() {
                model.set_range(&allowed, self.now);
            }
            self.allowed = allowed;
        }
    }

    fn end(&mut self, lease: &Lease) {
        let (model, allowed, _) = self.model(lease.applicant.local);
        model.end(&allowed, lease);
    }

    fn model(&mut self, local: SocketAddr) -> (&mut Model, Allowed, Instant) {
        let model = self.models.entry(local).or_default();
        (model, self.allowed.clone(), self.now)
    }

    /// Who is served must be whom the model serves, and was called; what it got must have been free.
    fn see_assigned(&mut self) {
        let books = self.pool.books.lock().unwrap();
        for (&local, model) in &mut self.models {
            let seen = books.ledger(local).unwrap().assigned();
            assert!(seen.keys().eq(model.assigned.keys()), "not in turn");
            let mut ports = BTreeSet::new();
            for (arrival, grant) in seen {
                match grant {
                    Grant::Any => assert!(self.allowed.is_any()),
                    Grant::Port(port) => {
                        assert!(self.allowed.lists(port), "outside the range");
                        assert!(!model.leased.contains_key(&port), "leased twice");
                        assert!(!model.blocked.contains_key(&port));
                        assert!(ports.insert(port), "assigned twice");
                    }
                }
                match model.assigned.insert(arrival, Some(grant)).unwrap() {
                    Some(before) => assert_eq!(before, grant),
                    None => assert!(self.sleepers.get_mut(&arrival).unwrap().woken()),
                }
            }
        }
    }

    fn check(&mut self, unworried: &BTreeSet<u64>) {
        self.pool.books.lock().unwrap().check();
        let sum = |count: fn(&Model) -> usize| -> usize { self.models.values().map(count).sum() };
        let assigned = match self.allowed.is_any() {
            true => 0,
            false => sum(|model| model.assigned.len()),
        };
        assert_eq!(
            self.pool.usage(),
            Usage {
                ports: self.allowed.count(),
                in_use: sum(|model| model.leased.len()) + assigned,
                waiting: sum(|model| model.waiting.len()),
                blocked: sum(|model| model.blocked.len()),
            }
        );
        for owner in &self.listeners {
            let Applicant { local, arrival, .. } = owner.lease.applicant;
            let model = &self.models[&local];
            assert_eq!(model.leased.get(&owner.port()), Some(&arrival), "lost");
            let must_yield = !model.waiting.is_empty() && self.allowed.lists(owner.port());
            let expected = must_yield.then_some(owner.announced + seconds(5));
            assert_eq!(owner.yield_deadline(), expected);
            if must_yield && unworried.contains(&arrival) {
                assert!(self.sleepers.get_mut(&arrival).unwrap().woken());
            }
        }
    }

    /// Drops everything; afterwards each local address has all ports of the range back, and of any
    /// other range.
    fn finish(mut self, other: Option<RangeInclusive<u16>>) {
        self.listeners.clear();
        self.leases.clear();
        self.tickets.clear();
        self.now += BLOCKED_FOR;
        self.check_all_free();
        self.pool.set_range(other.clone(), self.now);
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
            let all: Vec<Lease> = range.clone().map(ask).map(granted).collect();
            let ports = BTreeSet::from_iter(all.iter().map(port_of));
            assert!(ports.into_iter().eq(range.clone()));
            let _ticket = queued(ask(0));
        }
        let usage = self.pool.usage();
        assert_eq!((usage.in_use, usage.waiting, usage.blocked), (0, 0, 0));
    }
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
