//! One binary for all integration tests.

mod clients;
mod lab;
mod nat;
mod process;
mod server;
mod transcripts;
