//! What holds between login and logout.

use alloc::vec::Vec;

use super::data::DataSetup;
use super::transfer::Transfer;
use crate::action::Representation;
use crate::listing::FactSet;
use crate::path::FtpPath;
use crate::permissions::Permissions;

/// After a login.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) user: Vec<u8>,
    pub(super) permissions: Permissions,
    pub(super) directory: FtpPath,
    pub(super) rename_from: Option<FtpPath>,
    pub(super) representation: Representation,
    pub(super) facts: FactSet,
    pub(super) data: DataSetup,
    pub(super) transfer: Transfer,
    /// Where the next transfer begins (REST).
    pub(super) restart: u64,
    /// What SITE UMASK has set.
    pub(super) umask: Option<u32>,
}

impl Ready {
    pub(super) fn new(user: Vec<u8>, permissions: Permissions) -> Self {
        Self {
            user,
            permissions,
            directory: FtpPath::root(),
            rename_from: None,
            representation: Representation::Ascii,
            facts: FactSet::default(),
            data: DataSetup::None,
            transfer: Transfer::None,
            restart: 0,
            umask: None,
        }
    }
}
