//! The sessions of each user of the file: how many there are, and what they share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use super::system_session::SystemSession;
use crate::accounts::users_file::FileUser;
use crate::data::shared_rates::SharedRates;
use crate::fs::share_rules::QuotaInForce;
use crate::locks::lock;
use crate::settings::Rates;

/// The users who are logged in.
#[derive(Debug, Default)]
pub(crate) struct UserSessions {
    /// By name.
    users: Mutex<HashMap<String, UserState>>,
    /// The sessions of the system's users, and some that have ended.
    of_system: Mutex<Vec<Weak<SystemSession>>>,
}

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
    /// The same as a user of the system, if it is one.
    pub(super) system: Option<Arc<SystemSession>>,
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
        let mut users = lock(&self.users);
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

impl UserSessions {
    /// One more session of a user of the system.
    pub(super) fn add_system(&self, session: &Arc<SystemSession>) {
        let mut sessions = lock(&self.of_system);
        sessions.retain(|session| session.strong_count() > 0);
        sessions.push(Arc::downgrade(session));
    }

    /// The sessions of the system's users.
    pub(super) fn of_system(&self) -> Vec<Arc<SystemSession>> {
        let sessions = lock(&self.of_system);
        sessions.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Drop for UserPlace {
    fn drop(&mut self) {
        let mut users = lock(&self.all.users);
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
        assert!(lock(&all.users).is_empty());
    }

    #[test]
    fn sessions_of_the_system_that_have_ended_are_left_out() {
        let all = UserSessions::default();
        let session = |name| Arc::new(SystemSession::for_tests(name));
        let (first, second) = (session("anna"), session("bob"));
        all.add_system(&first);
        all.add_system(&second);
        assert_eq!(all.of_system().len(), 2);
        drop(first);
        assert!(
            all.of_system()
                .iter()
                .all(|session| Arc::ptr_eq(session, &second))
        );
        all.add_system(&second);
        assert_eq!(lock(&all.of_system).len(), 2);
    }
}
