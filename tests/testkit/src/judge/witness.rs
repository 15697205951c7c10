//! What the doubles of files and sockets saw the driver do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ftp_proto::{Action, DataEvent, Outcome};

use super::rules::Rule;

/// Takes the reports of a test's doubles of files and sockets, and of the test itself. Clones
/// report to the same [`Judge`](super::Judge); a report that shows a broken [`Rule`] panics at
/// once, in the driver's own call.
///
/// ```
/// use std::io::{self, Write};
/// use ftp_proto_testkit::Witness;
///
/// /// A file in memory, which a test gives to the driver.
/// struct MemoryFile {
///     content: Vec<u8>,
///     witness: Witness,
/// }
///
/// impl Write for MemoryFile {
///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
///         self.witness.file_changed();
///         self.content.write(bytes)
///     }
///
///     fn flush(&mut self) -> io::Result<()> {
///         Ok(())
///     }
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// A transfer was opened, and its data connection does not exist.
    is_only_opened: bool,
    data_connections: usize,
    bytes_moved: u64,
    /// StartTls was requested: the control connection carries TLS from now on.
    is_protected: bool,
}

impl Witness {
    /// The driver changes a file for a transfer: it truncates it, writes to it, or replaces it.
    #[track_caller]
    pub fn file_changed(&self) {
        let is_early = self.seen().is_only_opened;
        if is_early {
            Rule::ChangeNothingAtOpenTransfer.broken("no data connection exists");
        }
    }

    /// A data connection of the session is open now.
    pub fn data_opened(&self) {
        self.seen().data_connections += 1;
    }

    /// The driver has closed a data connection.
    pub fn data_closed(&self) {
        let mut seen = self.seen();
        seen.data_connections = seen.data_connections.saturating_sub(1);
    }

    /// The driver has sent or received this number of bytes over a data connection.
    pub fn data_moved(&self, bytes: u64) {
        self.seen().bytes_moved += bytes;
    }

    /// The driver has sent or received bytes on the control connection in clear text.
    #[track_caller]
    pub fn control_in_clear_text(&self) {
        let is_protected = self.seen().is_protected;
        if is_protected {
            Rule::NoClearTextAfterStartTls.broken("the double of the control connection saw it");
        }
    }

    /// `is_connected`: the data connection exists already.
    pub(super) fn note_action(&self, action: &Action, is_connected: bool) {
        let mut seen = self.seen();
        match action {
            Action::OpenTransfer(_) => {
                seen.is_only_opened = true;
                seen.bytes_moved = 0;
            }
            Action::StartTransfer(_) | Action::StartProtectedTransfer(_) => {
                seen.is_only_opened = !is_connected;
            }
            Action::AbortTransfer(_) => seen.is_only_opened = false,
            Action::StartTls => seen.is_protected = true,
            _ => {}
        }
    }

    pub(super) fn note_event(&self, event: DataEvent) {
        if let DataEvent::Connected(_) | DataEvent::Progress(_) = event {
            self.seen().is_only_opened = false;
        }
    }

    pub(super) fn note_outcome(&self, outcome: &Outcome) {
        let mut seen = self.seen();
        match outcome {
            Outcome::TransferEnded { .. } => {
                seen.is_only_opened = false;
                seen.bytes_moved = 0;
            }
            Outcome::TransferOpened(Err(_)) => seen.is_only_opened = false,
            _ => {}
        }
    }

    /// All bytes that the doubles saw are in the driver's last report.
    #[track_caller]
    pub(super) fn check_reported(&self, reported: Option<u64>) {
        let moved = self.seen().bytes_moved;
        if let Some(reported) = reported
            && reported < moved
        {
            Rule::ReportProgress.broken(format_args!("{moved} bytes moved, {reported} reported"));
        }
    }

    #[track_caller]
    pub(super) fn check_success(&self) {
        let open = self.seen().data_connections;
        if open > 0 {
            Rule::CloseDataBeforeSuccess.broken("the double of the connection is open");
        }
    }

    /// A panic of a rule must not become another one elsewhere.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
