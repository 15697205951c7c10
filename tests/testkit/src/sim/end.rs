//! The ends of the control connection, and what must follow from them.

use ftp_proto::Account;

use super::{Question, Sim};
use crate::text::show;

impl Sim {
    /// The client has ended its sending side; it may still read.
    pub fn eof(&mut self) {
        let goes_on = self.has_ended
            || self.outlives_loss()
            || (self.is_uploading() && !self.awaits_client());
        let closes = self.session.is_closed() || !goes_on;
        self.has_ended = true;
        self.session.handle_eof();
        self.drain();
        assert_eq!(self.session.is_closed(), closes, "{}", self.log.join("\n"));
    }

    /// The control connection is gone in both directions.
    pub fn connection_lost(&mut self) {
        let goes_on = self.outlives_loss() || (self.is_uploading() && !self.awaits_client());
        let closes = self.session.is_closed() || !goes_on;
        self.has_ended = true;
        self.session.handle_connection_lost();
        self.drain();
        assert_eq!(self.session.is_closed(), closes, "{}", self.log.join("\n"));
    }

    /// The server stops.
    pub fn shutdown(&mut self) {
        self.session.handle_shutdown();
        self.drain();
        assert!(self.session.is_closed());
    }

    /// The operator ends the session.
    pub fn kick(&mut self) {
        self.session.handle_kick();
        self.drain();
        assert!(self.session.is_closed());
    }

    /// The account has other rights from now on.
    pub fn set_account(&mut self, account: Account) {
        self.account = account.clone();
        self.session.handle_account(account);
    }

    /// The account is not valid any more.
    pub fn withdraw_account(&mut self) {
        self.session.handle_account_withdrawn();
        self.drain();
        assert!(self.session.is_closed());
    }

    /// The session has used this line.
    pub(super) fn note_quit(&mut self, line: &[u8]) {
        let has_quit = self.session.has_quit();
        let begins_anew = has_quit && !self.has_quit;
        let word = |word: &[u8]| word.eq_ignore_ascii_case(b"QUIT");
        assert!(
            !begins_anew || line.windows(4).any(word),
            "no QUIT: {}",
            show(line)
        );
        // The header of another protocol may contain one.
        let is_ftp = self.session.foreign_protocol().is_none();
        assert!(
            has_quit || !is_ftp || !word(without_line_end(line)),
            "a QUIT is lost"
        );
        assert!(has_quit || !self.has_quit, "a QUIT is forgotten");
        self.has_quit = has_quit;
    }

    /// After its end the session goes on only while there is work.
    pub(super) fn check_end(&self) {
        if !self.has_ended {
            return;
        }
        assert!(!self.session.wants_input());
        let is_busy = self.running.is_some() || self.question.is_some();
        assert!(
            self.session.is_closed() || is_busy,
            "nothing is left to do\n{}",
            self.log.join("\n")
        );
    }

    fn outlives_loss(&self) -> bool {
        self.has_quit && (self.is_uploading() || !self.awaits_client())
    }

    /// Whether an upload is opened or runs.
    fn is_uploading(&self) -> bool {
        let is_opening = matches!(self.question, Some(Question::Transfer(_)));
        self.is_upload && (is_opening || self.running.is_some())
    }

    /// Whether a transfer waits for the client to connect.
    fn awaits_client(&self) -> bool {
        let is_opening = matches!(self.question, Some(Question::Transfer(_)));
        match &self.running {
            Some(running) => running.passive && !running.connected && !running.aborted,
            None => is_opening && self.listening.is_some(),
        }
    }
}

/// The line as the session reads it. Any further CR is a part of the verb.
fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
