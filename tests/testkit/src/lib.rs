#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod black_box;
mod judge;
pub mod operations;
pub mod reply_codes;
pub mod reply_parser;
pub mod sim;
mod strict_reader;
pub mod text;
pub mod transcript;
mod transcripts;

pub use judge::{Judge, Rule, Witness};
pub use strict_reader::StrictReader;
pub use transcripts::{Recording, transcripts};
