//! Where state is stored.

use super::*;

/// Finds a variable among `NAME=value` pairs with spaces between them.
fn find(variables: &str, name: &str) -> Option<OsString> {
    let mut pairs = variables
        .split_whitespace()
        .map(|pair| pair.split_once('=').unwrap());
    let found = pairs.find(|(known, _)| *known == name);
    found.map(|(_, value)| value.into())
}

fn check_directory(variables: &str, expected: &str) {
    let found = state_directory(|name| find(variables, name));
    assert_eq!(found, Path::new(expected), "{variables}");
}

#[test]
fn state_is_stored_where_systemd_or_xdg_says() {
    let own = "/var/lib/ftp-server-sync";
    check_directory("", own);
    check_directory("HOME=/root", "/root/.local/state/ftp-server-sync");
    check_directory("HOME=/root XDG_STATE_HOME=/x", "/x/ftp-server-sync");
    check_directory("HOME=/root XDG_STATE_HOME=/x STATE_DIRECTORY=/s", "/s");
    check_directory("STATE_DIRECTORY=/s/a:/s/b", "/s/a");
    // Relative ones would lead elsewhere at each start.
    check_directory("HOME=home XDG_STATE_HOME=x STATE_DIRECTORY=s", own);
    check_directory("HOME= XDG_STATE_HOME= STATE_DIRECTORY=", own);
}
