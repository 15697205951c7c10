//! The transcripts that make sense with a real server, and the files that each needs.
//!
//! Missing are those in which a driver has a fault of its own, waits for a timer, has other
//! settings, or finds what no client can create.

/// A transcript and what is in the directory when it begins.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) directories: &'static [&'static str],
    /// Of 900 bytes each.
    pub(super) files: &'static [&'static str],
    /// Too long to be sent before the client has read something.
    pub(super) big_files: &'static [&'static str],
}

const fn new(name: &'static str) -> Scenario {
    Scenario {
        name,
        directories: &[],
        files: &[],
        big_files: &[],
    }
}

impl Scenario {
    const fn directories(self, directories: &'static [&'static str]) -> Self {
        Self {
            directories,
            ..self
        }
    }

    const fn files(self, files: &'static [&'static str]) -> Self {
        Self { files, ..self }
    }

    const fn big_files(self, big_files: &'static [&'static str]) -> Self {
        Self { big_files, ..self }
    }
}

pub(super) const ALL: &[Scenario] = &[
    new("abor-during-retr").big_files(&["/big"]),
    new("abor-idle").files(&["/file"]),
    new("abor-pipelined-transfers").big_files(&["/one"]),
    new("abor-twice").big_files(&["/big"]),
    new("abor-waiting-for-client").files(&["/file"]),
    new("abor-with-argument").big_files(&["/file"]),
    new("before-login"),
    new("clnt-and-lang"),
    new("epsv-all"),
    new("file-errors-come-first").files(&["/short"]),
    new("foreign-http-logged-in"),
    new("held-lines-limit").big_files(&["/big"]),
    new("host"),
    new("line-too-long"),
    new("missing-file-no-150").files(&["/there"]),
    new("noop-then-abor").big_files(&["/big"]),
    new("not-logged-in"),
    new("parameters"),
    new("pasv-twice"),
    new("pipelined-transfers")
        .files(&["/three"])
        .big_files(&["/one"]),
    new("quit-held-by-transfer").big_files(&["/big"]),
    new("rest-not-allowed").files(&["/file"]),
    new("rest-retr").files(&["/file"]),
    new("rest-stor").files(&["/file"]),
    new("status-in-transfer")
        .directories(&["/pub"])
        .big_files(&["/big"]),
    new("unknown-commands"),
    new("login"),
    new("bad-arguments"),
    new("facts").directories(&["/dir"]).files(&["/file"]),
];
