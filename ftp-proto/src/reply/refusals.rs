//! The texts of the replies to refusals.

use alloc::boxed::Box;
use alloc::format;

use super::Reply;
use crate::exceeded_quota::ExceededQuota;
use crate::path::FtpPath;
use crate::refused_request::RefusedRequest;
use crate::space::QuotaUse;

/// The replies to refusals of the driver. Their codes depend on the command; see
/// [`CommandInfo::refusals`](crate::command::CommandInfo).
#[rustfmt::skip]
impl Reply {
    pub(crate) const fn not_found(code: u16) -> Self { Self::fixed(code, "No such file or directory.") }
    // Without a full stop: scripts compare the whole text.
    pub(crate) const fn no_match(code: u16) -> Self { Self::fixed(code, "No files found") }
    pub(crate) const fn read_only_login(code: u16) -> Self { Self::fixed(code, READ_ONLY_LOGIN) }
    pub(crate) const fn login_denied(code: u16) -> Self { Self::fixed(code, "This login may not do that here.") }
    pub(crate) const fn read_only_file_system(code: u16) -> Self { Self::fixed(code, "Read-only file system.") }
    pub(crate) const fn other_file_system(code: u16) -> Self { Self::fixed(code, "The new name is on another file system; copy the file instead.") }
    pub(crate) const fn mount_point(code: u16) -> Self { Self::fixed(code, "This directory is a mount point of the users file, or contains one; it stays.") }
    pub(crate) const fn denied(code: u16) -> Self { Self::fixed(code, "Permission denied.") }
    pub(crate) const fn name_exists(code: u16) -> Self { Self::fixed(code, "File exists.") }
    pub(crate) const fn not_empty(code: u16) -> Self { Self::fixed(code, "Directory not empty.") }
    pub(crate) const fn too_many_entries(code: u16) -> Self { Self::fixed(code, "Too many entries for this reply; use LIST or MLSD.") }
    pub(crate) const fn not_a_directory(code: u16) -> Self { Self::fixed(code, "Not a directory.") }
    pub(crate) const fn not_a_file(code: u16) -> Self { Self::fixed(code, "Not a regular file.") }
    pub(crate) const fn special_file(code: u16) -> Self { Self::fixed(code, "A device, pipe or socket cannot be used.") }
    pub(crate) const fn name_rejected(code: u16) -> Self { Self::fixed(code, "The name is not allowed.") }
    pub(crate) const fn no_space(code: u16) -> Self { Self::fixed(code, "No space left.") }
    pub(crate) const fn file_too_large(code: u16) -> Self { Self::fixed(code, "The file would be larger than this server accepts.") }
    pub(crate) const fn space_reserved(code: u16) -> Self { Self::fixed(code, "Too little space is free on the server.") }
    pub(crate) const fn restart_too_large(code: u16) -> Self { Self::fixed(code, "The restart offset is beyond the end of the file.") }
    pub(crate) const fn not_the_end(code: u16) -> Self { Self::fixed(code, "The restart offset is not the size of the file.") }
    pub(crate) const fn offset_too_large(code: u16) -> Self { Self::fixed(code, "The offset is beyond the end of the file.") }
    pub(crate) const fn not_resumable(code: u16) -> Self { Self::fixed(code, "The last upload of this file failed and left an older one; store it from the start.") }
    pub(crate) const fn share_unavailable(code: u16) -> Self { Self::fixed(code, "The shared directory is not available.") }
    pub(crate) const fn text_not_counted(code: u16) -> Self { Self::fixed(code, "SIZE is not available in ASCII mode for this file; send TYPE I first.") }
    pub(crate) const fn in_use(code: u16) -> Self { Self::fixed(code, "The file or directory is in use; try again later.") }
    pub(crate) const fn unsupported(code: u16) -> Self { Self::fixed(code, "This server does not support that.") }
    pub(crate) const fn failed(code: u16) -> Self { Self::fixed(code, "Local error.") }
}

impl Reply {
    /// A transfer that its login's quota has ended.
    pub(crate) fn quota_exceeded_by_transfer(quota: ExceededQuota) -> Self {
        Self::line(552, format!("Quota exceeded: {quota}; transfer aborted."))
    }

    /// ALLO for a file that can never fit. `total`: the bytes that can be stored at most.
    pub(crate) fn too_little_space(total: u64) -> Self {
        Self::line(552, format!("No more than {total} bytes can be stored."))
    }

    /// ALLO for a file that fits only if a part of it is there. `available`: the bytes that can be
    /// stored.
    pub(crate) fn space_for_a_rest(available: u64) -> Self {
        Self::line(200, format!("Only {available} bytes can be stored."))
    }

    /// The reply to SITE QUOTA.
    pub(crate) fn quota(quota: &QuotaUse) -> Self {
        Self::line(200, format!("Quota: {quota}."))
    }

    /// A command that its login's quota does not allow.
    pub(crate) fn quota_exceeded(code: u16, quota: ExceededQuota) -> Self {
        Self::line(
            code,
            format!("Quota exceeded: {quota}; delete files first."),
        )
    }
}

impl Reply {
    /// For a driver that has reached its limit of connections: to be sent instead of a greeting.
    #[must_use]
    pub const fn too_many_connections() -> Self {
        Self::fixed(421, "Too many connections; try again later.")
    }

    /// The same for the limit of connections from one address.
    #[must_use]
    pub const fn too_many_from_address() -> Self {
        Self::fixed(421, "Too many connections from your address.")
    }

    /// For a user who has as many sessions as the operator permits.
    pub(crate) const fn too_many_of_user() -> Self {
        Self::fixed(
            421,
            "This user has too many sessions; close one, or try again later.",
        )
    }

    /// For a session whose account the operator has removed, or changed in a way that the session
    /// cannot follow.
    pub(crate) const fn account_withdrawn() -> Self {
        Self::fixed(421, "This account has been changed; log in again.")
    }

    /// The same for an address whose clients are not served.
    #[must_use]
    pub const fn address_refused() -> Self {
        Self::fixed(421, "Clients at your address are not served.")
    }

    /// The same for an address from which too many logins have failed.
    #[must_use]
    pub const fn too_many_failed_logins() -> Self {
        Self::fixed(
            421,
            "Too many failed logins from your address; try again later.",
        )
    }

    /// For a server that has been started for this connection, and cannot serve it.
    #[must_use]
    pub const fn server_unavailable() -> Self {
        Self::fixed(421, "The server cannot start; try again later.")
    }

    /// The request that this reply refuses, where the core has refused it without asking the
    /// driver, and its path is known.
    #[must_use]
    pub fn refused(&self) -> Option<&RefusedRequest> {
        self.refused.as_deref()
    }

    /// The same reply, as the refusal of a request.
    pub(crate) fn refusing(mut self, command: &'static str, path: &FtpPath) -> Self {
        self.refused = Some(Box::new(RefusedRequest {
            command,
            path: path.clone(),
            is_read_only_login: self.is_read_only_login(),
        }));
        self
    }

    /// Whether the reason of the refusal is that the login may change nothing.
    fn is_read_only_login(&self) -> bool {
        self.first.as_ref() == READ_ONLY_LOGIN.as_bytes()
    }
}

const READ_ONLY_LOGIN: &str = "This login may only read.";
