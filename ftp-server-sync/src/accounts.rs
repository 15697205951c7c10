//! Accounts: who may log in, and what each account may do.

pub(crate) mod charset;
pub(crate) mod login_throttle;
pub(crate) mod passwords;
pub(crate) mod users;
