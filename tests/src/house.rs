//! What keeps the sources in order: which file imports which, how long files are, what things are
//! called.
//!
//! Here are the checks; what the workspace must satisfy is data of the tests in
//! `tests/it/house.rs`.

pub mod cfg;
pub mod cycles;
pub mod findings;
pub mod graph;
pub mod items;
pub mod layout;
pub mod names;
pub mod program;
pub mod prose;
pub mod sizes;
pub mod tokens;
pub mod workspace;
