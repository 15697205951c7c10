//! What a client must prove: the second field of a line.

use std::fmt;

use super::ANONYMOUS;
use super::field::{Fault, Field};
use super::syntax::unescape;

/// The second field of a line.
#[derive(Clone, PartialEq, Eq)]
pub enum UserPassword {
    /// Any password, or none: anonymous.
    Any,
    /// The user cannot log in.
    Locked,
    /// A password with this hash.
    Hash(String),
}

impl UserPassword {
    pub(super) fn read(name: &str, text: &[u8]) -> Result<Self, Fault> {
        let refuse = |problem: &str| Err(Fault::new(Field::Hash, problem));
        match (name == ANONYMOUS, text) {
            (true, b"") => return Ok(Self::Any),
            (_, b"*" | b"!") => return Ok(Self::Locked),
            (true, _) => {
                return refuse("anonymous needs no password; leave the field empty");
            }
            (false, b"") => {
                return refuse(
                    "empty; give the output of --hash-password, or * for a user who cannot log in",
                );
            }
            _ => {}
        }
        let hash = unescape(text).map_err(|problem| Fault::new(Field::Hash, problem))?;
        match String::from_utf8(hash) {
            Ok(hash) if hash.starts_with('$') => Ok(Self::Hash(hash)),
            _ => refuse("no password hash; give the output of --hash-password"),
        }
    }
}

impl fmt::Debug for UserPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "Any",
            Self::Locked => "Locked",
            Self::Hash(_) => "Hash(not shown)",
        })
    }
}
