//! The flags of `ls` that clients send before the path of LIST, NLST and STAT.
//!
//! No RFC defines them, but many clients use them. A flag that has no meaning here is not an error.

/// The flags that have an effect. All others (`-l`, `-1` and unknown flags) are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListFlags {
    /// `-a`: `.` and `..` as well. All other entries are always shown.
    pub all: bool,
    /// `-R`: list directories recursively.
    pub recursive: bool,
    /// `-d`: list a directory itself instead of its entries.
    pub no_descend: bool,
    /// `-F`: a mark after each name that shows the kind of the entry, in LIST and STAT.
    pub classify: bool,
    /// `-t` or `-S`, whichever comes last.
    pub order: ListOrder,
    /// `-r`: reverse the order.
    pub reverse: bool,
}

/// The order of a directory's entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListOrder {
    /// The order of the file system; with `-r`, by name.
    #[default]
    Directory,
    /// `-t`: the newest first.
    Time,
    /// `-S`: the largest first.
    Size,
}

impl ListFlags {
    /// Splits the argument of LIST, NLST or STAT into flags and path.
    ///
    /// A word before the path consists of flags if it is a dash and letters or digits, or two
    /// dashes and a long name. Two dashes alone end the flags. Any other word that begins with
    /// a dash is a path, and so is one that begins with `./`. One space ends a word; more
    /// spaces are part of the path.
    #[must_use]
    pub fn split(argument: &[u8]) -> (Self, &[u8]) {
        let mut flags = Self::default();
        let mut rest = argument;
        while let Some((word, after)) = first_word(rest) {
            rest = after;
            match word {
                b"--" => break,
                [b'-', b'-', ..] => {}
                letters => letters.iter().for_each(|&letter| flags.set(letter)),
            }
        }
        (flags, rest)
    }

    /// Whether the entries need to be sorted: their order is not that of the file system.
    #[must_use]
    pub fn are_sorted(&self) -> bool {
        self.reverse || self.order != ListOrder::Directory
    }

    fn set(&mut self, letter: u8) {
        match letter {
            b'a' => self.all = true,
            b'R' => self.recursive = true,
            b'd' => self.no_descend = true,
            b'F' => self.classify = true,
            b't' => self.order = ListOrder::Time,
            b'S' => self.order = ListOrder::Size,
            b'r' => self.reverse = true,
            _ => {}
        }
    }
}

/// The word of flags at the beginning, and the rest; `None` if the path begins here.
fn first_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    // Spaces between flags are not part of a name, nor are spaces without a path.
    let trimmed = text.trim_ascii_start();
    if trimmed.is_empty() && !text.is_empty() {
        return Some((b"-", b""));
    }
    let end = trimmed.iter().position(|&byte| byte == b' ');
    let (word, after) = trimmed.split_at(end.unwrap_or(trimmed.len()));
    let letters = word.strip_prefix(b"-")?;
    let long = letters.strip_prefix(b"-");
    let is_flags = match long {
        Some(b"") => true,
        Some(name) => name[0].is_ascii_alphabetic(),
        None => !letters.is_empty() && letters.iter().all(u8::is_ascii_alphanumeric),
    };
    is_flags.then_some((word, after.strip_prefix(b" ").unwrap_or(after)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    /// Checks the flags that have an effect, and the path.
    #[track_caller]
    fn check(argument: &str, letters: &str, path: &str) {
        let (flags, rest) = ListFlags::split(argument.as_bytes());
        assert_eq!(str::from_utf8(rest), Ok(path), "{argument:?}");
        let mut found = String::new();
        for (is_set, letter) in [
            (flags.all, 'a'),
            (flags.recursive, 'R'),
            (flags.no_descend, 'd'),
            (flags.classify, 'F'),
            (flags.order == ListOrder::Time, 't'),
            (flags.order == ListOrder::Size, 'S'),
            (flags.reverse, 'r'),
        ] {
            if is_set {
                found.push(letter);
            }
        }
        assert_eq!(found, letters, "{argument:?}");
        let sorted = letters.contains(['t', 'S', 'r']);
        assert_eq!(flags.are_sorted(), sorted, "{argument:?}");
    }

    #[test]
    fn flags_come_before_the_path() {
        check("", "", "");
        check("dir", "", "dir");
        check("-a", "a", "");
        check("-la dir", "a", "dir");
        check("-a -l -R dir with spaces", "aR", "dir with spaces");
        check("-aRdFtr1lhnAZ9", "aRdFtr", "");
        check("-tS", "S", "");
        check("-St", "t", "");
        check("-r -a ", "ar", "");
        check("dir -a", "", "dir -a");
        check("/-a", "", "/-a");
    }

    #[test]
    fn long_names_are_ignored() {
        check("--all", "", "");
        check("--time-style=full-iso -a dir", "a", "dir");
        check("---", "", "---");
        check("--1", "", "--1");
    }

    #[test]
    fn paths_that_begin_with_a_dash() {
        check("-", "", "-");
        check("- a", "", "- a");
        check("-file.txt", "", "-file.txt");
        check("-a -file.txt", "a", "-file.txt");
        check("./-a", "", "./-a");
        check("-- -a", "", "-a");
        check("-a -- -l dir", "a", "-l dir");
        check("--", "", "");
        check("-a*", "", "-a*");
    }

    #[test]
    fn one_space_ends_the_flags() {
        check("-a  two", "a", " two");
        check(" two", "", " two");
        check("-a  -t  ", "at", "");
        check("   ", "", "");
        check("-- ", "", "");
    }
}
