//! Landlock: what is asked of the kernel, and what it is too old for.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope, make_bitflags,
};

use super::rules::{AllowedAccess, SandboxRule};

/// Restricts this thread to these paths. Returns what the kernel is too old to refuse. `sockets`:
/// directories in which sockets may be made and removed.
pub(super) fn restrict<'a>(
    rules: impl Iterator<Item = &'a SandboxRule>,
    sockets: &[PathBuf],
) -> Result<Vec<&'static str>, String> {
    let gaps = gaps()?;
    let status = restrict_to(rules, sockets).map_err(|error| format!("--sandbox: {error}"))?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(MISSING.to_owned()),
        _ => Ok(gaps),
    }
}

fn restrict_to<'a>(
    rules: impl Iterator<Item = &'a SandboxRule>,
    sockets: &[PathBuf],
) -> Result<RestrictionStatus, RulesetError> {
    let mut ruleset = required()?.set_compatibility(CompatLevel::BestEffort);
    for restriction in RESTRICTIONS {
        ruleset = restriction.request(ruleset)?;
    }
    let mut created = ruleset.create()?;
    for rule in rules {
        // What does not exist, or may not be looked up, is not allowed either.
        if let Ok(handle) = PathFd::new(&rule.path) {
            let rights = rights(rule.access, rule.path.is_dir());
            created = created.add_rule(PathBeneath::new(handle, rights))?;
        }
    }
    for directory in sockets {
        if let Ok(handle) = PathFd::new(directory) {
            created = created.add_rule(PathBeneath::new(handle, of_sockets()))?;
        }
    }
    created.restrict_self()
}

/// What the kernel is too old to refuse.
pub(super) fn gaps() -> Result<Vec<&'static str>, String> {
    required()
        .and_then(Ruleset::create)
        .map_err(|_| MISSING.to_owned())?;
    let is_missing = |restriction: &&Restriction| {
        let ruleset = required().and_then(|ruleset| restriction.request(ruleset));
        ruleset.and_then(Ruleset::create).is_err()
    };
    let missing = RESTRICTIONS.iter().filter(is_missing);
    Ok(missing.map(|restriction| restriction.gap).collect())
}

/// Without the second version, no file could be moved to another directory.
fn required() -> Result<Ruleset, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V2))
}

/// What later versions can refuse.
struct Restriction {
    access: BitFlags<AccessFs>,
    scope: BitFlags<Scope>,
    /// What happens without it.
    gap: &'static str,
}

impl Restriction {
    fn request(&self, mut ruleset: Ruleset) -> Result<Ruleset, RulesetError> {
        if !self.access.is_empty() {
            ruleset = ruleset.handle_access(self.access)?;
        }
        if !self.scope.is_empty() {
            ruleset = ruleset.scope(self.scope)?;
        }
        Ok(ruleset)
    }
}

/// No right to execute. Renaming a link, a pipe or a socket needs the right to make one; devices
/// are never made.
fn rights(access: AllowedAccess, is_directory: bool) -> BitFlags<AccessFs> {
    let of_files = match access {
        AllowedAccess::List => BitFlags::EMPTY,
        AllowedAccess::Read => make_bitflags!(AccessFs::{ReadFile}),
        AllowedAccess::Change => make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate}),
    };
    let of_directories = match access {
        AllowedAccess::List | AllowedAccess::Read => make_bitflags!(AccessFs::{ReadDir}),
        AllowedAccess::Change => make_bitflags!(AccessFs::{
            ReadDir | RemoveDir | RemoveFile | MakeDir | MakeReg | MakeSym | MakeFifo | MakeSock
            | Refer
        }),
    };
    if is_directory {
        of_files | of_directories
    } else {
        of_files
    }
}

/// To lock a directory, and to make and remove a socket in it.
fn of_sockets() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{ReadDir | RemoveFile | MakeSock})
}

/// TCP is not restricted: a client of active mode may be anywhere. The right to connect to a socket
/// with a path (Linux 7.1) is not asked for: name services need it, each in another place.
const RESTRICTIONS: [Restriction; 3] = [
    Restriction {
        access: make_bitflags!(AccessFs::{Truncate}),
        scope: BitFlags::EMPTY,
        gap: "cutting files off elsewhere (Linux 6.2)",
    },
    Restriction {
        access: make_bitflags!(AccessFs::{IoctlDev}),
        scope: BitFlags::EMPTY,
        gap: "commands to devices (Linux 6.10)",
    },
    Restriction {
        access: BitFlags::EMPTY,
        scope: make_bitflags!(Scope::{AbstractUnixSocket | Signal}),
        gap: "signals to other programs, and abstract sockets of theirs (Linux 6.12)",
    },
];

const MISSING: &str = "--sandbox: this kernel cannot do it: Linux 5.19 or later is needed, with Landlock in it \
                       and in its list of security modules (parameter lsm=), and a container must not forbid \
                       it; or leave --sandbox out";
