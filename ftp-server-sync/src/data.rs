//! Data connections and the bytes of transfers.

pub(crate) mod ascii_restart;
pub(crate) mod connection;
pub(crate) mod lingering;
pub(crate) mod pump;
pub(crate) mod rate_limit;
pub(crate) mod stream;
pub(crate) mod transfer;
