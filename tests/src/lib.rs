//! What the tests and the fuzz targets share.
//!
//! The API of `ftp-proto` is used in one place, [`sim::Sim`]; whatever runs through it is checked
//! there against the rules that hold in every session.

pub mod fuzz;
pub mod house;
pub mod listed;
pub mod model;
pub mod ops;
pub mod sim;
pub mod strict;
pub mod text;
pub mod transcript;
