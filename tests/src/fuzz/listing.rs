//! Listings: any entry, any pattern, any flags, any tree.

use arbitrary::{Arbitrary, Unstructured};
use ftp_proto::listing::{self, Entry, EntryKind, FactSet, ListFlags, Pattern};
use ftp_proto::{Config, Rights};

use crate::listing_parser::{self, Size};
use crate::operations;
use crate::sim::Sim;
use crate::walk;

/// The first byte chooses what the others are used for.
pub fn listing(data: &[u8]) {
    match data.split_first() {
        Some((0..=84, rest)) => {
            if let Ok(any) = AnyEntry::arbitrary_take_rest(Unstructured::new(rest)) {
                entry(any);
            }
        }
        Some((85..=169, rest)) => {
            let mut parts = rest.splitn(2, |&byte| byte == 0);
            let (pattern, name) = (parts.next(), parts.next());
            matching(pattern.unwrap_or_default(), name.unwrap_or_default());
        }
        Some((170..=199, rest)) => argument(rest),
        Some((200..=229, rest)) => {
            if let Ok(case) = walk::Case::arbitrary_take_rest(Unstructured::new(rest)) {
                walk::case(&case);
            }
        }
        Some((230.., rest)) => walk::hostile::answers(rest),
        None => {}
    }
}

/// An entry of any kind with any values.
#[derive(Arbitrary, Debug)]
pub struct AnyEntry {
    pub kind: u8,
    pub mode: u32,
    pub links: u64,
    pub uid: u32,
    pub gid: u32,
    pub owner: Option<Vec<u8>>,
    pub group: Option<Vec<u8>>,
    pub size: u64,
    pub modified: i64,
    pub utc_offset: i32,
    pub now: i64,
    pub device_numbers: (u32, u32),
    pub link_target: Option<Vec<u8>>,
    pub classify: bool,
    pub name: Vec<u8>,
}

impl AnyEntry {
    pub fn into_entry(self) -> Entry {
        let kind = KINDS[usize::from(self.kind) % KINDS.len()];
        let mut entry = Entry::new(self.name, kind, self.size, self.modified);
        (entry.mode, entry.links) = (self.mode, self.links);
        (entry.uid, entry.gid) = (self.uid, self.gid);
        entry.owner = self.owner.map(Into::into);
        entry.group = self.group.map(Into::into);
        (entry.device, entry.inode) = (self.links, self.size);
        entry.device_numbers = self.device_numbers;
        entry.link_target = self.link_target;
        entry.utc_offset = self.utc_offset;
        entry
    }
}

/// An entry is one line, and all its values can be parsed.
pub fn entry(any: AnyEntry) {
    let (now, classify) = (any.now, any.classify);
    let entry = any.into_entry();
    check_long(&entry, now, classify);
    check_facts(&entry);
    let mut line = Vec::new();
    listing::name_line(&entry.name, &mut line);
    assert_eq!(
        listing_parser::plain_line(&line),
        Ok(&sent(&entry.name)[..])
    );
}

