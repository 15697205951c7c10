//! The commands that are denied.

use ftp_proto::{DeniedCommands, DenyError};

use crate::accounts::similar::suggest;

/// The name of a command that clients may not use, in upper case.
pub(in crate::cli) fn denied_command(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase();
    let remedy = match DeniedCommands::default().deny(&name) {
        Ok(()) => return Ok(name),
        Err(DenyError::NeededForTls) => {
            "TLS needs this command; leave it out, or leave --tls out, and no client uses it"
        }
        Err(DenyError::Needed) => "no session works without this command; leave it out",
        Err(_) if name.starts_with("SITE") => "give SITE: all its commands are denied, or none",
        Err(_) => return Err(unknown(&name)),
    };
    Err(remedy.to_owned())
}

fn unknown(name: &str) -> String {
    // Suggestions are for names in lower case.
    let lower = |name: &str| name.to_ascii_lowercase();
    let names: Vec<String> = ftp_proto::commands()
        .map(|command| lower(command.name))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match suggest(name, &names) {
        Some(similar) => {
            let similar = similar.to_ascii_uppercase();
            format!("no command of this server; did you mean {similar}?")
        }
        None => "no command of this server; give names such as EPSV or EPRT".to_owned(),
    }
}
