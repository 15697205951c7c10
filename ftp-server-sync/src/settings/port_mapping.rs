//! What the operator has decided about ports that the server asks the router to forward.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How the router is asked to forward ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// The protocols, in the order in which they are tried. Empty: the router is not asked.
    pub protocols: Vec<MappingProtocol>,
    /// The interface whose default gateway is asked; `None`: that of the best default route.
    pub interface: Option<String>,
    /// Whether the control port is forwarded although anonymous may log in.
    pub anonymous: bool,
    /// How long the router is to forward a port. It is asked again after half of it. No flag sets
    /// it.
    pub lease: Duration,
    /// The directory for the file from which the server knows its mappings again.
    pub state_directory: PathBuf,
}

/// A protocol in which a router can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MappingProtocol {
    /// RFC 6887.
    Pcp,
    /// RFC 6886.
    NatPmp,
    /// UPnP IGD, versions 1 and 2.
    Upnp,
}

impl PortMapping {
    /// Whether the router is asked.
    pub fn is_on(&self) -> bool {
        !self.protocols.is_empty()
    }

    /// Whether the state directory is needed: an earlier run may have left mappings to remove.
    pub(crate) fn uses_state(&self) -> bool {
        self.is_on() || self.record_file().exists()
    }

    /// The file from which the server knows its mappings again.
    pub(crate) fn nonce_file(&self) -> PathBuf {
        self.state_directory.join(NONCE_FILE)
    }

    /// The file with what routers forward, so that a start after a crash removes it.
    pub(crate) fn record_file(&self) -> PathBuf {
        self.state_directory.join(RECORD_FILE)
    }

    /// The file that only one server holds at a time. It is never renamed or removed: each would
    /// hold another one.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.state_directory.join(LOCK_FILE)
    }

    /// All of them, if there are any.
    pub(super) fn files_in_use(&self) -> impl Iterator<Item = PathBuf> {
        let files = self
            .uses_state()
            .then(|| [self.nonce_file(), self.record_file(), self.lock_file()]);
        files.into_iter().flatten()
    }

    /// What the mappings of real routers last for.
    pub const LEASE_DEFAULT: Duration = Duration::from_secs(3600);
}

impl MappingProtocol {
    /// All of them, the best one first: it is the order of `--port-mapping auto`.
    pub const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];
}

/// The name of the file from which the server knows its mappings again.
pub(crate) const NONCE_FILE: &str = "port-mapping-nonce";

/// The name of the file with what routers forward.
pub(crate) const RECORD_FILE: &str = "port-mappings";

/// The name of the file that only one server holds at a time.
pub(crate) const LOCK_FILE: &str = "port-mapping-lock";

/// Its name, as in the settings of routers.
impl fmt::Display for MappingProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
    }
}
