//! The time zone of this machine, for listings and for the transfer log.

use ftp_proto::text::printable_word;

use super::{Environment, FlagError, Flags, GivenFlags};
use crate::sandbox::{REMEDY, in_force};
use crate::settings::LocalTime;

/// The time zone of listings, if it is not UTC.
pub(super) fn local_time(
    flags: &Flags,
    given: &GivenFlags,
    environment: &Environment,
) -> Result<Option<LocalTime>, FlagError> {
    let zone = || time_zone("--local-time", given, environment);
    flags.local_time.then(zone).transpose()
}

/// The time zone of this machine, for this flag.
pub(super) fn time_zone(
    flag: &str,
    given: &GivenFlags,
    environment: &Environment,
) -> Result<LocalTime, FlagError> {
    let variable = environment.time_zone.as_ref();
    let variable = variable.map(|name| name.to_string_lossy());
    LocalTime::load(variable.as_deref()).map_err(|problem| {
        let zone = match &variable {
            Some(name) => format!("TZ={}", printable_word(name.as_bytes())),
            None => "of this machine".to_owned(),
        };
        let remedy = "set the variable TZ to one that is installed, such as TZ=Europe/Berlin";
        let remedy = match in_force() {
            Some(_) => REMEDY,
            None => remedy,
        };
        let problem = format!("the time zone {zone} cannot be read: {problem}; {remedy}");
        given.refuse(flag, problem)
    })
}
