//! Directory listings: an entry, and the lines of LIST, NLST, MLST and MLSD that show it.
//!
//! An entry is always one line: LF and NUL in its name become `?`, and CR in the lines of LIST and
//! STAT. All other bytes stay, so that a client can use the name in its next command. Nothing in
//! this file reads a directory or a clock.

mod batch;
mod columns;
mod entry;
mod facts;
mod flags;
pub mod limits;
mod long;
mod notice;
mod pattern;
mod request;
mod selection;
pub(crate) mod style;
mod walk;

use alloc::vec::Vec;

use crate::codec::WireNames;

pub use batch::EntryBatch;
pub use entry::{Entry, EntryKind};
pub use facts::{FactSet, facts, facts_line};
pub use flags::{ListFlags, ListOrder};
pub use long::{heading, long_line};
pub use notice::WalkNotice;
pub use pattern::Pattern;
pub use request::ListRequest;
pub use selection::{Glob, Selection};
pub use walk::{
    Details, DirectoryId, NameList, OpenRequest, OpenedDirectory, SortMemory, Walk, WalkAnswer,
    WalkStep,
};

/// Appends a line of NLST: the name and CRLF (RFC 959, section 4.1.3).
pub fn name_line(name: &[u8], out: &mut Vec<u8>) {
    push_name(name, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a name for programs. A line feed in it would forge an entry, and no command can contain
/// it. A CR stays: macOS has a file `Icon\r` in each folder with an icon, and a line ends with
/// CRLF.
fn push_name(name: &[u8], out: &mut Vec<u8>) {
    push_replaced(name, |byte| matches!(byte, b'\n' | 0), out);
}

/// Appends a name, or the target of a link, in a line that people read too.
fn push_shown_name(name: &[u8], out: &mut Vec<u8>) {
    push_replaced(name, |byte| matches!(byte, b'\n' | b'\r' | 0), out);
}

fn push_replaced(name: &[u8], is_replaced: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(name);
    if has_control(name) {
        for byte in &mut out[start..] {
            if is_replaced(*byte) {
                *byte = b'?';
            }
        }
    }
}

/// Whether a byte is less than that of a space, as those are that are replaced. Few names have one,
/// so eight bytes are looked at together.
fn has_control(name: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 0xFF;
    let (words, rest) = name.as_chunks();
    let borrows = words.iter().fold(0, |borrows, word| {
        let word = u64::from_ne_bytes(*word);
        borrows | (word.wrapping_sub(ONES * 0x20) & !word)
    });
    borrows & (ONES * 0x80) != 0 || rest.iter().any(|&byte| byte < b' ')
}

/// Writes the names of an entry as the client gets them.
pub(crate) fn encode_entry(entry: &mut Entry, names: &WireNames) {
    if names.is_identity() {
        return;
    }
    entry.name = names.encode(&entry.name).into_owned();
    encode_target(entry, names);
}

/// Writes the target of a link as the client gets it.
pub(crate) fn encode_target(entry: &mut Entry, names: &WireNames) {
    if let Some(target) = &mut entry.link_target
        && !names.is_identity()
    {
        *target = names.encode(target).into_owned();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::rights::Rights;

    /// 2025-11-22 13:07:09.
    pub(super) const NOW: i64 = 1_763_816_829;

    pub(crate) fn entry(kind: EntryKind, mode: u32, name: &[u8]) -> Entry {
        let mut entry = Entry::new(name, kind, 3, NOW);
        (entry.mode, entry.uid, entry.gid) = (mode, 1000, 100);
        (entry.owner, entry.group) = (Some((*b"bob").into()), Some((*b"users").into()));
        (entry.device, entry.inode) = (0xfd01, 42);
        entry.device_numbers = (8, 1);
        entry
    }

    pub(super) fn text(bytes: &[u8]) -> &str {
        str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_name_makes_a_second_line() {
        for byte in 0..=u8::MAX {
            let name = if matches!(byte, 0 | b'\n') {
                b'?'
            } else {
                byte
            };
            let shown = if byte == b'\r' { b'?' } else { name };
            let mut link = entry(EntryKind::Symlink, 0o777, &[b'a', byte, b'b']);
            link.link_target = Some(Vec::from([byte]));

            let check = |line: &[u8], tail: &[u8]| {
                let body = line.strip_suffix(b"\r\n").unwrap();
                assert!(!body.contains(&b'\n'), "{byte}");
                assert!(body.ends_with(tail), "{byte}");
            };
            let mut out = Vec::new();
            long_line(&link, NOW, false, &mut out);
            check(
                &out,
                &[b' ', b'a', shown, b'b', b' ', b'-', b'>', b' ', shown],
            );
            out.clear();
            name_line(&link.name, &mut out);
            check(&out, &[b'a', name, b'b']);
            out.clear();
            let set = FactSet::default();
            facts_line(&link.name, &link, set, Rights::READ_WRITE, &mut out);
            check(&out, &[b';', b' ', b'a', name, b'b']);
        }
    }
}
