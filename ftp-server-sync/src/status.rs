//! What the server is doing, for people and for programs.

pub mod snapshot;
