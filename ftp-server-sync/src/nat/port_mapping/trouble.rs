//! Why a router is of no use, and what the operator can do about it.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A round without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is no router that could be asked: a text with a remedy.
    NoRouter(String),
    /// None of its answers is of use, for these reasons.
    NoAnswer { router: Ipv4Addr, reasons: String },
}

impl Trouble {
    /// No port is forwarded.
    pub(super) fn without_answers(&self) -> String {
        match self {
            Self::NoRouter(_) => format!("{self}; no port is forwarded"),
            Self::NoAnswer { .. } => format!(
                "{self}; no port is forwarded; it is asked again within 5 minutes; {SWITCH_ON}, or forward \
                 the ports by hand (--rules prints the rules) and give --masquerade-address"
            ),
        }
    }

    /// The router has answered before, and forwards for this time from then on; `None`: until it is
    /// asked for the end.
    pub(super) fn with_answers(&self, lease: Option<Duration>) -> String {
        let until = match lease {
            Some(lease) => format!("; what it forwards ends {} s after that", lease.as_secs()),
            None => String::new(),
        };
        let in_use = format!("the last answer stays in use{until}");
        match self {
            Self::NoRouter(problem) => format!("{problem}; {in_use}"),
            Self::NoAnswer { router, reasons } => format!(
                "the router {router} does not confirm what it forwards ({reasons}); {in_use}; it is asked \
                 again within 5 minutes; {SWITCH_ON} if it is off"
            ),
        }
    }
}

/// For `--check` too, which asks once.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRouter(problem) => f.write_str(problem),
            Self::NoAnswer { router, reasons } => {
                write!(f, "the router {router} forwards nothing ({reasons})")
            }
        }
    }
}

/// For a router that does not answer.
pub(super) const SWITCH_ON: &str = "switch port mapping (UPnP, PCP or NAT-PMP) on in its settings";
