//! Data connections and the bytes of transfers.
//!
//! [`connection`] is a data connection for its whole life, from the request for a passive port to
//! the end of [`lingering`]. A [`transfer`] uses it, and a [`pump`] moves its bytes.

mod announced_port;
pub(crate) mod ascii_restart;
mod candidates;
pub(crate) mod connection;
mod data_headers;
mod data_stream;
mod lingering;
pub(crate) mod pump;
pub(crate) mod rate_limit;
pub(crate) mod shared_rates;
pub(crate) mod step_budget;
pub(crate) mod strangers;
pub(crate) mod stream;
mod tokens;
pub(crate) mod transfer;
