//! Locks, whatever happened while another thread held them.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the mutex, also after a panic of the thread that held it. A panic ends one session only: each
/// value behind a lock here is complete at every point at which its holder can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
