//! The limit on open descriptors, which bounds how many clients can be served.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit as far as the system lets us. Returns a warning if it does not suffice for
/// `connections_max` clients in the middle of a transfer.
pub(crate) fn raise_limit(connections_max: u32) -> Option<String> {
    let limit = getrlimit(Resource::Nofile);
    let needed = u64::from(connections_max) * PER_SESSION + OWN;
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
        let clients = reached.saturating_sub(OWN) / PER_SESSION;
        format!(
            "the limit of {reached} open files is enough for about {clients} clients, \
             not for --max-cons {connections_max}: raise it (ulimit -n) or lower --max-cons"
        )
    })
}

/// Control, poll, waker, file, and either a data connection or a listener with its place in the poll.
const PER_SESSION: u64 = 6;

/// Listeners, log, shared directory, and some to spare.
const OWN: u64 = 32;
