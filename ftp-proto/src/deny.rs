//! Which commands can be denied: those of the table, but for what every session needs.

use crate::command::{self, COMMANDS, ControlVerb, LocalVerb, ProtectionVerb, Verb};
use crate::denied_commands::{DeniedCommands, DenyError};

impl DeniedCommands {
    /// Denies the command of this name, in upper or lower case. The first name of a command denies
    /// its other names too: after MKD no client makes a directory with XMKD. SITE denies all its
    /// commands.
    ///
    /// # Errors
    ///
    /// When there is no such command, or when a session needs it.
    pub fn deny(&mut self, name: &str) -> Result<(), DenyError> {
        let denied = command::find(name.as_bytes()).ok_or(DenyError::Unknown)?;
        if let Some(problem) = needed(denied.verb) {
            return Err(problem);
        }
        let is_first = command::first_name(denied.verb) == Some(denied.name);
        let rows = COMMANDS
            .iter()
            .filter(|row| row.name == denied.name || (is_first && row.verb == denied.verb));
        self.insert(rows.map(|row| row.name));
        Ok(())
    }
}

fn needed(verb: Verb) -> Option<DenyError> {
    match verb {
        Verb::Control(ControlVerb::User | ControlVerb::Pass | ControlVerb::Quit)
        // Nearly every client sends it before its first transfer, and gives up without it.
        | Verb::Local(LocalVerb::Type) => Some(DenyError::Needed),
        Verb::Protection(ProtectionVerb::Auth | ProtectionVerb::Pbsz | ProtectionVerb::Prot) => {
            Some(DenyError::NeededForTls)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn denied(names: &[&str]) -> DeniedCommands {
        let mut denied = DeniedCommands::default();
        for name in names {
            denied.deny(name).expect("it can be denied");
        }
        denied
    }

    #[test]
    fn names_are_found_in_any_case_and_count_once() {
        let epsv = denied(&["epsv", "EPSV", "Eprt"]);
        assert_eq!(epsv.names().collect::<Vec<_>>(), ["EPRT", "EPSV"]);
        assert!(epsv.denies("eprt") && epsv.denies("EPSV") && !epsv.denies("PASV"));
        assert!(!epsv.denies("NOSUCH") && !epsv.is_empty());
        assert!(DeniedCommands::default().is_empty());
    }

    #[test]
    fn the_first_name_denies_the_others() {
        assert_eq!(
            denied(&["MKD"]).names().collect::<Vec<_>>(),
            ["MKD", "XMKD"]
        );
        assert_eq!(denied(&["XMKD"]).names().collect::<Vec<_>>(), ["XMKD"]);
        assert_eq!(
            denied(&["XSHA"]).names().collect::<Vec<_>>(),
            ["XSHA", "XSHA1"]
        );
        assert_eq!(denied(&["XMD5"]).names().collect::<Vec<_>>(), ["XMD5"]);
    }

    #[test]
    fn what_a_session_needs_stays() {
        let mut denied = DeniedCommands::default();
        for (name, expected) in [
            ("USER", DenyError::Needed),
            ("pass", DenyError::Needed),
            ("Quit", DenyError::Needed),
            ("TYPE", DenyError::Needed),
            ("AUTH", DenyError::NeededForTls),
            ("PBSZ", DenyError::NeededForTls),
            ("PROT", DenyError::NeededForTls),
            ("NOSUCH", DenyError::Unknown),
            ("LPSV", DenyError::Unknown),
            ("SITE CHMOD", DenyError::Unknown),
            ("EPSV ", DenyError::Unknown),
            ("", DenyError::Unknown),
        ] {
            assert_eq!(denied.deny(name), Err(expected), "{name}");
        }
        assert!(denied.is_empty());
    }
}
