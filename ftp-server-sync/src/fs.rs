//! Files beneath the shared directory, and how they are listed.
//!
//! [`root`] opens files and directories; everything else rests on it. [`upload`] is where an upload
//! becomes a file, [`requests`] performs what needs no data connection, [`list`] makes listings.

pub(crate) mod attributes;
pub(crate) mod download;
mod entry;
pub(crate) mod file_hash;
pub(crate) mod list;
pub(crate) mod long_request;
mod owners;
mod requests;
pub(crate) mod root;
pub(crate) mod text_size;
pub(crate) mod upload;
