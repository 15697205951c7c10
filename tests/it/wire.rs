//! The server as clients of our own see it through raw sockets: what exactly is on the wire, and
//! when.
//!
//! Tests in [`black_box`] need nothing but a command that starts a server; all others need flags,
//! settings, the log or the process of ours.

mod activation;
mod active;
mod address_sources;
mod admission;
mod ascii;
mod black_box;
mod charsets;
mod control;
mod delays;
mod denied_commands;
mod descriptors;
mod digests;
mod examples;
mod failed_logins;
mod file_errors;
mod foreign_protocols;
mod forwarder;
mod full_output;
mod hash_password;
mod hashed_passwords;
mod hidden_passwords;
mod hooks;
mod inetd;
mod killed_clients;
mod large_listings;
mod limits;
mod log_files;
mod log_formats;
mod log_lines;
mod log_reader;
mod login;
mod looks;
mod never_connected;
mod notify;
mod old_kernels;
mod pool;
mod probe;
mod proxy_protocol;
mod rates;
mod reload;
mod rfc;
mod run_as;
mod sandbox;
mod served_names;
mod share;
mod signals;
mod slow_files;
mod status;
mod strangers;
mod system_call_filter;
mod system_calls;
mod system_limits;
mod system_users;
mod timeouts;
mod tls;
mod turns;
mod upload_limits;
pub(super) mod users;
mod version;
mod who;
mod without_netlink;
mod xferlog;
