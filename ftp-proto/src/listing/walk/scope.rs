//! Which directories a walk enters, and what it lists of them.

use alloc::vec::Vec;

use crate::listing::pattern::Pattern;
use crate::path::FtpPath;

/// Which directories a walk enters.
#[derive(Debug)]
pub(super) enum Scope {
    /// The one in which it begins.
    OneDirectory,
    /// That one and all below it.
    Recursive,
    /// One level for each pattern; the matches of the last pattern are the entries.
    Matching(Vec<Pattern>),
}

/// What is done with a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Treatment {
    pub(super) is_listed: bool,
    /// If it is a directory.
    pub(super) is_entered: bool,
}

/// Which names of a directory take part.
#[derive(Clone, Debug)]
pub(super) enum NameFilter {
    /// All; `.` and `..` only with `dots`.
    All { dots: bool },
    /// Those that match, except `.` and `..`.
    Matching(Pattern),
}

impl Scope {
    pub(super) fn treatment(&self, name: &[u8], level: usize) -> Treatment {
        let (is_listed, is_entered) = match self {
            Self::OneDirectory => (true, false),
            Self::Recursive => (true, !is_dots(name)),
            Self::Matching(patterns) => {
                let is_last = level + 1 >= patterns.len();
                (is_last, !is_last)
            }
        };
        Treatment {
            is_listed,
            is_entered,
        }
    }

    /// The only name that takes part at this level, for which the directory need not be read.
    pub(super) fn only_name(&self, level: usize) -> Option<&[u8]> {
        match self {
            Self::Matching(patterns) => patterns.get(level).and_then(Pattern::literal),
            Self::OneDirectory | Self::Recursive => None,
        }
    }

    pub(super) fn filter(&self, level: usize, dots: bool) -> NameFilter {
        match self {
            Self::Matching(patterns) => match patterns.get(level) {
                Some(pattern) => NameFilter::Matching(pattern.clone()),
                None => NameFilter::All { dots: false },
            },
            Self::OneDirectory | Self::Recursive => NameFilter::All { dots },
        }
    }
}

impl NameFilter {
    pub(super) fn includes(&self, name: &[u8]) -> bool {
        match self {
            Self::All { dots } => *dots || !is_dots(name),
            Self::Matching(pattern) => !is_dots(name) && pattern.matches(name),
        }
    }
}

pub(super) fn is_dots(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

/// The path from `base` to a directory below it; empty for `base` itself.
pub(super) fn path_below<'a>(base: &FtpPath, directory: &'a FtpPath) -> &'a [u8] {
    let base_length = if base.is_root() {
        0
    } else {
        base.as_bytes().len()
    };
    let below = directory.as_bytes().get(base_length + 1..);
    below.unwrap_or_default()
}
