//! The flags that the log names behind a refusal or a failure: where to read on.

/// At the end of a line.
pub(super) fn hint(flag: Option<&'static str>) -> String {
    flag.map_or(String::new(), |flag| format!(" (see {flag})"))
}

pub(super) const HIDE: &str = "--hide";
pub(super) const HIDE_OF_USER: &str = "option hide in --users";
pub(super) const WRITE: &str = " (see --write)";
pub(super) const GUEST: &str = " (anonymous may only read beside --username)";
pub(super) const RIGHTS: &str = " (see the rights of the user in --users)";
pub(super) const MAX_UPLOAD_SIZE: &str = "--max-upload-size";
pub(super) const MAX_UPLOAD_SIZE_OF_USER: &str = "option max-upload-size in --users";
pub(super) const QUOTA: &str = "option quota in --users";
pub(super) const FREE_SPACE_MIN: &str = "--free-space-min";
pub(super) const REQUIRE_CLOSE_NOTIFY: &str = "--tls-require-close-notify";
pub(super) const DENY_COMMANDS: &str = "--deny-commands";