fn check_long(entry: &Entry, now: i64, classify: bool) {
    // The parser reads columns as UTF-8; a name in another encoding would be shown unchanged.
    let mut entry = entry.clone();
    for person in [&mut entry.owner, &mut entry.group] {
        if person
            .as_deref()
            .is_some_and(|name| str::from_utf8(name).is_err())
        {
            *person = None;
        }
    }
    let mut line = Vec::new();
    listing::long_line(&entry, now, classify, &mut line);
    let listed = listing_parser::parse(&line)
        .unwrap_or_else(|error| panic!("{error}: {}", line.escape_ascii()));
    let is_device = matches!(
        entry.kind,
        EntryKind::BlockDevice | EntryKind::CharacterDevice
    );
    let (major, minor) = entry.device_numbers;
    let size = if is_device {
        Size::Device(major, minor)
    } else {
        Size::Bytes(entry.size)
    };
    assert_eq!((listed.links, listed.size), (entry.links, size));
    for (shown, name, number) in [
        (&listed.owner, &entry.owner, entry.uid),
        (&listed.group, &entry.group, entry.gid),
    ] {
        let is_name = Some(shown.as_bytes()) == name.as_deref();
        assert!(is_name || *shown == number.to_string(), "{shown:?}");
    }
    let mut name = shown(&entry.name);
    let arrow = match (entry.kind, &entry.link_target) {
        (EntryKind::Symlink, Some(target)) => Some(shown(target)),
        _ => None,
    };
    if classify && arrow.is_none() && listed.name.len() == name.len() + 1 {
        let mark = listed.name[name.len()];
        assert!(b"/*|=".contains(&mark), "{mark}");
        name.push(mark);
    }
    match arrow {
        Some(target) => {
            let whole = [&name[..], b" -> ", &target].concat();
            let shown_target = listed.target.expect("the target of a link");
            assert_eq!([&listed.name[..], b" -> ", &shown_target].concat(), whole);
        }
        None if listed.target.is_none() => assert_eq!(listed.name, name),
        // A link without a known target, with an arrow in its name.
        None => assert_eq!(entry.kind, EntryKind::Symlink),
    }
}

fn check_facts(entry: &Entry) {
    // As above: a target in another encoding would be shown unchanged.
    let mut entry = entry.clone();
    let is_text = |target: &Vec<u8>| str::from_utf8(target).is_ok();
    entry.link_target = entry.link_target.filter(is_text);
    let entry = &entry;
    let mut line = Vec::new();
    let set = FactSet::default();
    listing::facts_line(&entry.name, entry, set, Rights::READ_WRITE, &mut line);
    let listing_parser::Facts { facts, name } = listing_parser::parse_facts(&line)
        .unwrap_or_else(|error| panic!("{error}: {}", line.escape_ascii()));
    assert_eq!(name, sent(&entry.name));
    assert!(facts.iter().any(|(name, _)| name == "type"));
    let size = facts.iter().find(|(name, _)| name == "size");
    let is_file = entry.kind == EntryKind::File;
    assert_eq!(
        size.map(|(_, value)| value.clone()),
        is_file.then(|| entry.size.to_string())
    );
}

/// A pattern matches the same names as a simple matcher that tries all possibilities.
pub fn matching(pattern: &[u8], name: &[u8]) {
    let (pattern, name) = (
        &pattern[..pattern.len().min(200)],
        &name[..name.len().min(200)],
    );
    let ours = Pattern::new(pattern);
    let found = ours.matches(name);
    let (characters, wanted) = (characters(name), characters(pattern));
    let hidden = name.starts_with(b".") && !pattern.starts_with(b".");
    let expected = !hidden && matches_slowly(&wanted, &characters);
    assert_eq!(
        found,
        expected,
        "{} {}",
        pattern.escape_ascii(),
        name.escape_ascii()
    );
    if let Some(literal) = ours.literal() {
        assert_eq!(literal, pattern);
        assert_eq!(found, name == pattern);
    }
}

/// Tries all places in the pattern at once.
fn matches_slowly(pattern: &[u32], name: &[u32]) -> bool {
    let mut places = vec![0];
    let through_stars = |places: &mut Vec<usize>| {
        let mut index = 0;
        while let Some(&place) = places.get(index) {
            if pattern.get(place) == Some(&STAR) && !places.contains(&(place + 1)) {
                places.push(place + 1);
            }
            index += 1;
        }
    };
    through_stars(&mut places);
    for &character in name {
        let mut next = Vec::new();
        for &place in &places {
            let step = match pattern.get(place) {
                None => None,
                Some(&STAR) => Some(0),
                Some(&QUESTION) => Some(1),
                Some(&OPEN) => match class(&pattern[place..]) {
                    Some(class) => {
                        let is_member = class
                            .members
                            .iter()
                            .any(|&(low, high)| low <= character && character <= high);
                        (is_member != class.negated).then_some(class.length)
                    }
                    None => (character == OPEN).then_some(1),
                },
                Some(&literal) => (literal == character).then_some(1),
            };
            if let Some(step) = step
                && !next.contains(&(place + step))
            {
                next.push(place + step);
            }
        }
        places = next;
        through_stars(&mut places);
    }
    places.contains(&pattern.len())
}

