//! The users: which names and passwords may log in, and with which permissions.

use ftp_proto::{Permissions, Secret};

use super::passwords::Password;

/// The user of `--username`, if there is one, and anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    account: Option<Account>,
    anonymous: Option<Permissions>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    name: String,
    password: Password,
    permissions: Permissions,
}

impl Users {
    /// Anonymous only; with `write`, anonymous may change files.
    pub fn anonymous_only(write: bool) -> Self {
        Self {
            account: None,
            anonymous: Some(permissions(write)),
        }
    }

    /// One user; with `write`, that user may change files. Beside a user, anonymous may only read.
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

    /// The permissions for this name and password; `None`: the login is refused.
    pub fn check(&self, name: &[u8], password: &Secret) -> Option<Permissions> {
        if is_anonymous(name) {
            return self.anonymous;
        }
        let account = self.account.as_ref()?;
        // Both are always compared, so that the time does not show whether the name exists.
        let is_name = name == account.name.as_bytes();
        let is_password = account.password.matches(password);
        (is_name & is_password).then_some(account.permissions)
    }

    /// The permissions of anonymous; `None`: anonymous may not log in.
    pub fn anonymous(&self) -> Option<Permissions> {
        self.anonymous
    }

    /// The name and permissions of the user of `--username`.
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
            let found = users.check(name, &Secret::new(password));
            assert_eq!(found, expected, "{users:?} {name:?} {password:?}");
        }
    }

    #[test]
    fn each_login_gets_its_permissions() {
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
