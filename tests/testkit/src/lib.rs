#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod operations;
pub mod reply_codes;
pub mod reply_parser;
pub mod sim;
pub mod text;
pub mod transcript;
