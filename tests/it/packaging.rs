//! The files of packages: what the shells, the readers of manual pages and systemd make of them.
//! `tests/packages` installs the package itself.

mod completions;
mod manual;
mod units;

/// The path of a file below `packaging/`.
fn file(name: &str) -> String {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../ftp-server-sync/packaging/");
    format!("{place}{name}")
}
