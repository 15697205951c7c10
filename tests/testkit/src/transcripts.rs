//! The recorded sessions of this crate, as data. A new one must be added to the list.

/// A recorded session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recording {
    /// The name of its file without the ending.
    pub name: &'static str,
    /// The text; [`Transcript`](crate::transcript::Transcript) describes the form.
    pub text: &'static str,
}

/// All recorded sessions, in the order of their names.
///
/// ```
/// use ftp_proto_testkit::transcript::Transcript;
///
/// for recording in ftp_proto_testkit::transcripts() {
///     let transcript = Transcript::parse(recording.text)?;
///     let replayed = transcript.replay_in_every_way()?;
///     assert_eq!(replayed.text, recording.text, "{}", recording.name);
/// }
/// # Ok::<(), String>(())
/// ```
pub fn transcripts() -> impl ExactSizeIterator<Item = Recording> + Clone {
    ALL.iter().map(|&(name, text)| Recording { name, text })
}

/// The text of the transcript with this name.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    let found = ALL.binary_search_by_key(&name, |(name, _)| name).ok()?;
    Some(ALL[found].1)
}

macro_rules! recordings {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../transcripts/", $name, ".txt")))),*]
    };
}

const ALL: &[(&str, &str)] = recordings!(
    "abor-after-the-end"
    "abor-during-retr"
    "abor-idle"
    "abor-pipelined-transfers"
    "abor-telnet"
    "abor-twice"
    "abor-waiting-for-client"
    "abor-waiting-for-port"
    "abor-when-port-is-free"
    "abor-with-argument"
    "account-changes"
    "account-withdrawn"
    "active-mode"
    "active-mode-behind-another-nat"
    "active-mode-connected-late"
    "active-mode-gateway-of-others"
    "active-mode-local-client"
    "active-mode-private-address"
    "active-mode-private-address-ipv6"
    "active-mode-private-client"
    "active-mode-through-gateway"
    "address-blocked"
    "appe"
    "appe-rest"
    "ascii-never"
    "ascii-requested"
    "ascii-rfc959"
    "auth-tls"
    "auth-tls-fails"
    "auth-tls-in-transfer"
    "auth-tls-injection"
    "auth-tls-injection-line-by-line"
    "auth-tls-offered-in-transfer"
    "auth-tls-timeout"
    "bad-arguments"
    "banner"
    "before-login"
    "checksum-names"
    "clnt-and-lang"
    "data-connected-early"
    "data-lost"
    "data-never-opened"
    "data-never-opened-in-transfer"
    "data-open-during-file-request"
    "denied-commands"
    "denied-commands-in-transfer"
    "denied-commands-later"
    "denied-commands-tls"
    "disk-full"
    "empty-lines"
    "eof-after-abor"
    "eof-after-quit"
    "eof-after-quit-before-upload"
    "eof-after-quit-waiting-for-client"
    "eof-after-quit-waiting-for-port"
    "eof-between-transfers"
    "eof-connecting-to-client"
    "eof-during-transfer"
    "eof-during-upload"
    "eof-in-a-stalled-upload"
    "eof-waiting-for-client"
    "eof-waiting-for-port"
    "eof-while-an-upload-opens"
    "epsv-all"
    "facts"
    "file-errors-come-first"
    "files"
    "foreign-address-permitted"
    "foreign-http"
    "foreign-http-header"
    "foreign-http-in-tls"
    "foreign-http-logged-in"
    "foreign-proxy"
    "foreign-proxy-binary"
    "foreign-proxy-binary-in-pieces"
    "foreign-ssh"
    "foreign-tls"
    "hash"
    "hash-abort"
    "hash-abort-held"
    "hash-eof"
    "hash-not-offered"
    "hash-other-names"
    "hash-quit"
    "hash-range"
    "hash-refused"
    "held-lines-limit"
    "help"
    "help-digests"
    "home"
    "host"
    "idle-timeout"
    "kick-during-transfer"
    "last-replies-not-read"
    "line-too-long"
    "line-too-long-in-transfer"
    "listing-entries"
    "listings"
    "login"
    "login-attempts-exhausted"
    "login-timeout"
    "login-timeout-while-checking"
    "lost-after-eof"
    "lost-after-eof-and-quit"
    "lost-after-quit"
    "lost-during-upload"
    "lost-in-a-stalled-upload"
    "lost-while-idle"
    "mfmt"
    "missing-file-no-150"
    "never-connected-by-giving-up"
    "never-connected-local-client"
    "never-connected-not-forwarded"
    "never-connected-over-ipv6"
    "never-connected-private-address"
    "no-other-login-auth"
    "no-other-login-rein"
    "no-other-login-user"
    "noop-then-abor"
    "not-logged-in"
    "parameters"
    "pasv-behind-nat"
    "pasv-config-changes"
    "pasv-local-client"
    "pasv-map-dual-stack"
    "pasv-mapped-port"
    "pasv-no-port-free"
    "pasv-on-ipv6"
    "pasv-twice"
    "pasv-waits-for-port"
    "path-limits"
    "paths-above-root"
    "pipelined-transfers"
    "port-bounce-refused"
    "port-withdrawn"
    "progress-implies-connected"
    "quit-held-by-transfer"
    "quit-waiting-for-port"
    "range"
    "read-only"
    "refused"
    "rename"
    "rest-not-allowed"
    "rest-retr"
    "rest-stor"
    "rights"
    "setup-refused"
    "setup-refused-on-ipv6"
    "share-unavailable"
    "shutdown-during-handshake"
    "shutdown-during-transfer"
    "site"
    "space"
    "status-in-transfer"
    "stou"
    "stranger-on-the-data-port"
    "times"
    "times-read-only"
    "tls-control-required"
    "tls-control-required-later"
    "tls-data-connected-early"
    "tls-data-fails"
    "tls-data-required"
    "tls-implicit"
    "tls-implicit-fails"
    "tls-protected-implies-connected"
    "tls-required-of-user"
    "too-many-sessions"
    "transfer-results"
    "transfer-stalls"
    "unknown-commands"
    "upload-kept"
    "upload-limits"
    "upload-quota"
    "wrong-order"
);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn every_file_is_listed() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
        let files = fs::read_dir(directory).expect("the transcripts");
        let files = files.map(|file| file.expect("a file").path());
        let stem = |path: PathBuf| Some(path.file_stem()?.display().to_string());
        let mut files: Vec<String> = files.filter_map(stem).collect();
        files.sort();
        let listed: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, files);
        assert!(ALL.is_sorted());
        assert!(find("login").is_some_and(|text| text.contains("530 Login incorrect.")));
    }
}
