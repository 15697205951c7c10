//! The columns of the table: how wide each one is, for these sessions and this terminal.

use super::text::{cut_middle, left, right, width};
use crate::status::snapshot::SessionStatus;

/// The widths of the columns that stand before what a session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    number: usize,
    user: usize,
    client: usize,
    tls: usize,
    age: usize,
    /// What is left for what the session does.
    pub(super) activity: usize,
}

/// One row before it has its widths.
pub(super) struct Row {
    pub(super) number: String,
    pub(super) user: String,
    pub(super) client: String,
    pub(super) tls: String,
    pub(super) age: String,
}

impl Row {
    pub(super) fn heading() -> Self {
        Self {
            number: "NO".to_owned(),
            user: "USER".to_owned(),
            client: "CLIENT".to_owned(),
            tls: "TLS".to_owned(),
            age: "AGE".to_owned(),
        }
    }

    pub(super) fn of(session: &SessionStatus) -> Self {
        let tls = session.tls.as_deref();
        let tls = tls.map(|version| version.strip_prefix("TLS ").unwrap_or(version));
        Self {
            number: format!("#{}", session.number),
            user: session.user.clone().unwrap_or_else(|| ABSENT.to_owned()),
            client: session.client.ip().to_canonical().to_string(),
            tls: tls.unwrap_or(ABSENT).to_owned(),
            age: super::text::time(session.age_seconds),
        }
    }
}

impl Columns {
    /// Narrow terminals cut long names and IPv6 addresses, so that there is room for paths.
    pub(super) fn new(rows: &[Row], terminal: usize) -> Self {
        let widest = |text: fn(&Row) -> &String| {
            let widths = rows.iter().map(|row| width(text(row)));
            widths.max().unwrap_or(0)
        };
        let (user_max, client_max) = match terminal {
            0..80 => (8, 15),
            80..100 => (12, 17),
            100..140 => (20, 25),
            _ => (32, 39),
        };
        let mut columns = Self {
            number: widest(|row| &row.number),
            user: widest(|row| &row.user).min(user_max),
            client: widest(|row| &row.client).min(client_max),
            tls: widest(|row| &row.tls).min(4),
            age: widest(|row| &row.age),
            activity: 0,
        };
        columns.activity = terminal.saturating_sub(columns.before()).max(ACTIVITY_MIN);
        columns
    }

    /// Where the last column begins.
    fn before(&self) -> usize {
        self.number + self.user + self.client + self.tls + self.age + 5 * GAP.len()
    }

    pub(super) fn line(&self, row: &Row, activity: &str) -> String {
        let cells = [
            right(&row.number, self.number),
            left(&row.user, self.user),
            left(&cut_middle(&row.client, self.client), self.client),
            left(&row.tls, self.tls),
            right(&row.age, self.age),
            activity.to_owned(),
        ];
        cells.join(GAP).trim_end().to_owned()
    }
}

pub(super) const ABSENT: &str = "-";
const GAP: &str = "  ";
/// Below that, a terminal is too narrow for the table, which is wider then.
const ACTIVITY_MIN: usize = 16;
