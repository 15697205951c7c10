//! A strict parser of listings: what it accepts, the parsers of clients accept.
//!
//! It shares no code with the writer, so that both cannot have the same bug.

/// A line of LIST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub mode: String,
    pub links: u64,
    pub owner: String,
    pub group: String,
    pub size: Size,
    pub date: String,
    pub name: Vec<u8>,
    /// The target of a symbolic link. If the name itself contains an arrow, its end is ambiguous.
    pub target: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Bytes(u64),
    Device(u32, u32),
}

/// Parses exactly one line with its line end.
pub fn parse(line: &[u8]) -> Result<Listed, String> {
    let text = plain_line(line)?;
    let (mode, rest) = text.split_at_checked(10).ok_or("too short")?;
    let mode = check_mode(mode)?;
    let (links, rest) = column(rest)?;
    let (owner, rest) = column(rest)?;
    let (group, rest) = column(rest)?;
    let (size, rest) = match mode.as_bytes()[0] {
        b'b' | b'c' => {
            let (major, rest) = column(rest)?;
            let (minor, rest) = match major.split_once(',') {
                Some((_, "")) => column(rest)?,
                Some((_, minor)) => (minor, rest),
                None => return Err("a device without a comma".into()),
            };
            let major = major.split(',').next().unwrap_or_default();
            (Size::Device(number(major)?, number(minor)?), rest)
        }
        _ => {
            let (size, rest) = column(rest)?;
            (Size::Bytes(number(size)?), rest)
        }
    };
    let rest = rest.strip_prefix(b" ").ok_or("no space before the date")?;
    let (date, rest) = rest.split_at_checked(12).ok_or("no date")?;
    let date = check_date(date)?;
    let name = rest.strip_prefix(b" ").ok_or("no space before the name")?;
    let arrow = name.windows(4).position(|four| four == b" -> ");
    let (name, target) = match arrow {
        Some(end) if mode.starts_with('l') => (&name[..end], Some(name[end + 4..].to_vec())),
        _ => (name, None),
    };
    Ok(Listed {
        mode,
        links: number(links)?,
        owner: owner.to_owned(),
        group: group.to_owned(),
        size,
        date,
        name: name.to_vec(),
        target,
    })
}

impl Listed {
    /// The name as text.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

/// A line of MLSD or MLST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The names and values of the facts.
    pub facts: Vec<(String, String)>,
    pub name: Vec<u8>,
}

/// All lines of a LIST.
pub fn parse_all(listing: &[u8]) -> Vec<Listed> {
    listing
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| parse(line).unwrap_or_else(|error| panic!("{error}: {}", line.escape_ascii())))
        .collect()
}

/// Parses a line of MLSD or MLST: facts, a space and the name (RFC 3659, section 7.2).
pub fn parse_facts(line: &[u8]) -> Result<Facts, String> {
    let text = plain_line(line)?;
    let end = text.iter().position(|&byte| byte == b' ');
    let (facts, name) = text.split_at(end.ok_or("no space")?);
    let facts = str::from_utf8(facts).map_err(|_| "facts in no UTF-8")?;
    let mut found = Vec::new();
    for fact in facts.split_inclusive(';') {
        let fact = fact.strip_suffix(';').ok_or("a fact without its end")?;
        let (name, value) = fact.split_once('=').ok_or("a fact without a value")?;
        if name.is_empty() {
            return Err("a fact without a name".into());
        }
        found.push((name.to_owned(), value.to_owned()));
    }
    Ok(Facts {
        facts: found,
        name: name[1..].to_vec(),
    })
}

/// The line without its line end, which must have the only line feed.
pub fn plain_line(line: &[u8]) -> Result<&[u8], String> {
    let text = line.strip_suffix(b"\r\n").ok_or("no CRLF at the end")?;
    if text.iter().any(|byte| b"\n\0".contains(byte)) {
        Err("a byte that ends a line or a name".into())
    } else {
        Ok(text)
    }
}

/// The next column, and the rest of the line: spaces come before and after a column.
fn column(text: &[u8]) -> Result<(&str, &[u8]), String> {
    let start = text.iter().position(|&byte| byte != b' ');
    let (blanks, text) = text.split_at(start.ok_or("no column")?);
    if blanks.is_empty() {
        return Err("no blank before a column".into());
    }
    let end = text.iter().position(|&byte| byte == b' ');
    let (word, rest) = text.split_at(end.ok_or("nothing behind a column")?);
    let word = str::from_utf8(word).map_err(|_| "a column in no UTF-8")?;
    Ok((word, rest))
}

fn number<T: std::str::FromStr + ToString>(text: &str) -> Result<T, String> {
    let number: T = text.parse().map_err(|_| format!("no number: {text:?}"))?;
    if number.to_string() == text {
        Ok(number)
    } else {
        Err(format!("an odd number: {text:?}"))
    }
}

