//! The flags of `--probe`, which asks for no server.

use super::environment::Environment;
use super::error::{self, FlagError};
use super::given::GivenFlags;
use super::resolve;
use crate::probe::{ProbeLogin, ProbeRequest};

/// What these flags of the command line ask for. `--probe` is among them.
pub(super) fn request(
    given: &GivenFlags,
    environment: &Environment,
) -> Result<ProbeRequest, FlagError> {
    if let Some(other) = given.first_but(&FLAGS) {
        return Err(other.refuse(error::NOT_WITH_PROBE));
    }
    let flags = given.parse()?;
    if flags.tls && cfg!(not(feature = "tls")) {
        return Err(given.refuse("--tls", error::NO_TLS));
    }
    // The variable with the password of this machine's own server is none of another server's.
    let is_anonymous = ["--username", "--password", "--password-file"]
        .iter()
        .all(|flag| given.find(flag).is_none());
    let login = if is_anonymous {
        None
    } else {
        resolve::users::login(&flags, given, environment)?
    };
    let target = flags
        .probe
        .ok_or_else(|| FlagError::new("--probe", error::missing("--probe HOST[:PORT]")))?;
    Ok(ProbeRequest {
        target,
        login: login.map(|(name, password)| ProbeLogin { name, password }),
        tls: flags.tls,
        write_test: flags.write_test,
    })
}

/// Refuses what means something with `--probe` only.
pub(super) fn refuse_without_probe(given: &GivenFlags) -> Result<(), FlagError> {
    match given.find("--write-test") {
        Some(flag) => Err(flag.refuse("there is no server to look at; add --probe HOST[:PORT]")),
        None => Ok(()),
    }
}

/// The flags that say whom to probe, and how.
const FLAGS: [&str; 6] = [
    "--password",
    "--password-file",
    "--probe",
    "--tls",
    "--username",
    "--write-test",
];
