//! The state of this machine that a diagnosis is based on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::io::Errno;

use super::address_source::answer::Answer;
use super::finding::Finding;
use super::port_mapping::probe::RouterReport;
use crate::fs::mounts::UnmountedShare;
use crate::net::interfaces::Interfaces;
use crate::net::port_probe::UnavailablePorts;
use crate::privileges::ProcessRights;
use crate::sandbox::{Sandbox, SandboxRules, gaps, in_force};
use crate::settings::password_exposure::PasswordExposure;
use crate::settings::{AddressSource, KnownAddresses, Settings};

/// What is known about this machine and about the public addresses in the settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) interfaces: Interfaces,
    /// The addresses that the settings do not contain themselves.
    pub(crate) known: KnownAddresses,
    /// What their sources say; empty if they have not been asked for this.
    pub(crate) answers: BTreeMap<AddressSource, Answer>,
    /// The sources without an address, and why.
    pub(crate) unresolved: BTreeMap<AddressSource, String>,
    /// The passive ports that cannot be used; empty if they have not been probed.
    pub(crate) unavailable_ports: UnavailablePorts,
    /// The server's own files that are in the shared directory.
    pub(crate) own_files_inside: Vec<PathBuf>,
    /// Who else may read the files with passwords.
    pub(crate) password_exposures: Vec<PasswordExposure>,
    /// What is wrong with the users of the file.
    pub(crate) users: Vec<Finding>,
    /// What should be mounted at the shared directory, or above it, and is not.
    pub(crate) unmounted_share: Option<UnmountedShare>,
    /// Less is free on the disk of the shared directory than uploads have to leave free.
    pub(crate) lacks_space: bool,
    /// Why the server's user may not create files directly in the shared directory.
    pub(crate) unwritable: Option<Errno>,
    /// What the server may do.
    pub(crate) rights: ProcessRights,
    /// The sandbox; `None`: there is none.
    pub(crate) sandbox: Option<SandboxEvidence>,
    /// What the router answers, or why it is no use; `None`: it has not been asked for this.
    pub(crate) router: Option<Result<RouterReport, String>>,
    /// What the router's firewall does for clients over IPv6, or what to do by hand; `None`: it has
    /// not been asked for this, or no client comes over IPv6.
    pub(crate) firewall: Option<Result<String, String>>,
}

/// What the sandbox leaves reachable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SandboxEvidence {
    pub(crate) rules: SandboxRules,
    /// What the kernel is too old to refuse.
    pub(crate) gaps: Vec<&'static str>,
}

impl SandboxEvidence {
    /// The sandbox that the process is in.
    pub(crate) fn in_force() -> Option<Self> {
        in_force().map(|Sandbox { rules, gaps, .. }| Self {
            rules: rules.clone(),
            gaps: gaps.clone(),
        })
    }

    /// The sandbox that a server with these settings would be in.
    ///
    /// # Errors
    ///
    /// That the kernel cannot do it.
    pub(crate) fn expected(settings: &Settings) -> Result<Option<Self>, String> {
        if !settings.sandbox {
            return Ok(None);
        }
        Ok(Some(Self {
            rules: settings.sandbox_rules(),
            gaps: gaps()?,
        }))
    }
}
