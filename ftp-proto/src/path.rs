//! Paths inside the shared tree: absolute, normalised bytes.
//!
//! An [`FtpPath`] never contains `.`, `..`, an empty component or a NUL byte, so a driver can open
//! it beneath a root directory as it is. Symbolic links are not known here; the driver handles
//! them.

use alloc::vec::Vec;
use core::fmt;

use crate::config::limits::{PATH_BYTES_MAX, PATH_DEPTH_MAX};
use crate::printable::printable;

/// An absolute, normalised path. Names are bytes in any encoding.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FtpPath {
    /// Empty for the root, otherwise `/a/b`, without a slash at the end.
    bytes: Vec<u8>,
}

/// Why an argument is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathError {
    /// It contains a NUL byte or a line feed, which no command line can contain in a name.
    Character,
    /// It is longer or deeper than the limits.
    TooLong,
}

impl FtpPath {
    /// The top of the shared tree.
    #[must_use]
    pub const fn root() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Reads a path from the root, with or without a slash at its begin, for configurations. `..`
    /// is resolved lexically and stops at the root. `None`: it contains a NUL byte or a line
    /// feed, or is longer or deeper than the limits.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        Self::root().resolve(text).ok()
    }

    /// The path as clients see it, `/` for the root.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        if self.bytes.is_empty() {
            b"/"
        } else {
            &self.bytes
        }
    }

    /// The path relative to the root, `.` for the root itself. A driver opens it beneath its
    /// directory handle.
    #[must_use]
    pub fn relative(&self) -> &[u8] {
        self.bytes.get(1..).unwrap_or(b".")
    }

    /// Whether this is the top of the tree.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.bytes
            .rsplit(|&byte| byte == b'/')
            .next()
            .unwrap_or(b"")
    }

    /// The directory that contains this path; the parent of the root is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        let mut parent = self.clone();
        parent.ascend();
        parent
    }

    /// The path of an entry in this directory; `None` if `name` cannot be the name of an entry.
    #[must_use]
    pub fn child(&self, name: &[u8]) -> Option<Self> {
        let forbidden = |byte: &u8| matches!(byte, 0 | b'\n' | b'/');
        if matches!(name, b"" | b"." | b"..") || name.iter().any(forbidden) {
            return None;
        }
        self.resolve(name).ok()
    }

    /// Whether this is `directory` itself or a path below it.
    #[must_use]
    pub fn is_within(&self, directory: &Self) -> bool {
        match self.bytes.strip_prefix(&directory.bytes[..]) {
            Some(rest) => rest.is_empty() || rest.starts_with(b"/"),
            None => false,
        }
    }

    /// Resolves a client's argument against this directory. `..` is resolved lexically and stops at
    /// the root.
    pub(crate) fn resolve(&self, argument: &[u8]) -> Result<Self, PathError> {
        if argument.iter().any(|byte| matches!(byte, 0 | b'\n')) {
            return Err(PathError::Character);
        }
        let mut path = if argument.starts_with(b"/") {
            Self::root()
        } else {
            self.clone()
        };
        for component in argument.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => path.ascend(),
                name => path.descend(name),
            }
        }
        let depth = path.bytes.iter().filter(|&&byte| byte == b'/').count();
        if path.bytes.len() > PATH_BYTES_MAX || depth > PATH_DEPTH_MAX {
            return Err(PathError::TooLong);
        }
        Ok(path)
    }

    /// The same for an argument that may begin with `~`, where that is the directory `home`.
    pub(crate) fn resolve_with_home(
        &self,
        argument: &[u8],
        home: Option<&Self>,
    ) -> Result<Self, PathError> {
        match home.zip(below_home(argument)) {
            Some((home, below)) => home.resolve(below),
            None => self.resolve(argument),
        }
    }

    fn ascend(&mut self) {
        let end = self
            .bytes
            .iter()
            .rposition(|&byte| byte == b'/')
            .unwrap_or(0);
        self.bytes.truncate(end);
    }

    fn descend(&mut self, name: &[u8]) {
        self.bytes.push(b'/');
        self.bytes.extend_from_slice(name);
    }
}

/// What follows `~` or `~/`, without a slash in front.
pub(crate) fn below_home(argument: &[u8]) -> Option<&[u8]> {
    let mut below = argument.strip_prefix(b"~")?;
    if !matches!(below.first(), None | Some(b'/')) {
        return None;
    }
    while let Some(rest) = below.strip_prefix(b"/") {
        below = rest;
    }
    Some(below)
}

impl fmt::Debug for FtpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// For logs, in the form of [`printable`].
impl fmt::Display for FtpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        printable(self.as_bytes()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn check(cwd: &str, argument: &str, expected: &str) {
        let cwd = FtpPath::root().resolve(cwd.as_bytes()).unwrap();
        let path = cwd.resolve(argument.as_bytes()).unwrap();
        assert_eq!(path.to_string(), expected, "{argument:?} in {cwd:?}");
    }

    #[test]
    fn arguments_are_resolved_against_the_working_directory() {
        check("/", "", "/");
        check("/", "a", "/a");
        check("/a/b", "c", "/a/b/c");
        check("/a/b", "/c", "/c");
        check("/a/b", "..", "/a");
        check("/a", "../../../etc/passwd", "/etc/passwd");
        check("/a", "b/../c/./d//e/", "/a/c/d/e");
        check("/a", "...", "/a/...");
        check("/", "-a b\"c", "/-a b\"c");
    }

    #[test]
    fn parts() {
        let path = FtpPath::root().resolve(b"/a/b").unwrap();
        assert_eq!((path.name(), path.relative()), (&b"b"[..], &b"a/b"[..]));
        assert_eq!(path.parent().parent(), FtpPath::root());
        assert_eq!(FtpPath::root().parent(), FtpPath::root());
        assert_eq!(
            (FtpPath::root().name(), FtpPath::root().relative()),
            (&b""[..], &b"."[..])
        );
    }

    #[test]
    fn children() {
        let child = |name: &[u8]| FtpPath::root().child(name).map(|path| path.to_string());
        assert_eq!(child(b"a b").as_deref(), Some("/a b"));
        assert_eq!(child(b"...").as_deref(), Some("/..."));
        for bad in [&b""[..], b".", b"..", b"a/b", b"/a", b"a\0", b"a\nb"] {
            assert_eq!(child(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn limits() {
        assert_eq!(FtpPath::root().resolve(b"a\0b"), Err(PathError::Character));
        assert_eq!(FtpPath::root().resolve(b"a\nb"), Err(PathError::Character));
        let longest = vec![b'a'; PATH_BYTES_MAX - 1];
        assert!(FtpPath::root().resolve(&longest).is_ok());
        assert_eq!(
            FtpPath::root().resolve(&[&longest[..], b"a"].concat()),
            Err(PathError::TooLong)
        );
        assert!(
            FtpPath::root()
                .resolve(&b"a/".repeat(PATH_DEPTH_MAX))
                .is_ok()
        );
        assert_eq!(
            FtpPath::root().resolve(&b"a/".repeat(PATH_DEPTH_MAX + 1)),
            Err(PathError::TooLong)
        );
    }

    #[test]
    fn logs_cannot_be_forged() {
        let path = FtpPath::root()
            .resolve(b"a\rb\x1b\xff\xe4\xb8\xad")
            .unwrap();
        assert_eq!(path.to_string(), "/a\\rb\\u{1b}\\xff中");
    }
}
