//! The users: which names and passwords may log in, and with which rights.

use ftp_proto::{Account, Rights, Secret};

use super::passwords::Password;

/// The user of `--username`, if there is one, and anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    user: Option<User>,
    anonymous: Option<Rights>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    name: String,
    password: Password,
    rights: Rights,
}

impl Users {
    /// Anonymous only; with `write`, anonymous may change files.
    pub fn anonymous_only(write: bool) -> Self {
        Self {
            user: None,
            anonymous: Some(rights(write)),
        }
    }

    /// One user; with `write`, that user may change files. Beside a user, anonymous may only read.
    pub fn one(name: String, password: Password, write: bool, anonymous: bool) -> Self {
        Self {
            user: Some(User {
                name,
                password,
                rights: rights(write),
            }),
            anonymous: anonymous.then_some(Rights::READ_ONLY),
        }
    }

    /// The account for this name and password; `None`: the login is refused.
    pub fn check(&self, name: &[u8], password: &Secret) -> Option<Account> {
        self.rights_of(name, password).map(Account::new)
    }

    /// The rights of anonymous; `None`: anonymous may not log in.
    pub fn anonymous(&self) -> Option<Rights> {
        self.anonymous
    }

    /// The name and rights of the user of `--username`.
    pub fn user(&self) -> Option<(&str, Rights)> {
        let user = self.user.as_ref()?;
        Some((&user.name, user.rights))
    }

    fn rights_of(&self, name: &[u8], password: &Secret) -> Option<Rights> {
        if is_anonymous(name) {
            return self.anonymous;
        }
        let user = self.user.as_ref()?;
        // Both are always compared, so that the time does not show whether the name exists.
        let is_name = name == user.name.as_bytes();
        let is_password = user.password.matches(password);
        (is_name & is_password).then_some(user.rights)
    }
}

/// What anonymous is called, whose other name is `ftp`.
pub(crate) const ANONYMOUS: &[u8] = b"anonymous";

/// Whether `name` is one of the two names of anonymous.
pub(crate) fn is_anonymous(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp")
}

fn rights(write: bool) -> Rights {
    if write {
        Rights::READ_WRITE
    } else {
        Rights::READ_ONLY
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
    fn check(users: Users, cases: &[(&[u8], &[u8], Option<Rights>)]) {
        for &(name, password, expected) in cases {
            let found = users.check(name, &Secret::new(password));
            assert_eq!(
                found,
                expected.map(Account::new),
                "{users:?} {name:?} {password:?}"
            );
        }
    }

    #[test]
    fn each_login_gets_its_rights() {
        check(
            Users::anonymous_only(false),
            &[
                (b"anonymous", b"x@y", Some(Rights::READ_ONLY)),
                (b"FTP", b"", Some(Rights::READ_ONLY)),
            ],
        );
        check(
            Users::anonymous_only(true),
            &[
                (b"Anonymous", b"", Some(Rights::READ_WRITE)),
                (b"bob", b"", None),
                (b"", b"", None),
                (b"anonymous ", b"", None),
            ],
        );
        check(
            bob(false, false),
            &[(b"bob", b"s3cret\xff", Some(Rights::READ_ONLY))],
        );
        check(
            bob(true, false),
            &[
                (b"bob", b"s3cret\xff", Some(Rights::READ_WRITE)),
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
                (b"anonymous", b"", Some(Rights::READ_ONLY)),
                (b"ftp", b"s3cret\xff", Some(Rights::READ_ONLY)),
                (b"bob", b"s3cret\xff", Some(Rights::READ_WRITE)),
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
