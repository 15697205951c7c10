//! What the tests and the fuzz targets share.
//!
//! The API of `ftp-proto` is used in one place, [`sim::Sim`]; whatever runs through it is checked
//! there against the rules that hold in every session.

pub mod fuzz;
pub mod house;
pub mod listing_parser;
pub mod model;
pub mod operations;
pub mod reply_parser;
pub mod sim;
pub mod text;
pub mod transcript;
