//! Times in the formats of FTP, all in UTC.
//!
//! No clock is read here: the current time is an argument where it matters.

mod calendar;

use calendar::CivilTime;

/// A time in the format of MDTM, MFMT and the `modify` fact: `YYYYMMDDHHMMSS` (RFC 3659, section
/// 2.3).
///
/// The format has four digits for the year: a time before the year 0 or after 9999 becomes the
/// first or the last second that it can express.
#[must_use]
pub fn time_val(unix_seconds: i64) -> [u8; 14] {
    let time = CivilTime::from_unix(unix_seconds);
    let mut text = [0; 14];
    put_year(&mut text[0..4], time.year);
    put_two(&mut text[4..6], time.month);
    put_two(&mut text[6..8], time.day);
    put_two(&mut text[8..10], time.hour);
    put_two(&mut text[10..12], time.minute);
    put_two(&mut text[12..14], time.second);
    text
}

/// Reads such a time and returns seconds since 1970 (RFC 3659, section 2.3). Fractions of a second
/// are accepted and ignored; second 60 is accepted, as in a leap second.
#[must_use]
pub fn parse_time_val(text: &[u8]) -> Option<i64> {
    let (whole, fraction) = match text.iter().position(|&byte| byte == b'.') {
        Some(point) => (&text[..point], Some(&text[point + 1..])),
        None => (text, None),
    };
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if whole.len() != 14 || !is_number(whole) || fraction.is_some_and(|text| !is_number(text)) {
        return None;
    }
    let two = |at: usize| (whole[at] - b'0') * 10 + (whole[at + 1] - b'0');
    let time = CivilTime {
        year: u16::from(two(0)) * 100 + u16::from(two(2)),
        month: two(4),
        day: two(6),
        hour: two(8),
        minute: two(10),
        second: two(12),
    };
    time.to_unix()
}

/// The date column of `ls -l`, which clients expect in LIST (RFC 959, section 4.1.3, defines no
/// format): `Nov 22 13:07` for the last six months, otherwise `Nov 22  2025`.
///
/// Clients read a date without a year as the latest such date in the past, so a time in the future
/// has its year; up to one minute in the future counts as the present.
#[must_use]
pub fn list_date(modified: i64, now: i64) -> [u8; 12] {
    let time = CivilTime::from_unix(modified);
    let mut text = [b' '; 12];
    let month = usize::from(time.month - 1);
    text[0..3].copy_from_slice(MONTHS[month]);
    put_two(&mut text[4..6], time.day);
    if text[4] == b'0' {
        text[4] = b' ';
    }
    if is_recent(modified, now) {
        put_two(&mut text[7..9], time.hour);
        text[9] = b':';
        put_two(&mut text[10..12], time.minute);
    } else {
        put_year(&mut text[8..12], time.year);
    }
    text
}

fn is_recent(modified: i64, now: i64) -> bool {
    let age = now.saturating_sub(modified);
    (-CLOCK_SLACK_SECONDS..HALF_YEAR_SECONDS).contains(&age)
}

fn put_year(text: &mut [u8], year: u16) {
    put_two(&mut text[0..2], (year / 100) as u8);
    put_two(&mut text[2..4], (year % 100) as u8);
}

fn put_two(text: &mut [u8], value: u8) {
    text[0] = b'0' + value / 10;
    text[1] = b'0' + value % 10;
}

/// Half of the mean Gregorian year, the limit that `ls` uses.
const HALF_YEAR_SECONDS: i64 = 31_556_952 / 2;
/// A listing takes longer than one second, and the clock of a file server may be ahead of ours.
const CLOCK_SLACK_SECONDS: i64 = 60;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

#[cfg(test)]
mod tests {
    use super::calendar::{FIRST_SECOND, LAST_SECOND};
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn time_values() {
        let check = |unix_seconds, expected: &str| {
            let text = time_val(unix_seconds);
            assert_eq!(str::from_utf8(&text), Ok(expected), "{unix_seconds}");
        };
        check(0, "19700101000000");
        check(-1, "19691231235959");
        check(951_782_400, "20000229000000");
        check(951_868_799, "20000229235959");
        check(951_868_800, "20000301000000");
        check(1_763_816_829, "20251122130709");
        check(4_107_542_400, "21000301000000");
        check(4_107_542_399, "21000228235959");
        check(i64::from(i32::MAX) + 1, "20380119031408");
        check(FIRST_SECOND, "00000101000000");
        check(FIRST_SECOND - 1, "00000101000000");
        check(FIRST_SECOND + 1, "00000101000001");
        check(LAST_SECOND, "99991231235959");
        check(LAST_SECOND + 1, "99991231235959");
        check(LAST_SECOND - 1, "99991231235958");
        check(i64::MIN, "00000101000000");
        check(i64::MAX, "99991231235959");
    }

