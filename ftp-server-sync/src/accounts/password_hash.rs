//! Password hashes: from text that this server or another program has made, and the comparison.
//!
//! A comparison is slow on purpose, and takes memory. It never runs on a session's thread.

mod function;
mod new_password;
mod parse;
mod problem;

use std::fmt;

use ftp_proto::Secret;

use function::PASSWORD_BYTES_MAX;
pub use function::{HashScheme, HashWeakness};
pub use new_password::{PasswordProblem, hash_password};
use parse::HashParts;
pub use problem::HashProblem;

/// The hash of a password, which says neither by `Debug` nor elsewhere what it is.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(HashParts);

impl PasswordHash {
    /// Reads the text of a hash: argon2id as a PHC string; bcrypt, sha512-crypt, sha256-crypt and
    /// yescrypt as crypt(3) writes them.
    ///
    /// # Errors
    ///
    /// If it is none of these, not complete, or so costly that a login would take more than about
    /// 64 MiB of memory, or many seconds.
    pub fn parse(text: &str) -> Result<Self, HashProblem> {
        parse::parse(text).map(Self)
    }

    /// Whether it is the hash of this password. Takes as long whatever the password is, up to
    /// seconds; the bytes are compared in constant time. A password with a NUL, or of more
    /// than 512 bytes, is none that has a hash, and takes no time.
    pub fn matches(&self, password: &[u8]) -> bool {
        if password.len() > PASSWORD_BYTES_MAX || password.contains(&0) {
            return false;
        }
        #[cfg(test)]
        counter::count();
        let HashParts {
            function,
            salt,
            digest,
        } = &self.0;
        let found = function.digest(password, salt, digest.len());
        found.is_some_and(|found| Secret::new(&found).matches(digest))
    }

    /// How the password was hashed.
    pub fn scheme(&self) -> HashScheme {
        self.0.function.scheme()
    }

    /// About how long a comparison takes, to order hashes of all schemes.
    pub(crate) fn work(&self) -> u64 {
        self.0.function.work()
    }

    /// Why the hash should be replaced; `None`: it need not be.
    pub fn weakness(&self) -> Option<HashWeakness> {
        self.0.function.weakness()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({})", self.scheme())
    }
}

/// How many hashes this thread has computed.
#[cfg(test)]
pub(crate) mod counter {
    use std::cell::Cell;

    thread_local! {
        static COMPUTED: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count() {
        COMPUTED.set(COMPUTED.get() + 1);
    }

    pub(crate) fn computed() -> u64 {
        COMPUTED.get()
    }
}

#[cfg(test)]
mod tests;
