//! The Gregorian calendar for the years 0 to 9999: seconds since 1970 to a civil time, and back.
//!
//! Years start in March here, so that the leap day is the last day of a year, and 400 years are one
//! period of 146,097 days. Tests compare every part with an independent library.

/// A civil time in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CivilTime {
    /// From 0 to 9999.
    pub(super) year: u16,
    /// From 1 to 12.
    pub(super) month: u8,
    /// From 1 to 31.
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
}

impl CivilTime {
    /// The time of a Unix timestamp. Times before the year 0 or after 9999 become the first or the
    /// last second of these years.
    pub(super) fn from_unix(seconds: i64) -> Self {
        let seconds = seconds.clamp(FIRST_SECOND, LAST_SECOND);
        // Not negative: the first second is in the year 0, and the count starts in March of the
        // year -400.
        let seconds = (seconds + DAYS_BEFORE_1970 * DAY) as u64;
        let (day, second_of_day) = (seconds / DAY as u64, (seconds % DAY as u64) as u32);
        // With products instead of most divisions: C. Neri and L. Schneider, "Euclidean affine
        // functions and their application to calendar algorithms" (2022).
        let quarter_days = 4 * day as u32 + 3;
        let century = quarter_days / QUARTER_DAYS_OF_CENTURY;
        let quarter_days = u64::from((quarter_days % QUARTER_DAYS_OF_CENTURY) | 3);
        let years = quarter_days * 2_939_745;
        let year_of_century = (years >> 32) as u32;
        let day_of_year = years as u32 / 2_939_745 / 4;
        let months = 2141 * day_of_year + 197_913;
        let is_next_year = day_of_year >= DAYS_FROM_MARCH_TO_DECEMBER;
        let month = (months >> 16) - if is_next_year { 12 } else { 0 };
        let year = 100 * century + year_of_century + u32::from(is_next_year);
        Self {
            year: (year - FIRST_PERIOD_YEARS as u32) as u16,
            month: month as u8,
            day: ((months & 0xFFFF) / 2141 + 1) as u8,
            hour: (second_of_day / 3600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
        }
    }

    /// The Unix timestamp, or `None` where no such date or time of day exists. The 60th second is
    /// the leap second that a minute may have.
    pub(super) fn to_unix(self) -> Option<i64> {
        let is_time = self.hour <= 23 && self.minute <= 59 && self.second <= 60;
        let is_date = (1..=12).contains(&self.month)
            && (1..=days_of_month(self.year, self.month)).contains(&self.day)
            && self.year <= 9999;
        if !is_time || !is_date {
            return None;
        }
        let month = u64::from(self.month);
        let year = u64::from(self.year) + FIRST_PERIOD_YEARS;
        let (year, march_based) = if month > 2 {
            (year, month - 3)
        } else {
            (year - 1, month + 9)
        };
        let day = (year / 400) * DAYS_OF_PERIOD
            + first_day_of_year(year % 400)
            + first_day_of_month(march_based)
            + u64::from(self.day)
            - 1;
        let second_of_day =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Some((day as i64 - DAYS_BEFORE_1970) * DAY + second_of_day)
    }
}

/// The first day of a year of the period, counted from the first of March of its year 0.
fn first_day_of_year(year: u64) -> u64 {
    365 * year + year / 4 - year / 100
}

/// The first day of a month, counted from the first of March. Months from March on have 31, 30, 31,
/// 30 and 31 days, again and again: 153 in five.
fn first_day_of_month(march_based: u64) -> u64 {
    (153 * march_based + 2) / 5
}

fn days_of_month(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const DAY: i64 = 86_400;
const DAYS_OF_PERIOD: u64 = 146_097;
/// A century ends with a year that may have no leap day: the days of four of them, on average.
const QUARTER_DAYS_OF_CENTURY: u32 = DAYS_OF_PERIOD as u32;
const DAYS_FROM_MARCH_TO_DECEMBER: u32 = 306;
/// The count of days starts with a period of its own, so that no day of the year 0 is negative.
const FIRST_PERIOD_YEARS: u64 = 400;
/// From the first of March of the year -400 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468 + 146_097;
/// 0000-01-01 00:00:00.
pub(super) const FIRST_SECOND: i64 = -62_167_219_200;
/// 9999-12-31 23:59:59.
pub(super) const LAST_SECOND: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;
    use time::{Date, Month, OffsetDateTime};

    /// Against the `time` crate: each day of one period of the calendar, a day in each month or two
    /// of the other years, and every second of one day.
    #[test]
    fn every_day_is_as_another_library_has_it() {
        let same = |seconds: i64| {
            let expected = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
            let found = CivilTime::from_unix(seconds);
            let (date, time) = (expected.date(), expected.time());
            assert_eq!(
                (found.year.into(), found.month, found.day),
                (date.year(), u8::from(date.month()), date.day()),
                "{seconds}"
            );
            assert_eq!((found.hour, found.minute, found.second), time.as_hms());
            assert_eq!(found.to_unix(), Some(seconds));
        };
        let mut seconds = FIRST_SECOND;
        let period = 0..DAYS_OF_PERIOD as i64 * DAY;
        while seconds <= LAST_SECOND {
            same(seconds);
            let days = if period.contains(&seconds) { 1 } else { 41 };
            seconds += days * DAY + 37;
        }
        same(LAST_SECOND);
        for second in 0..DAY {
            same(1_709_164_800 + second);
        }
    }

    #[test]
    fn only_real_dates_are_times() {
        for year in [0_u16, 1, 4, 100, 400, 1900, 1970, 2000, 2024, 2100, 9999] {
            for month in 0..=13_u8 {
                for day in 0..=32_u8 {
                    let time = CivilTime {
                        year,
                        month,
                        day,
                        hour: 0,
                        minute: 0,
                        second: 0,
                    };
                    let expected = Month::try_from(month).ok().and_then(|month| {
                        let date = Date::from_calendar_date(year.into(), month, day).ok()?;
                        Some(date.midnight().assume_utc().unix_timestamp())
                    });
                    assert_eq!(time.to_unix(), expected, "{time:?}");
                }
            }
        }
    }

    #[test]
    fn times_beyond_the_years_are_their_edges() {
        let first = CivilTime::from_unix(FIRST_SECOND);
        let last = CivilTime::from_unix(LAST_SECOND);
        assert_eq!(CivilTime::from_unix(i64::MIN), first);
        assert_eq!(CivilTime::from_unix(i64::MAX), last);
        assert_eq!((first.year, last.year), (0, 9999));
    }
}
