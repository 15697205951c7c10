//! The names in one directory, in the directory's own order or sorted.
//!
//! Names are read one after the other. To sort them, all have to be read first: a bounded number of names is
//! stored for that, each with what it is sorted by. A directory with more is listed in its own order.

use std::io;
use std::os::fd::OwnedFd;
use std::vec;

use ftp_proto::listing::{ListFlags, ListOrder, Pattern};
use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat};

/// An open directory and its remaining names.
#[derive(Debug)]
pub(super) struct Names {
    /// Only names the directory (`O_PATH`); for looking at its entries.
    handle: OwnedFd,
    source: Source,
    filter: NameFilter,
    order: Order,
}

/// Which names are returned.
#[derive(Clone, Debug)]
pub(super) enum NameFilter {
    /// All; `.` and `..` only with `dots`.
    All { dots: bool },
    /// Those that match, except `.` and `..`.
    Matching(Pattern),
}

#[derive(Debug)]
enum Source {
    Directory(Dir),
    /// One name, for which the directory need not be read.
    One(Option<Vec<u8>>),
}

#[derive(Debug)]
enum Order {
    AsRead,
    /// Reading all names before they are sorted.
    Reading(NameBuffer, ListFlags),
    /// All names have been read, or too many.
    Buffered(BufferedNames),
}

/// The outcome of asking for a name.
#[derive(Debug)]
pub(super) enum NextName {
    Name(Vec<u8>),
    /// No name yet: many had to be looked at, and the session has other work between two steps.
    Pending,
    /// There are too many names to sort: they come in the directory's own order.
    Unsorted,
    End,
}

impl Names {
    /// Reads the directory that `handle` names.
    pub(super) fn read(handle: OwnedFd, filter: NameFilter, flags: ListFlags) -> io::Result<Self> {
        // A handle needs no right to read the directory; this does.
        let open = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = rustix::fs::openat(&handle, ".", open, Mode::empty())?;
        let order = match flags.are_sorted() {
            true => Order::Reading(NameBuffer::default(), flags),
            false => Order::AsRead,
        };
        Ok(Self {
            handle,
            source: Source::Directory(Dir::new(readable)?),
            filter,
            order,
        })
    }

    /// One name alone. Whether it exists shows when its attributes are read.
    pub(super) fn one(handle: OwnedFd, name: Vec<u8>) -> Self {
        Self {
            handle,
            source: Source::One(Some(name)),
            filter: NameFilter::All { dots: false },
            order: Order::AsRead,
        }
    }

    /// Whether a returned name may be one that does not exist.
    pub(super) fn may_be_missing(&self) -> bool {
        matches!(self.source, Source::One(_))
    }

    pub(super) fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// The attributes of a name; links are not followed.
    pub(super) fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        stat(&self.handle, name)
    }

    /// The next name. Looks at a bounded number of names.
    ///
    /// # Errors
    ///
    /// The system's error from reading the directory.
    pub(super) fn next(&mut self) -> io::Result<NextName> {
        for _ in 0..NAMES_PER_STEP_MAX {
            if let Order::Buffered(names) = &mut self.order
                && let Some(name) = names.next()
            {
                return Ok(NextName::Name(name));
            }
            let name = match &mut self.source {
                Source::One(name) => name.take(),
                Source::Directory(entries) => match entries.next() {
                    Some(found) => {
                        let found = found?;
                        let name = found.file_name().to_bytes();
                        if !self.filter.includes(name) {
                            continue;
                        }
                        Some(name.to_vec())
                    }
                    None => None,
                },
            };
            match (&mut self.order, name) {
                (Order::Reading(buffer, flags), Some(name)) => {
                    buffer.add(&self.handle, &name, flags.order);
                    if buffer.is_full() {
                        self.order = Order::Buffered(std::mem::take(buffer).into_names());
                        return Ok(NextName::Unsorted);
                    }
                }
                (Order::Reading(buffer, flags), None) => {
                    let flags = *flags;
                    self.order = Order::Buffered(std::mem::take(buffer).into_sorted_names(flags));
                }
                (_, Some(name)) => return Ok(NextName::Name(name)),
                (_, None) => return Ok(NextName::End),
            }
        }
        Ok(NextName::Pending)
    }
}

impl NameFilter {
    fn includes(&self, name: &[u8]) -> bool {
        let is_dots = matches!(name, b"." | b"..");
        match self {
            Self::All { dots } => *dots || !is_dots,
            Self::Matching(pattern) => !is_dots && pattern.matches(name),
        }
    }
}

/// Names to sort: all in one allocation, as there may be many.
#[derive(Debug, Default)]
struct NameBuffer {
    bytes: Vec<u8>,
    items: Vec<BufferedName>,
}

#[derive(Debug)]
struct BufferedName {
    /// A larger key comes first; equal keys are sorted by name.
    key: i64,
    start: u32,
    length: u16,
}

/// The names of a buffer in their final order.
#[derive(Debug)]
struct BufferedNames {
    bytes: Vec<u8>,
    items: vec::IntoIter<BufferedName>,
}

impl NameBuffer {
    fn add(&mut self, directory: &OwnedFd, name: &[u8], order: ListOrder) {
        let key = match order {
            ListOrder::Directory => 0,
            // An entry without attributes is not listed: any key will do.
            _ => stat(directory, name).map_or(0, |stat| key(&stat, order)),
        };
        // Both fit: names have at most 255 bytes, a few more on unusual file systems, and their number is
        // bounded.
        if let (Ok(start), Ok(length)) = (self.bytes.len().try_into(), name.len().try_into()) {
            self.bytes.extend_from_slice(name);
            self.items.push(BufferedName { key, start, length });
        }
    }

    fn is_full(&self) -> bool {
        self.items.len() > SORTED_ENTRIES_MAX
    }

    fn into_sorted_names(mut self, flags: ListFlags) -> BufferedNames {
        let name = |item: &BufferedName| item.name(&self.bytes);
        self.items.sort_unstable_by(|one, other| {
            let by_key = other.key.cmp(&one.key);
            let order = by_key.then_with(|| name(one).cmp(name(other)));
            match flags.reverse {
                true => order.reverse(),
                false => order,
            }
        });
        self.into_names()
    }

    fn into_names(self) -> BufferedNames {
        BufferedNames {
            bytes: self.bytes,
            items: self.items.into_iter(),
        }
    }
}

impl BufferedName {
    fn name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        &bytes[start..start + usize::from(self.length)]
    }
}

impl Iterator for BufferedNames {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let item = self.items.next()?;
        Some(item.name(&self.bytes).to_vec())
    }
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

/// A directory with more entries is not sorted.
pub(super) const SORTED_ENTRIES_MAX: usize = 100_000;

/// Names that one step looks at. Between two steps a session looks after its connections.
const NAMES_PER_STEP_MAX: usize = 256;
