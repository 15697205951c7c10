//! The range changes again and again while many threads open and close real listeners.

use std::sync::atomic::AtomicUsize;

use super::*;

/// How many changes have begun and ended, for the other threads.
#[derive(Default)]
struct Swaps {
    begun: AtomicUsize,
    ended: AtomicUsize,
    opened: AtomicUsize,
}

/// Ends the threads, also after a panic.
struct Stop<'a>(&'a Swaps);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.begun.store(usize::MAX, Ordering::SeqCst);
    }
}

#[test]
fn the_range_changes_under_load() {
    let pool = PassivePool::new(range_after(0));
    let swaps = Swaps::default();
    let taken: Vec<AtomicBool> = (0..=u16::MAX).map(|_| AtomicBool::new(false)).collect();
    thread::scope(|scope| {
        for thread in 0..6u8 {
            let (pool, swaps, taken) = (&pool, &swaps, &taken);
            scope.spawn(move || load(pool, swaps, taken, thread));
        }
        let _stop = Stop(&swaps);
        for swap in 1..=SWAPS {
            thread::sleep(Duration::from_millis(2));
            swaps.begun.store(swap, Ordering::SeqCst);
            pool.set_range(range_after(swap), Instant::now());
            swaps.ended.store(swap, Ordering::SeqCst);
            pool.shared.read(PoolState::check);
        }
    });
    let total = swaps.opened.load(Ordering::SeqCst);
    assert!(total > SWAPS, "only {total} listeners");
    let usage = pool.usage();
    assert_eq!((usage.in_use, usage.waiting), (0, 0));

    let mut client = Client::new(&pool, 13);
    client.now = Instant::now() + RETRY_AFTER;
    pool.set_range(Some(range(FIRST..=FIRST + 6)), client.now);
    let all: Vec<PassiveListener> = (0..7).map(|_| opened(client.open())).collect();
    let ports = BTreeSet::from_iter(all.iter().map(PassiveListener::port));
    assert!(ports.into_iter().eq(FIRST..=FIRST + 6));
}

fn load(pool: &PassivePool, swaps: &Swaps, taken: &[AtomicBool], thread: u8) {
    let mut sleeper = Sleeper::new();
    let mut round = 0u32;
    while swaps.begun.load(Ordering::SeqCst) != usize::MAX {
        round += 1;
        let mut ended = swaps.ended.load(Ordering::SeqCst);
        let waker = sleeper.waker.clone();
        let mut opening = pool.open(local(13), peer(1), waker, Instant::now());
        let listener = loop {
            match opening.unwrap() {
                OpenOutcome::Opened(listener) => break Some(listener),
                OpenOutcome::Queued(_) if (round + u32::from(thread)).is_multiple_of(7) => {
                    break None;
                }
                OpenOutcome::Queued(_) if swaps.begun.load(Ordering::SeqCst) == usize::MAX => {
                    break None;
                }
                OpenOutcome::Queued(ticket) => {
                    sleeper.woken_within(Duration::from_millis(20));
                    ended = swaps.ended.load(Ordering::SeqCst);
                    opening = ticket.open(Instant::now());
                }
            }
        };
        let Some(listener) = listener else { continue };
        let begun = swaps.begun.load(Ordering::SeqCst).min(SWAPS);
        let port = listener.port();
        let mut ranges = (ended..=begun).map(range_after);
        let is_in_force = ranges.any(|range| range.is_none_or(|range| range.contains(port)));
        assert!(is_in_force, "{port} after {ended} to {begun} changes");
        let mine = &taken[usize::from(port)];
        assert!(!mine.swap(true, Ordering::SeqCst), "leased twice");
        swaps.opened.fetch_add(1, Ordering::SeqCst);
        let address = SocketAddr::new(local(13).ip(), port);
        if round.is_multiple_of(3) {
            TcpStream::connect(address).unwrap();
        }
        mine.store(false, Ordering::SeqCst);
        if round.is_multiple_of(2) {
            listener.close(LeaseEnd::Connected);
        }
    }
}

/// The range after this number of changes: disjoint, overlapping, none, one port.
fn range_after(swaps: usize) -> Option<PortRange> {
    match swaps % 5 {
        0 => Some(range(FIRST..=FIRST + 1)),
        1 => Some(range(FIRST + 1..=FIRST + 3)),
        2 => None,
        3 => Some(range(FIRST + 4..=FIRST + 4)),
        _ => Some(range(FIRST + 3..=FIRST + 5)),
    }
}

const SWAPS: usize = 200;
