//! What SIGUSR1 asks for: the state of the server, in the log.

use std::time::Instant;

use log::info;

use super::Server;
use crate::accounts::login_throttle::whole_seconds;
use crate::logging::counted::counted;
use crate::session::SessionCommand;

impl Server {
    pub(super) fn log_report(&self) {
        for line in self.addresses.report() {
            info!("{line}");
        }
        for line in self.mapper.report() {
            info!("{line}");
        }
        info!("{}", counted(self.sessions.count() as u64, "session"));
        self.log_blocked();
        for line in self.state.never_connected.report() {
            info!("{line}");
        }
        self.sessions.send_all(SessionCommand::Report);
    }

    fn log_blocked(&self) {
        let rules = self.state.current().settings.login_rules();
        let blocked = self.state.login_throttle.blocked(rules, Instant::now());
        for (network, time) in blocked.iter().take(BLOCKED_LOGGED_MAX) {
            let seconds = whole_seconds(*time);
            info!("{network} is blocked for {seconds} s more, after failed logins");
        }
        let more = blocked.len().saturating_sub(BLOCKED_LOGGED_MAX);
        if more > 0 {
            info!("{more} further addresses are blocked, after failed logins");
        }
    }
}

/// Blocked addresses in a report.
const BLOCKED_LOGGED_MAX: usize = 100;
