//! Runs of hooks that wait: sessions add them and never wait, threads of the server take them.
//!
//! Each hook has a queue of its own, so that a slow one delays no other.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::locks::lock;
use crate::logging::fields::Subject;
use crate::settings::HookKind;

/// The queues of all hooks.
#[derive(Debug, Default)]
pub(crate) struct HookQueues {
    upload: HookQueue,
    event: HookQueue,
}

/// The runs of one hook that wait.
#[derive(Debug, Default)]
pub(crate) struct HookQueue {
    state: Mutex<QueueState>,
    /// A run has come, or the queue ends.
    filled: Condvar,
    /// A run has left, or the queue ends.
    freed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    runs: VecDeque<HookRun>,
    /// None is added any more.
    is_closed: bool,
    /// None is started any more, and those that run end early.
    is_stopped: bool,
}

/// One run of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookRun {
    pub(crate) program: PathBuf,
    /// What it is about, for the log.
    pub(crate) subject: String,
    /// Names and values of its environment, besides those of every run.
    pub(crate) variables: Vec<(String, OsString)>,
    pub(crate) time_limit: Duration,
}

impl HookRun {
    /// What it is about, with the path of the file as the client sees it, if it is about one.
    pub(crate) fn subject_and_path(&self) -> String {
        let mut variables = self.variables.iter();
        match variables.find(|(name, _)| name == "FTP_PATH") {
            Some((_, path)) => format!("{} ({})", self.subject, Subject(path.as_bytes())),
            None => self.subject.clone(),
        }
    }
}

impl HookQueues {
    pub(crate) fn of(&self, kind: HookKind) -> &HookQueue {
        match kind {
            HookKind::Upload => &self.upload,
            HookKind::Event => &self.event,
        }
    }
}

impl HookQueue {
    /// Adds a run. Never waits. False: too many wait already, or the server ends.
    pub(crate) fn push(&self, run: HookRun) -> bool {
        let mut state = lock(&self.state);
        let is_accepted = !state.is_closed && state.runs.len() < WAITING_MAX;
        if is_accepted {
            state.runs.push_back(run);
            self.filled.notify_one();
        }
        is_accepted
    }

    /// Adds a run once there is room for it. False: the queue has ended before, or `is_over` says
    /// so, which is asked again and again while there is none.
    pub(crate) fn push_when_free(&self, run: HookRun, is_over: impl Fn() -> bool) -> bool {
        let mut state = lock(&self.state);
        while !state.is_closed && state.runs.len() >= WAITING_MAX {
            if is_over() {
                return false;
            }
            let waited = self.freed.wait_timeout(state, LOOK_AFTER);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.is_closed {
            return false;
        }
        state.runs.push_back(run);
        self.filled.notify_one();
        true
    }

    /// The next run, once there is one. `None`: the queue is closed, and no run is left.
    pub(crate) fn next(&self) -> Option<HookRun> {
        let mut state = lock(&self.state);
        loop {
            if state.is_stopped {
                return None;
            }
            if let Some(run) = state.runs.pop_front() {
                self.freed.notify_one();
                return Some(run);
            }
            if state.is_closed {
                return None;
            }
            state = wait(&self.filled, state);
        }
    }

    /// What waits is still started, but nothing is added any more.
    pub(crate) fn close(&self) {
        lock(&self.state).is_closed = true;
        self.filled.notify_all();
        self.freed.notify_all();
    }

    /// What waits is not started any more, and what runs ends early. Returns how many waited.
    pub(crate) fn stop(&self) -> usize {
        let mut state = lock(&self.state);
        state.is_closed = true;
        state.is_stopped = true;
        self.filled.notify_all();
        self.freed.notify_all();
        std::mem::take(&mut state.runs).len()
    }

    /// Whether what runs is to end early.
    pub(crate) fn is_stopped(&self) -> bool {
        lock(&self.state).is_stopped
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, QueueState>) -> MutexGuard<'a, QueueState> {
    let waited = condition.wait(state);
    waited.unwrap_or_else(PoisonError::into_inner)
}

/// Enough for a client that mirrors a directory; with long paths a few megabytes.
pub(crate) const WAITING_MAX: usize = 1000;

/// Between two looks whether there is still someone to wait for.
const LOOK_AFTER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    fn run(subject: impl ToString) -> HookRun {
        HookRun {
            program: "/bin/true".into(),
            subject: subject.to_string(),
            variables: Vec::new(),
            time_limit: Duration::from_secs(1),
        }
    }

