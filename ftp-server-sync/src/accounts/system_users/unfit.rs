//! Why a user of the system may not log in.

use std::fmt;

use crate::accounts::password_hash::HashProblem;

/// The reason, for the log and `--check`. No client learns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The system has no such user.
    Unknown,
    /// Root, a user of a service, or the one that stands for unknown users.
    NoPerson,
    /// Not in the group of `--system-users`.
    NotInGroup(String),
    /// The login shell is not among the shells of the system.
    Shell(String),
    /// Named in /etc/ftpusers.
    Denied,
    /// A hash behind a mark: no password lets the user in.
    Locked,
    /// A mark alone, as the programs that make users write it.
    NeverSet,
    /// The user has no password.
    NoPassword,
    /// The hash is of a kind that is not accepted.
    Hash(HashProblem),
    /// The line in /etc/shadow is missing.
    NoShadow,
    /// The line in /etc/shadow has something else than a number.
    Malformed,
    Expired,
    PasswordExpired,
    MustChange,
    /// The home is no absolute path, or the root directory.
    NoHome,
    /// What the system says cannot be read: this text says what, and why.
    Unreadable(String),
}

impl Unfit {
    /// Whether the operator has to know it whatever the password is: no user could cure it.
    pub(crate) fn is_for_operator(&self) -> bool {
        matches!(
            self,
            Self::Hash(_) | Self::Malformed | Self::NoHome | Self::Unreadable(_)
        )
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the system has no such user"),
            Self::NoPerson => {
                f.write_str("the number of the user is below UID_MIN of /etc/login.defs, or 65534")
            }
            Self::NotInGroup(group) => write!(
                f,
                "not in the group {group} (--system-users {group}); add the user to it, or another \
                 group"
            ),
            Self::Shell(shell) => write!(
                f,
                "the login shell {shell} is not in /etc/shells; add it there, or give the user \
                 another one (chsh)"
            ),
            Self::Denied => f.write_str("/etc/ftpusers names the user; remove that line"),
            Self::Locked => f.write_str("the password is locked; unlock it with passwd -u"),
            Self::NeverSet => f.write_str("no password was ever set; set one with passwd NAME"),
            Self::NoPassword => f.write_str("the user has no password; set one with passwd"),
            Self::Hash(problem) => {
                write!(
                    f,
                    "set the password again with passwd, for a new hash: {problem}"
                )
            }
            Self::NoShadow => {
                f.write_str("/etc/shadow has no line for the user; set a password with passwd")
            }
            Self::Malformed => f.write_str(
                "the line in /etc/shadow has something else where a number of days should be; \
                 correct it with chage",
            ),
            Self::Expired => f.write_str("the account has expired; change that with chage -E"),
            Self::PasswordExpired => {
                f.write_str("the password has expired; set a new one with passwd")
            }
            Self::MustChange => f.write_str(
                "the password must be changed first, which FTP cannot do; set one with passwd",
            ),
            Self::NoHome => f.write_str(
                "the home in /etc/passwd is / or no absolute path; give another one (usermod -d)",
            ),
            Self::Unreadable(problem) => f.write_str(problem),
        }
    }
}
