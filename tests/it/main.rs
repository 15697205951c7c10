//! One binary for all integration tests.

mod asked;
mod certificates;
mod client;
mod clients;
mod commands;
mod contents;
mod corpora;
mod documentation;
mod house;
mod lab;
mod masquerade;
mod nat;
mod process;
mod programs;
mod properties;
mod rate;
mod secure;
mod server;
mod strategies;
mod transcripts;
mod vocabulary;
mod wire;
