//! What a diagnosis is based on while the server runs, and its lines in the log.

use log::{info, warn};

use crate::fs::mounts::UnmountedShare;
use crate::fs::root::unwritable;
use crate::fs::upload_limits::lacks_space;
use crate::nat::evidence::{Evidence, SandboxEvidence};
use crate::nat::finding::{Finding, Severity};
use crate::nat::hook_problems::hook_findings;
use crate::nat::user_problems::user_findings;
use crate::privileges::ProcessRights;
use crate::session::Current;
use crate::settings::Settings;

/// The state of this machine without a look at its ports. This looks at disks.
pub(super) fn evidence(current: &Current) -> Evidence {
    let others = Evidence {
        own_files_inside: current.share.own_files_inside(),
        ..on_disk(&current.settings)
    };
    with_networks(current, others)
}

/// What is known about the networks beside these others.
pub(super) fn with_networks(current: &Current, others: Evidence) -> Evidence {
    Evidence {
        interfaces: current.interfaces.clone(),
        known: current.known.clone(),
        ..others
    }
}

/// What is found out about the settings alone, and about the directories and files in them. One on
/// a disk that does not answer holds this thread.
pub(super) fn on_disk(settings: &Settings) -> Evidence {
    Evidence {
        password_exposures: settings.password_exposures(),
        users: [user_findings(settings), hook_findings(settings)].concat(),
        unmounted_share: UnmountedShare::find(&settings.directory),
        lacks_space: lacks_space(&settings.uploads, &settings.directory),
        unwritable: unwritable(&settings.directory),
        rights: ProcessRights::read(settings),
        sandbox: SandboxEvidence::in_force(),
        ..Evidence::default()
    }
}

pub(super) fn log_findings(found: Vec<Finding>) {
    for finding in found {
        match finding.severity {
            Severity::Failure | Severity::Risk => warn!("{finding}"),
            Severity::Note => info!("{finding}"),
        }
    }
}