    fn next(queue: &HookQueue) -> Option<String> {
        Some(queue.next()?.subject)
    }

    /// A path may look like the end of the subject, or like another line.
    #[test]
    fn the_path_is_shown_in_one_line() {
        let mut run = run("rename of #1");
        assert_eq!(run.subject_and_path(), "rename of #1");
        for (name, value) in [
            ("FTP_USER", "bob"),
            ("FTP_PATH", "/a b: c\n"),
            ("FTP_OLD_PATH", "/o"),
        ] {
            run.variables.push((name.to_owned(), value.into()));
        }
        assert_eq!(run.subject_and_path(), r"rename of #1 (/a b:\x20c\n)");
    }

    #[test]
    fn runs_leave_in_their_order_also_after_the_end() {
        let queue = HookQueue::default();
        assert!(queue.push(run(1)) && queue.push(run(2)));
        assert_eq!(next(&queue).as_deref(), Some("1"));
        queue.close();
        assert!(!queue.push(run(3)));
        assert_eq!(next(&queue).as_deref(), Some("2"));
        assert_eq!(next(&queue), None);
    }

    #[test]
    fn too_many_are_refused_until_one_has_left() {
        let queue = HookQueue::default();
        for number in 0..WAITING_MAX {
            assert!(queue.push(run(number)));
        }
        assert!(!queue.push(run("one too many")));
        assert_eq!(next(&queue).as_deref(), Some("0"));
        assert!(queue.push(run("the last")));
    }

    #[test]
    fn nothing_starts_after_a_stop() {
        let queue = HookQueue::default();
        assert!(!queue.is_stopped());
        assert!(queue.push(run(1)) && queue.push(run(2)));
        assert_eq!(queue.stop(), 2);
        assert!(queue.is_stopped());
        assert_eq!(next(&queue), None);
        assert!(!queue.push(run(3)));
    }

    #[test]
    fn who_may_wait_for_room_gets_it() {
        let queue = HookQueue::default();
        for number in 0..WAITING_MAX {
            assert!(queue.push_when_free(run(number), || true));
        }
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(queue.push_when_free(run("the last"), || false)));
            for _ in 0..WAITING_MAX {
                assert!(next(&queue).is_some());
            }
            assert_eq!(next(&queue).as_deref(), Some("the last"));
        });
    }

    #[test]
    fn a_wait_for_room_ends_with_its_reason_or_with_the_queue() {
        let queue = HookQueue::default();
        for number in 0..WAITING_MAX {
            assert!(queue.push(run(number)));
        }
        assert!(!queue.push_when_free(run("one too many"), || true));
        let looks = std::cell::Cell::new(0);
        let is_over = || looks.replace(looks.get() + 1) == 2;
        assert!(!queue.push_when_free(run("one too many"), is_over));
        assert_eq!(looks.get(), 3);
        queue.close();
        assert!(!queue.push_when_free(run("too late"), || false));
        assert_eq!(queue.stop(), WAITING_MAX);
    }

    /// A thread that waits for a run is woken by one, and by the end.
    #[test]
    fn waiting_threads_are_woken() {
        let queue = HookQueue::default();
        std::thread::scope(|scope| {
            let waiting = [(); 3].map(|()| scope.spawn(|| next(&queue)));
            assert!(queue.push(run(1)) && queue.push(run(2)));
            queue.close();
            let found = waiting.map(|thread| thread.join().expect("no panic"));
            let count = |wanted: Option<&str>| {
                let found = found.iter().filter(|found| found.as_deref() == wanted);
                found.count()
            };
            assert_eq!([Some("1"), Some("2"), None].map(count), [1, 1, 1]);
        });
    }
}
