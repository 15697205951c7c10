//! The text of `--help`, made from the table of flags.

use super::flags::{self, Flag};
use crate::logging::wrap::wrap;

/// The text of `--help`, at most 80 columns wide.
pub fn help() -> String {
    let mut text = format!(
        "Usage: ftp-server-sync [FLAG]...\n\n{}\n",
        flags::description()
    );
    for flag in flags::table() {
        if let Some((heading, _)) = SECTIONS.iter().find(|(_, first)| *first == flag.long) {
            text.push_str(&format!("\n{heading}:\n"));
        }
        text.push_str(&entry(&flag));
    }
    text.push_str(EPILOGUE);
    text
}

/// One flag, with its description in a column beside it, or below where the flag is too long.
fn entry(flag: &Flag) -> String {
    let short = flag
        .short
        .map_or("    ".to_owned(), |short| format!("-{short}, "));
    let head = format!("  {short}{}", flag.usage());
    wrap(&head, COLUMN, WIDTH, flag.description)
}

pub(super) const WIDTH: usize = 80;
pub(super) const COLUMN: usize = 32;
/// The headings of the help, each with the flag that it stands before.
pub(super) const SECTIONS: [(&str, &str); 6] = [
    ("What is served, and to whom", "--interface"),
    ("Behind a NAT router", "--masquerade-address"),
    ("TLS", "--tls"),
    ("Limits", "--max-cons"),
    ("A server that runs", "--status-socket"),
    ("Other flags", "--banner"),
];
const EPILOGUE: &str = "
A file and the environment can give these flags too: the line \"port 21\" in the
file of --config, or the variable FTP_SERVER_SYNC_PORT=21. The command line wins
over the environment, and the environment over the file.

One user, behind a router that forwards port 21 to 2121, and 60000-60009:
  ftp-server-sync -d /srv/ftp -u NAME --password-file FILE --write \\
    -n PUBLIC-ADDRESS -r 60000-60009
Without flags, anonymous may read the current directory.
";
