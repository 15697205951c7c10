//! Waiting for what another thread or process brings about: a condition with a deadline, never a
//! fixed time.
//!
//! The few tests in which time itself is what happens call [`pass_time`]; no other file sleeps.

use std::thread;
use std::time::{Duration, Instant};

/// Looks again and again until `is_so`; fails the test when that takes longer than anything may.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_at_most(GUARD, what, is_so);
}

/// The same with another deadline.
#[track_caller]
pub(crate) fn wait_at_most(at_most: Duration, what: &str, is_so: impl FnMut() -> bool) {
    assert!(
        is_so_within(at_most, is_so),
        "it did not happen in time: {what}"
    );
}

/// Looks again and again; whether it was so in time.
pub(crate) fn is_so_within(at_most: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + at_most;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        pause();
    }
}

/// Between two looks at a condition.
pub(crate) fn pause() {
    thread::sleep(PAUSE);
}

/// The same after this number of looks. The first ones come soon, as many programs end at once.
pub(crate) fn pause_after(looks: u32) {
    let short = Duration::from_micros(100) * 2_u32.pow(looks.min(10));
    thread::sleep(short.min(PAUSE));
}

/// Waits for this time. The reason is why there is no condition to wait for.
pub(crate) fn pass_time(time: Duration, _reason: &str) {
    thread::sleep(time);
}

/// The deadline for what must happen; a test that needs another one names it.
pub(crate) const GUARD: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(5);
