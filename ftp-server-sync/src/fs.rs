//! Files beneath the shared directory, and how they are listed.

pub(crate) mod attributes;
pub(crate) mod list;
pub(crate) mod owners;
pub(crate) mod root;
