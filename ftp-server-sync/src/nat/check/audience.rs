//! Who may do what in the shared directory, and within which limits.

use std::os::unix::ffi::OsStrExt;

use ftp_proto::text::printable_word;
use ftp_proto::{Right, Rights};

use super::users::users;
use crate::logging::counted::counted;
use crate::logging::wrap::wrap;
use crate::nat::summary::{names, protection, uploads};
use crate::settings::{Rates, Settings};

/// The lines, each at most `width` columns long.
pub(super) fn audience(settings: &Settings, width: usize) -> String {
    let directory = printable_word(settings.directory.as_os_str().as_bytes());
    let mut text = users(settings, COLUMN, width);
    let heading = if settings.users.use_directory() {
        format!("Who may do what in {directory}:")
    } else {
        "For all users:".to_owned()
    };
    text += &wrap("", 0, width, &heading);
    let mut add = |who: &str, what: &str| {
        text.push_str(&wrap(&format!("  {who}"), COLUMN, width, what));
    };
    let certificate = settings.tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
    if let Some((name, rights)) = settings.users.user() {
        let proof = match certificate {
            Some(_) => "with the password and a client certificate",
            None => "with the password",
        };
        let name = printable_word(name.as_bytes());
        add(&name, &format!("{}; {proof}", may(rights)));
    }
    if let Some(rights) = settings.users.anonymous() {
        let proof = match certificate {
            Some(_) => "with any password and a client certificate",
            None => "with any password",
        };
        add("anonymous", &format!("{}; {proof}", may(rights)));
    }
    add("everyone", &limits(settings).join("; "));
    text
}

fn may(rights: Rights) -> &'static str {
    if rights.contains(Right::Store) {
        "reads, stores, changes and deletes"
    } else {
        "reads"
    }
}

/// TLS, and each limit that the settings have.
fn limits(settings: &Settings) -> Vec<String> {
    let mut limits = vec![match &settings.tls {
        Some(tls) => protection(tls, !settings.trusted_gateways.is_empty()),
        None => "everything is in clear text (no --tls)".to_owned(),
    }];
    limits.extend(uploads(&settings.uploads));
    let Rates { inward, outward } = settings.rates;
    limits.extend(inward.map(|rate| format!("each uploads {rate} bytes a second at most")));
    limits.extend(outward.map(|rate| format!("each downloads {rate} bytes a second at most")));
    let sessions = settings.limits.connections_max;
    let of_each = settings.limits.connections_per_address_max;
    let of_each = of_each.map_or(String::new(), |count| format!(", {count} from one address"));
    limits.push(format!(
        "at most {}{of_each}",
        counted(sessions.into(), "session")
    ));
    limits.extend(names(settings.name_charset));
    if !settings.hidden.is_empty() {
        let patterns = settings.hidden.iter();
        let patterns: Vec<String> = patterns
            .map(|pattern| printable_word(pattern.text()))
            .collect();
        limits.push(format!("hides {} (--hide)", patterns.join(", ")));
    }
    limits
}

pub(super) const COLUMN: usize = 14;
