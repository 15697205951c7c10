//! The facts of MLST and MLSD (RFC 3659, section 7): their names, the selection of a session, their
//! values.

use alloc::string::String;
use alloc::vec::Vec;

use super::columns::Columns;
use super::{Entry, EntryKind, push_name};
use crate::date::time_val;
use crate::rights::{Right, Rights};

/// The facts that MLST and MLSD show (RFC 3659, section 7.5). OPTS MLST selects them for the
/// session. The default is all facts but the names of owner and group, which the driver has to look
/// up in the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactSet(u16);

/// Appends a line of MLSD: [`facts`] and CRLF (RFC 3659, section 7.2).
pub fn facts_line(name: &[u8], entry: &Entry, set: FactSet, rights: Rights, out: &mut Vec<u8>) {
    facts(name, entry, set, rights, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends the facts of an entry, one space and `name`, which may be a path: the middle line of the
/// reply to MLST without its leading space (RFC 3659, section 7.2).
///
/// The `size` is shown only for files (section 7.5.7). Owner and group are numbers where the name
/// is not known, or contains what would end the fact: a space, as in "domain users", or a
/// semicolon.
pub fn facts(name: &[u8], entry: &Entry, set: FactSet, rights: Rights, out: &mut Vec<u8>) {
    let mut columns = Columns::new(out);
    for fact in FACTS {
        if !set.contains(fact) || !entry.has(fact) {
            continue;
        }
        let (label, length) = LABELS[fact as usize];
        columns.push_part(label, length);
        push_value(fact, entry, rights, &mut columns);
        columns.push(*b";");
    }
    columns.push(*b" ");
    columns.finish();
    push_name(name, out);
}

impl FactSet {
    /// Reads the argument of `OPTS MLST`, such as `type;size;`. Unknown facts are ignored, upper
    /// and lower case are equal, and an empty argument means no facts (RFC 3659, section 7.9).
    /// `None`: it is not a list of facts. The last semicolon may be missing if there is another
    /// one.
    #[must_use]
    pub fn parse(argument: &[u8]) -> Option<Self> {
        let mut set = Self(0);
        if argument.is_empty() {
            return Some(set);
        }
        let (facts, last) = argument.split_at(argument.iter().rposition(|&byte| byte == b';')? + 1);
        let facts = facts.strip_suffix(b";")?.split(|&byte| byte == b';');
        for wanted in facts.chain((!last.is_empty()).then_some(last)) {
            if wanted.is_empty() || wanted.iter().any(|byte| !byte.is_ascii_graphic()) {
                return None;
            }
            let named = |fact: Fact| wanted.eq_ignore_ascii_case(fact.name().as_bytes());
            if let Some(fact) = FACTS.into_iter().find(|&fact| named(fact)) {
                set.0 |= fact.bit();
            }
        }
        Some(set)
    }

    /// Whether names of owner or group are selected, which a driver may have to look up.
    #[must_use]
    pub fn wants_names(self) -> bool {
        self.contains(Fact::UnixOwner) || self.contains(Fact::UnixGroup)
    }

    /// The text after `MLST` in the reply to FEAT: all facts, those of this set with a star, such
    /// as `type*;size*;modify;` (RFC 3659, section 7.8).
    #[must_use]
    pub fn feature_text(self) -> String {
        let mut text = String::new();
        for fact in FACTS {
            text.push_str(fact.name());
            text.push_str(if self.contains(fact) { "*;" } else { ";" });
        }
        text
    }

    /// The text after `MLST OPTS` in the reply to OPTS MLST, such as `type;size;`; it is empty for
    /// an empty set (RFC 3659, section 7.9).
    #[must_use]
    pub fn option_text(self) -> String {
        let mut text = String::new();
        for fact in FACTS {
            if self.contains(fact) {
                text.push_str(fact.name());
                text.push(';');
            }
        }
        text
    }

    fn contains(self, fact: Fact) -> bool {
        self.0 & fact.bit() != 0
    }
}

impl Default for FactSet {
    fn default() -> Self {
        Self(
            FACTS.iter().fold(0, |set, fact| set | fact.bit())
                & !Fact::UnixOwner.bit()
                & !Fact::UnixGroup.bit(),
        )
    }
}

/// All facts; a [`FactSet`] has one bit for each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fact {
    Type,
    Size,
    Modify,
    Perm,
    Unique,
    UnixMode,
    UnixUid,
    UnixGid,
    UnixOwner,
    UnixGroup,
}

impl Fact {
    fn bit(self) -> u16 {
        1 << self as u8
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Size => "size",
            Self::Modify => "modify",
            Self::Perm => "perm",
            Self::Unique => "unique",
            Self::UnixMode => "unix.mode",
            Self::UnixUid => "unix.uid",
            Self::UnixGid => "unix.gid",
            Self::UnixOwner => "unix.owner",
            Self::UnixGroup => "unix.group",
        }
    }
}

