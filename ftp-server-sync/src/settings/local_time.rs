//! The time zone of this machine, for the dates in listings.

use std::path::Path;
use std::sync::Arc;

use tz::TimeZone;

/// The rules of a time zone, as they are on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTime(Arc<TimeZone>);

impl LocalTime {
    /// Reads the zone that the environment variable TZ names. Without that variable, it is the zone
    /// of `/etc/localtime`, or UTC if there is no such file, as for other programs.
    ///
    /// # Errors
    ///
    /// What is wrong, as a text: there is no such zone, or its file cannot be read.
    pub fn load(variable: Option<&str>) -> Result<Self, String> {
        let zone = match variable {
            Some("") => Ok(TimeZone::utc()),
            Some(name) => TimeZone::from_posix_tz(name),
            None if Path::new(LOCAL_ZONE).exists() => TimeZone::from_posix_tz(LOCAL_ZONE),
            None => Ok(TimeZone::utc()),
        };
        Ok(Self(zone.map_err(|error| error.to_string())?.into()))
    }

    /// The seconds that local time is ahead of UTC at this time, in seconds since 1970. Zero where
    /// the zone's rules do not reach so far.
    pub(crate) fn utc_offset(&self, time: i64) -> i32 {
        let kind = self.0.find_local_time_type(time);
        kind.map_or(0, |kind| kind.ut_offset())
    }
}

/// The file with the time zone of the machine.
const LOCAL_ZONE: &str = "/etc/localtime";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summer_and_winter_have_their_offsets() {
        let zone = LocalTime::load(Some("CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
        // 2026-01-15 and 2026-07-15, each at noon.
        assert_eq!(zone.utc_offset(1_768_478_400), 3600);
        assert_eq!(zone.utc_offset(1_784_116_800), 7200);
        assert_eq!(zone.utc_offset(i64::MAX), 0);
    }

    #[test]
    fn a_zone_that_does_not_exist_is_refused() {
        LocalTime::load(Some("No/Such_Zone")).unwrap_err();
        LocalTime::load(Some("/dev/null")).unwrap_err();
        let utc = LocalTime::load(Some("")).unwrap();
        assert_eq!(utc.utc_offset(1_784_116_800), 0);
        LocalTime::load(None).unwrap();
    }
}
