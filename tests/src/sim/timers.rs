//! What must hold of the timer that runs, whatever happens.

use ftp_proto::{Timeout, TimeoutKind, TransferId};

use super::Sim;

/// What the timers' epochs were when they were last seen, and whether they may have changed since.
#[derive(Default)]
pub(super) struct Epochs {
    login: Option<u64>,
    data_open: Option<u64>,
    /// Of which transfer, and when.
    data_stall: Option<(TransferId, u64)>,
    pub(super) login_renewed: bool,
    pub(super) data_open_renewed: bool,
    pub(super) seen: Vec<Timeout>,
}

impl Sim {
    /// The timer fits what is going on, and nobody has extended what must not be extended.
    pub(super) fn check_timer(&mut self) {
        let logged_in = self.session.user().is_some();
        let Some(timeout) = self.session.poll_timeout() else {
            return;
        };
        let epochs = &mut self.epochs;
        match timeout.kind {
            TimeoutKind::Login => {
                assert!(!logged_in);
                if let Some(before) = epochs.login.replace(timeout.epoch) {
                    assert_eq!(before != timeout.epoch, epochs.login_renewed);
                }
                epochs.login_renewed = false;
            }
            TimeoutKind::DataOpen => {
                assert!(logged_in && !self.closing);
                let renewed = epochs.data_open != Some(timeout.epoch);
                assert_eq!(renewed, epochs.data_open_renewed, "{timeout:?}");
                epochs.data_open_renewed = false;
                epochs.data_open = Some(timeout.epoch);
            }
            TimeoutKind::Idle => assert!(self.running.is_none(), "idle in a transfer"),
            TimeoutKind::DataStall => {
                let running = self.running.as_ref().expect("stalled without transfer");
                let now = (running.id, timeout.epoch);
                if let Some(before) = epochs.data_stall.replace(now) {
                    let renewed = before.0 == now.0 || before.1 != now.1;
                    assert!(renewed, "a transfer inherits the time of another");
                }
            }
        }
        if epochs.seen.last() != Some(&timeout) {
            epochs.seen.push(timeout);
        }
    }
}