impl Entry {
    fn has(&self, fact: Fact) -> bool {
        fact != Fact::Size || self.kind == EntryKind::File
    }
}

fn push_value(fact: Fact, entry: &Entry, rights: Rights, columns: &mut Columns<'_>) {
    match fact {
        Fact::Type => push_type(entry, columns),
        Fact::Size => columns.push_decimal::<0>(entry.size),
        Fact::Modify => columns.push(time_val(entry.modified)),
        Fact::Perm => {
            let rights = entry.rights.map_or(rights, |found| rights.and(found));
            push_perm(entry, rights, columns);
        }
        Fact::Unique => {
            columns.push_hexadecimal(entry.device);
            columns.push(*b"-");
            columns.push_hexadecimal(entry.inode);
        }
        Fact::UnixMode => {
            let digit = |shift: u32| b'0' + ((entry.mode >> shift) & 7) as u8;
            columns.push([digit(9), digit(6), digit(3), digit(0)]);
        }
        Fact::UnixUid => columns.push_decimal::<0>(entry.uid.into()),
        Fact::UnixGid => columns.push_decimal::<0>(entry.gid.into()),
        Fact::UnixOwner => push_owner(entry.owner.as_deref(), entry.uid, columns),
        Fact::UnixGroup => push_owner(entry.group.as_deref(), entry.gid, columns),
    }
}

/// RFC 3659, section 7.5.1. A link is `slink:` and its target, as in the example of section 7.7.4,
/// which clients know. A target that would end the value, or is not known, is left out: `symlink`,
/// as in erratum 1500. Only the entries for a directory itself and its parent are named `.` and
/// `..`.
fn push_type(entry: &Entry, columns: &mut Columns<'_>) {
    if let (EntryKind::Symlink, Some(target)) = (entry.kind, &entry.link_target)
        && is_value(target)
    {
        columns.push(*b"OS.unix=slink:");
        return columns.push_slice(target);
    }
    match entry.kind {
        EntryKind::File => columns.push(*b"file"),
        EntryKind::Directory if entry.name == b"." => columns.push(*b"cdir"),
        EntryKind::Directory if entry.name == b".." => columns.push(*b"pdir"),
        EntryKind::Directory => columns.push(*b"dir"),
        EntryKind::Symlink => columns.push(*b"OS.unix=symlink"),
        EntryKind::CharacterDevice => columns.push(*b"OS.unix=chr"),
        EntryKind::BlockDevice => columns.push(*b"OS.unix=blk"),
        EntryKind::Fifo => columns.push(*b"OS.unix=fifo"),
        EntryKind::Socket => columns.push(*b"OS.unix=socket"),
    }
}

/// The commands that may succeed on an entry (RFC 3659, section 7.5.5). Devices, pipes and sockets
/// can only be renamed or deleted, because only files are transferred; so can links that are shown
/// as such, because they lead to nothing that is served, or upwards.
fn push_perm(entry: &Entry, rights: Rights, columns: &mut Columns<'_>) {
    let directory = entry.kind == EntryKind::Directory;
    let content = entry.kind == EntryKind::File;
    let movable = !entry.is_fixed;
    let has = |right| rights.contains(right);
    let letters = [
        (b'a', content && has(Right::Append)),
        (b'c', directory && has(Right::Store)),
        (b'd', movable && has(Right::Delete)),
        (b'e', directory && has(Right::ChangeDirectory)),
        (b'f', movable && has(Right::Rename)),
        (b'l', directory && has(Right::List)),
        (b'm', directory && has(Right::MakeDirectory)),
        (b'p', directory && has(Right::Delete)),
        (b'r', content && has(Right::Read)),
        (b'w', content && has(Right::Store) && has(Right::Overwrite)),
    ];
    let (mut text, mut length) = ([0; 10], 0);
    for (letter, granted) in letters {
        text[length] = letter;
        length += usize::from(granted);
    }
    columns.push_part(text, length);
}

/// The name of an owner or a group, or the number where a name cannot be the value of a fact.
fn push_owner(name: Option<&[u8]>, number: u32, columns: &mut Columns<'_>) {
    match name {
        Some(name) if is_value(name) => columns.push_slice(name),
        _ => columns.push_decimal::<0>(number.into()),
    }
}

/// Whether a fact can have this value: a semicolon ends it, a space ends the facts, and a line
/// break ends the line (RFC 3659, section 7.2).
fn is_value(text: &[u8]) -> bool {
    let ends = |byte: &u8| matches!(byte, b' ' | b';') || byte.is_ascii_control();
    !text.is_empty() && !text.iter().any(ends)
}

