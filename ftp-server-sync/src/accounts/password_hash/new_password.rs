//! The hash of a new password.

use std::error::Error;
use std::fmt;
use std::io;

use base64ct::{Base64Unpadded, Encoding};
use rustix::rand::{GetRandomFlags, getrandom};

use super::function::{HashFunction, PASSWORD_BYTES_MAX};

/// Why a new password cannot be hashed.
#[derive(Debug)]
pub enum PasswordProblem {
    /// It has no byte.
    Empty,
    /// It has more than 512 bytes.
    TooLong,
    /// A client cannot send it: it has a line break or a NUL.
    Unsendable,
    /// There are no random bytes, or there is no memory.
    System(io::Error),
}

/// Hashes a new password with argon2id, 8 MiB, three passes and a random salt. Returns a text for
/// [`PasswordHash::parse`](super::PasswordHash::parse).
///
/// # Errors
///
/// If no client could log in with the password, or the system lacks what a hash needs.
pub fn hash_password(password: &[u8]) -> Result<String, PasswordProblem> {
    match password {
        [] => return Err(PasswordProblem::Empty),
        _ if password.len() > PASSWORD_BYTES_MAX => return Err(PasswordProblem::TooLong),
        _ if password.iter().any(|byte| b"\0\r\n".contains(byte)) => {
            return Err(PasswordProblem::Unsendable);
        }
        _ => {}
    }
    let mut salt = [0; SALT_BYTES];
    // So few bytes are never returned in part.
    getrandom(&mut salt, GetRandomFlags::empty())
        .map_err(|error| PasswordProblem::System(error.into()))?;
    hash_with_salt(password, &salt)
        .ok_or(PasswordProblem::System(io::ErrorKind::OutOfMemory.into()))
}

/// `None`: there is no memory.
pub(super) fn hash_with_salt(password: &[u8], salt: &[u8]) -> Option<String> {
    let HashFunction::Argon2id {
        memory_kib,
        passes,
        lanes,
    } = HashFunction::NEW
    else {
        return None;
    };
    let digest = HashFunction::NEW.digest(password, salt, DIGEST_BYTES)?;
    Some(format!(
        "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${}${}",
        Base64Unpadded::encode_string(salt),
        Base64Unpadded::encode_string(&digest),
    ))
}

impl fmt::Display for PasswordProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the password is empty"),
            Self::TooLong => write!(f, "the password is longer than {PASSWORD_BYTES_MAX} bytes"),
            Self::Unsendable => f.write_str(
                "the password contains a line break or a NUL byte, which no client can send",
            ),
            Self::System(error) => write!(f, "the password cannot be hashed: {error}"),
        }
    }
}

impl Error for PasswordProblem {}

const SALT_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;
