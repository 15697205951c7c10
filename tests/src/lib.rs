//! Code that the tests and the fuzz targets share.
//!
//! Only [`sim::Sim`], in the test kit, uses the API of `ftp-proto`. It checks everything that runs
//! through it against the rules that hold in every session.

pub mod dialogue;
pub mod fuzz;
pub mod house;
pub mod listing_parser;
pub mod model;
pub mod walk;

pub use ftp_proto_testkit::{operations, reply_codes, reply_parser, sim, text, transcript};