/// In the order in which a line shows them.
const FACTS: [Fact; 10] = [
    Fact::Type,
    Fact::Size,
    Fact::Modify,
    Fact::Perm,
    Fact::Unique,
    Fact::UnixMode,
    Fact::UnixUid,
    Fact::UnixGid,
    Fact::UnixOwner,
    Fact::UnixGroup,
];

/// What precedes the value of each fact, and how long it is.
const LABELS: [([u8; LABEL_ROOM], usize); FACTS.len()] = {
    let mut labels = [([b'='; LABEL_ROOM], 0); FACTS.len()];
    let mut index = 0;
    while index < FACTS.len() {
        let name = FACTS[index].name().as_bytes();
        let (label, length) = &mut labels[FACTS[index] as usize];
        while *length < name.len() {
            label[*length] = name[*length];
            *length += 1;
        }
        *length += 1;
        index += 1;
    }
    labels
};

const LABEL_ROOM: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, text};
    use super::*;

    fn check_facts(entry: &Entry, wanted: &str, rights: Rights, expected: &str) {
        let mut out = Vec::from(*b"before|");
        let set = FactSet::parse(wanted.as_bytes()).unwrap();
        facts_line(&entry.name, entry, set, rights, &mut out);
        assert_eq!(text(&out), std::format!("before|{expected}\r\n"));
    }

    #[test]
    fn all_facts() {
        let all = "type;size;modify;perm;unique;unix.mode;unix.uid;unix.gid;";
        check_facts(
            &entry(EntryKind::File, 0o644, b" name"),
            all,
            Rights::READ_WRITE,
            "type=file;size=3;modify=20251122130709;perm=adfrw;unique=fd01-2a;\
             unix.mode=0644;unix.uid=1000;unix.gid=100;  name",
        );
        check_facts(
            &entry(EntryKind::Directory, 0o10_1777, b"name"),
            all,
            Rights::READ_ONLY,
            "type=dir;modify=20251122130709;perm=el;unique=fd01-2a;\
             unix.mode=1777;unix.uid=1000;unix.gid=100; name",
        );
        assert_eq!(FactSet::parse(all.as_bytes()), Some(FactSet::default()));
    }

    #[test]
    fn a_reply_to_mlst_has_the_path_and_no_line_end() {
        let directory = entry(EntryKind::Directory, 0o755, b"d");
        let mut out = Vec::new();
        facts(
            b"/a/\nd",
            &directory,
            FactSet::parse(b"type;").unwrap(),
            Rights::READ_ONLY,
            &mut out,
        );
        assert_eq!(text(&out), "type=dir; /a/?d");
    }

    #[test]
    fn names_of_owner_and_group() {
        let mut file = entry(EntryKind::File, 0o644, b"name");
        (file.owner, file.group) = (None, None);
        let wanted = "unix.owner;unix.group;";
        assert!(FactSet::parse(wanted.as_bytes()).unwrap().wants_names());
        assert!(!FactSet::default().wants_names());
        let expected = "unix.owner=1000;unix.group=100; name";
        check_facts(&file, wanted, Rights::READ_ONLY, expected);
        (file.owner, file.group) = (Some((*b"bob").into()), Some((*b"a;b\n").into()));
        check_facts(
            &file,
            wanted,
            Rights::READ_ONLY,
            "unix.owner=bob;unix.group=100; name",
        );
        for name in ["domain users", "a;b", "a\nb", "a\rb", "a\tb", ""] {
            (file.owner, file.group) = (Some(name.as_bytes().into()), Some(name.as_bytes().into()));
            let expected = "unix.owner=1000;unix.group=100; name";
            check_facts(&file, wanted, Rights::READ_ONLY, expected);
        }
        (file.owner, file.group) = (
            Some("jürgen".as_bytes().into()),
            Some((*b"DOMAIN\\users").into()),
        );
        let expected = "unix.owner=jürgen;unix.group=DOMAIN\\users; name";
        check_facts(&file, wanted, Rights::READ_ONLY, expected);
    }

    #[test]
    fn a_directory_and_its_parent() {
        for (name, expected) in [(".", "type=cdir; ."), ("..", "type=pdir; ..")] {
            let directory = entry(EntryKind::Directory, 0o755, name.as_bytes());
            check_facts(&directory, "type;", Rights::READ_ONLY, expected);
        }
    }

    #[test]
    fn chosen_facts() {
        let file = entry(EntryKind::File, 0o7, b"name");
        let check = |wanted, expected| {
            check_facts(&file, wanted, Rights::READ_ONLY, expected);
        };
        check("", " name");
        check("unix.mode;", "unix.mode=0007; name");
        check("size;type;", "type=file;size=3; name");
    }

    #[test]
    fn types() {
        let check = |kind, expected: &str| {
            check_facts(
                &entry(kind, 0o644, b"x"),
                "type;size;",
                Rights::READ_ONLY,
                expected,
            );
        };
        check(EntryKind::File, "type=file;size=3; x");
        check(EntryKind::Directory, "type=dir; x");
        check(EntryKind::Symlink, "type=OS.unix=symlink; x");
        check(EntryKind::CharacterDevice, "type=OS.unix=chr; x");
        check(EntryKind::BlockDevice, "type=OS.unix=blk; x");
        check(EntryKind::Fifo, "type=OS.unix=fifo; x");
        check(EntryKind::Socket, "type=OS.unix=socket; x");
    }

    #[test]
    fn a_link_shows_its_target_where_a_fact_can() {
        let mut link = entry(EntryKind::Symlink, 0o777, b"x");
        for (target, expected) in [
            ("nowhere", "type=OS.unix=slink:nowhere; x"),
            ("/etc/passwd", "type=OS.unix=slink:/etc/passwd; x"),
            ("../ü=:", "type=OS.unix=slink:../ü=:; x"),
            ("a b", "type=OS.unix=symlink; x"),
            ("a;b", "type=OS.unix=symlink; x"),
            ("a\rb", "type=OS.unix=symlink; x"),
            ("a\nb", "type=OS.unix=symlink; x"),
            ("", "type=OS.unix=symlink; x"),
        ] {
            link.link_target = Some(target.into());
            check_facts(&link, "type;size;", Rights::READ_ONLY, expected);
        }
    }

    #[test]
    fn letters_of_rights() {
        let check_entry = |entry: &Entry, rights, expected: &str| {
            let mut out = Vec::new();
            let mut columns = Columns::new(&mut out);
            push_perm(entry, rights, &mut columns);
            columns.finish();
            assert_eq!(text(&out), expected, "{entry:?} {rights:?}");
        };
        let check = |kind, rights, expected: &str| {
            check_entry(&Entry::new("x", kind, 0, 0), rights, expected);
        };
        let mut fixed = Entry::new("x", EntryKind::Directory, 0, 0);
        fixed.is_fixed = true;
        check_entry(&fixed, Rights::READ_WRITE, "celmp");
        let none = Rights::default();
        for (kind, read_only, read_write) in [
            (EntryKind::File, "r", "adfrw"),
            (EntryKind::Symlink, "", "df"),
            (EntryKind::Directory, "el", "cdeflmp"),
            (EntryKind::Fifo, "", "df"),
        ] {
            check(kind, none, "");
            check(kind, Rights::READ_ONLY, read_only);
            check(kind, Rights::READ_WRITE, read_write);
        }
        for (set, on_file, on_directory) in [
            (none.with(Right::ChangeDirectory), "", "e"),
            (none.with(Right::List), "", "l"),
            (none.with(Right::Read), "r", ""),
            (none.with(Right::Append), "a", ""),
            (none.with(Right::Delete), "d", "dp"),
            (none.with(Right::Rename), "f", "f"),
            (none.with(Right::MakeDirectory), "", "m"),
            // A file that exists can be stored to only by who may overwrite.
            (none.with(Right::Store), "", "c"),
            (none.with(Right::Store).with(Right::Overwrite), "w", "c"),
            (none.with(Right::Overwrite), "", ""),
        ] {
            check(EntryKind::File, set, on_file);
            check(EntryKind::Directory, set, on_directory);
        }
    }

    #[test]
    fn fact_sets() {
        let check = |argument: &[u8], expected: &str| {
            assert_eq!(
                FactSet::parse(argument)
                    .map(FactSet::option_text)
                    .as_deref(),
                Some(expected),
                "{argument:?}"
            );
        };
        check(b"", "");
        check(b"type;size", "type;size;");
        check(b"type;size;", "type;size;");
        check(b"SIZE;Type;", "type;size;");
        check(b"size;size;", "size;");
        check(b"UNIX.Mode;perm;", "perm;unix.mode;");
        check(b"colour;typ;types;modify;", "modify;");
        check(b"type*;", "");
        for bad in [
            &b"type"[..],
            b";",
            b"type;;",
            b"type ;",
            b" type;",
            b"type; size;",
            b"\xff;unique;",
        ] {
            assert_eq!(FactSet::parse(bad), None, "{}", bad.escape_ascii());
        }
        assert_eq!(
            FactSet::default().feature_text(),
            "type*;size*;modify*;perm*;unique*;unix.mode*;unix.uid*;unix.gid*;unix.owner;unix.group;"
        );
        assert_eq!(
            FactSet::parse(b"size;unix.gid;").unwrap().feature_text(),
            "type;size*;modify;perm;unique;unix.mode;unix.uid;unix.gid*;unix.owner;unix.group;"
        );
    }
}
