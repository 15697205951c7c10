//! The metrics in Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

use super::process::ProcessFacts;
use crate::status::snapshot::{
    Activity, Direction, Overview, ServerPhase, ServerStatus, Totals, TransferTotals,
};

/// Every metric, with its help and its type.
pub(super) fn metrics(overview: &Overview, process: &ProcessFacts) -> String {
    let mut text = MetricsText::default();
    text.server(&overview.server);
    text.sessions(&overview.activities);
    text.totals(&overview.totals);
    text.passive_ports(&overview.server);
    text.process(process);
    text.0
}

#[derive(Default)]
struct MetricsText(String);

/// Labels with their values, neither of which needs an escape.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl MetricsText {
    fn server(&mut self, server: &ServerStatus) {
        let help = "The version of the server; the value is always 1.";
        self.describe("ftp_server_sync_build_info", "gauge", help);
        // It is our own text, but a version may have any characters.
        let version = escaped(&server.version);
        self.value("ftp_server_sync_build_info", &[("version", &version)], 1);
        let help = "1 for the phase that the server is in.";
        self.describe("ftp_server_sync_phase", "gauge", help);
        for (name, phase) in [
            ("serving", ServerPhase::Serving),
            ("draining", ServerPhase::Draining),
            ("shutting-down", ServerPhase::ShuttingDown),
        ] {
            let value = u8::from(server.phase == phase);
            self.value("ftp_server_sync_phase", &[("phase", name)], value);
        }
    }

    fn sessions(&mut self, activities: &[Activity]) {
        let help = "Sessions that run now.";
        self.describe("ftp_server_sync_sessions", "gauge", help);
        for state in STATES {
            let states = activities.iter().map(state_of);
            let count = states.filter(|found| *found == state).count();
            self.value("ftp_server_sync_sessions", &[("state", state)], count);
        }
        let help = "Transfers whose data connection is established now.";
        self.describe("ftp_server_sync_transfers_running", "gauge", help);
        for (kind, direction) in [
            ("download", Direction::Download),
            ("upload", Direction::Upload),
            ("listing", Direction::Listing),
        ] {
            let is_so = |activity: &&Activity| match activity {
                Activity::Transfer(transfer) => {
                    transfer.is_connected && transfer.direction == direction
                }
                _ => false,
            };
            let count = activities.iter().filter(is_so).count();
            self.value(
                "ftp_server_sync_transfers_running",
                &[("kind", kind)],
                count,
            );
        }
    }

    fn totals(&mut self, totals: &Totals) {
        let name = "ftp_server_sync_sessions_started_total";
        self.counter(name, "Sessions that were started.", totals.sessions);
        let name = "ftp_server_sync_connections_refused_total";
        let help = "Control connections that were refused: too many, blocked, or not allowed.";
        self.counter(name, help, totals.refused_connections);
        let name = "ftp_server_sync_logins_total";
        self.describe(name, "counter", "Logins, by their result.");
        self.value(name, &[("result", "success")], totals.logins);
        self.value(name, &[("result", "failure")], totals.failed_logins);
        let kinds = [
            ("download", totals.downloads),
            ("upload", totals.uploads),
            ("listing", totals.listings),
        ];
        self.transfers(&kinds);
        let name = "ftp_server_sync_never_connected_total";
        let help = "Passive ports that were announced and to which no client connected.";
        self.counter(name, help, totals.never_connected);
        let name = "ftp_server_sync_lost_log_lines_total";
        let help = "Log lines that were lost because their reader did not read in time.";
        self.counter(name, help, totals.lost_log_lines);
    }

    fn transfers(&mut self, kinds: &[(&str, TransferTotals)]) {
        let name = "ftp_server_sync_transfers_total";
        self.describe(
            name,
            "counter",
            "Transfers that have ended, by their result.",
        );
        for (kind, total) in kinds {
            let labels = |result| [("kind", *kind), ("result", result)];
            self.value(name, &labels("completed"), total.completed);
            self.value(name, &labels("failed"), total.failed);
        }
        let name = "ftp_server_sync_transferred_bytes_total";
        let help = "Bytes of transfers, of those that run too.";
        self.describe(name, "counter", help);
        for (kind, total) in kinds {
            self.value(name, &[("kind", kind)], total.bytes);
        }
    }

    /// Without a range of passive ports, there is nothing to run out of.
    fn passive_ports(&mut self, server: &ServerStatus) {
        let name = "ftp_server_sync_sessions_max";
        self.gauge(name, "Sessions that there may be.", server.sessions_max);
        let name = "ftp_server_sync_blocked_addresses";
        let help = "Addresses that are blocked after failed logins.";
        self.gauge(name, help, server.blocked_addresses);
        let Some(ports) = server.passive_ports else {
            return;
        };
        let total = u64::from(ports.to.saturating_sub(ports.from)) + 1;
        let name = "ftp_server_sync_passive_ports";
        self.gauge(name, "Ports in the range of --passive-ports.", total);
        let name = "ftp_server_sync_passive_ports_in_use";
        let help = "Passive ports that wait for a connection.";
        self.gauge(name, help, ports.in_use);
        let name = "ftp_server_sync_passive_ports_waiting_sessions";
        let help = "Sessions that wait for a passive port.";
        self.gauge(name, help, ports.waiting);
    }

    /// The names that all programs use for them.
    fn process(&mut self, process: &ProcessFacts) {
        let name = "process_start_time_seconds";
        let help = "When the server was started, since 1970.";
        self.gauge(name, help, process.start_seconds);
        let name = "process_cpu_seconds_total";
        let help = "Time of processors that the server has used.";
        self.counter(name, help, format_args!("{:.3}", process.cpu_seconds));
        let facts = [
            (
                "process_resident_memory_bytes",
                "Memory that the server uses.",
                process.resident_bytes,
            ),
            (
                "process_open_fds",
                "File descriptors that are open.",
                process.open_files,
            ),
            (
                "process_max_fds",
                "File descriptors that may be open.",
                process.open_files_max,
            ),
        ];
        for (name, help, value) in facts {
            if let Some(value) = value {
                self.gauge(name, help, value);
            }
        }
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.describe(name, "counter", help);
        self.value(name, &[], value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.describe(name, "gauge", help);
        self.value(name, &[], value);
    }

    #[inline(never)]
    fn describe(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn value(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        match labels.as_slice() {
            [] => self.line(format_args!("{name} {value}")),
            labels => self.line(format_args!("{name}{{{}}} {value}", labels.join(","))),
        }
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a text never fails.
        let _ = writeln!(self.0, "{line}");
    }
}

/// The value of a label.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

/// Each state has a series, also while no session is in it.
const STATES: [&str; 5] = ["login", "idle", "waiting", "transferring", "working"];

fn state_of(activity: &Activity) -> &'static str {
    match activity {
        Activity::Login => "login",
        Activity::Idle | Activity::Connected => "idle",
        Activity::WaitingForPort { .. } | Activity::WaitingForConnection { .. } => "waiting",
        Activity::Transfer(transfer) if transfer.is_connected => "transferring",
        Activity::Transfer(_) => "waiting",
        Activity::Working { .. } => "working",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::status::snapshot::Snapshot;

    fn text() -> String {
        let snapshot = include_str!("../../../tests/status/snapshot.json");
        let snapshot: Snapshot = serde_json::from_str(snapshot).unwrap();
        let process = ProcessFacts {
            start_seconds: 1_795_079_128,
            cpu_seconds: 1.5,
            resident_bytes: Some(12_345_678),
            open_files: Some(17),
            open_files_max: Some(1024),
        };
        metrics(&snapshot.into(), &process)
    }

    #[test]
    fn the_metrics_of_a_server() {
        let expected = include_str!("../../../tests/status/metrics.txt");
        let text = text();
        assert!(
            text == expected,
            "tests/status/metrics.txt differs; now:\n{text}"
        );
    }

    /// The names that a text has between other characters.
    fn names(text: &str) -> BTreeSet<&str> {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let words = text.split(|character| !is_part(character));
        let prefixes = ["ftp_server_sync_", "process_"];
        words
            .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
            .collect()
    }

    fn queries<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str));
                fields.values().for_each(|value| queries(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
            _ => {}
        }
    }

    /// A panel whose metric was renamed is empty, and no one notices.
    #[test]
    fn the_dashboard_names_only_metrics_that_exist() {
        let dashboard = include_str!("../../../packaging/grafana-dashboard.json");
        let dashboard: Value = serde_json::from_str(dashboard).unwrap();
        let mut found = Vec::new();
        queries(&dashboard, &mut found);
        assert!(found.len() >= 8, "{found:?}");
        let text = text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let known: BTreeSet<&str> = lines
            .flat_map(|line| line.split(['{', ' ']).next())
            .collect();
        for query in found {
            let named = names(query);
            assert!(!named.is_empty(), "{query}");
            let unknown: Vec<_> = named.difference(&known).collect();
            assert!(unknown.is_empty(), "{query}: {unknown:?}");
        }
    }
}
