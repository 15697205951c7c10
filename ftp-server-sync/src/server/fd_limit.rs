//! The limit on open descriptors, which limits the number of clients.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit as far as the system permits. Returns a warning if that is not enough for
/// `connections_max` clients that transfer.
pub(super) fn raise_limit(connections_max: u32) -> Option<String> {
    let limit = getrlimit(Resource::Nofile);
    let needed = u64::from(connections_max) * PER_SESSION + SERVER;
    if limit.current.is_none_or(|current| current >= needed) {
        return None;
    }
    let wanted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    let reached = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(_) => limit.current.unwrap_or(wanted),
    };
    (reached < needed).then(|| {
        let clients = reached.saturating_sub(SERVER) / PER_SESSION;
        format!(
            "the limit of {reached} open files is enough for about {clients} clients, \
             not for --max-cons {connections_max}: raise it (ulimit -n) or lower --max-cons"
        )
    })
}

/// Control connection, poll, waker, file, and a data connection or a listener with its
/// registration.
const PER_SESSION: u64 = 6;

/// Control sockets, log, shared directory, and a reserve.
const SERVER: u64 = 32;
