//! A line of LIST and STAT in the format of `ls -l`, which clients parse.
//!
//! Spaces separate the columns, and no column contains one, except the date, which has three parts,
//! and the name, which is the last column and begins after exactly one space.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::columns::Columns;
use super::{Entry, EntryKind, push_shown_name};
use crate::date::list_date;

/// Appends a line in the format of `ls -l`, for LIST and STAT (RFC 959, section 4.1.3):
/// `drwxr-xr-x   2 bob      users        4096 Nov 22 13:07 name`, then CRLF.
///
/// `now` decides whether the date shows the time of day or the year ([`list_date`]); the date is in
/// the time zone of [`Entry::utc_offset`]. Exactly one
/// space precedes the name, so that a name may begin with spaces. With `classify` a mark after the
/// name shows the kind of the entry, as in `ls -F`.
pub fn long_line(entry: &Entry, now: i64, classify: bool, out: &mut Vec<u8>) {
    LongLines::new(now, classify).push(&entry.name, entry, out);
}

/// The lines of a listing.
pub(super) struct LongLines {
    now: i64,
    classify: bool,
    owners: OwnerColumns,
}

/// The columns of owner and group. Most entries of a directory have the same as the one before.
#[derive(Default)]
struct OwnerColumns {
    text: Vec<u8>,
    numbers: (u32, u32),
    /// While they are here, no other name can have their addresses.
    names: [Option<Arc<[u8]>>; 2],
}

impl LongLines {
    pub(super) fn new(now: i64, classify: bool) -> Self {
        Self {
            now,
            classify,
            owners: OwnerColumns::default(),
        }
    }

