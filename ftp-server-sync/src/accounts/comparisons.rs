//! The comparisons of passwords with hashes: which of them run, each on a thread of its own kind,
//! and which wait.
//!
//! At most [`RUNNING_MAX`] run at once, and of those of one address one after another: the next one
//! sees that the one before has failed, and no address keeps all others waiting. A session waits
//! in its poll. Threads are started for what waits, and end when nothing does: then their memory
//! is the system's again. What waits is as much as there are sessions, of which each has one login.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use mio::Waker;

use crate::locks::lock;
use crate::net::client_network::ClientNetwork;

/// The comparisons of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Comparisons(Arc<Mutex<Queue>>);

/// A comparison that waits or runs. One that waits is given up when this is dropped.
#[derive(Debug)]
pub(crate) struct PendingComparison<T> {
    number: u64,
    queue: Arc<Mutex<Queue>>,
    result: Receiver<T>,
}

/// How far a comparison is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ComparisonState<T> {
    Pending,
    Done(T),
    /// It has panicked.
    Lost,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    /// The addresses of those that run.
    running: Vec<Option<ClientNetwork>>,
    threads: usize,
    submitted: u64,
}

struct Waiting {
    number: u64,
    address: Option<ClientNetwork>,
    work: Box<dyn FnOnce() + Send>,
}

/// Where the result goes. Dropped without one, it says that there will be none.
struct ResultSender<T> {
    sender: Option<Sender<T>>,
    waker: Arc<Waker>,
}

impl Comparisons {
    /// Has `work` done on another thread, after those of the same address; `None`: it does not wait
    /// for others. The waker is called once there is a result.
    ///
    /// The error: the system has no thread for it. It waits until there is one;
    /// [`start_thread`](Self::start_thread) tries again.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        address: Option<ClientNetwork>,
        waker: Arc<Waker>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> (PendingComparison<T>, io::Result<()>) {
        let (sender, result) = bounded(1);
        let sender = ResultSender {
            sender: Some(sender),
            waker,
        };
        let mut queue = lock(&self.0);
        queue.submitted += 1;
        let number = queue.submitted;
        queue.waiting.push_back(Waiting {
            number,
            address,
            work: Box::new(move || sender.send(work())),
        });
        drop(queue);
        let pending = PendingComparison {
            number,
            queue: self.0.clone(),
            result,
        };
        (pending, self.start_thread())
    }

    /// Starts a thread, unless enough of them run.
    ///
    /// # Errors
    ///
    /// If none runs, and the system has none.
    pub(crate) fn start_thread(&self) -> io::Result<()> {
        let mut queue = lock(&self.0);
        if queue.threads == RUNNING_MAX {
            return Ok(());
        }
        queue.threads += 1;
        drop(queue);
        let queue = self.0.clone();
        let spawned = thread::Builder::new()
            .name("password".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || run(&queue));
        let Err(error) = spawned else {
            return Ok(());
        };
        let mut queue = lock(&self.0);
        queue.threads -= 1;
        if queue.threads > 0 {
            // The other one does it later.
            Ok(())
        } else {
            Err(error)
        }
    }

    /// How many run, and how many wait.
    #[cfg(test)]
    fn counts(&self) -> (usize, usize) {
        let queue = lock(&self.0);
        (queue.running.len(), queue.waiting.len())
    }
}

/// A thread: does what waits until nothing is left that may run.
fn run(queue: &Mutex<Queue>) {
    loop {
        let next = lock(queue).next();
        let Some(Waiting { address, work, .. }) = next else {
            return;
        };
        // After a panic the session is informed by its sender, and others have their turns.
        let _ = catch_unwind(AssertUnwindSafe(work));
        lock(queue).end(address);
    }
}

impl Queue {
    /// The first that may run. `None`: the thread that asks has ended.
    fn next(&mut self) -> Option<Waiting> {
        let is_free = |waiting: &Waiting| {
            waiting.address.is_none() || !self.running.contains(&waiting.address)
        };
        let first = self.waiting.iter().position(is_free);
        let next = first.and_then(|index| self.waiting.remove(index));
        match &next {
            Some(waiting) => self.running.push(waiting.address),
            None => self.threads -= 1,
        }
        next
    }

    fn end(&mut self, address: Option<ClientNetwork>) {
        if let Some(index) = self.running.iter().position(|other| *other == address) {
            self.running.swap_remove(index);
        }
    }
}

impl<T> PendingComparison<T> {
    /// Whether there is a result. To be called again after a wake-up.
    pub(crate) fn state(&self) -> ComparisonState<T> {
        match self.result.try_recv() {
            Ok(result) => ComparisonState::Done(result),
            Err(TryRecvError::Empty) => ComparisonState::Pending,
            Err(TryRecvError::Disconnected) => ComparisonState::Lost,
        }
    }
}

impl<T> Drop for PendingComparison<T> {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        let index = queue
            .waiting
            .iter()
            .position(|waiting| waiting.number == self.number);
        let given_up = index.and_then(|index| queue.waiting.remove(index));
        drop(queue);
        // Without the lock: it has a waker and a password to wipe.
        drop(given_up);
    }
}

impl<T> ResultSender<T> {
    fn send(mut self, result: T) {
        if let Some(sender) = self.sender.take() {
            // The session may have ended.
            let _ = sender.send(result);
        }
    }
}

