//! What a session reports to the operator's hooks: when, and with which variables.
//!
//! A session only adds a run to a queue, which never waits. It starts no process.

use std::ffi::OsString;
use std::fmt::Display;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::time::Instant;

use ftp_proto::text::printable_word;
use ftp_proto::{FileRequest, FtpPath, Kept, TransferError, TransferKind, TransferRequest};
use log::Level;

use super::connection::Connection;
use super::hook_queue::{HookRun, WAITING_MAX};
use super::reported_login::ReportedLogin;
use super::transfer_facts::TransferFacts;
use crate::accounts::anonymous::{ANONYMOUS, is_anonymous};
use crate::fs::tree::session::SessionTree;
use crate::logging::repeated::Event;
use crate::settings::HookKind;

/// What a run gets besides the variables of every run.
struct Variables<'a> {
    /// What the client sees.
    tree: &'a SessionTree,
    list: Vec<(String, OsString)>,
}

impl Connection {
    /// The user has logged in.
    #[inline(never)]
    pub(super) fn report_login(&mut self, user: &[u8], now: Instant) {
        self.report_logout(now);
        let user = if is_anonymous(user) {
            ANONYMOUS.as_bytes()
        } else {
            user
        };
        self.reported_login = Some(ReportedLogin {
            user: user.to_vec(),
            since: now,
        });
        self.report("login", |_| {});
    }

    /// The user has logged out, or the session ends, if that is not reported yet.
    #[inline(never)]
    pub(super) fn report_logout(&mut self, now: Instant) {
        if let Some(login) = &self.reported_login {
            let time = now.saturating_duration_since(login.since);
            self.report("logout", |variables| {
                variables.add_seconds(time.as_secs_f64())
            });
            self.reported_login = None;
        }
    }

    /// The client has changed something.
    pub(super) fn report_change(&self, request: &FileRequest) {
        let (event, path) = match request {
            FileRequest::MakeDirectory { path, .. } => ("mkdir", path),
            FileRequest::RemoveDirectory(path) => ("rmdir", path),
            FileRequest::DeleteFile(path) => ("delete", path),
            FileRequest::Rename { from, to, .. } => {
                return self.report("rename", |variables| {
                    variables.add_path("", to);
                    variables.add_path("OLD_", from);
                });
            }
            _ => return,
        };
        self.report(event, |variables| variables.add_path("", path));
    }

    /// A transfer has ended, and its reply is decided.
    pub(super) fn report_transfer(
        &self,
        request: &TransferRequest,
        facts: &TransferFacts,
        result: Result<(), TransferError>,
    ) {
        let (event, path) = match (&request.kind, &facts.target) {
            (TransferKind::Retrieve { path, .. }, _) => ("download", path),
            (TransferKind::Store { .. }, Some(path)) => ("upload", path),
            _ => return,
        };
        let kept = facts.upload_end.as_ref().map(|end| end.kept);
        let outcome = match (result, event, kept) {
            (Ok(()), ..) => "complete",
            (Err(_), "download", _) | (_, _, Some(Kept::Bytes(_))) => "incomplete",
            _ => "failed",
        };
        let fill = |variables: &mut Variables<'_>| {
            variables.add_path("", path);
            variables.add("RESULT", outcome);
            variables.add("BYTES", facts.bytes.to_string());
            variables.add_seconds(facts.moving.unwrap_or_default().as_secs_f64());
        };
        if event == "upload" && outcome != "failed" {
            self.start(HookKind::Upload, event, fill);
        }
        self.report(event, fill);
    }

    /// A command was refused, by this reply.
    #[inline(never)]
    pub(super) fn report_refusal(&self, command: String, reply: &[u8]) {
        let first = reply.split(|&byte| byte == b'\r').next().unwrap_or(reply);
        self.report("refused", |variables| {
            variables.add("COMMAND", command);
            variables.add("REPLY", value(first));
        });
    }

    fn report(&self, event: &'static str, fill: impl FnOnce(&mut Variables<'_>)) {
        self.start(HookKind::Event, event, fill);
    }

    /// Has the hook run, if there is one.
    fn start(&self, kind: HookKind, event: &'static str, fill: impl FnOnce(&mut Variables<'_>)) {
        let hooks = &self.current.settings.hooks;
        let (Some(program), Some(login)) = (hooks.program(kind), &self.reported_login) else {
            return;
        };
        let number = self.name.number();
        let mut variables = Variables {
            tree: &self.tree,
            list: Vec::new(),
        };
        variables.add("EVENT", event);
        variables.add("SESSION", number.to_string());
        variables.add("CLIENT_ADDRESS", self.name.client().to_string());
        variables.add("USER", value(&login.user));
        fill(&mut variables);
        let run = HookRun {
            program: program.to_owned(),
            subject: format!("{event} of #{number}"),
            variables: variables.list,
            time_limit: hooks.time_limit,
        };
        let subject = run.subject_and_path();
        if !self.server.hooks.of(kind).push(run) {
            self.log_left_out(kind, program, &subject);
        }
    }

    fn log_left_out(&self, kind: HookKind, program: &Path, subject: &dyn Display) {
        let flag = kind.flag();
        let program = printable_word(program.as_os_str().as_bytes());
        let line = format_args!(
            "{flag} {program} does not run for {subject}: {WAITING_MAX} runs wait already, or it \
             can run no more"
        );
        let name = format!("events for which {flag} does not run");
        let event = Event::new(name, Level::Warn).by(self.name.client());
        self.server.events.on_event(event, Instant::now(), line);
    }
}

