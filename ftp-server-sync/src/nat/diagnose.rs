//! What is wrong with the settings on this machine, for the log at start and for `--check`.
//!
//! Pure: the state of the machine comes as an argument. Each finding says what will happen and
//! names the flag to change.

pub(crate) mod addresses;
pub(crate) mod certificate;
mod gateways;
mod ports;

use ftp_proto::Right;

use super::evidence::Evidence;
use super::finding::{Finding, Severity};
use crate::settings::Settings;

/// The findings, the most severe first.
pub(crate) fn diagnose(settings: &Settings, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = addresses::findings(settings, evidence);
    findings.extend(ports::findings(settings, &evidence.unavailable_ports));
    findings.extend(gateways::findings(settings));
    findings.extend(anonymous_may_write(settings));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn anonymous_may_write(settings: &Settings) -> Option<Finding> {
    let rights = settings.users.anonymous()?;
    rights.contains(Right::Store).then(|| {
        Finding::new(
            Severity::Risk,
            "anonymous may change and delete files: everyone who can reach the port can do that; add \
             --username and a password, or leave --write out",
        )
    })
}

#[cfg(test)]
mod tests;
