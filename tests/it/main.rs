//! One binary for all integration tests.
//!
//! `protocol` tests `ftp-proto` without a driver, `wire` tests the server through raw sockets,
//! `programs` by client programs, and `nat` from all sides of a router; `faults` has what may
//! happen to a file while it is written; `support` has what they share. `data_owners` is no part of
//! `wire`, so that its ten minutes begin before the others end.

mod benches;
mod certificate_files;
mod check_and_rules;
mod command_table;
mod data_owners;
mod documentation;
mod faults;
mod house;
mod migration;
mod nat;
mod openwrt;
mod packaging;
mod programs;
mod protocol;
mod soak;
mod support;
mod test_sources;
mod troubleshooting;
mod vocabulary;
mod wire;
