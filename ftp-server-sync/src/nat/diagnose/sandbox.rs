//! What `--sandbox` leaves reachable, and what it costs.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ftp_proto::text::printable_word;

use crate::nat::evidence::SandboxEvidence;
use crate::nat::finding::{Finding, Severity};
use crate::sandbox::AllowedAccess;

pub(super) fn findings(sandbox: &SandboxEvidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !sandbox.gaps.is_empty() {
        let gaps = sandbox.gaps.join("; ");
        let text =
            format!("this kernel is too old for a part of --sandbox: it does not refuse {gaps}");
        findings.push(Finding::new(Severity::Risk, text));
    }
    findings.push(reachable(sandbox));
    findings.extend(irreplaceable(&sandbox.rules.irreplaceable));
    findings
}

fn reachable(sandbox: &SandboxEvidence) -> Finding {
    let list = |what: &str, access| {
        let rules = sandbox.rules.rules.iter();
        let rules = rules.filter(|rule| rule.access == access);
        let paths = words(rules.map(|rule| rule.path.as_path()));
        (!paths.is_empty()).then(|| format!("for {what} {paths}"))
    };
    let is_new = |path: &&PathBuf| !sandbox.rules.allow_change(path);
    let sockets = sandbox.rules.sockets.iter().filter(is_new);
    let sockets = words(sockets.map(PathBuf::as_path));
    let sockets = (!sockets.is_empty())
        .then(|| format!("for the status socket, to list and to remove files, {sockets}"));
    let parts = [
        sockets,
        list("changes", AllowedAccess::Change),
        list("reading", AllowedAccess::Read),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Finding::note(format!(
        "--sandbox leaves the server, with all that is below: {}; and what names and time zones need",
        parts.join("; ")
    ))
}

fn irreplaceable(paths: &[PathBuf]) -> Option<Finding> {
    if paths.is_empty() {
        return None;
    }
    let paths = words(paths.iter().map(PathBuf::as_path));
    Some(Finding::note(format!(
        "--sandbox does not leave the server the directories around {paths}, which contain too much \
         else: what is mounted over such a path, or renamed to it, is out of reach until the server is \
         restarted; a directory of its own around it changes that"
    )))
}

fn words<'a>(paths: impl Iterator<Item = &'a Path>) -> String {
    let words = paths.map(|path| printable_word(path.as_os_str().as_bytes()));
    words.collect::<Vec<_>>().join(", ")
}
