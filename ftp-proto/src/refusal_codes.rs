//! The codes that refuse the commands of the table.

/// The codes that refuse a command, one for each kind of reason: a choice among the codes that the
/// RFCs list for it. The tests have the whole list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusalCodes {
    /// It cannot be done, and another attempt would not help.
    pub(crate) unavailable: u16,
    pub(crate) not_a_directory: u16,
    pub(crate) is_a_directory: u16,
    /// The login lacks the right.
    pub(crate) not_permitted: u16,
    pub(crate) busy: u16,
    pub(crate) no_space: u16,
    /// The file would be larger than the server accepts.
    pub(crate) too_large: u16,
    /// The offset of REST or a range is beyond the end of the file (RFC 1123, section 4.1.2.11).
    pub(crate) offset: u16,
    pub(crate) failed: u16,
    pub(crate) unsupported: u16,
}

const fn refusals(
    unavailable: u16,
    busy: u16,
    no_space: u16,
    failed: u16,
    unsupported: u16,
) -> RefusalCodes {
    RefusalCodes {
        unavailable,
        not_a_directory: unavailable,
        is_a_directory: unavailable,
        not_permitted: unavailable,
        busy,
        no_space,
        too_large: unavailable,
        offset: unavailable,
        failed,
        unsupported,
    }
}

pub(crate) const OTHER: RefusalCodes = refusals(550, 550, 550, 550, 502);
pub(crate) const RETRIEVE: RefusalCodes = RefusalCodes {
    offset: 554,
    ..refusals(550, 450, 451, 451, 550)
};
pub(crate) const STORE: RefusalCodes = RefusalCodes {
    offset: 554,
    ..STORE_UNIQUE
};
pub(crate) const STORE_UNIQUE: RefusalCodes = RefusalCodes {
    too_large: 552,
    ..refusals(553, 450, 452, 451, 553)
};
pub(crate) const APPEND: RefusalCodes = RefusalCodes {
    too_large: 552,
    offset: 554,
    ..refusals(550, 450, 452, 451, 502)
};
pub(crate) const DELETE: RefusalCodes = refusals(550, 450, 550, 550, 502);
pub(crate) const RENAME: RefusalCodes = refusals(553, 553, 553, 553, 502);
pub(crate) const LIST: RefusalCodes = refusals(550, 450, 451, 451, 502);
/// RFC 3659, section 7.2.1.
pub(crate) const LIST_FACTS: RefusalCodes = RefusalCodes {
    not_a_directory: 501,
    ..LIST
};
pub(crate) const STATUS: RefusalCodes = refusals(550, 450, 450, 450, 502);
/// draft-bryan-ftpext-hash-03, section 3.5.
pub(crate) const HASH: RefusalCodes = RefusalCodes {
    is_a_directory: 553,
    not_permitted: 552,
    ..CHECKSUM
};
pub(crate) const CHECKSUM: RefusalCodes = RefusalCodes {
    offset: 554,
    ..refusals(550, 450, 451, 451, 502)
};