fn check_mode(mode: &[u8]) -> Result<String, String> {
    const LETTERS: [&[u8]; 10] = [
        b"-dlcbps", b"r-", b"w-", b"x-sS", b"r-", b"w-", b"x-sS", b"r-", b"w-", b"x-tT",
    ];
    let fits = mode
        .iter()
        .zip(LETTERS)
        .all(|(letter, allowed)| allowed.contains(letter));
    if fits {
        Ok(String::from_utf8_lossy(mode).into_owned())
    } else {
        Err(format!("no mode: {}", mode.escape_ascii()))
    }
}

/// `Nov 22 13:07` or `Nov 22  2025`.
fn check_date(date: &[u8]) -> Result<String, String> {
    const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let wrong = || format!("no date: {}", date.escape_ascii());
    let text = str::from_utf8(date).map_err(|_| wrong())?;
    let (month, rest) = text.split_at(3);
    let (day, rest) = rest.split_at(3);
    let day: u32 = day.trim_start().parse().map_err(|_| wrong())?;
    let is_day = MONTHS.split(' ').any(|name| name == month) && (1..=31).contains(&day);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_time = match rest.strip_prefix("  ") {
        Some(year) => year.len() == 4 && digits(year),
        None => rest
            .strip_prefix(' ')
            .and_then(|time| time.split_once(':'))
            .is_some_and(|(hour, minute)| {
                let pair = |text: &str| text.len() == 2 && digits(text);
                pair(hour) && pair(minute) && hour < "24" && minute < "60"
            }),
    };
    if is_day && is_time {
        Ok(text.to_owned())
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_lines() {
        let line = b"-rwsr-xr-T   1 bob      1000          12 Nov  2 13:07  a -> b \r\n";
        let listed = parse(line).expect("a line");
        assert_eq!(listed.name, b" a -> b ");
        assert_eq!((listed.links, listed.size), (1, Size::Bytes(12)));
        assert_eq!((&listed.owner[..], &listed.group[..]), ("bob", "1000"));
        assert_eq!(listed.date, "Nov  2 13:07");
        let line = b"lrwxrwxrwx 1 a b 3 Nov 22  2025 a -> b -> c\r\n";
        let listed = parse(line).expect("a line");
        assert_eq!(listed.name, b"a");
        assert_eq!(listed.target.as_deref(), Some(&b"b -> c"[..]));
        for line in [
            &b"crw-rw-rw-   1 root     root       1,   3 Nov 22  2025 null\r\n"[..],
            b"brw-rw-rw-   1 root     root    1234,12345 Nov 22  2025 null\r\n",
        ] {
            let size = parse(line).expect("a line").size;
            assert!(matches!(
                size,
                Size::Device(1, 3) | Size::Device(1234, 12345)
            ));
        }
    }

    #[test]
    fn bad_lines() {
        for bad in [
            &b""[..],
            b"total 5\r\n",
            b"-rw-r--r-- 1 a b 3 Nov 22  2025 a\n",
            b"-rw-r--r-- 1 a b 3 Nov 22  2025 a\nb\r\n",
            b"-rw-r--r-- 1 a b 3 Nov 22  2025 a\0\r\n",
            b"-rw-r--r-- 1 a b c 3 Nov 22  2025 a\r\n",
            b"-rw-r--r-- 1 a 3 Nov 22  2025 a\r\n",
            b"-rw-r--r-- 01 a b 3 Nov 22  2025 a\r\n",
            b"-rw-r--r-- 1 a b 3  Nov 22  2025 a\r\n",
            b"-rw-r--r-- 1 a b 3 Nov 22 2025 a\r\n",
            b"-rw-r--r-- 1 a b 3 Nov 22 24:00 a\r\n",
            b"-rw-r--r-- 1 a b 3 Nov 32 12:00 a\r\n",
            b"-rw-r--r-- 1 a b 3 nov 22 12:00 a\r\n",
            b"brw-r--r-- 1 a b 3 Nov 22 12:00 a\r\n",
            b"?rw-r--r-- 1 a b 3 Nov 22 12:00 a\r\n",
            b"-rw-r--r--1 a b 3 Nov 22 12:00 a\r\n",
        ] {
            assert!(parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn facts() {
        let line = parse_facts(b"type=file;size=3;  a b\r\n").expect("facts");
        assert_eq!(line.name, b" a b");
        assert_eq!(line.facts[1], ("size".to_owned(), "3".to_owned()));
        assert!(
            parse_facts(b" a\r\n").is_ok_and(|line| line.facts.is_empty() && line.name == b"a")
        );
        for bad in [
            &b"type=file a\r\n"[..],
            b"type; a\r\n",
            b"a\r\n",
            b"a=1;b a\r\n",
        ] {
            assert!(parse_facts(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
