//! Why a text is no password hash that this server can use.

use std::error::Error;
use std::fmt;

/// What is wrong with the text of a password hash. Nothing of the text itself is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashProblem(pub(super) Problem);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Empty,
    /// The login is locked, in the words of the system's password file.
    Locked,
    /// A scheme with this name, which can be tried too fast, or is too rare.
    Refused(&'static str),
    Unknown,
    /// This part of a hash of this scheme is not there.
    Truncated(&'static str, &'static str),
    /// This part of a hash of this scheme is no text that the scheme has.
    Malformed(&'static str, &'static str),
    /// This number of a hash of this scheme is too small or too large.
    OutOfBounds {
        scheme: &'static str,
        number: &'static str,
        found: u64,
        least: u64,
        most: u64,
        unit: &'static str,
    },
    /// Each number is within its bounds, but together they take too long.
    TooLong(&'static str),
}

/// The schemes, for those who have to choose another one.
const ACCEPTED: &str = "accepted are argon2id ($argon2id$), bcrypt ($2b$, $2y$, $2a$), \
                        sha512-crypt ($6$), sha256-crypt ($5$) and yescrypt ($y$)";

impl fmt::Display for HashProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Problem::Empty => write!(f, "the hash is empty; {ACCEPTED}"),
            Problem::Locked => f.write_str("the password is locked: a hash does not begin so"),
            Problem::Refused(name) => write!(f, "{name} is not accepted; {ACCEPTED}"),
            Problem::Unknown => write!(f, "this is no hash of a known scheme; {ACCEPTED}"),
            Problem::Truncated(scheme, part) => {
                write!(f, "the {scheme} hash is truncated: its {part} is missing")
            }
            Problem::Malformed(scheme, part) => {
                write!(f, "the {part} of the {scheme} hash is not valid")
            }
            Problem::OutOfBounds {
                scheme,
                number,
                found,
                least,
                most,
                unit,
            } => write!(
                f,
                "the {scheme} hash has {number} {found}{unit}; from {least} to {most}{unit} are \
                 possible here"
            ),
            Problem::TooLong(scheme) => write!(
                f,
                "the numbers of the {scheme} hash are too large together: a login would take many \
                 seconds"
            ),
        }
    }
}

impl Error for HashProblem {}
