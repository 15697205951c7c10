//! Ranges of ports, as they are written in flags, log lines and firewall rules.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Consecutive ports, at least one. Port 0 is never among them: no client can connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why two numbers, or a text, are not a range of ports. Its `Display` says what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortRangeError {
    /// The text is neither `FIRST-LAST` nor one port.
    NotARange,
    /// The first port is above the last.
    Reversed {
        /// The larger number, which was given first.
        first: u16,
        /// The smaller number, which was given last.
        last: u16,
    },
    /// Port 0 is not a port that a client can connect to.
    PortZero,
}

impl PortRange {
    /// The ports from `first` to `last`, both included.
    ///
    /// # Errors
    ///
    /// When `first` is 0, or above `last`.
    pub const fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first > last {
            return Err(PortRangeError::Reversed { first, last });
        }
        if first == 0 {
            return Err(PortRangeError::PortZero);
        }
        Ok(Self { first, last })
    }

    /// The lowest port.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    pub const fn last(self) -> u16 {
        self.last
    }

    /// How many ports the range has, from 1 to 65535.
    pub const fn count(self) -> u16 {
        self.last - self.first + 1
    }

    /// Whether `port` is one of the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// Every port of the range, in ascending order.
    pub const fn ports(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    /// The range with another character than `-` between its ends, as some programs write it.
    pub fn with_separator(self, separator: char) -> String {
        if self.first == self.last {
            self.first.to_string()
        } else {
            format!("{}{separator}{}", self.first, self.last)
        }
    }
}

/// `60000-60009`, or `60000` for a single port.
impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_separator('-'))
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    /// Reads `FIRST-LAST` or one port, in decimal digits.
    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first), port(last)) {
            (Some(first), Some(last)) => Self::new(first, last),
            _ => Err(PortRangeError::NotARange),
        }
    }
}

impl fmt::Display for PortRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARange => {
                f.write_str("give FROM-TO, such as 60000-60009, or one port, up to 65535")
            }
            Self::Reversed { first, last } => {
                write!(f, "the range is reversed; give {last}-{first}")
            }
            Self::PortZero => {
                f.write_str("port 0 cannot be forwarded; begin the range at 1024 or above")
            }
        }
    }
}

impl std::error::Error for PortRangeError {}

/// Digits only: `FromStr` of the numbers would also take a plus sign.
#[inline(never)]
fn port(text: &str) -> Option<u16> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_range_can_be_read() {
        for (text, first, last) in [
            ("60000-60009", 60000, 60009),
            ("60000", 60000, 60000),
            ("1-65535", 1, 65535),
        ] {
            let range: PortRange = text.parse().unwrap();
            assert_eq!(Ok(range), PortRange::new(first, last));
            assert_eq!(range.to_string(), text);
            assert_eq!(range.ports().count(), usize::from(range.count()));
        }
        let range: PortRange = "60000-60000".parse().unwrap();
        assert_eq!(range.to_string(), "60000");
        assert_eq!(range.with_separator(':'), "60000");
        let range: PortRange = "60000-60009".parse().unwrap();
        assert_eq!(range.with_separator(':'), "60000:60009");
    }

    #[test]
    fn errors_say_what_to_write() {
        for (text, problem) in [
            ("", "give FROM-TO"),
            ("60000-", "give FROM-TO"),
            ("+1-2", "give FROM-TO"),
            ("60000-65536", "give FROM-TO"),
            ("1-2-3", "give FROM-TO"),
            ("9-5", "the range is reversed; give 5-9"),
            ("0-5", "port 0 cannot be forwarded"),
            ("0", "port 0 cannot be forwarded"),
        ] {
            let error = text.parse::<PortRange>().unwrap_err().to_string();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }

    #[test]
    fn both_ends_are_part_of_it() {
        let range = PortRange::new(5, 9).unwrap();
        let inside: Vec<u16> = (0..20).filter(|&port| range.contains(port)).collect();
        assert_eq!(inside, [5, 6, 7, 8, 9]);
    }
}
