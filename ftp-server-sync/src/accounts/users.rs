//! Who may log in, and what they may do.
//!
//! A password is never printed, not even by `Debug`, and comparing it takes as long for a wrong one
//! as for the right one.

use std::fmt;
use std::hint;

use ftp_proto::Permissions;

/// The one user of the command line, if any, and anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    account: Option<Account>,
    anonymous: Option<Permissions>,
}

/// A password as the bytes that PASS carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    name: String,
    password: Password,
    permissions: Permissions,
}

impl Users {
    /// Anonymous alone; `write` lets anonymous change files.
    pub fn anonymous_only(write: bool) -> Self {
        Self {
            account: None,
            anonymous: Some(permissions(write)),
        }
    }

    /// One user, whom alone `write` concerns: beside a user anonymous only ever reads.
    pub fn one(name: String, password: Password, write: bool, anonymous: bool) -> Self {
        Self {
            account: Some(Account {
                name,
                password,
                permissions: permissions(write),
            }),
            anonymous: anonymous.then_some(Permissions::READ_ONLY),
        }
    }

    /// What somebody with this name and password may do; `None`: the login is refused.
    pub fn check(&self, name: &[u8], password: &[u8]) -> Option<Permissions> {
        if is_anonymous(name) {
            return self.anonymous;
        }
        let account = self.account.as_ref()?;
        // Both are always compared, so that a known name is not told by the time.
        let known = name == account.name.as_bytes();
        let right = account.password.matches(password);
        (known & right).then_some(account.permissions)
    }

    /// What anonymous may do; `None`: not let in.
    pub fn anonymous(&self) -> Option<Permissions> {
        self.anonymous
    }

    /// The user of the command line.
    pub fn account(&self) -> Option<(&str, Permissions)> {
        let account = self.account.as_ref()?;
        Some((&account.name, account.permissions))
    }
}

/// Whether `name` is one of the two names of anonymous.
pub(crate) fn is_anonymous(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp")
}

fn permissions(write: bool) -> Permissions {
    match write {
        true => Permissions::READ_WRITE,
        false => Permissions::READ_ONLY,
    }
}

impl Password {
    /// Takes the bytes as a client must send them.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Looks at every byte of `offered`, whatever the first difference.
    fn matches(&self, offered: &[u8]) -> bool {
        let mut difference = usize::from(self.0.len() != offered.len());
        for (index, byte) in offered.iter().enumerate() {
            let expected = self.0.get(index).copied().unwrap_or_default();
            difference |= usize::from(hint::black_box(expected ^ byte));
        }
        hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob(write: bool, anonymous: bool) -> Users {
        let password = Password::new(b"s3cret\xff".to_vec());
        Users::one("bob".to_owned(), password, write, anonymous)
    }

    #[track_caller]
    fn check(users: Users, cases: &[(&[u8], &[u8], Option<Permissions>)]) {
        for &(name, password, expected) in cases {
            let found = users.check(name, password);
            assert_eq!(found, expected, "{users:?} {name:?} {password:?}");
        }
    }

    #[test]
    fn who_may_do_what() {
        check(
            Users::anonymous_only(false),
            &[
                (b"anonymous", b"x@y", Some(Permissions::READ_ONLY)),
                (b"FTP", b"", Some(Permissions::READ_ONLY)),
            ],
        );
        check(
            Users::anonymous_only(true),
            &[
                (b"Anonymous", b"", Some(Permissions::READ_WRITE)),
                (b"bob", b"", None),
                (b"", b"", None),
                (b"anonymous ", b"", None),
            ],
        );
        check(
            bob(false, false),
            &[(b"bob", b"s3cret\xff", Some(Permissions::READ_ONLY))],
        );
        check(
            bob(true, false),
            &[
                (b"bob", b"s3cret\xff", Some(Permissions::READ_WRITE)),
                (b"bob", b"s3cret", None),
                (b"bob", b"s3cret\xff\0", None),
                (b"bob", b"S3cret\xff", None),
                (b"bob", b"s3cret\xfe", None),
                (b"bob", b"", None),
                (b"Bob", b"s3cret\xff", None),
                (b"bo", b"s3cret\xff", None),
                (b"", b"s3cret\xff", None),
                (b"anonymous", b"s3cret\xff", None),
                (b"ftp", b"", None),
            ],
        );
        check(
            bob(true, true),
            &[
                (b"anonymous", b"", Some(Permissions::READ_ONLY)),
                (b"ftp", b"s3cret\xff", Some(Permissions::READ_ONLY)),
                (b"bob", b"s3cret\xff", Some(Permissions::READ_WRITE)),
            ],
        );
        check(bob(false, true), &[(b"bob", b"wrong", None)]);
    }

    #[test]
    fn a_password_is_not_printed() {
        let shown = format!("{:?}", bob(true, true));
        assert!(
            !shown.contains("s3cret") && !shown.contains("115"),
            "{shown}"
        );
        assert!(shown.contains("bob"), "{shown}");
    }
}
