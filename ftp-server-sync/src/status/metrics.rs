//! `--metrics`: the counts of the server as text for Prometheus, and whether it serves.
//!
//! No metric has a label with a user, an address or a path: each value would be a series of its
//! own, and those who read metrics have not logged in.

mod http;
mod process;
mod text;

pub(crate) use http::MetricsServer;
