//! Files beneath the shared directory, and how they are listed.
//!
//! [`tree`] is what a login sees: one share or several. [`share`] looks up the shared directory,
//! [`root`] opens files and directories beneath it; everything else rests on it. [`upload`] is
//! where an upload becomes a file, [`requests`] performs what needs no data connection, [`list`]
//! makes listings.

pub(crate) mod absence;
mod access;
pub(crate) mod attributes;
mod counted;
pub(crate) mod download;
mod entry;
pub(crate) mod file_hash;
pub(crate) mod homes;
mod links;
pub(crate) mod list;
pub(crate) mod long_request;
pub(crate) mod mounts;
mod named;
pub(crate) mod own_files;
mod owners;
pub(crate) mod quota;
mod real_rights;
mod requests;
mod resolve;
pub(crate) mod root;
pub(crate) mod share;
pub(crate) mod share_rules;
mod space;
mod temporary_name;
pub(crate) mod text_size;
pub(crate) mod tree;
pub(crate) mod upload;
pub(crate) mod upload_limits;
mod upload_rules;
mod visible;
