//! The users: which names and passwords may log in, and with which rights.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ftp_proto::{Account, Rights, Secret};

use super::anonymous::ANONYMOUS;
pub(crate) use super::anonymous::is_anonymous;
use super::stored_password::{Candidate, StoredPassword};
use super::system_users::{SystemUser, SystemUsers};
use super::users_file::{FileUser, LineProblem, UserPassword};
use crate::net::order;

/// The user of `--username`, if there is one, anonymous, and the users of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    user: Option<User>,
    anonymous: Option<Rights>,
    file: Arc<UsersOfFile>,
    system: Option<SystemUsers>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct UsersOfFile {
    by_name: BTreeMap<String, Arc<FileUser>>,
    /// Those who have passwords, for names that no user has: a login must not take longer the more
    /// users there are.
    with_passwords: Vec<Arc<FileUser>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct User {
    name: String,
    password: StoredPassword,
    rights: Rights,
}

impl Users {
    /// Anonymous only; with `write`, anonymous may change files.
    pub fn anonymous_only(write: bool) -> Self {
        Self {
            anonymous: Some(rights(write)),
            ..Self::none()
        }
    }

    /// One user; with `write`, that user may change files. Beside a user, anonymous may only read.
    pub fn one(
        name: String,
        password: impl Into<StoredPassword>,
        write: bool,
        anonymous: bool,
    ) -> Self {
        Self {
            user: Some(User {
                name,
                password: password.into(),
                rights: rights(write),
            }),
            ..Self::none().with_anonymous(anonymous)
        }
    }

    /// No user, for a file that has some.
    pub fn none() -> Self {
        Self {
            user: None,
            anonymous: None,
            file: Arc::default(),
            system: None,
        }
    }

    /// The same, with anonymous, who may read.
    #[must_use]
    pub fn with_anonymous(self, anonymous: bool) -> Self {
        Self {
            anonymous: anonymous.then_some(Rights::READ_ONLY),
            ..self
        }
    }

    /// The same, with the system's users, whose names come after those of the file and of flags.
    #[must_use]
    pub fn with_system(self, system: Option<SystemUsers>) -> Self {
        Self { system, ..self }
    }

    /// The same, with the users of a file instead of those of an earlier one.
    ///
    /// # Errors
    ///
    /// For the first line with a name that a flag gives too.
    pub fn with_file(self, users: Vec<FileUser>) -> Result<Self, LineProblem> {
        for user in &users {
            if user.name == ANONYMOUS && self.anonymous.is_some() {
                return Err(user.same_name_as("--anonymous"));
            }
            if self.user.as_ref().is_some_and(|own| own.name == user.name) {
                return Err(user.same_name_as("--username"));
            }
        }
        let users = users.into_iter();
        let users = users.map(|user| (user.name.clone(), Arc::new(user)));
        Ok(Self {
            file: UsersOfFile::new(order::map_of(users)).into(),
            ..self
        })
    }

    /// What decides about a login with this name.
    pub fn find(&self, name: &[u8]) -> Candidate<'_> {
        if let Some(user) = self.in_file(name) {
            return match &user.password {
                UserPassword::Any => Candidate::open(user.account()),
                UserPassword::Locked if is_anonymous(name) => Candidate::refused(),
                UserPassword::Locked => self.unknown(name),
                UserPassword::Stored(password) => Candidate::user(password, user.account()),
            };
        }
        if is_anonymous(name) {
            let account = self.anonymous.map(Account::new);
            return account.map_or_else(Candidate::refused, Candidate::open);
        }
        match &self.user {
            Some(user) if name == user.name.as_bytes() => {
                Candidate::user(&user.password, Account::new(user.rights))
            }
            _ => self.unknown(name),
        }
    }

    /// A login that takes as long as that of a user.
    fn unknown(&self, name: &[u8]) -> Candidate<'_> {
        let in_file = &self.file.with_passwords;
        let of_flag = self.user.as_ref().map(|user| &user.password);
        let count = in_file.len() + usize::from(of_flag.is_some());
        Candidate::unknown(name, count, |index| match in_file.get(index) {
            Some(user) => stored_password(user),
            None => of_flag,
        })
    }

    /// The account for this name and password; `None`: the login is refused. Where passwords are
    /// stored as hashes, this takes up to seconds.
    pub fn check(&self, name: &[u8], password: &Secret) -> Option<Account> {
        self.find(name).check(password)
    }

    /// The rights that flags give to anonymous; `None`: no flag lets anonymous log in.
    pub fn anonymous(&self) -> Option<Rights> {
        self.anonymous
    }

    /// The name and rights of the user of `--username`.
    pub fn user(&self) -> Option<(&str, Rights)> {
        let user = self.user.as_ref()?;
        Some((&user.name, user.rights))
    }

    /// The user of the file with this name, by which a client logs in.
    pub fn in_file(&self, name: &[u8]) -> Option<&Arc<FileUser>> {
        if is_anonymous(name) {
            return self.file.by_name.get(ANONYMOUS);
        }
        self.file.by_name.get(str::from_utf8(name).ok()?)
    }

    /// Whether a flag lets a client log in by this name.
    pub fn is_of_flag(&self, name: &[u8]) -> bool {
        if is_anonymous(name) {
            return self.anonymous.is_some();
        }
        let user = self.user.as_ref();
        user.is_some_and(|user| user.name.as_bytes() == name)
    }

    /// Which of the system's users may log in; `None`: none of them.
    pub fn system(&self) -> Option<&SystemUsers> {
        self.system.as_ref()
    }

    /// The same, if this user of the system is one of them.
    pub(crate) fn system_of(&self, user: &SystemUser) -> Option<&SystemUsers> {
        let system = self.system_for(user.name.as_bytes());
        system.filter(|system| system.has(user))
    }

    /// Which of the system's users may log in, if this is none of the names that the file or flags
    /// give.
    pub fn system_for(&self, name: &[u8]) -> Option<&SystemUsers> {
        let is_other = is_anonymous(name) || self.is_of_flag(name) || self.in_file(name).is_some();
        self.system.as_ref().filter(|_| !is_other)
    }

    /// The users of the file, in the order of their names.
    pub fn of_file(&self) -> impl ExactSizeIterator<Item = &Arc<FileUser>> {
        self.file.by_name.values()
    }

    /// Whether some user has a password that could be guessed.
    pub fn has_passwords(&self) -> bool {
        self.user.is_some() || self.system.is_some() || !self.file.with_passwords.is_empty()
    }

    /// Whether a client without a password may log in.
    pub fn has_anonymous(&self) -> bool {
        self.anonymous_rights().is_some()
    }

    /// What anonymous may do outside of directories with rights of their own; `None`: anonymous may
    /// not log in.
    pub fn anonymous_rights(&self) -> Option<Rights> {
        let user = self.in_file(ANONYMOUS.as_bytes());
        let user = user.filter(|user| user.password == UserPassword::Any);
        self.anonymous.or(user.map(|user| user.rights))
    }

    /// Whether a flag lets a client log in that is given the shared directory.
    pub fn use_directory(&self) -> bool {
        self.user.is_some() || self.anonymous.is_some()
    }

    /// The directories that the users of the file have, each as often as there are users with it.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.of_file().flat_map(|user| user.real_directories())
    }
}