impl<T> Drop for ResultSender<T> {
    fn drop(&mut self) {
        // Before the session looks.
        self.sender = None;
        let _ = self.waker.wake();
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.waiting.len())
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

/// How many run at once: each keeps a core busy, and small machines have two or four. Each takes
/// the memory of its hash, 8 MiB with those that `--hash-password` makes.
const RUNNING_MAX: usize = 2;

/// The C library's look-ups of users run on it too, with modules of others. Only the pages that are
/// used need memory.
const STACK_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;

    /// A session that waits in its poll.
    struct Bench {
        poll: Poll,
        waker: Arc<Waker>,
        comparisons: Comparisons,
    }

    /// Lets a comparison go on.
    type Release = mpsc::Sender<()>;

    impl Bench {
        fn new() -> Self {
            let poll = Poll::new().unwrap();
            Self {
                waker: Waker::new(poll.registry(), Token(0)).unwrap().into(),
                poll,
                comparisons: Comparisons::default(),
            }
        }

        /// A comparison that runs until it is released. It sends its number when it begins.
        fn submit(
            &self,
            number: u32,
            address: Option<&str>,
            begun: &mpsc::Sender<u32>,
        ) -> (PendingComparison<u32>, Release) {
            let (release, released) = mpsc::channel();
            let begun = begun.clone();
            let work = move || {
                begun.send(number).unwrap();
                let _ = released.recv();
                number
            };
            let address = address.map(|text| ClientNetwork::of(text.parse().unwrap()));
            let (pending, started) = self.comparisons.submit(address, self.waker.clone(), work);
            started.unwrap();
            (pending, release)
        }

        /// Waits as a session does.
        fn result<T>(&mut self, pending: &PendingComparison<T>) -> ComparisonState<T> {
            loop {
                match pending.state() {
                    ComparisonState::Pending => {
                        let mut events = Events::with_capacity(1);
                        let long = Some(Duration::from_secs(60));
                        self.poll.poll(&mut events, long).unwrap();
                        assert!(!events.is_empty(), "no one has woken the session");
                    }
                    state => return state,
                }
            }
        }

        /// The last thread has ended.
        fn is_idle(&self) -> bool {
            lock(&self.comparisons.0).threads == 0
        }
    }

    #[test]
    fn two_run_at_once() {
        let mut bench = Bench::new();
        let (begun, begins) = mpsc::channel();
        let mut pending = Vec::new();
        let mut releases = VecDeque::new();
        for number in 0..4 {
            let (one, release) = bench.submit(number, None, &begun);
            pending.push(one);
            releases.push_back(release);
        }
        let mut first = [begins.recv().unwrap(), begins.recv().unwrap()];
        first.sort_unstable();
        assert_eq!(first, [0, 1]);
        assert_eq!(bench.comparisons.counts(), (2, 2));
        assert_eq!(pending[0].state(), ComparisonState::Pending);
        drop(releases.pop_front());
        assert_eq!(begins.recv(), Ok(2));
        assert_eq!(bench.result(&pending[0]), ComparisonState::Done(0));
        releases.clear();
        for number in 1..4 {
            let pending = &pending[number as usize];
            assert_eq!(bench.result(pending), ComparisonState::Done(number));
        }
        while !bench.is_idle() {
            thread::yield_now();
        }
    }

    #[test]
    fn those_of_one_address_run_one_after_another() {
        let mut bench = Bench::new();
        let (begun, begins) = mpsc::channel();
        let one = Some("198.51.100.7");
        let (first, release) = bench.submit(1, one, &begun);
        assert_eq!(begins.recv(), Ok(1));
        let (second, release_second) = bench.submit(2, one, &begun);
        // Another address overtakes it.
        let (other, release_other) = bench.submit(3, Some("198.51.100.8"), &begun);
        assert_eq!(begins.recv(), Ok(3));
        drop(release_other);
        assert_eq!(bench.result(&other), ComparisonState::Done(3));
        assert_eq!(bench.comparisons.counts().1, 1);
        drop(release);
        assert_eq!(begins.recv(), Ok(2));
        drop(release_second);
        assert_eq!(bench.result(&first), ComparisonState::Done(1));
        assert_eq!(bench.result(&second), ComparisonState::Done(2));
    }

    #[test]
    fn what_is_given_up_does_not_run() {
        let mut bench = Bench::new();
        let (begun, begins) = mpsc::channel();
        let one = Some("198.51.100.7");
        let (first, release) = bench.submit(1, one, &begun);
        assert_eq!(begins.recv(), Ok(1));
        let (second, _release) = bench.submit(2, one, &begun);
        let (third, release_third) = bench.submit(3, one, &begun);
        assert_eq!(bench.comparisons.counts(), (1, 2));
        drop(second);
        assert_eq!(bench.comparisons.counts(), (1, 1));
        // One that runs goes on to its end.
        drop(first);
        assert_eq!(bench.comparisons.counts(), (1, 1));
        drop((release, release_third));
        assert_eq!(bench.result(&third), ComparisonState::Done(3));
        assert_eq!(begins.try_recv(), Ok(3));
    }

    #[test]
    fn a_panic_ends_one_comparison_only() {
        let mut bench = Bench::new();
        let address = Some(ClientNetwork::of("198.51.100.7".parse().unwrap()));
        let submit = |bench: &Bench, panics: bool| {
            let work = move || assert!(!panics, "as the test wants it");
            let waker = bench.waker.clone();
            bench.comparisons.submit(address, waker, work).0
        };
        let [bad, good] = [true, false].map(|panics| submit(&bench, panics));
        assert_eq!(bench.result(&bad), ComparisonState::Lost);
        assert_eq!(bench.result(&good), ComparisonState::Done(()));
    }
}
