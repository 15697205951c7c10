//! The reply codes of each command: those that the RFCs list for it, and additional ones, each with
//! its reason.
//!
//! The simulated driver checks every reply against this table.

/// Whether `code` may be the final reply to a command with this name, in upper or lower case. The
/// name may be unknown.
pub fn allows(name: &[u8], code: u16) -> bool {
    if ANYTIME.contains(&code) {
        return true;
    }
    if let Some(row) = of(name) {
        return row.listed.contains(&code) || row.additional.iter().any(|(own, _)| *own == code);
    }
    let is_same = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
    code == 502 && NOT_IMPLEMENTED.iter().any(is_same)
}

/// The codes of a command that the core implements. The name may be in upper or lower case.
pub fn of(name: &[u8]) -> Option<&'static CommandCodes> {
    let is_same = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
    let command = ftp_proto::commands().find(|command| is_same(command.name))?;
    let name = command.same_as.unwrap_or(command.name);
    CODES.iter().find(|row| row.name == name)
}

/// The codes of one command.
#[derive(Debug)]
pub struct CommandCodes {
    /// The first name of the command.
    pub name: &'static str,
    /// RFC 959, section 5.4, and the RFC that defines or changes the command.
    pub listed: &'static [u16],
    /// The additional codes, each with its reason.
    pub additional: &'static [(u16, &'static str)],
}

const fn row(
    name: &'static str,
    listed: &'static [u16],
    additional: &'static [(u16, &'static str)],
) -> CommandCodes {
    CommandCodes {
        name,
        listed,
        additional,
    }
}

/// Commands of RFCs and drafts that the core answers with 502 (RFC 959, 1639 and 2228, the drafts
/// of MFMT and CSID).
pub const NOT_IMPLEMENTED: &[&str] = &[
    "ADAT", "CONF", "CSID", "ENC", "LPRT", "LPSV", "MFCT", "MFF", "MIC", "SMNT",
];

/// RFC 959, section 4.2.2: the codes for a line that is not a command, and for the end of the
/// session.
const ANYTIME: &[u16] = &[421, 500];

const NO_ARGUMENT: &str =
    "the command takes no argument and got one; the RFC lists no code for this";
const NO_LOGIN: &str = "no user is logged in; the RFC lists no code for this";
const NO_PORT: &str =
    "no passive port is free, or PASV is used over IPv6; after 425 clients try again or use EPSV";
const ABORTED: &str = "an ABOR follows the command, so it is not executed";
const MISSING: &str = "the path does not exist, the user may not list it, or STAT has too many entries; after 450 clients would try again in vain";
const FAMILY: &str = "the address is of the other address family; RFC 2428 uses this code for EPRT";
const AGAIN: &str = "the command is out of sequence: the connection is already protected, not protected yet, or a transfer runs";
const NO_TLS: &str = "TLS is not offered";
const SITE_HELP: &str = "SITE HELP uses the code of HELP";
const SITE_FILE: &str = "SITE CHMOD uses the code of other commands on files";
const ALLOCATION: &str = "the file can never fit; STOR has this code too";
const LOCAL: &str = "reading the file failed; RETR has this code too";
const RANGE: &str = "the file does not have these bytes; RFC 1123 uses this code for REST";
const NO_PATH: &str = "there is no argument, or it is not a path";
const UNSUPPORTED: &str = "the server does not support this";

/// All reasons for additional codes.
pub const REASONS: &[&str] = &[
    NO_ARGUMENT,
    NO_LOGIN,
    NO_PORT,
    ABORTED,
    MISSING,
    FAMILY,
    AGAIN,
    NO_TLS,
    SITE_HELP,
    SITE_FILE,
    ALLOCATION,
    LOCAL,
    RANGE,
    NO_PATH,
    UNSUPPORTED,
];

