//! The rules for timers that hold in every session.

use ftp_proto::{Timeout, TimeoutKind, TransferId};

/// The last known epoch of each timer, and whether it may have changed since.
#[derive(Default)]
pub(super) struct Epochs {
    login: Option<u64>,
    data_open: Option<u64>,
    /// The transfer and its epoch.
    data_stall: Option<(TransferId, u64)>,
    pub(super) login_renewed: bool,
    pub(super) data_open_renewed: bool,
    pub(super) seen: Vec<Timeout>,
}

impl Epochs {
    /// Checks that the timer fits the state of the session, and that it was not extended if it must
    /// not be.
    pub(super) fn check(&mut self, timeout: Timeout, logged_in: bool, running: Option<TransferId>) {
        match timeout.kind {
            TimeoutKind::Login => {
                assert!(!logged_in);
                if let Some(before) = self.login.replace(timeout.epoch) {
                    assert_eq!(before != timeout.epoch, self.login_renewed);
                }
                self.login_renewed = false;
            }
            TimeoutKind::DataOpen => {
                assert!(logged_in);
                let renewed = self.data_open != Some(timeout.epoch);
                assert_eq!(renewed, self.data_open_renewed, "{timeout:?}");
                self.data_open_renewed = false;
                self.data_open = Some(timeout.epoch);
            }
            TimeoutKind::Flush => assert!(running.is_none() || !logged_in),
            TimeoutKind::Idle => assert!(running.is_none(), "idle in a transfer"),
            TimeoutKind::DataStall => {
                let running = running.expect("stalled without a transfer");
                let now = (running, timeout.epoch);
                if let Some(before) = self.data_stall.replace(now) {
                    let renewed = before.0 == now.0 || before.1 != now.1;
                    assert!(renewed, "the timer of a transfer continues that of another");
                }
            }
            kind => panic!("an unknown timer, {kind:?}"),
        }
        if self.seen.last() != Some(&timeout) {
            self.seen.push(timeout);
        }
    }
}
