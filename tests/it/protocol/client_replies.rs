//! The replies that programs read: each text, and who reads it.
//!
//! A change of one of these texts breaks a program that is named here. "scripts" are such as people
//! copy from each other: of Python's ftplib, or of the program `ftp` in a shell.

use ftp_tests::transcript::Transcript;

/// One text, with an exchange that leads to it.
struct Row {
    client: &'static str,
    /// What the client does with the text.
    reads: &'static str,
    settings: &'static str,
    /// The lines of a transcript without its outputs.
    exchange: &'static str,
    reply: &'static str,
}

const fn row(
    client: &'static str,
    reads: &'static str,
    settings: &'static str,
    exchange: &'static str,
    reply: &'static str,
) -> Row {
    Row {
        client,
        reads,
        settings,
        exchange,
        reply,
    }
}

const WRITE: &str = "logged-in: read-write";
const READ: &str = "logged-in: read-only";
const TLS: &str = "tls: on";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("Net::FTP, lftp", "uploads only after a reply of success to ALLO", WRITE,
        "C: ALLO 100\nD: space any any any",
        "200 No storage allocation is needed."),
    row("scripts (ftplib, ftp, globus-url-copy)", "\"File exists\": MKD is done", WRITE,
        "C: MKD x\nD: refused Exists",
        "550 File exists."),
    row("scripts (ftplib)", "\"File exists\": STOR of a login that may not overwrite", WRITE,
        "C: STOR x\nD: refused Exists",
        "553 File exists."),
    row("scripts (ftplib, ftp)", "\"No such file or directory\": the file is new", WRITE,
        "C: SIZE x\nD: refused NotFound",
        "550 No such file or directory."),
    row("scripts (ftp)", "\"Directory not empty\": RMD of a mirror is no error", WRITE,
        "C: RMD x\nD: refused NotEmpty",
        "550 Directory not empty."),
    row("scripts (ftplib)", "compares the whole text with \"550 No files found\"", READ,
        "C: NLST *.txt\nD: refused NoMatch",
        "550 No files found"),
    row("scripts (ftplib)", "\"ASCII mode\": sends TYPE I and tries again", READ,
        "C: TYPE A\nC: SIZE x\nD: refused TextNotCounted",
        "550 SIZE is not available in ASCII mode for this file; send TYPE I first."),
    row("people", "what to change: -w, not the permissions of the file", READ,
        "C: STOR x",
        "553 This login may only read."),
    row("people", "the same for the other commands", READ,
        "C: DELE x",
        "550 This login may only read."),
    row("people", "what to change: the permissions of the file", WRITE,
        "C: STOR x\nD: refused Denied",
        "553 Permission denied."),
    row("people", "what to change: the mount", WRITE,
        "C: DELE x\nD: refused ReadOnlyFileSystem",
        "550 Read-only file system."),
    row("curl, wget, lftp, ftplib", "the size: the number before \" bytes)\"", READ,
        "C: PORT 192,0,2,7,156,64\nC: RETR x\nD: opened 900 bytes\nD: connected\nD: ended",
        "150 Opening data connection for x (900 bytes)."),
    row("curl, wget, lftp, ftplib", "no size of a name that looks like one", READ,
        "C: PORT 192,0,2,7,156,64\nC: RETR a (5 bytes)\nD: opened 900 bytes\nD: connected\nD: ended",
        "150 Opening data connection (900 bytes)."),
    row("network monitors", "the name of the file after \"data connection for \"", WRITE,
        "C: PORT 192,0,2,7,156,64\nC: STOR a/b\nD: opened\nD: connected\nD: ended",
        "150 Opening data connection for b."),
    row("clients that resume with APPE", "REST before APPE is accepted at the end of the file", WRITE,
        "C: PORT 192,0,2,7,156,64\nC: REST 10\nC: APPE x\nD: opened\nD: connected\nD: ended",
        "226 Transfer complete."),
    row("lftp", "sets times by MDTM where it may not use MFMT", WRITE,
        "C: MDTM 20251122130709 x\nD: refused NotFound\nD: done",
        "213 Modify=20251122130709; x"),
    row("lftp", "sets times by SITE UTIME, the path first", WRITE,
        "C: SITE UTIME x 20251122130709 20251122130709 20251122130709 UTC\nD: done",
        "200 Modification time set."),
    row("lftp", "sets times by SITE UTIME, the time first", WRITE,
        "C: SITE UTIME 20251122130709 x\nD: done",
        "200 Modification time set."),
    row("people", "what SITE has, before they log in", "tls: off",
        "C: SITE HELP",
        "214-These SITE commands are implemented:"),
    row("lftp", "PROT before PBSZ is out of order (RFC 4217, section 9)", TLS,
        "C: AUTH TLS\n-- the handshake\nD: tls\nC: PROT P",
        "503 Send PBSZ 0 first."),
];

#[test]
fn programs_find_the_texts_that_they_look_for() {
    for row in ROWS {
        let source = format!("{}\n\n{}\n", row.settings, row.exchange);
        let context = format!("{}: {}", row.client, row.reads);
        let replayed = Transcript::parse(&source)
            .and_then(|transcript| transcript.replay_in_every_way())
            .unwrap_or_else(|fault| panic!("{context}: {fault}"));
        let expected = format!("S: {}", row.reply);
        assert!(
            replayed.outputs.contains(&expected),
            "{context}: no {expected:?} in {:#?}",
            replayed.outputs
        );
    }
}