impl UsersOfFile {
    fn new(by_name: BTreeMap<String, Arc<FileUser>>) -> Self {
        let has_password = |user: &&Arc<FileUser>| stored_password(user).is_some();
        Self {
            with_passwords: by_name.values().filter(has_password).cloned().collect(),
            by_name,
        }
    }
}

fn stored_password(user: &FileUser) -> Option<&StoredPassword> {
    match &user.password {
        UserPassword::Stored(password) => Some(password),
        UserPassword::Any | UserPassword::Locked => None,
    }
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
    use crate::accounts::password_hash::{PasswordHash, counter};
    use crate::accounts::passwords::Password;
    use crate::accounts::system_users::SystemGroup;

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
    fn a_user_of_the_system_is_one_of_the_group() {
        let user = SystemUser {
            name: "anna".to_owned(),
            uid: 1000,
            gid: 1000,
            groups: vec![50, 1000],
            home: "/home/anna".into(),
        };
        let users = |number| {
            let text = "some".to_owned();
            let system = SystemUsers::new(Some(SystemGroup { text, number }), false);
            Users::none().with_system(Some(system))
        };
        assert!(users(50).system_of(&user).is_some());
        assert!(users(51).system_of(&user).is_none());
        let anna = Users::one("anna".to_owned(), Password::new(Vec::new()), false, false);
        let system = Some(SystemUsers::new(None, false));
        assert!(anna.with_system(system).system_of(&user).is_none());
        assert!(Users::none().system_of(&user).is_none());
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

    /// With every user who has a password, and no other: whose it is does not show then.
    #[test]
    fn unknown_names_are_compared_with_all_passwords_of_a_file() {
        let hash = format!("$6$rounds=1000$a${}", ".".repeat(86));
        let lines = format!(
            "anna:{hash}:/srv/a:all\nboris:!:/srv/b:all\nanonymous::/srv/c:read\n\
             chen:{}:/srv/d:all",
            hash.replace("$a$", "$b$")
        );
        let file = crate::accounts::users_file::parse(lines.as_bytes()).unwrap();
        let users = bob(false, false).with_file(file).unwrap();
        assert!(users.has_passwords());
        let mut found: Vec<Option<&PasswordHash>> = Vec::new();
        for number in 0..200_u32 {
            let hash = users.find(&number.to_be_bytes()).hash();
            if !found.contains(&hash) {
                found.push(hash);
            }
        }
        // Those of two lines, and the password of the flag, which is no hash.
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.contains(&users.find(b"anna").hash()));
        assert!(found.contains(&users.find(b"chen").hash()));
        assert_eq!(users.check(b"boris", &Secret::new(b"")), None);
    }

    /// Neither the time nor the work shows which names exist.
    #[test]
    fn unknown_names_and_wrong_passwords_cost_as_many_hashes() {
        for text in ["$6$rounds=1000$a$", "$2b$04$abcdefghijklmnopqrstuu"] {
            let hash = match text.as_bytes()[1] {
                b'6' => format!("{text}{}", ".".repeat(86)),
                _ => format!("{text}{}", ".".repeat(31)),
            };
            let hash = PasswordHash::parse(&hash).unwrap();
            let users = Users::one("bob".to_owned(), hash, false, false);
            let cost = |name: &[u8], password: &[u8]| {
                let before = counter::computed();
                assert_eq!(users.check(name, &Secret::new(password)), None);
                counter::computed() - before
            };
            for password in [&b"wrong"[..], b"", &[b'x'; 512]] {
                assert_eq!(cost(b"bob", password), 1);
                assert_eq!(cost(b"eve", password), 1);
                assert_eq!(cost(b"", password), 1);
            }
            // No hash is of these.
            for password in [&b"a\0b"[..], &[b'x'; 513]] {
                assert_eq!(cost(b"bob", password), 0);
                assert_eq!(cost(b"eve", password), 0);
            }
            assert_eq!(cost(b"anonymous", b"x@y"), 0);
        }
    }
}
