//! Whether the connections are protected by TLS (RFC 4217).

/// Whether the control connection is protected, and what PBSZ and PROT have set since.
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

    pub(super) fn is_data_private(self) -> bool {
        matches!(
            self,
            Self::Tls {
                data_private: true,
                ..
            }
        )
    }
}
