//! Accounts: where a session starts, what it may do where, and how its client writes names.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::codec::{NameCodec, WireNames};
use crate::path::FtpPath;
use crate::rights::{Right, Rights};

/// The answer to [`Authenticate`](crate::Action::Authenticate): what a session needs to know about
/// who has logged in.
///
/// ```
/// # use ftp_proto::{Account, FtpPath, Right, Rights};
/// # let path = |text: &[u8]| FtpPath::parse(text).expect("a path");
/// let account = Account::new(Rights::READ_ONLY)
///     .with_home(path(b"/music"))
///     .with_rights_below(path(b"/music/new"), Rights::READ_WRITE);
/// assert!(account.allows(&path(b"/music/new/a.flac"), Right::Store));
/// assert!(!account.allows(&path(b"/music/newer.flac"), Right::Store));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    home: FtpPath,
    rights: Rights,
    /// The directories with rights of their own; the longest path comes first.
    directories: Vec<(FtpPath, Rights)>,
    names: WireNames,
    is_last_of_session: bool,
}

impl Account {
    /// An account that starts at the root, with these rights everywhere, whose names are not
    /// converted.
    #[must_use]
    pub fn new(rights: Rights) -> Self {
        Self {
            home: FtpPath::root(),
            rights,
            directories: Vec::new(),
            names: WireNames::default(),
            is_last_of_session: false,
        }
    }

    /// The same, but sessions start in this directory. It hides nothing: what may be used is
    /// decided by the rights.
    #[must_use]
    pub fn with_home(mut self, home: FtpPath) -> Self {
        self.home = home;
        self
    }

    /// The same, but with these rights for `directory` and everything below it. They replace the
    /// rights of the directory above it; the rights of the longest path apply.
    #[must_use]
    pub fn with_rights_below(mut self, directory: FtpPath, rights: Rights) -> Self {
        self.directories.retain(|(known, _)| *known != directory);
        let depth = directory.as_bytes().len();
        let at = self
            .directories
            .partition_point(|(known, _)| known.as_bytes().len() >= depth);
        self.directories.insert(at, (directory, rights));
        self
    }

    /// The same, but names on the wire pass through this codec, unless the client has sent `OPTS
    /// UTF8 ON` or LANG, or shows that it writes UTF-8
    /// ([`NameCodec::shows_utf8`](crate::NameCodec::shows_utf8)).
    #[must_use]
    pub fn with_codec(mut self, codec: Arc<dyn NameCodec>) -> Self {
        self.names = WireNames::new(codec);
        self
    }

    /// The same, but no other login can follow it in its session: USER, REIN and AUTH get 421, and
    /// the session closes once its transfer is over. For a driver whose thread, or process, has
    /// given up other rights than those of this user for good.
    #[must_use]
    pub fn with_no_other_login(mut self) -> Self {
        self.is_last_of_session = true;
        self
    }

    /// Where a session starts, and where CWD without an argument leads.
    #[must_use]
    pub fn home(&self) -> &FtpPath {
        &self.home
    }

    /// The rights where no directory has its own.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.rights
    }

    /// The directories with rights of their own; the longest path comes first.
    #[must_use]
    pub fn directories(&self) -> &[(FtpPath, Rights)] {
        &self.directories
    }

    /// Whether the account has this right for this path. This is the core's only check. A driver
    /// that follows symbolic links asks again with the path that a link leads to.
    #[must_use]
    pub fn allows(&self, path: &FtpPath, right: Right) -> bool {
        self.rights_at(path).contains(right)
    }

    /// All rights for this path.
    #[must_use]
    pub fn rights_at(&self, path: &FtpPath) -> Rights {
        let rule = self
            .directories
            .iter()
            .find(|(directory, _)| path.is_within(directory));
        rule.map_or(self.rights, |(_, rights)| *rights)
    }

    /// All rights for the entry with this name in a directory, for the `perm` fact of listings. `.`
    /// is the directory itself, and `..` its parent.
    #[must_use]
    pub fn rights_of_entry(&self, directory: &FtpPath, name: &[u8]) -> Rights {
        if self.directories.is_empty() {
            return self.rights;
        }
        match name {
            b"." => self.rights_at(directory),
            b".." => self.rights_at(&directory.parent()),
            // What cannot be named by a client has the rights of its directory.
            name => match directory.child(name) {
                Some(path) => self.rights_at(&path),
                None => self.rights_at(directory),
            },
        }
    }

    /// Whether what has this path may be removed, renamed or replaced, as far as directories with
    /// rights of their own are concerned. Those at the path and below it stay where they are,
    /// unless the account may delete and rename in each of them, and in the directory above the
    /// path.
    pub(crate) fn is_movable(&self, path: &FtpPath) -> bool {
        let moves =
            |rights: Rights| rights.contains(Right::Delete) && rights.contains(Right::Rename);
        let mut taken_along = self
            .directories
            .iter()
            .filter(|(directory, _)| directory.is_within(path))
            .peekable();
        taken_along.peek().is_none()
            || moves(self.rights_at(&path.parent()))
                && taken_along.all(|(_, rights)| moves(*rights))
    }

    /// Whether the entry with this name in a directory may be removed, renamed or replaced, as
    /// [`is_movable`](Self::is_movable) says.
    pub(crate) fn is_movable_entry(&self, directory: &FtpPath, name: &[u8]) -> bool {
        self.directories.is_empty()
            || match name {
                b"." => self.is_movable(directory),
                b".." => self.is_movable(&directory.parent()),
                name => directory
                    .child(name)
                    .is_none_or(|path| self.is_movable(&path)),
            }
    }

    /// Whether it may change nothing anywhere.
    pub(crate) fn may_only_read(&self) -> bool {
        let directories = self.directories.iter().map(|(_, rights)| rights);
        let mut all = directories.chain([&self.rights]);
        all.all(|rights| !rights.may_change())
    }

    pub(crate) fn is_last_of_session(&self) -> bool {
        self.is_last_of_session
    }

    pub(crate) fn names(&self) -> &WireNames {
        &self.names
    }
}

