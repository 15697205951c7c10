//! One record of the log, as lines.

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use log::Level;
use serde::Serialize;

use super::clock;
use super::log_format::LogFormat;
use super::session_name::SessionLine;

/// A line of the log as a JSON object. Only lines of sessions have the fields of a session.
#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    level: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<u64>,
    /// As in the text: without spaces, control characters and bytes that are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    text: &'a str,
}

/// Formats a record. It ends with a line end; only texts with line ends, such as those of panics,
/// have several lines. Times are UTC.
pub(super) fn record(
    format: LogFormat,
    unix_time: Duration,
    level: Level,
    text: &fmt::Arguments<'_>,
) -> String {
    match format {
        LogFormat::Text => {
            let mut line = String::with_capacity(LINE_BYTES_USUAL);
            let time = clock::date_and_time(unix_time.as_secs().cast_signed());
            // Writing to a text does not fail.
            let _ = writeln!(line, "{time} {level:<5} {text}");
            line
        }
        LogFormat::Json => json(clock::rfc3339(unix_time), level, &text.to_string()),
        LogFormat::Journald => prefixed(level, &text.to_string()),
    }
}

/// Most lines are shorter.
const LINE_BYTES_USUAL: usize = 160;

/// Formats what is printed without a level, such as an error at the start.
pub(super) fn message(format: LogFormat, level: Level, text: &dyn fmt::Display) -> String {
    match format {
        LogFormat::Text => format!("{text}\n"),
        _ => record(format, clock::unix_time(), level, &format_args!("{text}")),
    }
}

/// journald takes each line for a record.
fn prefixed(level: Level, text: &str) -> String {
    let mut lines = String::new();
    for line in text.split('\n') {
        // Writing to a text does not fail.
        let _ = writeln!(lines, "<{}>{line}", priority(level));
    }
    lines
}

/// As in `syslog(3)`.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn json(time: String, level: Level, text: &str) -> String {
    let line = SessionLine::parse(text);
    let object = JsonLine {
        time,
        level: level.as_str(),
        session: line.as_ref().map(|line| line.number),
        user: line.as_ref().and_then(|line| line.user),
        client: line.as_ref().map(|line| line.client),
        text: line.map_or(text, |line| line.text),
    };
    match serde_json::to_string(&object) {
        Ok(line) => line + "\n",
        // It fails only for maps with keys that are no text.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::logging::fields::Subject;
    use crate::logging::session_name::SessionName;

    const TIME: Duration = Duration::from_millis(1_795_352_851_042);

    fn line(format: LogFormat, level: Level, text: &str) -> String {
        record(format, TIME, level, &format_args!("{text}"))
    }

    #[test]
    fn texts_of_all_levels_begin_in_the_same_column() {
        let info = line(LogFormat::Text, Level::Info, "text");
        assert_eq!(info, "2026-11-22 13:07:31Z INFO  text\n");
        let error = line(LogFormat::Text, Level::Error, "text");
        assert_eq!(error, "2026-11-22 13:07:31Z ERROR text\n");
    }

    #[test]
    fn journald_gets_priorities_in_each_line() {
        for (level, priority) in [
            (Level::Error, 3),
            (Level::Warn, 4),
            (Level::Info, 6),
            (Level::Debug, 7),
            (Level::Trace, 7),
        ] {
            let found = line(LogFormat::Journald, level, "one\ntwo");
            assert_eq!(found, format!("<{priority}>one\n<{priority}>two\n"));
        }
        let printed = message(LogFormat::Journald, Level::Error, &"--port: no\nmore");
        assert_eq!(printed, "<3>--port: no\n<3>more\n");
        let printed = message(LogFormat::Text, Level::Error, &"--port: no");
        assert_eq!(printed, "--port: no\n");
    }

    #[test]
    fn json_has_the_fields_of_a_session() {
        let found = line(
            LogFormat::Json,
            Level::Warn,
            "#17 bob@198.51.100.7 STOR /a b: x",
        );
        assert_eq!(
            found,
            "{\"time\":\"2026-11-22T13:07:31.042Z\",\"level\":\"WARN\",\"session\":17,\
             \"user\":\"bob\",\"client\":\"198.51.100.7\",\"text\":\"STOR /a b: x\"}\n"
        );
        let before_login = line(LogFormat::Json, Level::Info, "#17 -@2001:db8::9 closed");
        assert_eq!(
            before_login,
            "{\"time\":\"2026-11-22T13:07:31.042Z\",\"level\":\"INFO\",\"session\":17,\
             \"client\":\"2001:db8::9\",\"text\":\"closed\"}\n"
        );
        let other = line(LogFormat::Json, Level::Info, "ended\n\"now\"");
        assert_eq!(
            other,
            "{\"time\":\"2026-11-22T13:07:31.042Z\",\"level\":\"INFO\",\
             \"text\":\"ended\\n\\\"now\\\"\"}\n"
        );
    }

    proptest! {
        /// What clients choose is the name and what a line is about.
        #[test]
        fn no_bytes_forge_a_field(
            number: u64,
            user in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
            hostile in prop::option::of(prop::sample::select(vec![
                &b"x@10.0.0.1 #18 root@10.0.0.2 logged in"[..],
                b"\",\"session\":1,\"user\":\"root\n#1 root@::1 closed",
                b"-",
                b"-@10.0.0.1",
            ])),
            client: IpAddr,
            path in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let user = hostile.map(<[u8]>::to_vec).or(user);
            let name = SessionName::new(number, client);
            name.set_user(user.as_deref());
            let text = format!("DELE {}", Subject(&path));
            let line = record(
                LogFormat::Json,
                TIME,
                Level::Info,
                &format_args!("{name} {text}"),
            );
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert!(line.ends_with('\n'));
            let object: Value = serde_json::from_str(&line).expect("JSON");
            prop_assert_eq!(object["session"].as_u64(), Some(number));
            prop_assert_eq!(object["client"].as_str(), Some(&*client.to_canonical().to_string()));
            prop_assert_eq!(object["text"].as_str(), Some(&*text));
            let shown = user.map(|user| crate::logging::fields::Word(&user).to_string());
            prop_assert_eq!(object["user"].as_str(), shown.as_deref());
            let fields = object.as_object().expect("an object").len();
            prop_assert_eq!(fields, if shown.is_some() { 6 } else { 5 });
        }
    }
}
