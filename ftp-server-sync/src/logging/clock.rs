//! The wall clock of this machine, in UTC. Small machines have no battery for it: after their start
//! it may show 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ftp_proto::date::time_val;

/// The time since 1970-01-01; zero if the clock shows an earlier time.
pub(crate) fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The same in whole seconds.
pub(crate) fn unix_seconds() -> i64 {
    i64::try_from(unix_time().as_secs()).unwrap_or(i64::MAX)
}

/// The same in whole days.
pub(crate) fn unix_days() -> i64 {
    unix_seconds() / (24 * 60 * 60)
}

/// The date of a time in the form of MDTM (RFC 3659, section 2.3), as `2026-11-22`.
pub(crate) fn date(time: &[u8; 14]) -> String {
    let [year, month, day, ..] = parts(time);
    [year, "-", month, "-", day].concat()
}

/// Date and time, as `2026-11-22 13:07:31Z`. Each line of the log has one.
pub(crate) fn date_and_time(unix_seconds: i64) -> String {
    let time = time_val(unix_seconds);
    let [year, month, day, hour, minute, second] = parts(&time);
    [
        year, "-", month, "-", day, " ", hour, ":", minute, ":", second, "Z",
    ]
    .concat()
}

/// Date and time as RFC 3339 has them, as `2026-11-22T13:07:31.042Z`.
pub(super) fn rfc3339(unix_time: Duration) -> String {
    let time = time_val(unix_time.as_secs().cast_signed());
    let [.., hour, minute, second] = parts(&time);
    let millis = unix_time.subsec_millis();
    format!("{}T{hour}:{minute}:{second}.{millis:03}Z", date(&time))
}

/// Year, month, day, hour, minute and second.
fn parts(time: &[u8; 14]) -> [&str; 6] {
    let text = str::from_utf8(time).unwrap_or_default();
    [0..4, 4..6, 6..8, 8..10, 10..12, 12..14].map(|part| text.get(part).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_sort_as_text() {
        assert_eq!(date_and_time(0), "1970-01-01 00:00:00Z");
        assert_eq!(date_and_time(1_795_352_851), "2026-11-22 13:07:31Z");
        assert_eq!(date(b"20361124000000"), "2036-11-24");
    }
}
