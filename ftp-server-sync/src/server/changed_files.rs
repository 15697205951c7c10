//! Files that are taken when they change: certificates, users, public addresses.
//!
//! Nothing in this file waits for a disk: what may is done by a [thread](super::file_looks).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use ftp_proto::text::printable_word;
use log::{debug, info, warn};

use super::Server;
use super::file_looks::{FilesToSee, LookEnd, Seen};
use crate::logging::system_text::SystemText;
use crate::settings::Settings;
use crate::settings::watched_files::WatchedFiles;

impl Server {
    /// Has the files looked at that are due.
    pub(super) fn look_at_files(&mut self, now: Instant) {
        self.warn_of_look(now);
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if self.looks.running.is_some() || !is_due(self.files_due()) {
            return;
        }
        let copy = |files: &WatchedFiles| is_due(files.next_check()).then(|| files.clone());
        let files = FilesToSee {
            current: self.state.current(),
            certificate: copy(&self.certificate),
            users: copy(&self.users_file),
            addresses: self.address_files.due(now),
        };
        self.looks.pause_end = None;
        let warn_at = now + WARN_AFTER;
        if let Err(error) = self.looks.start(files, self.handle.clone(), warn_at) {
            debug!(
                "cannot look for changes of files now, trying again: {}",
                SystemText(&error)
            );
            self.looks.pause_end = Some(now + PAUSE);
        }
    }

    /// When [`look_at_files`](Self::look_at_files) has something to do.
    pub(super) fn files_due(&self) -> Option<Instant> {
        if let Some(running) = &self.looks.running {
            return running.warn_at;
        }
        let checks = [
            self.certificate.next_check(),
            self.users_file.next_check(),
            self.address_files.next_check(),
        ];
        let check = checks.into_iter().flatten().min()?;
        Some(self.looks.pause_end.map_or(check, |end| end.max(check)))
    }

    /// A look has ended, or perhaps one before it.
    pub(super) fn on_files_seen(&mut self) {
        let now = Instant::now();
        let had_line = (self.looks.running.as_ref()).is_some_and(|look| look.warn_at.is_none());
        match self.looks.take() {
            LookEnd::NotYet => return,
            LookEnd::Done(seen) => self.take_files(seen, now),
            LookEnd::Nothing => self.looks.pause_end = Some(now + PAUSE),
        }
        if had_line {
            info!("changes of files are noticed again, as each of them answers");
        }
    }

    fn take_files(&mut self, seen: Seen, now: Instant) {
        if let Some(seen) = seen.certificate {
            self.update_certificate(seen, now);
        }
        if let Some(states) = seen.users {
            self.update_users(states, now);
        }
        for result in self.address_files.take_seen(seen.addresses, now) {
            self.on_resolved(result);
        }
    }

    /// Logs, once, which file a look waits for.
    fn warn_of_look(&mut self, now: Instant) {
        let Some(running) = &mut self.looks.running else {
            return;
        };
        if running.warn_at.take_if(|at| now >= *at).is_none() {
            return;
        }
        let file = self.looks.visited();
        let flag = flag_of(&self.state.current().settings, &file);
        warn!(
            "no change of a certificate, of --users or of a file with a public address is noticed \
             until {flag} {} answers: see whether its disk does, or unmount it; clients are served \
             as before",
            printable_word(file.as_os_str().as_bytes())
        );
    }
}

/// The flag that names a file which is looked at.
fn flag_of(settings: &Settings, file: &Path) -> &'static str {
    let mut certificates = settings.tls.iter().flat_map(|tls| &tls.certificates);
    if settings.users_file.as_deref() == Some(file) {
        "--users"
    } else if certificates.clone().any(|files| files.chain == file) {
        "--certfile"
    } else if certificates.any(|files| files.key == file) {
        "--keyfile"
    } else if settings.address_files().any(|address| address == file) {
        "the file of a public address"
    } else {
        "--client-ca"
    }
}

/// A disk that has to start needs some seconds.
const WARN_AFTER: Duration = Duration::from_secs(10);

/// After a look that saw nothing.
const PAUSE: Duration = Duration::from_secs(2);