/// An account with these rights everywhere: [`Account::new`].
impl From<Rights> for Account {
    fn from(rights: Rights) -> Self {
        Self::new(rights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> FtpPath {
        FtpPath::parse(text.as_bytes()).unwrap()
    }

    fn account() -> Account {
        Account::new(Rights::READ_ONLY)
            .with_rights_below(path("/a/b"), Rights::NONE)
            .with_rights_below(path("/a"), Rights::READ_WRITE)
            .with_rights_below(path("/a/b/c"), Rights::NONE.with(Right::List))
    }

    #[test]
    fn the_longest_path_decides() {
        for (text, expected) in [
            ("/", Rights::READ_ONLY),
            ("/b", Rights::READ_ONLY),
            ("/ab", Rights::READ_ONLY),
            ("/a", Rights::READ_WRITE),
            ("/a/x/y", Rights::READ_WRITE),
            ("/a/b", Rights::NONE),
            ("/a/b/x", Rights::NONE),
            ("/a/bc", Rights::READ_WRITE),
            ("/a/b/c/d", Rights::NONE.with(Right::List)),
        ] {
            assert_eq!(account().rights_at(&path(text)), expected, "{text}");
        }
        let root = account().with_rights_below(FtpPath::root(), Rights::NONE);
        assert_eq!(root.rights_at(&path("/b")), Rights::NONE);
        assert_eq!(root.rights_at(&path("/a/x")), Rights::READ_WRITE);
        let changed = account().with_rights_below(path("/a/b"), Rights::READ_ONLY);
        assert_eq!(changed.rights_at(&path("/a/b")), Rights::READ_ONLY);
    }

    #[test]
    fn entries() {
        let of = |directory: &str, name: &[u8]| account().rights_of_entry(&path(directory), name);
        assert_eq!(of("/", b"a"), Rights::READ_WRITE);
        assert_eq!(of("/", b"x"), Rights::READ_ONLY);
        assert_eq!(of("/a", b"."), Rights::READ_WRITE);
        assert_eq!(of("/a", b".."), Rights::READ_ONLY);
        assert_eq!(of("/a", b"b"), Rights::NONE);
        assert_eq!(of("/a", b"b\n"), Rights::READ_WRITE);
    }

    #[test]
    fn directories_with_rights_of_their_own_stay() {
        let account = account().with_rights_below(path("/a/w"), Rights::READ_WRITE);
        let is_movable = |text: &str| account.is_movable(&path(text));
        // The directory above is read-only, or one that is below is not to be changed.
        for text in ["/", "/a", "/a/b", "/a/b/c"] {
            assert!(!is_movable(text), "{text}");
        }
        for text in ["/x", "/a/x", "/a/w", "/a/w/x"] {
            assert!(is_movable(text), "{text}");
        }
        let of = |directory: &str, name: &[u8]| account.is_movable_entry(&path(directory), name);
        assert!(!of("/", b"a") && !of("/a", b".") && !of("/a/x", b".."));
        assert!(of("/a", b"w") && of("/a", b"x") && of("/a", b"b\n"));
    }
}
