//! What a client must prove: the second field of a line.

use super::field::{Fault, Field};
use super::syntax::unescape;
use crate::accounts::anonymous::ANONYMOUS;
use crate::accounts::password_hash::PasswordHash;
use crate::accounts::stored_password::StoredPassword;

/// The second field of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserPassword {
    /// Any password, or none: anonymous.
    Any,
    /// The user cannot log in.
    Locked,
    /// This password.
    Stored(StoredPassword),
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
        let Ok(hash) = str::from_utf8(&hash) else {
            return refuse("no password hash; give the output of --hash-password");
        };
        match PasswordHash::parse(hash) {
            Ok(hash) => Ok(Self::Stored(hash.into())),
            Err(problem) => refuse(&format!("{problem}; give the output of --hash-password")),
        }
    }
}
