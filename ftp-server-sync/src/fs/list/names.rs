//! The names in one directory, in its own order or sorted.
//!
//! Names are read as they are asked for. Sorting has to read them all first; only so many are held for that, and
//! of each only what it is sorted by: a directory with more comes in its own order.

use std::io;
use std::os::fd::OwnedFd;
use std::vec;

use ftp_proto::listing::{ListFlags, ListOrder, Pattern};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat};

/// An open directory whose names are being told.
#[derive(Debug)]
pub(super) struct Names {
    /// Only names the directory (`O_PATH`); for looking at its entries.
    handle: OwnedFd,
    source: Source,
    wanted: Wanted,
    order: Order,
}

/// Which names are told.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// All; `.` and `..` only if so.
    All { dots: bool },
    /// Those that match, never `.` and `..`.
    Matching(Pattern),
}

#[derive(Debug)]
enum Source {
    Directory(Dir),
    /// A name that need not be searched for.
    One(Option<Vec<u8>>),
}

#[derive(Debug)]
enum Order {
    AsRead,
    /// Reading on until there is nothing more to sort.
    Collecting(Collection, ListFlags),
    Collected(Collected),
}

/// What came of asking for a name.
#[derive(Debug)]
pub(super) enum Next {
    Name(Vec<u8>),
    /// None yet: there was much to look at, and others have to have their turn.
    Pending,
    /// There are too many to be sorted: they come as they are.
    Unsorted,
    End,
}

impl Names {
    /// Reads the directory that `handle` names.
    pub(super) fn read(handle: OwnedFd, wanted: Wanted, flags: ListFlags) -> io::Result<Self> {
        // To name a directory is one right, to read it another.
        let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = rustix::fs::openat(&handle, ".", open, Mode::empty())?;
        let order = match flags.are_sorted() {
            true => Order::Collecting(Collection::default(), flags),
            false => Order::AsRead,
        };
        Ok(Self {
            handle,
            source: Source::Directory(Dir::new(readable)?),
            wanted,
            order,
        })
    }

    /// One name alone; whether it exists will show when it is looked at.
    pub(super) fn one(handle: OwnedFd, name: Vec<u8>) -> Self {
        Self {
            handle,
            source: Source::One(Some(name)),
            wanted: Wanted::All { dots: false },
            order: Order::AsRead,
        }
    }

    /// Whether a name need not be there at all.
    pub(super) fn is_guessed(&self) -> bool {
        matches!(self.source, Source::One(_))
    }

    pub(super) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// What the file system knows about a name; links are not followed.
    pub(super) fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        stat(&self.handle, name)
    }

    /// Looks at a bounded number of names.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read on.
    pub(super) fn next(&mut self) -> io::Result<Next> {
        for _ in 0..LOOKS_PER_STEP {
            if let Order::Collected(collected) = &mut self.order
                && let Some(name) = collected.next()
            {
                return Ok(Next::Name(name));
            }
            let name = match &mut self.source {
                Source::One(name) => name.take(),
                Source::Directory(entries) => match entries.next() {
                    Some(found) => {
                        let found = found?;
                        let name = found.file_name().to_bytes();
                        if !self.wanted.includes(name) {
                            continue;
                        }
                        Some(name.to_vec())
                    }
                    None => None,
                },
            };
            match (&mut self.order, name) {
                (Order::Collecting(collection, flags), Some(name)) => {
                    collection.add(&self.handle, &name, flags.order);
                    if collection.is_full() {
                        self.order = Order::Collected(std::mem::take(collection).into_names());
                        return Ok(Next::Unsorted);
                    }
                }
                (Order::Collecting(collection, flags), None) => {
                    let flags = *flags;
                    self.order = Order::Collected(std::mem::take(collection).sorted(flags));
                }
                (_, Some(name)) => return Ok(Next::Name(name)),
                (_, None) => return Ok(Next::End),
            }
        }
        Ok(Next::Pending)
    }
}

impl Wanted {
    fn includes(&self, name: &[u8]) -> bool {
        let is_dots = matches!(name, b"." | b"..");
        match self {
            Self::All { dots } => *dots || !is_dots,
            Self::Matching(pattern) => !is_dots && pattern.matches(name),
        }
    }
}

/// Names to be sorted: all in one buffer, for there may be many.
#[derive(Debug, Default)]
struct Collection {
    bytes: Vec<u8>,
    kept: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// What decides, the larger first; names decide between equals.
    key: i64,
    start: u32,
    length: u16,
}

/// Names that come back out.
#[derive(Debug)]
struct Collected {
    bytes: Vec<u8>,
    kept: vec::IntoIter<Kept>,
}

impl Collection {
    fn add(&mut self, directory: &OwnedFd, name: &[u8], order: ListOrder) {
        let key = match order {
            ListOrder::Directory => 0,
            // What cannot be looked at will not be listed either.
            _ => stat(directory, name).map_or(0, |stat| key(&stat, order)),
        };
        // Names have at most 255 bytes, some more on unusual file systems, and there are not too many.
        if let (Ok(start), Ok(length)) = (self.bytes.len().try_into(), name.len().try_into()) {
            self.bytes.extend_from_slice(name);
            self.kept.push(Kept { key, start, length });
        }
    }

    fn is_full(&self) -> bool {
        self.kept.len() > SORTED_ENTRIES_MAX
    }

    fn sorted(mut self, flags: ListFlags) -> Collected {
        let name = |kept: &Kept| name_of(&self.bytes, kept);
        self.kept.sort_unstable_by(|one, other| {
            let by_key = other.key.cmp(&one.key);
            let order = by_key.then_with(|| name(one).cmp(name(other)));
            match flags.reverse {
                true => order.reverse(),
                false => order,
            }
        });
        self.into_names()
    }

    fn into_names(self) -> Collected {
        Collected {
            bytes: self.bytes,
            kept: self.kept.into_iter(),
        }
    }
}

impl Iterator for Collected {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let kept = self.kept.next()?;
        Some(name_of(&self.bytes, &kept).to_vec())
    }
}

fn name_of<'a>(bytes: &'a [u8], kept: &Kept) -> &'a [u8] {
    let start = kept.start as usize;
    &bytes[start..start + usize::from(kept.length)]
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the fields have other types on 32-bit machines"
)]
fn key(stat: &Stat, order: ListOrder) -> i64 {
    match order {
        ListOrder::Size => stat.st_size as i64,
        ListOrder::Time | ListOrder::Directory => (stat.st_mtime as i64)
            .saturating_mul(1_000_000_000)
            .saturating_add(stat.st_mtime_nsec as i64),
    }
}

fn stat(directory: &OwnedFd, name: &[u8]) -> io::Result<Stat> {
    Ok(rustix::fs::statat(
        directory,
        name,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

/// More entries of one directory are not sorted.
pub(super) const SORTED_ENTRIES_MAX: usize = 100_000;

/// As many names are looked at before a session looks after its connections again.
const LOOKS_PER_STEP: usize = 256;
