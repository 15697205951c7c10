//! Lines of /etc/shadow (shadow(5)): the hash of a password, and until when it counts.
//!
//! Pure: the text and the day are arguments. Days are counted from 1970.

use super::unfit::Unfit;

/// The line of one user.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ShadowLine<'a> {
    pub(super) name: &'a [u8],
    pub(super) hash: &'a [u8],
    /// When the password was set; 0: it must be changed.
    changed: Number,
    /// How many days it counts.
    days_max: Number,
    /// How many days more.
    days_more: Number,
    /// The first day on which the account does not count.
    expires: Number,
}

/// A field with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    /// It is empty, or -1.
    None,
    Some(i64),
    Malformed,
}

/// The lines of a text, but for those that have no hash.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = ShadowLine<'_>> {
    text.split(|&byte| byte == b'\n').filter_map(read)
}

/// The first line of this user, as the system reads it.
pub(super) fn find<'a>(text: &'a [u8], name: &[u8]) -> Option<ShadowLine<'a>> {
    lines(text).find(|line| line.name == name)
}

fn read(line: &[u8]) -> Option<ShadowLine<'_>> {
    let mut fields = line.split(|&byte| byte == b':');
    let (name, hash) = (fields.next()?, fields.next()?);
    // The third number is for users who want to change their passwords, the fifth warns them.
    let [changed, _, days_max, _, days_more, expires] =
        std::array::from_fn(|_| fields.next().map_or(Number::None, number));
    Some(ShadowLine {
        name,
        hash,
        changed,
        days_max,
        days_more,
        expires,
    })
}

fn number(field: &[u8]) -> Number {
    match str::from_utf8(field).map(str::trim) {
        Ok("" | "-1") => Number::None,
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map_or(Number::Malformed, Number::Some)
        }
        _ => Number::Malformed,
    }
}

impl ShadowLine<'_> {
    /// Whether account and password count on this day.
    pub(super) fn check(&self, today: i64) -> Result<(), Unfit> {
        let numbers = [self.changed, self.days_max, self.days_more, self.expires];
        if numbers.contains(&Number::Malformed) {
            return Err(Unfit::Malformed);
        }
        if let Number::Some(expires) = self.expires
            && today >= expires
        {
            return Err(Unfit::Expired);
        }
        let Number::Some(changed) = self.changed else {
            return Ok(());
        };
        if changed == 0 {
            return Err(Unfit::MustChange);
        }
        let Number::Some(max) = self.days_max else {
            return Ok(());
        };
        let more = match self.days_more {
            Number::Some(more) => more,
            Number::None | Number::Malformed => 0,
        };
        let last = changed.saturating_add(max).saturating_add(more);
        if today > last {
            return Err(Unfit::PasswordExpired);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some day of 2026.
    const TODAY: i64 = 20_500;

    #[track_caller]
    fn check(fields: &str, expected: Result<(), Unfit>) {
        let text = format!("eve:x:1::::::\nanna:hash:{fields}\nanna:other:0::::::\n");
        let line = find(text.as_bytes(), b"anna").unwrap();
        assert_eq!(line.hash, b"hash", "{fields}");
        assert_eq!(line.check(TODAY), expected, "{fields}");
    }

    #[test]
    fn account_and_password_count_for_some_days() {
        for fields in [
            "20000:0:99999:7:::",
            "::::::",
            "20000",
            "",
            "20000:0::7:::",
            "20400:0:100:7:::",
            "20400:0:-1:7:::",
            "20400:0:90:7:10::",
            "20600:0:1:7:::",
            "20000:0:99999:7::20501:",
            "20000:0:99999:7::-1:",
            "1:0:9223372036854775807:7:9223372036854775807::",
        ] {
            check(fields, Ok(()));
        }
        for fields in [
            "20000:0:99999:7::20500:",
            "::::::".replacen("::::::", ":::::1:", 1).as_str(),
        ] {
            check(fields, Err(Unfit::Expired));
        }
        check("0:0:99999:7:::", Err(Unfit::MustChange));
        for fields in ["20399:0:100:7:::", "20399:0:90:7:10::", "20499:0:0:7:::"] {
            check(fields, Err(Unfit::PasswordExpired));
        }
    }

    #[test]
    fn what_is_no_number_lets_no_one_in() {
        for fields in [
            "x:0:99999:7:::",
            "20000:0:9e9:7:::",
            "20000:0:99999:7:-2::",
            "20000:0:99999:7::20501x:",
            "99999999999999999999:0:99999:7:::",
        ] {
            check(fields, Err(Unfit::Malformed));
        }
    }

    #[test]
    fn only_whole_names_are_found() {
        let text = b"#anna:h:1\nann:h:1\nannab:h:1\n anna:h:1\nanna\n\n:h:1\n";
        assert!(find(text, b"anna").is_none());
        assert!(find(b"", b"anna").is_none());
        assert!(find(b"anna:h", b"anna").is_some());
    }
}