    /// The second before and the first one of a minute, a day, a month, a year and a century.
    #[test]
    fn dates_at_the_edges() {
        for (first, before, after) in [
            (1_763_816_880, "Nov 22 13:07", "Nov 22 13:08"),
            (1_763_856_000, "Nov 22 23:59", "Nov 23 00:00"),
            (1_764_547_200, "Nov 30 23:59", "Dec  1 00:00"),
            (1_767_225_600, "Dec 31 23:59", "Jan  1 00:00"),
            (1_772_323_200, "Feb 28 23:59", "Mar  1 00:00"),
            (951_782_400, "Feb 28 23:59", "Feb 29 00:00"),
            (951_868_800, "Feb 29 23:59", "Mar  1 00:00"),
            (4_107_542_400, "Feb 28 23:59", "Mar  1 00:00"),
            (0, "Dec 31 23:59", "Jan  1 00:00"),
        ] {
            for (time, expected) in [(first - 1, before), (first, after), (first + 59, after)] {
                let text = list_date(time, time);
                assert_eq!(str::from_utf8(&text), Ok(expected), "{time}");
            }
        }
    }

    #[test]
    fn time_values_are_parsed() {
        let check = |text: &[u8], expected| {
            assert_eq!(parse_time_val(text), expected, "{}", text.escape_ascii());
        };
        check(b"19700101000000", Some(0));
        check(b"19691231235959", Some(-1));
        check(b"20251122130709", Some(1_763_816_829));
        check(b"20251122130709.25", Some(1_763_816_829));
        check(b"20000229000000", Some(951_782_400));
        check(b"20380119031408", Some(i64::from(i32::MAX) + 1));
        check(b"99991231235959", Some(LAST_SECOND));
        check(b"00000101000000", Some(FIRST_SECOND));
        check(b"20161231235960", Some(1_483_228_800));
        for bad in [
            &b""[..],
            b"20250229000000",
            b"21000229000000",
            b"20251322130709",
            b"20250022130709",
            b"20251100130709",
            b"20251122240709",
            b"20251122136009",
            b"20251122130761",
            b"2025112213070",
            b"202511221307090",
            b"191251122130709",
            b"20251122130709.",
            b".25",
            b"20251122130709.2x",
            b"2025112213070x",
            b"+2025112213070",
            b" 20251122130709",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn a_written_time_is_parsed() {
        for seconds in [FIRST_SECOND, -1, 0, 951_868_799, 1_763_816_829, LAST_SECOND] {
            assert_eq!(parse_time_val(&time_val(seconds)), Some(seconds));
        }
    }

    #[test]
    fn list_dates() {
        // 2025-11-22 13:07:09.
        let now = 1_763_816_829;
        let check = |modified, expected: &str| {
            let text = list_date(modified, now);
            assert_eq!(str::from_utf8(&text), Ok(expected), "{modified}");
        };
        check(now, "Nov 22 13:07");
        check(now - 12 * 3600, "Nov 22 01:07");
        check(now - 20 * DAY, "Nov  2 13:07");
        check(now - 13 * DAY, "Nov  9 13:07");
        check(now - 12 * DAY, "Nov 10 13:07");
        check(now - HALF_YEAR_SECONDS + 1, "May 23 22:12");
        check(now - HALF_YEAR_SECONDS, "May 23  2025");
        check(now - 365 * DAY, "Nov 22  2024");
        check(now + CLOCK_SLACK_SECONDS, "Nov 22 13:08");
        check(now + CLOCK_SLACK_SECONDS + 1, "Nov 22  2025");
        check(now + 40 * DAY, "Jan  1  2026");
        check(951_782_400, "Feb 29  2000");
        check(-1, "Dec 31  1969");
        check(i64::MIN, "Jan  1  0000");
        check(i64::MAX, "Dec 31  9999");
    }

    #[test]
    fn extreme_times_do_not_overflow() {
        for modified in [i64::MIN, -1, 0, i64::MAX] {
            for now in [i64::MIN, -1, 0, i64::MAX] {
                let text = list_date(modified, now);
                assert!(
                    text.iter().all(|byte| (b' '..=b'~').contains(byte)),
                    "{text:?}"
                );
            }
        }
        // With wrapping arithmetic the difference would be one second.
        assert_eq!(&list_date(i64::MIN, i64::MAX), b"Jan  1  0000");
        assert_eq!(&list_date(i64::MAX, i64::MIN), b"Dec 31  9999");
    }

    #[test]
    fn every_month_has_its_name() {
        for (index, name) in MONTHS.iter().enumerate() {
            // About the 15th of each month of 2025.
            let middle = 1_736_899_200 + index as i64 * 30 * DAY + 3 * DAY;
            let text = list_date(middle, i64::MAX);
            assert_eq!(&text[0..3], *name);
            assert_eq!(usize::from(CivilTime::from_unix(middle).month), index + 1);
        }
    }

    #[test]
    fn every_day_of_a_century_follows_the_calendar() {
        // 1970-01-01 to 2069-12-31, counted independently of the conversion.
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..36_525 {
            let expected = std::format!("{year:04}{month:02}{day:02}000000");
            assert_eq!(time_val(days * DAY), expected.as_bytes());
            let february = if year % 4 == 0 { 29 } else { 28 };
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            if day > lengths[month - 1] {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