    /// Appends the line of an entry with this name.
    pub(super) fn push(&mut self, name: &[u8], entry: &Entry, out: &mut Vec<u8>) {
        let mut columns = Columns::new(out);
        columns.push(mode_column(entry));
        columns.push(*b" ");
        columns.push_decimal::<3>(entry.links);
        columns.push_slice(self.owners.update(entry));
        push_size(entry, &mut columns);
        columns.push(*b" ");
        columns.push(local_date(entry, self.now));
        columns.push(*b" ");
        columns.finish();
        push_shown_name(name, out);
        if let (EntryKind::Symlink, Some(target)) = (entry.kind, &entry.link_target) {
            out.extend_from_slice(b" -> ");
            push_shown_name(target, out);
        }
        if self.classify
            && let Some(mark) = mark(entry)
        {
            out.push(mark);
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl OwnerColumns {
    /// The columns of an entry, with the spaces around them.
    fn update(&mut self, entry: &Entry) -> &[u8] {
        if !self.are_of(entry) {
            self.numbers = (entry.uid, entry.gid);
            self.names = [entry.owner.clone(), entry.group.clone()];
            self.text.clear();
            self.text.push(b' ');
            push_owner(entry.owner.as_deref(), entry.uid, &mut self.text);
            self.text.push(b' ');
            push_owner(entry.group.as_deref(), entry.gid, &mut self.text);
            self.text.push(b' ');
        }
        &self.text
    }

    fn are_of(&self, entry: &Entry) -> bool {
        let [owner, group] = &self.names;
        !self.text.is_empty()
            && self.numbers == (entry.uid, entry.gid)
            && are_same(owner.as_ref(), entry.owner.as_ref())
            && are_same(group.as_ref(), entry.group.as_ref())
    }
}

fn are_same(one: Option<&Arc<[u8]>>, other: Option<&Arc<[u8]>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The date in the entry's time zone.
fn local_date(entry: &Entry, now: i64) -> [u8; 12] {
    let offset = entry.utc_offset.into();
    // Both move, so the age stays.
    list_date(
        entry.modified.saturating_add(offset),
        now.saturating_add(offset),
    )
}

/// Appends the heading of a directory in a recursive listing: an empty line, except before the
/// first directory, and the path with a colon, as in `ls -lR`.
pub fn heading(path: &[u8], is_first: bool, out: &mut Vec<u8>) {
    if !is_first {
        out.extend_from_slice(b"\r\n");
    }
    push_shown_name(path, out);
    out.extend_from_slice(b":\r\n");
}

/// The first column.
fn mode_column(entry: &Entry) -> [u8; 10] {
    let kind = match entry.kind {
        EntryKind::File => b'-',
        EntryKind::Directory => b'd',
        EntryKind::Symlink => b'l',
        EntryKind::CharacterDevice => b'c',
        EntryKind::BlockDevice => b'b',
        EntryKind::Fifo => b'p',
        EntryKind::Socket => b's',
    };
    let letters = |shift: u32| LETTERS[(entry.mode >> shift & 7) as usize];
    let (owner, group, others) = (letters(6), letters(3), letters(0));
    let mut column = [
        kind, owner[0], owner[1], owner[2], group[0], group[1], group[2], others[0], others[1],
        others[2],
    ];
    if entry.mode & 0o7000 == 0 {
        return column;
    }
    // Each of the three special bits replaces the letter of an execute bit. Lower case means that
    // the execute bit is set.
    for (bit, place, letter) in [(0o4000, 3, b's'), (0o2000, 6, b's'), (0o1000, 9, b't')] {
        if entry.mode & bit != 0 {
            let executable = column[place] == b'x';
            column[place] = if executable {
                letter
            } else {
                letter.to_ascii_uppercase()
            };
        }
    }
    column
}

/// A link has no mark: its arrow shows what it is, and its target is not examined.
fn mark(entry: &Entry) -> Option<u8> {
    match entry.kind {
        EntryKind::Directory => Some(b'/'),
        EntryKind::File if entry.mode & 0o111 != 0 => Some(b'*'),
        EntryKind::Fifo => Some(b'|'),
        EntryKind::Socket => Some(b'='),
        _ => None,
    }
}

/// Appends an owner or a group. A name that contains a space, which other systems allow, would
/// shift all columns after it, so the number is shown instead.
fn push_owner(name: Option<&[u8]>, number: u32, out: &mut Vec<u8>) {
    let start = out.len();
    match name {
        Some(name) if is_one_word(name) => out.extend_from_slice(name),
        _ => {
            let mut columns = Columns::new(out);
            columns.push_decimal::<0>(number.into());
            columns.finish();
        }
    }
    let blanks = b"        ";
    let length = blanks.len().min(out.len() - start);
    out.extend_from_slice(&blanks[length..]);
}

fn is_one_word(name: &[u8]) -> bool {
    let breaks = |byte: &u8| byte.is_ascii_control() || byte.is_ascii_whitespace();
    !name.is_empty() && !name.iter().any(breaks)
}

/// Appends the size, or the numbers of a device.
fn push_size(entry: &Entry, columns: &mut Columns<'_>) {
    match entry.kind {
        EntryKind::CharacterDevice | EntryKind::BlockDevice => {
            let (major, minor) = entry.device_numbers;
            columns.push_decimal::<3>(major.into());
            columns.push(*b",");
            columns.push_decimal::<4>(minor.into());
        }
        _ => columns.push_decimal::<8>(entry.size),
    }
}

/// By three bits of the mode.
const LETTERS: [[u8; 3]; 8] = [
    *b"---", *b"--x", *b"-w-", *b"-wx", *b"r--", *b"r-x", *b"rw-", *b"rwx",
];

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, entry, text};
    use super::*;

    #[track_caller]
    fn check(entry: &Entry, expected: &str) {
        let mut out = Vec::from(*b"before|");
        long_line(entry, NOW, false, &mut out);
        assert_eq!(text(&out), std::format!("before|{expected}\r\n"));
    }

    #[test]
    fn lines() {
        let mut directory = entry(EntryKind::Directory, 0o755, b"name");
        (directory.links, directory.size) = (2, 4096);
        check(
            &directory,
            "drwxr-xr-x   2 bob      users        4096 Nov 22 13:07 name",
        );
        check(
            &entry(EntryKind::File, 0o644, b"  two spaces "),
            "-rw-r--r--   1 bob      users           3 Nov 22 13:07   two spaces ",
        );
        check(
            &entry(EntryKind::BlockDevice, 0o660, b"sda1"),
            "brw-rw----   1 bob      users      8,   1 Nov 22 13:07 sda1",
        );
        let mut terminal = entry(EntryKind::CharacterDevice, 0o620, b"tty");
        terminal.device_numbers = (1234, 12345);
        check(
            &terminal,
            "crw--w----   1 bob      users    1234,12345 Nov 22 13:07 tty",
        );
        check(
            &entry(EntryKind::Fifo, 0o600, b"pipe"),
            "prw-------   1 bob      users           3 Nov 22 13:07 pipe",
        );
        check(
            &entry(EntryKind::Socket, 0o600, b"socket"),
            "srw-------   1 bob      users           3 Nov 22 13:07 socket",
        );
    }

    /// The columns of one entry are not those of the entry before, whatever changes.
    #[test]
    fn lines_of_a_listing_are_those_of_single_entries() {
        let names = [None, Some(Arc::from(*b"bob")), Some(Arc::from(*b"a b"))];
        let same = Some(Arc::from(*b"bob"));
        let long: Option<Arc<[u8]>> = Some([b'x'; 300].into());
        let mut of_listing = LongLines::new(NOW, false);
        for owner in names.iter().chain([&same, &long]) {
            for group in names.iter().chain([&same, &long]) {
                for numbers in [(0, 0), (0, u32::MAX), (u32::MAX, 0), (1, 1)] {
                    let mut entry = entry(EntryKind::File, 0o644, b"name");
                    (entry.owner, entry.group) = (owner.clone(), group.clone());
                    (entry.uid, entry.gid) = numbers;
                    let [mut found, mut expected] = [Vec::new(), Vec::new()];
                    for _ in 0..2 {
                        of_listing.push(&entry.name, &entry, &mut found);
                        long_line(&entry, NOW, false, &mut expected);
                    }
                    assert_eq!(text(&found), text(&expected));
                }
            }
        }
    }

    #[test]
    fn links_show_their_target() {
        let mut link = entry(EntryKind::Symlink, 0o777, b"link");
        link.link_target = Some(b"to/there\r\n".to_vec());
        check(
            &link,
            "lrwxrwxrwx   1 bob      users           3 Nov 22 13:07 link -> to/there??",
        );
        link.link_target = None;
        check(
            &link,
            "lrwxrwxrwx   1 bob      users           3 Nov 22 13:07 link",
        );
        (link.kind, link.link_target) = (EntryKind::File, Some(b"x".to_vec()));
        check(
            &link,
            "-rwxrwxrwx   1 bob      users           3 Nov 22 13:07 link",
        );
    }

    #[test]
    fn dates() {
        let mut file = entry(EntryKind::File, 0o644, b"f");
        for (modified, date) in [
            (NOW - 3600, "Nov 22 12:07"),
            (NOW - 200 * 86_400, "May  6  2025"),
            (NOW - 20 * 365 * 86_400, "Nov 27  2005"),
            (NOW + 86_400, "Nov 23  2025"),
            (0, "Jan  1  1970"),
        ] {
            file.modified = modified;
            check(
                &file,
                &std::format!("-rw-r--r--   1 bob      users           3 {date} f"),
            );
        }
    }

    #[test]
    fn names_of_owners() {
        let mut file = entry(EntryKind::File, 0o644, b"f");
        for (owner, shown) in [
            (None, "1000    "),
            (Some(""), "1000    "),
            (Some("domain users"), "1000    "),
            (Some("a\tb"), "1000    "),
            (Some("a\nb"), "1000    "),
            (Some("jürgen"), "jürgen "),
            (Some("a-user-with-a-long-name"), "a-user-with-a-long-name"),
        ] {
            file.owner = owner.map(|owner| owner.as_bytes().into());
            check(
                &file,
                &std::format!("-rw-r--r--   1 {shown} users           3 Nov 22 13:07 f"),
            );
        }
    }

    #[test]
    fn large_numbers_widen_their_columns() {
        let mut large = entry(EntryKind::File, u32::MAX, b"large");
        (large.links, large.size, large.modified) = (u64::MAX, u64::MAX, i64::MIN);
        (large.uid, large.gid, large.owner, large.group) = (u32::MAX, u32::MAX, None, None);
        check(
            &large,
            "-rwsrwsrwt 18446744073709551615 4294967295 4294967295 18446744073709551615 \
             Jan  1  0000 large",
        );
        (large.links, large.size, large.uid, large.gid) = (0, 123_456_789, 0, 12_345_678);
        check(
            &large,
            "-rwsrwsrwt   0 0        12345678 123456789 Jan  1  0000 large",
        );
    }

    #[test]
    fn mode_columns() {
        let check = |kind, mode, expected: &str| {
            let column = mode_column(&entry(kind, mode, b""));
            assert_eq!(text(&column), expected, "{mode:o}");
        };
        check(EntryKind::File, 0, "----------");
        check(EntryKind::File, 0o4755, "-rwsr-xr-x");
        check(EntryKind::File, 0o4644, "-rwSr--r--");
        check(EntryKind::File, 0o2755, "-rwxr-sr-x");
        check(EntryKind::File, 0o2644, "-rw-r-Sr--");
        check(EntryKind::Directory, 0o1777, "drwxrwxrwt");
        check(EntryKind::Directory, 0o1776, "drwxrwxrwT");
        check(EntryKind::File, 0o7000, "---S--S--T");
        check(EntryKind::File, 0o421, "-r---w---x");
        check(EntryKind::File, 0o10_0124, "---x-w-r--");
        check(EntryKind::Fifo, 0o600, "prw-------");
        check(EntryKind::Socket, 0o600, "srw-------");
    }

    #[test]
    fn marks() {
        let check = |kind, mode, expected: &str| {
            let expected = std::format!(" {expected}\r\n");
            let mut out = Vec::new();
            long_line(&entry(kind, mode, b"x"), NOW, true, &mut out);
            assert!(text(&out).ends_with(&expected), "{}", text(&out));
        };
        check(EntryKind::Directory, 0o755, "x/");
        check(EntryKind::File, 0o755, "x*");
        check(EntryKind::File, 0o644, "x");
        check(EntryKind::Fifo, 0o644, "x|");
        check(EntryKind::Socket, 0o644, "x=");
        check(EntryKind::Symlink, 0o777, "x");
        check(EntryKind::BlockDevice, 0o777, "x");
    }

    #[test]
    fn headings() {
        let mut out = Vec::new();
        heading(b".", true, &mut out);
        heading(b"./a\nb", false, &mut out);
        assert_eq!(text(&out), ".:\r\n\r\n./a?b:\r\n");
    }
}