/// A class in brackets.
struct Class {
    negated: bool,
    members: Vec<(u32, u32)>,
    /// With both brackets included.
    length: usize,
}

fn class(pattern: &[u32]) -> Option<Class> {
    let negated =
        matches!(pattern.get(1), Some(&sign) if sign == u32::from('!') || sign == u32::from('^'));
    let start = if negated { 2 } else { 1 };
    // The first member may be a closing bracket.
    let close = (start + 1..pattern.len()).find(|&at| pattern[at] == CLOSE)?;
    let mut members = Vec::new();
    let mut rest = &pattern[start..close];
    while let [low, after @ ..] = rest {
        if let [dash, high, others @ ..] = after
            && *dash == u32::from('-')
        {
            members.push((*low, *high));
            rest = others;
        } else {
            members.push((*low, *low));
            rest = after;
        }
    }
    let length = close + 1;
    Some(Class {
        negated,
        members,
        length,
    })
}

/// One number for each character. Bytes that are not UTF-8 have other numbers.
fn characters(text: &[u8]) -> Vec<u32> {
    let mut found = Vec::new();
    for chunk in text.utf8_chunks() {
        found.extend(chunk.valid().chars().map(u32::from));
        found.extend(
            chunk
                .invalid()
                .iter()
                .map(|&byte| 0x11_0000 + u32::from(byte)),
        );
    }
    found
}

/// The flags and the path of any argument: the path is its end, and the session handles the result.
pub fn argument(argument: &[u8]) {
    let (flags, path) = ListFlags::split(argument);
    assert!(argument.ends_with(path));
    if !argument.trim_ascii_start().starts_with(b"-") {
        assert_eq!(flags, ListFlags::default());
        assert!(path == argument || path.is_empty());
    }
    // After two dashes everything is a path.
    let literal = [b"-- ", argument].concat();
    assert_eq!(ListFlags::split(&literal), (ListFlags::default(), argument));
    let mut sim = Sim::new(Config::default(), super::endpoints());
    sim.log_in(Rights::READ_WRITE);
    let line: Vec<u8> = argument
        .iter()
        .copied()
        .filter(|&byte| byte != b'\n')
        .collect();
    for verb in ["LIST", "NLST", "MLSD", "STAT"] {
        sim.send(b"PASV\n");
        sim.settle(|question| operations::good(question, 0));
        sim.send(&[verb.as_bytes(), b" ", &line, b"\n"].concat());
        sim.settle(|question| operations::good(question, 0));
    }
    sim.assert_alive(|question| operations::good(question, 0));
    sim.assert_replies_counted();
}

/// A name in the form of LIST.
fn shown(name: &[u8]) -> Vec<u8> {
    replaced(name, b"\n\r\0")
}

/// A name in the form of NLST and MLSD.
fn sent(name: &[u8]) -> Vec<u8> {
    replaced(name, b"\n\0")
}

fn replaced(name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let show = |byte: &u8| if bytes.contains(byte) { b'?' } else { *byte };
    name.iter().map(show).collect()
}

const STAR: u32 = b'*' as u32;
const QUESTION: u32 = b'?' as u32;
const OPEN: u32 = b'[' as u32;
const CLOSE: u32 = b']' as u32;

const KINDS: [EntryKind; 7] = [
    EntryKind::File,
    EntryKind::Directory,
    EntryKind::Symlink,
    EntryKind::CharacterDevice,
    EntryKind::BlockDevice,
    EntryKind::Fifo,
    EntryKind::Socket,
];
