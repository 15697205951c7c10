//! How the client of a session writes names.

/// Whether the codec of the account converts names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum NameEncoding {
    /// It does, until a name shows that the client writes UTF-8.
    #[default]
    OfAccount,
    /// It does: the client has sent `OPTS UTF8 OFF`.
    OfAccountRequested,
    /// It does not: the client has sent `OPTS UTF8 ON`, LANG, or a name in UTF-8.
    Utf8,
}
