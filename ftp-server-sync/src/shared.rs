//! What all sessions of a server have in common.

use std::sync::Arc;

use ftp_proto::Config;

use crate::passive::PassivePool;
use crate::settings::Settings;
use crate::storage::Storage;

/// Read by every session, changed by none; the pool has its own lock.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) config: Arc<Config>,
    pub(crate) storage: Storage,
    pub(crate) pool: Arc<PassivePool>,
}
