//! What LIST, NLST, MLSD and STAT show: a path, a pattern, and flags.
//!
//! A driver looks for the path first. If it exists, it is listed, even if its name contains
//! wildcards. Otherwise the driver uses the pattern.

use alloc::vec::Vec;

use super::{ListFlags, Pattern};
use crate::path::{FtpPath, PathError};

/// What to list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// The path. The entries of a directory are listed; anything else is listed itself.
    pub path: FtpPath,
    /// The path as the client sent it; empty for the working directory.
    pub argument: Vec<u8>,
    /// The path as a pattern, for the case that the path does not exist.
    pub glob: Option<Glob>,
    /// The flags of LIST, NLST and STAT.
    pub flags: ListFlags,
}

/// A path with wildcards. The entries that match are listed, not the entries in matching
/// directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// The directory before the first wildcard.
    pub base: FtpPath,
    /// That directory as the client sent it, with its slash; empty for the working directory.
    pub prefix: Vec<u8>,
    /// A pattern for each further component; at least one.
    pub patterns: Vec<Pattern>,
}

impl Selection {
    /// All entries of a directory, for MLSD: no flags, no wildcards.
    #[must_use]
    pub fn of_path(path: FtpPath) -> Self {
        Self {
            path,
            argument: Vec::new(),
            glob: None,
            flags: ListFlags::default(),
        }
    }

    /// Reads the argument of LIST, NLST or STAT. `home`: the directory that `~` means, if it is no
    /// name.
    pub(crate) fn parse(
        argument: &[u8],
        directory: &FtpPath,
        home: Option<&FtpPath>,
    ) -> Result<Self, PathError> {
        let (flags, argument) = ListFlags::split(argument);
        Ok(Self {
            path: directory.resolve_with_home(argument, home)?,
            argument: argument.to_vec(),
            glob: Glob::parse(argument, directory, home)?,
            flags,
        })
    }

    /// The path, and the directory in which a pattern is looked for.
    pub(crate) fn paths(&self) -> [Option<&FtpPath>; 2] {
        let base = self.glob.as_ref().map(|glob| &glob.base);
        [Some(&self.path), base]
    }

    /// What NLST sends before the name of an entry so that the client can use the line as a path:
    /// the argument and a slash, or nothing.
    #[must_use]
    pub fn prefix(&self) -> Vec<u8> {
        let mut prefix = self.argument.clone();
        if !prefix.is_empty() && !prefix.ends_with(b"/") {
            prefix.push(b'/');
        }
        prefix
    }

    /// The name of the path itself in a listing: the argument without a slash at its end.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let mut name = &self.argument[..];
        while let [shorter @ .., b'/'] = name
            && !shorter.is_empty()
        {
            name = shorter;
        }
        match name {
            b"" => b".",
            name => name,
        }
    }
}

impl Glob {
    /// `None` without wildcards, and for `..` after a wildcard: `*/../x` names no directory to
    /// start from.
    fn parse(
        argument: &[u8],
        directory: &FtpPath,
        home: Option<&FtpPath>,
    ) -> Result<Option<Self>, PathError> {
        let mut start = 0;
        for component in argument.split_inclusive(|&byte| byte == b'/') {
            let name = component.strip_suffix(b"/").unwrap_or(component);
            if Pattern::new(name).literal().is_none() {
                break;
            }
            start += component.len();
        }
        let (prefix, below) = argument.split_at(start);
        let components = || below.split(|&byte| byte == b'/');
        let names = components().filter(|name| !matches!(*name, b"" | b"."));
        let patterns: Vec<_> = names.map(Pattern::new).collect();
        if patterns.is_empty() || components().any(|name| name == b"..") {
            return Ok(None);
        }
        Ok(Some(Self {
            base: directory.resolve_with_home(prefix, home)?,
            prefix: prefix.to_vec(),
            patterns,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn parse(argument: &str) -> Selection {
        let directory = FtpPath::root().resolve(b"/home").unwrap();
        Selection::parse(argument.as_bytes(), &directory, None).unwrap()
    }

    #[test]
    fn paths() {
        for (argument, path, prefix, name) in [
            ("", "/home", "", "."),
            ("-a", "/home", "", "."),
            ("dir", "/home/dir", "dir/", "dir"),
            ("dir//", "/home/dir", "dir//", "dir"),
            ("-l ../dir", "/dir", "../dir/", "../dir"),
            ("/", "/", "/", "/"),
            ("//", "/", "//", "/"),
        ] {
            let selection = parse(argument);
            assert_eq!(selection.path.to_string(), path, "{argument:?}");
            assert_eq!(selection.prefix(), prefix.as_bytes(), "{argument:?}");
            assert_eq!(selection.name(), name.as_bytes(), "{argument:?}");
            assert_eq!(selection.glob, None, "{argument:?}");
        }
    }

    #[test]
    fn globs() {
        for (argument, base, prefix, patterns) in [
            ("*.txt", "/home", "", &["*.txt"][..]),
            ("-a [a-c]?", "/home", "", &["[a-c]?"]),
            ("dir/x/*", "/home/dir/x", "dir/x/", &["*"]),
            ("dir*/x?", "/home", "", &["dir*", "x?"]),
            ("/*/b/c?/", "/", "/", &["*", "b", "c?"]),
            ("../d//.//*/./x", "/d", "../d//.//", &["*", "x"]),
        ] {
            let glob = parse(argument).glob.expect(argument);
            assert_eq!(glob.base.to_string(), base, "{argument:?}");
            assert_eq!(glob.prefix, prefix.as_bytes(), "{argument:?}");
            let patterns: Vec<_> = patterns
                .iter()
                .map(|pattern| Pattern::new(pattern.as_bytes()))
                .collect();
            assert_eq!(glob.patterns, patterns, "{argument:?}");
        }
        for none in ["*/../x", "*/..", "a[b", "dir/[", "-*/.."] {
            assert_eq!(parse(none).glob, None, "{none:?}");
        }
        // The path is there too, for the case that it exists.
        assert_eq!(parse("d/[x]").path.to_string(), "/home/d/[x]");
    }

    #[test]
    fn a_tilde_may_be_the_home_directory() {
        let [directory, home] = ["/d", "/joe"].map(|path| FtpPath::parse(path.as_bytes()).unwrap());
        let parse =
            |argument: &str, home| Selection::parse(argument.as_bytes(), &directory, home).unwrap();
        for (argument, with_home, without) in [
            ("~", "/joe", "/d/~"),
            ("-a ~/", "/joe", "/d/~"),
            ("~//a/..//b", "/joe/b", "/d/~/b"),
            ("~/..", "/", "/d"),
            ("~~", "/d/~~", "/d/~~"),
            ("a/~", "/d/a/~", "/d/a/~"),
            ("/~", "/~", "/~"),
        ] {
            assert_eq!(parse(argument, Some(&home)).path.to_string(), with_home);
            assert_eq!(parse(argument, None).path.to_string(), without);
        }
        let glob = parse("~/sub/*", Some(&home)).glob.unwrap();
        assert_eq!(
            (glob.base.to_string(), &glob.prefix[..]),
            ("/joe/sub".into(), &b"~/sub/"[..])
        );
    }

    #[test]
    fn an_invalid_path_is_not_a_pattern() {
        let root = FtpPath::root();
        let parse = |argument: &[u8]| Selection::parse(argument, &root, None);
        assert_eq!(parse(b"*\0"), Err(PathError::Character));
        assert_eq!(parse(&b"*/".repeat(129)), Err(PathError::TooLong));
        assert!(parse(&b"*/".repeat(128)).is_ok());
    }
}
