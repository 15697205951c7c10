//! Who may log in, and what each account may do.

pub(crate) mod users;
