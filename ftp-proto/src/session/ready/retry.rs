//! A command whose argument may mean two names: the client has sent the bytes FF FF, and either
//! doubles FF as Telnet requires, or does not implement Telnet and means both.
//!
//! The name with one FF is tried first. Only if it does not exist, the command is executed again
//! with the argument as it was sent: a name that is listed with FF FF works without Telnet too.

use alloc::vec::Vec;

use crate::command::CommandInfo;
use crate::path::FtpPath;
use crate::session::file_hash::ByteRange;

/// What the command needs to be executed again.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) command: &'static CommandInfo,
    /// As it was sent, with FF FF.
    pub(super) argument: Vec<u8>,
    /// The path of RNFR, if that was the previous line.
    pub(super) rename_from: Option<FtpPath>,
    /// The offset of REST.
    pub(super) restart: u64,
    /// What RANG has set.
    pub(super) range: Option<ByteRange>,
}