/// In alphabetical order, one row for each command. Its other names, such as XCWD, have the same
/// codes.
#[rustfmt::skip]
const CODES: &[CommandCodes] = &[
    row("ABOR", &[225, 226, 501, 502],                           &[(530, NO_LOGIN)]),
    row("ACCT", &[202, 230, 501, 503, 530],                      &[]),
    row("ALLO", &[200, 202, 501, 504, 530],                      &[(552, ALLOCATION)]),
    // RFC 1123, section 4.1.2.11, adds 554 and 555 to commands after REST; RFC 4217, section 10,
    // adds 521 and 522 to commands that open a data connection.
    row("APPE", &[226, 250, 425, 426, 450, 451, 452, 501, 502, 521, 522, 530, 532, 550, 551, 552, 553, 554, 555], &[]),
    // RFC 2228, RFC 4217.
    row("AUTH", &[234, 334, 431, 501, 502, 504, 534],            &[(503, AGAIN)]),
    // draft-peterson-streamlined-ftp-command-extensions.
    row("AVBL", &[213, 501, 502, 530, 550],                      &[]),
    row("CCC",  &[200, 501, 530, 533, 534],                      &[(502, NO_TLS), (503, AGAIN)]),
    // RFC 959, section 5.4, lists 200; section 4.1.1 refers to the codes of CWD.
    row("CDUP", &[200, 250, 501, 502, 530, 550],                 &[]),
    row("CLNT", &[200, 501],                                     &[]),
    row("CWD",  &[250, 501, 502, 530, 550],                      &[]),
    row("DELE", &[250, 450, 501, 502, 530, 550],                 &[]),
    // RFC 2428; 504 for a port below 1024 (RFC 2577, section 3).
    row("EPRT", &[200, 501, 504, 522, 530],                      &[]),
    row("EPSV", &[200, 229, 501, 502, 522, 530],                 &[(425, NO_PORT), (426, ABORTED)]),
    // RFC 2389.
    row("FEAT", &[211, 502],                                     &[(501, NO_ARGUMENT)]),
    // draft-bryan-ftpext-hash-03.
    row("HASH", &[213, 450, 501, 550, 551, 552, 553, 556],       &[(426, ABORTED), (451, LOCAL), (502, UNSUPPORTED), (530, NO_LOGIN), (554, RANGE)]),
    row("HELP", &[211, 214, 501, 502],                           &[]),
    // RFC 7151.
    row("HOST", &[220, 501, 502, 503, 504, 530],                 &[]),
    // RFC 2640.
    row("LANG", &[200, 501, 502, 504],                           &[]),
    row("LIST", &[226, 250, 425, 426, 450, 451, 501, 502, 521, 522, 530],  &[(550, MISSING)]),
    // RFC 3659.
    row("MDTM", &[213, 501, 502, 530, 550],                      &[]),
    // draft-somers-ftp-mfxx.
    row("MFMT", &[213, 501, 502, 530, 550],                      &[]),
    row("MKD",  &[257, 501, 502, 530, 550],                      &[]),
    row("MLSD", &[226, 250, 425, 426, 450, 451, 501, 502, 521, 522, 530, 550], &[]),
    row("MLST", &[250, 501, 502, 530, 550],                      &[]),
    row("MODE", &[200, 501, 504, 530],                           &[]),
    row("NLST", &[226, 250, 425, 426, 450, 451, 501, 502, 521, 522, 530],  &[(550, MISSING)]),
    row("NOOP", &[200],                                          &[(501, NO_ARGUMENT)]),
    row("OPTS", &[200, 451, 501, 502, 504, 530],                 &[]),
    row("PASS", &[202, 230, 332, 501, 503, 530],                 &[]),
    row("PASV", &[227, 501, 502, 530],                           &[(425, NO_PORT), (426, ABORTED)]),
    row("PBSZ", &[200, 501, 503, 530],                           &[(502, NO_TLS)]),
    row("PORT", &[200, 501, 504, 530],                           &[(522, FAMILY)]),
    row("PROT", &[200, 431, 501, 503, 504, 530, 534, 536],       &[(502, NO_TLS)]),
    row("PWD",  &[257, 501, 502, 550],                           &[(530, NO_LOGIN)]),
    row("QUIT", &[221],                                          &[(501, NO_ARGUMENT)]),
    // draft-bryan-ftp-range-09.
    row("RANG", &[350, 501, 551, 552],                           &[(530, NO_LOGIN)]),
    row("REIN", &[220, 502],                                     &[(501, NO_ARGUMENT)]),
    row("REST", &[350, 501, 502, 530],                           &[]),
    row("RETR", &[226, 250, 425, 426, 450, 451, 501, 521, 522, 530, 550, 554, 555], &[]),
    row("RMD",  &[250, 501, 502, 530, 550],                      &[]),
    row("RNFR", &[350, 450, 501, 502, 530, 550],                 &[]),
    row("RNTO", &[250, 501, 502, 503, 530, 532, 553],            &[]),
    row("SITE", &[200, 202, 501, 530],                           &[(214, SITE_HELP), (550, SITE_FILE), (502, UNSUPPORTED)]),
    row("SIZE", &[213, 501, 502, 530, 550],                      &[]),
    row("STAT", &[211, 212, 213, 450, 501, 502, 530],            &[(550, MISSING)]),
    row("STOR", &[226, 250, 425, 426, 450, 451, 452, 501, 521, 522, 530, 532, 551, 552, 553, 554, 555], &[]),
    row("STOU", &[226, 250, 425, 426, 450, 451, 452, 501, 521, 522, 530, 532, 551, 552, 553, 554, 555], &[]),
    row("STRU", &[200, 501, 504, 530],                           &[]),
    row("SYST", &[215, 501, 502],                                &[]),
    row("TYPE", &[200, 501, 504, 530],                           &[]),
    row("USER", &[230, 331, 332, 501, 530],                      &[]),
    // No document defines these; the draft of HASH, appendix B, lists what servers reply.
    row("XCRC", &[250, 450, 550], &[(426, ABORTED), (451, LOCAL), (501, NO_PATH), (502, UNSUPPORTED), (530, NO_LOGIN), (554, RANGE)]),
    row("XMD5", &[250, 450, 550], &[(426, ABORTED), (451, LOCAL), (501, NO_PATH), (502, UNSUPPORTED), (530, NO_LOGIN), (554, RANGE)]),
    row("XSHA", &[250, 450, 550], &[(426, ABORTED), (451, LOCAL), (501, NO_PATH), (502, UNSUPPORTED), (530, NO_LOGIN), (554, RANGE)]),
    row("XSHA256", &[250, 450, 550], &[(426, ABORTED), (451, LOCAL), (501, NO_PATH), (502, UNSUPPORTED), (530, NO_LOGIN), (554, RANGE)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_row() {
        for command in ftp_proto::commands() {
            assert!(of(command.name.as_bytes()).is_some(), "{}", command.name);
        }
        for row in CODES {
            assert!(of(row.name.as_bytes()).is_some(), "{}", row.name);
        }
        assert!(CODES.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn a_code_of_the_rfc_needs_no_reason() {
        for row in CODES {
            assert!(row.listed.is_sorted(), "{:?}", row.name);
            for (code, why) in row.additional {
                assert!(!row.listed.contains(code), "{:?} {code}", row.name);
                assert!(REASONS.contains(why), "{why}");
            }
        }
        for why in REASONS {
            let uses = CODES.iter().flat_map(|row| row.additional);
            assert!(uses.map(|(_, used)| used).any(|used| used == why), "{why}");
        }
    }

    #[test]
    fn names() {
        for (name, code, expected) in [
            ("retr", 226, true),
            ("RETR", 227, false),
            ("XCWD", 250, true),
            ("PASV", 425, true),
            ("SMNT", 502, true),
            ("SMNT", 202, false),
            ("NOSUCH", 500, true),
            ("NOSUCH", 200, false),
            ("NOOP", 421, true),
        ] {
            assert_eq!(allows(name.as_bytes(), code), expected, "{name} {code}");
        }
    }
}
