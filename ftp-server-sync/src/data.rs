//! Data connections and the bytes of transfers.
//!
//! [`connection`] opens a data connection, [`transfer`] uses it, [`pump`] moves its bytes, and
//! [`lingering`] closes it without losing the last of them.

mod announced_port;
pub(crate) mod ascii_restart;
pub(crate) mod connection;
mod data_stream;
mod lingering;
pub(crate) mod pump;
pub(crate) mod rate_limit;
pub(crate) mod stream;
mod tokens;
pub(crate) mod transfer;
