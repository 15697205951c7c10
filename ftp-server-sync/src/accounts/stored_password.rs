//! What is stored of a password, and the comparison of what a client has sent with it.
//!
//! For each name there is one comparison, whether a user has the name or not: so neither the time
//! nor the work of a login shows which names exist.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use ftp_proto::{Account, Secret};

use super::password_hash::PasswordHash;
use super::passwords::Password;

/// A password, or its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredPassword {
    /// The password itself: the comparison takes no time.
    Plain(Password),
    /// Its hash: the comparison takes up to seconds.
    Hash(PasswordHash),
}

/// The comparison that decides about a login with one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    comparison: Comparison<'a>,
    /// `None`: the login is refused even if the password matches.
    account: Option<Account>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison<'a> {
    /// Any password will do.
    None,
    With(&'a StoredPassword),
}

impl<'a> Candidate<'a> {
    /// A user who logs in with this password.
    pub fn user(password: &'a StoredPassword, account: Account) -> Self {
        Self {
            comparison: Comparison::With(password),
            account: Some(account),
        }
    }

    /// A login that needs no password, such as that of anonymous.
    pub fn open(account: Account) -> Self {
        Self {
            comparison: Comparison::None,
            account: Some(account),
        }
    }

    /// A login that is refused without a comparison, such as that of anonymous where it may not
    /// log in.
    pub fn refused() -> Self {
        Self {
            comparison: Comparison::None,
            account: None,
        }
    }

    /// A name that no user has. What is sent is compared with one of `count` passwords of users,
    /// always with the same one for the same name, and the login is refused.
    pub fn unknown(
        name: &[u8],
        count: usize,
        password_at: impl FnOnce(usize) -> Option<&'a StoredPassword>,
    ) -> Self {
        let chosen = KEY.hash_one(name).checked_rem(count as u64);
        let chosen = chosen.and_then(|chosen| usize::try_from(chosen).ok());
        let password = chosen.and_then(password_at);
        Self {
            comparison: password.map_or(Comparison::None, Comparison::With),
            account: None,
        }
    }

    /// The hash that has to be compared, which takes long; `None`: [`check`](Self::check) takes no
    /// time.
    pub fn hash(&self) -> Option<&'a PasswordHash> {
        match self.comparison {
            Comparison::With(StoredPassword::Hash(hash)) => Some(hash),
            _ => None,
        }
    }

    /// Compares, in this thread. `None`: the login is refused.
    pub fn check(self, sent: &Secret) -> Option<Account> {
        let matches = match self.comparison {
            Comparison::None => true,
            Comparison::With(password) => password.matches(sent),
        };
        self.account.filter(|_| matches)
    }

    /// The account, now that the comparison with [`hash`](Self::hash) is done.
    pub fn decide(self, matches: bool) -> Option<Account> {
        self.account.filter(|_| matches)
    }
}

impl StoredPassword {
    /// Whether the client has sent this password.
    fn matches(&self, sent: &Secret) -> bool {
        match self {
            Self::Plain(password) => password.matches(sent),
            Self::Hash(hash) => hash.matches(sent.expose()),
        }
    }
}

impl From<Password> for StoredPassword {
    fn from(password: Password) -> Self {
        Self::Plain(password)
    }
}

impl From<PasswordHash> for StoredPassword {
    fn from(hash: PasswordHash) -> Self {
        Self::Hash(hash)
    }
}

/// Secret, so that no one can compute whose password an unknown name is compared with. It stays
/// the same while the process runs.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

#[cfg(test)]
mod tests {
    use super::*;
    use ftp_proto::Rights;

    fn plain(text: &str) -> StoredPassword {
        Password::new(text.as_bytes().to_vec()).into()
    }

    fn account() -> Account {
        Account::new(Rights::READ_ONLY)
    }

    #[test]
    fn only_a_users_password_opens_an_account() {
        let (one, sent) = (plain("one"), Secret::new(b"one"));
        let wrong = Secret::new(b"two");
        let user = || Candidate::user(&one, account());
        assert_eq!(user().check(&sent), Some(account()));
        assert_eq!(user().check(&wrong), None);
        assert_eq!(user().decide(true), Some(account()));
        assert_eq!(user().decide(false), None);
        assert_eq!(Candidate::open(account()).check(&wrong), Some(account()));
        assert_eq!(Candidate::refused().check(&sent), None);
        let unknown = || Candidate::unknown(b"eve", 1, |_| Some(&one));
        assert_eq!(unknown().check(&sent), None);
        assert_eq!(unknown().decide(true), None);
        assert_eq!(Candidate::unknown(b"eve", 0, |_| None).check(&sent), None);
    }

    #[test]
    fn an_unknown_name_is_always_compared_with_the_same_password() {
        let users: Vec<StoredPassword> = ["a", "b", "c", "d"].map(plain).into();
        let chosen = |name: u32| {
            Candidate::unknown(&name.to_be_bytes(), users.len(), |index| users.get(index))
        };
        let all: Vec<Candidate> = (0..200).map(chosen).collect();
        assert_eq!(all, (0..200).map(chosen).collect::<Vec<_>>());
        for user in &users {
            let is_it = |candidate: &&Candidate| candidate.comparison == Comparison::With(user);
            assert!(all.iter().any(|candidate| is_it(&candidate)), "{user:?}");
        }
    }
}
