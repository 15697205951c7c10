//! A line about a file that was sent, received or removed, in the format of wu-ftpd's
//! `xferlog(5)`, which many programs read.
//!
//! Spaces separate its fields, so names have `_` in place of all that is not visible: no client can
//! forge a field or a line.

use std::fmt::{self, Write};
use std::net::IpAddr;

use ftp_proto::date::time_val;
use ftp_proto::text::printable;

/// What happened to one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransferLine<'a> {
    /// The time of its end in local time, in seconds since 1970.
    pub(crate) local_time: i64,
    /// How long it took.
    pub(crate) seconds: u64,
    pub(crate) client: IpAddr,
    pub(crate) bytes: u64,
    pub(crate) path: &'a [u8],
    pub(crate) is_ascii: bool,
    pub(crate) direction: Direction,
    pub(crate) user: &'a [u8],
    pub(crate) is_anonymous: bool,
    pub(crate) is_complete: bool,
}

/// What the file did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// It went to the client.
    Outgoing,
    /// It came from the client.
    Incoming,
    /// The client has removed it.
    Deleted,
}

/// One field: without spaces, and not empty.
struct Field<'a>(&'a [u8]);

impl fmt::Display for TransferLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = time_val(self.local_time);
        let [year, month, day, hour, minute, second] =
            [0..4, 4..6, 6..8, 8..10, 10..12, 12..14].map(|range| number(&time[range]));
        let weekday = (self.local_time.div_euclid(24 * 60 * 60) + 4).rem_euclid(7);
        write!(
            f,
            "{} {} {day:2} {hour:02}:{minute:02}:{second:02} {year} {} {} {} {} {} _ {} {} {} ftp 0 \
             * {}",
            name(DAYS, weekday),
            name(MONTHS, month - 1),
            self.seconds,
            self.client.to_canonical(),
            self.bytes,
            Field(self.path),
            if self.is_ascii { 'a' } else { 'b' },
            match self.direction {
                Direction::Outgoing => 'o',
                Direction::Incoming => 'i',
                Direction::Deleted => 'd',
            },
            if self.is_anonymous { 'a' } else { 'r' },
            Field(self.user),
            if self.is_complete { 'c' } else { 'i' },
        )
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_char('_');
        }
        for character in String::from_utf8_lossy(self.0).chars() {
            f.write_char(if is_visible(character) {
                character
            } else {
                '_'
            })?;
        }
        Ok(())
    }
}

/// Whether the log would show it as it is, and it is no space.
fn is_visible(character: char) -> bool {
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).as_bytes();
    let is_shown = || {
        let mut shown = printable(bytes).to_string();
        shown.pop() == Some(character) && shown.is_empty()
    };
    match character {
        '\\' => true,
        char::REPLACEMENT_CHARACTER => false,
        _ => !character.is_whitespace() && is_shown(),
    }
}

fn number(digits: &[u8]) -> i64 {
    let text = str::from_utf8(digits).unwrap_or_default();
    text.parse().unwrap_or_default()
}

fn name(names: &'static str, index: i64) -> &'static str {
    let mut names = names.split(' ');
    let index = usize::try_from(index).ok();
    index.and_then(|index| names.nth(index)).unwrap_or("???")
}

/// 1970 began on a Thursday.
const DAYS: &str = "Sun Mon Tue Wed Thu Fri Sat";

const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: TransferLine<'_> = TransferLine {
        local_time: 1_795_968_000,
        seconds: 3,
        client: IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7)),
        bytes: 300_000,
        path: b"/up.jpg",
        is_ascii: false,
        direction: Direction::Incoming,
        user: b"bob",
        is_anonymous: false,
        is_complete: true,
    };

    #[test]
    fn lines_are_those_of_the_manual_page() {
        assert_eq!(
            LINE.to_string(),
            "Sun Nov 29 16:00:00 2026 3 198.51.100.7 300000 /up.jpg b _ i r bob ftp 0 * c"
        );
        let line = TransferLine {
            local_time: 1_794_240_005,
            seconds: 0,
            client: "::ffff:10.0.0.1".parse().unwrap(),
            bytes: 0,
            path: "/a b\n\u{e4}\u{202e}\\\u{2003}\u{0}".as_bytes(),
            is_ascii: true,
            direction: Direction::Deleted,
            user: b"",
            is_anonymous: true,
            is_complete: false,
        };
        assert_eq!(
            line.to_string(),
            "Mon Nov  9 16:00:05 2026 0 10.0.0.1 0 /a_b_\u{e4}_\\__ a _ d a _ ftp 0 * i"
        );
        let old = TransferLine {
            local_time: 0,
            direction: Direction::Outgoing,
            path: b"/\xff",
            ..LINE
        };
        assert_eq!(
            old.to_string(),
            "Thu Jan  1 00:00:00 1970 3 198.51.100.7 300000 /_ b _ o r bob ftp 0 * c"
        );
    }

    proptest! {
        #[test]
        fn no_name_forges_a_field_or_a_line(
            path in prop::collection::vec(any::<u8>(), 0..60),
            text in ".{0,30}",
            user in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            let path = [&b"/"[..], &path, text.as_bytes()].concat();
            let line = TransferLine { path: &path, user: &user, ..LINE }.to_string();
            let fields: Vec<&str> = line.split_whitespace().collect();
            prop_assert_eq!(fields.len(), 18, "{:?}", line);
            prop_assert_eq!(line.split(' ').count(), 18);
            prop_assert!(!line.contains(char::is_control));
            let start = "Sun Nov 29 16:00:00 2026 3 198.51.100.7 300000 ";
            prop_assert!(line.starts_with(start), "{:?}", line);
            prop_assert_eq!(&fields[9..13], &["b", "_", "i", "r"]);
            prop_assert_eq!(&fields[14..], &["ftp", "0", "*", "c"]);
        }
    }
}