/// Each login has its logout, however the session ends.
impl Drop for Connection {
    fn drop(&mut self) {
        self.report_logout(Instant::now());
    }
}

impl Variables<'_> {
    fn add(&mut self, name: &str, value: impl Into<OsString>) {
        self.list.push((format!("FTP_{name}"), value.into()));
    }

    /// A path as the client names it, and the file on the disk.
    fn add_path(&mut self, prefix: &str, path: &FtpPath) {
        self.add(&format!("{prefix}PATH"), value(path.as_bytes()));
        let file = self.tree.disk_path(path);
        self.add(&format!("{prefix}FILE"), file);
    }

    fn add_seconds(&mut self, seconds: f64) {
        self.add("SECONDS", format!("{seconds:.3}"));
    }
}

/// Bytes from the network: a variable cannot have a NUL byte.
fn value(bytes: &[u8]) -> OsString {
    let bytes = bytes
        .iter()
        .map(|&byte| if byte == 0 { b'?' } else { byte });
    OsString::from_vec(bytes.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fs::share::Share;

    #[test]
    fn a_path_is_that_of_the_client_and_that_on_the_disk() {
        let path = |text: &[u8]| FtpPath::parse(text).expect("a path");
        let share = |directory: &str| Share::open_later(Path::new(directory), Arc::default());
        let mounts = vec![(path(b"/m"), share("/srv/music"))];
        let tree = SessionTree::with_mounts(share("/srv/ftp"), mounts);
        let mut variables = Variables {
            tree: &tree,
            list: Vec::new(),
        };
        for (prefix, text) in [("", &b"/a b/\xff'"[..]), ("OLD_", b"/c"), ("M_", b"/m/d/e")] {
            variables.add_path(prefix, &path(text));
        }
        let found = variables.list.iter().map(|(name, value)| {
            let value = value.as_bytes().escape_ascii();
            format!("{name}={value}")
        });
        assert_eq!(
            found.collect::<Vec<_>>(),
            [
                r"FTP_PATH=/a b/\xff\'",
                r"FTP_FILE=/srv/ftp/a b/\xff\'",
                "FTP_OLD_PATH=/c",
                "FTP_OLD_FILE=/srv/ftp/c",
                "FTP_M_PATH=/m/d/e",
                "FTP_M_FILE=/srv/music/d/e",
            ]
        );
    }

    #[test]
    fn a_value_has_no_nul() {
        assert_eq!(
            value(b"SITE \0\xff"),
            OsString::from_vec(b"SITE ?\xff".to_vec())
        );
    }
}
