//! Accounts: who may log in, and what each account may do.

pub(crate) mod access;
pub(crate) mod anonymous;
#[cfg(feature = "charsets")]
pub(crate) mod charset;
#[cfg(not(feature = "charsets"))]
#[path = "accounts/charset/disabled.rs"]
pub(crate) mod charset;
pub(crate) mod comparisons;
pub(crate) mod limit_values;
pub(crate) mod login_throttle;
pub(crate) mod password_hash;
pub(crate) mod passwords;
pub(crate) mod quota;
pub(crate) mod rates;
pub(crate) mod similar;
pub(crate) mod stored_password;
pub(crate) mod system_users;
pub(crate) mod users;
pub mod users_file;
