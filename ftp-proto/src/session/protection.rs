//! Whether TLS protects the connections (RFC 4217).

/// Whether TLS protects the control connection, and what PBSZ and PROT have set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    Clear,
    Tls {
        buffer_size_sent: bool,
        data_private: bool,
    },
}

impl Protection {
    /// The state after PBSZ 0 and PROT P. Clients of implicit FTPS expect it without sending these
    /// commands.
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
