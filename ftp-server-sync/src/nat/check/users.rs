//! Each user of the file: home, rights and limits.

use std::os::unix::ffi::OsStrExt;

use ftp_proto::text::{printable, printable_word};
use ipnet::IpNet;

use crate::accounts::users_file::{FileUser, UserPassword, describe_rights};
use crate::logging::wrap::wrap;
use crate::settings::Settings;

/// The lines, each at most `width` columns long; none without a file.
pub(super) fn users(settings: &Settings, column: usize, width: usize) -> String {
    let Some(file) = &settings.users_file else {
        return String::new();
    };
    let file = printable_word(file.as_os_str().as_bytes());
    let mut text = wrap(
        "",
        0,
        width,
        &format!("Users of {file} (--users), by home and rights:"),
    );
    for user in settings.users.of_file() {
        let name = printable_word(user.name.as_bytes());
        text += &wrap(&format!("  {name}"), column, width, &description(user));
    }
    text
}

fn description(user: &FileUser) -> String {
    let home = printable_word(user.home.as_os_str().as_bytes());
    let options = &user.options;
    let mut parts = vec![format!("{home}: {}", describe_rights(user.rights))];
    let directories = options.directories.iter();
    parts.extend(directories.map(|(path, rights)| {
        let path = printable(path.as_bytes());
        format!("below {path}: {}", describe_rights(*rights))
    }));
    match user.password {
        UserPassword::Any => parts.push("any password".to_owned()),
        UserPassword::Locked => parts.push("cannot log in (locked)".to_owned()),
        UserPassword::Stored(_) => {}
    }
    if options.tls_required {
        parts.push("with TLS only".to_owned());
    }
    let sessions = options.sessions_max;
    parts.extend(sessions.map(|max| format!("at most {max} sessions")));
    let rates = options.rates;
    parts.extend(
        rates
            .inward
            .map(|rate| format!("uploads {rate} bytes a second at most")),
    );
    parts.extend(
        rates
            .outward
            .map(|rate| format!("downloads {rate} bytes a second at most")),
    );
    match options.upload_bytes_max {
        Some(Some(max)) => parts.push(format!("files have at most {max} bytes")),
        Some(None) => parts.push("files of any size".to_owned()),
        None => {}
    }
    if !options.hidden.is_empty() {
        parts.push("some names are hidden (hide)".to_owned());
    }
    parts.extend(options.umask.map(|umask| format!("umask {umask:03o}")));
    parts.extend(networks("from", &options.access.allowed));
    parts.extend(networks("not from", &options.access.denied));
    parts.join("; ")
}

fn networks(word: &str, networks: &[IpNet]) -> Option<String> {
    let shown: Vec<String> = networks.iter().map(IpNet::to_string).collect();
    (!shown.is_empty()).then(|| format!("{word} {}", shown.join(", ")))
}
