//! The sessions of each user of the file: how many there are, and what they share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::accounts::users_file::FileUser;
use crate::data::shared_rates::SharedRates;
use crate::fs::share_rules::QuotaInForce;
use crate::locks::lock;
use crate::settings::Rates;

/// The users who are logged in, by name.
#[derive(Debug, Default)]
pub(crate) struct UserSessions(Mutex<BTreeMap<String, UserState>>);

#[derive(Debug)]
struct UserState {
    sessions: u32,
    rates: Arc<SharedRates>,
}

/// One session of a user. Dropping it makes room for another one.
#[derive(Debug)]
pub(super) struct UserPlace {
    all: Arc<UserSessions>,
    name: String,
    pub(super) rates: Arc<SharedRates>,
}

/// A user of the file who has logged in.
#[derive(Debug)]
pub(super) struct SessionUser {
    pub(super) user: Arc<FileUser>,
    pub(super) place: UserPlace,
    pub(super) quota: Arc<QuotaInForce>,
}

impl UserSessions {
    /// Counts one more session of the user. `None`: there are as many as may be.
    pub(super) fn enter(
        self: &Arc<Self>,
        name: &str,
        sessions_max: Option<u32>,
        rates: Rates,
        now: Instant,
    ) -> Option<UserPlace> {
        let mut users = lock(&self.0);
        let user = users.entry(name.to_owned()).or_insert_with(|| UserState {
            sessions: 0,
            rates: SharedRates::new(rates, now).into(),
        });
        if sessions_max.is_some_and(|max| user.sessions >= max) {
            return None;
        }
        user.sessions += 1;
        Some(UserPlace {
            all: self.clone(),
            name: name.to_owned(),
            rates: user.rates.clone(),
        })
    }
}

impl Drop for UserPlace {
    fn drop(&mut self) {
        let mut users = lock(&self.all.0);
        let is_last = users.get_mut(&self.name).is_some_and(|user| {
            user.sessions -= 1;
            user.sessions == 0
        });
        if is_last {
            users.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_each_user_are_counted() {
        let all = Arc::new(UserSessions::default());
        let enter = |name, max| all.enter(name, max, Rates::default(), Instant::now());
        let first = enter("anna", Some(2)).unwrap();
        let second = enter("anna", Some(2)).unwrap();
        assert!(enter("anna", Some(2)).is_none());
        let bob = enter("bob", Some(1)).unwrap();
        assert!(Arc::ptr_eq(&first.rates, &second.rates));
        assert!(!Arc::ptr_eq(&first.rates, &bob.rates));
        assert!(enter("anna", None).is_some());
        drop(first);
        assert!(enter("anna", Some(2)).is_some());
        drop((second, bob));
        assert!(lock(&all.0).is_empty());
    }
}
