//! The limit on open descriptors, which limits the number of sessions: each of them has its
//! descriptors reserved. Without that, clients that only connect would take them from those that
//! transfer.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::awaited_headers::AwaitedHeaders;
use crate::settings::Settings;

/// How many descriptors this process can have.
#[derive(Debug)]
pub(super) struct DescriptorLimit {
    /// `None`: no limit.
    reached: Option<u64>,
    /// Those of connections that have no session yet.
    waiting: u64,
}

impl DescriptorLimit {
    /// Raises the soft limit, as far as the system permits, to what all clients need that these
    /// settings admit and that transfer.
    pub(super) fn raise(settings: &Settings) -> Self {
        let waiting = AwaitedHeaders::waiting_max(settings) as u64;
        let limit = getrlimit(Resource::Nofile);
        let needed = needed(settings.limits.connections_max) + waiting;
        let reached = limit.current.map(|current| {
            if current >= needed {
                return current;
            }
            let wanted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
            let raised = Rlimit {
                current: Some(wanted),
                maximum: limit.maximum,
            };
            setrlimit(Resource::Nofile, raised).map_or(current, |()| wanted)
        });
        Self { reached, waiting }
    }

    /// The sessions that can run at the same time. One always can: if anything is missing, its
    /// replies say so.
    pub(super) fn sessions_max(&self) -> u32 {
        let Some(reached) = self.reached else {
            return u32::MAX;
        };
        let sessions = reached.saturating_sub(SERVER + self.waiting) / PER_SESSION;
        u32::try_from(sessions).unwrap_or(u32::MAX).max(1)
    }

    /// A warning if the limit is not enough for this number of clients.
    pub(super) fn warning(&self, connections_max: u32) -> Option<String> {
        let reached = self.reached?;
        let sessions_max = self.sessions_max();
        (sessions_max < connections_max).then(|| {
            format!(
                "the limit of {reached} open files is enough for {sessions_max} clients, not for \
                 --max-cons {connections_max}; more are refused: raise it (ulimit -n) or lower \
                 --max-cons"
            )
        })
    }
}

fn needed(connections_max: u32) -> u64 {
    u64::from(connections_max) * PER_SESSION + SERVER
}

/// Control connection, poll, waker, file, a data connection with the two ends of a pipe, and the
/// lingering data connection before it. A listener with its registration takes no more.
const PER_SESSION: u64 = 8;

/// Control sockets, log, shared directory, and a reserve.
const SERVER: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(reached: Option<u64>) -> DescriptorLimit {
        DescriptorLimit {
            reached,
            waiting: 0,
        }
    }

    #[test]
    fn connections_that_await_their_headers_take_none_of_the_sessions() {
        let beside = DescriptorLimit {
            waiting: 256,
            ..limit(Some(needed(512) + 256))
        };
        assert_eq!(beside.sessions_max(), 512);
        let within = DescriptorLimit {
            waiting: 256,
            ..limit(Some(needed(512)))
        };
        assert!(within.sessions_max() < 512);
    }

    #[test]
    fn each_session_has_its_descriptors() {
        let sessions_max = |reached| limit(reached).sessions_max();
        assert_eq!(sessions_max(Some(needed(512))), 512);
        assert_eq!(sessions_max(Some(needed(512) - 1)), 511);
        assert_eq!(sessions_max(Some(0)), 1);
        assert_eq!(sessions_max(Some(u64::MAX)), u32::MAX);
        assert_eq!(sessions_max(None), u32::MAX);
    }

    #[test]
    fn a_limit_that_is_too_low_is_a_warning() {
        assert_eq!(limit(Some(needed(8))).warning(8), None);
        assert_eq!(limit(None).warning(8), None);
        let warning = limit(Some(needed(8) - 1)).warning(8).expect("a warning");
        let text = "the limit of 95 open files is enough for 7 clients, not for --max-cons 8;";
        assert!(warning.starts_with(text), "{warning}");
    }
}
