//! What SIGUSR1 asks for: the state of the server, in the log.

use std::time::Instant;

use log::info;

use super::Server;
use crate::accounts::login_throttle::whole_seconds;
use crate::logging::counted::counted;
use crate::status::snapshot::{Activity, SessionStatus, TransferStatus};

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
        for session in self.state.records.read() {
            info!("{}", line(&session));
        }
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

/// The age of a session and what it does. Programs split the line at spaces and at `: `.
fn line(session: &SessionStatus) -> String {
    let (user, login) = match session.user.as_deref() {
        Some("-") => ("\\x2d".to_owned(), ""),
        Some(user) => (user.replace(' ', "\\x20"), ""),
        None => ("-".to_owned(), "not logged in, "),
    };
    format!(
        "#{} {user}@{} from port {}, {login}for {:.0} s: {}",
        session.number,
        session.client.ip(),
        session.client.port(),
        session.age_seconds.floor(),
        activity(&session.activity)
    )
}

fn activity(activity: &Activity) -> String {
    match activity {
        Activity::Login | Activity::Idle => "idle".to_owned(),
        Activity::WaitingForPort { seconds } => {
            format!("waiting for a passive port for {:.0} s", seconds.floor())
        }
        Activity::WaitingForConnection { port } => {
            format!("waiting for a connection to port {port}")
        }
        Activity::Connected => "connected for a transfer".to_owned(),
        Activity::Transfer(status) => transfer(status),
        Activity::Working { command } => command.clone(),
    }
}

fn transfer(status: &TransferStatus) -> String {
    let TransferStatus {
        command,
        offset,
        bytes,
        ..
    } = status;
    let path = status.path.replace(": ", ":\\x20");
    let from = match offset {
        0 => String::new(),
        _ => format!(" from {offset}"),
    };
    if !status.is_connected {
        return format!("{command} {path}{from}, waiting for the data connection");
    }
    let part = match status.size {
        Some(size) if size > 0 => {
            let done = u128::from(offset.saturating_add(*bytes)) * 100 / u128::from(size);
            format!(", {} % of {size}", done.min(100))
        }
        _ => String::new(),
    };
    format!("{command} {path}{from}, {bytes} bytes so far{part}")
}

/// Blocked addresses in a report.
const BLOCKED_LOGGED_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::snapshot::Direction;

    fn session(user: Option<&str>, activity: Activity) -> SessionStatus {
        SessionStatus {
            number: 17,
            client: "198.51.100.7:4711".parse().unwrap(),
            local: "192.168.77.2:21".parse().unwrap(),
            user: user.map(str::to_owned),
            tls: None,
            age_seconds: 61.9,
            quiet_seconds: 1.0,
            activity,
            announced: None,
        }
    }

    #[test]
    fn a_line_has_what_the_log_calls_the_session() {
        let waiting = Activity::WaitingForPort { seconds: 2.7 };
        assert_eq!(
            line(&session(Some("bob"), waiting)),
            "#17 bob@198.51.100.7 from port 4711, for 61 s: waiting for a passive port for 2 s"
        );
        let blank = line(&session(Some("camera 2"), Activity::Idle));
        assert!(
            blank.starts_with("#17 camera\\x202@198.51.100.7 "),
            "{blank}"
        );
        let dash = line(&session(Some("-"), Activity::Idle));
        assert!(dash.starts_with("#17 \\x2d@198.51.100.7 "), "{dash}");
        assert_eq!(
            line(&session(None, Activity::Login)),
            "#17 -@198.51.100.7 from port 4711, not logged in, for 61 s: idle"
        );
    }

    #[test]
    fn a_transfer_has_its_size_and_how_much_of_it_is_done() {
        let mut status = TransferStatus {
            command: "RETR".to_owned(),
            path: "/big".to_owned(),
            direction: Direction::Download,
            is_connected: false,
            is_protected: false,
            passive_port: None,
            offset: 0,
            bytes: 0,
            size: Some(1000),
            seconds: 0.0,
            rate: 0.0,
            seconds_left: None,
        };
        let waits = "RETR /big, waiting for the data connection";
        assert_eq!(transfer(&status), waits);
        status.path = "/a: b".to_owned();
        assert!(transfer(&status).starts_with("RETR /a:\\x20b, "));
        status.path = "/big".to_owned();
        (status.is_connected, status.bytes) = (true, 459);
        let half = "RETR /big, 459 bytes so far, 45 % of 1000";
        assert_eq!(transfer(&status), half);
        status.offset = 500;
        let more = "RETR /big from 500, 459 bytes so far, 95 % of 1000";
        assert_eq!(transfer(&status), more);
        status.size = None;
        assert_eq!(transfer(&status), "RETR /big from 500, 459 bytes so far");
        status.size = Some(0);
        assert_eq!(transfer(&status), "RETR /big from 500, 459 bytes so far");
    }
}
