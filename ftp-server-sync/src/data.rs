//! Data connections and the bytes of transfers.
//!
//! [`connection`] opens a data connection, [`transfer`] uses it, [`pump`] moves its bytes, and
//! [`lingering`] closes it without losing the last of them.

pub(crate) mod ascii_restart;
pub(crate) mod connection;
pub(crate) mod lingering;
pub(crate) mod pump;
pub(crate) mod rate_limit;
pub(crate) mod stream;
pub(crate) mod transfer;
