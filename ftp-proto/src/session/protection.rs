//! The protection of the connections by TLS (RFC 4217).

/// Whether the control connection is protected, and what PBSZ and PROT have said since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    Clear,
    Tls {
        buffer_size_sent: bool,
        data_private: bool,
    },
}

impl Protection {
    /// Clients of implicit FTPS expect what PBSZ 0 and PROT P would have set, and may leave out either.
    pub(super) const IMPLICIT: Self = Self::Tls {
        buffer_size_sent: true,
        data_private: true,
    };
}
