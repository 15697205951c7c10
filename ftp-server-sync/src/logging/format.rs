//! One line of the log.

use std::fmt;

use log::Level;

use super::clock;

/// Formats a line as `2026-11-22 13:07:31Z INFO  text`. Times are UTC.
pub(super) fn line(unix_seconds: i64, level: Level, text: &fmt::Arguments<'_>) -> String {
    let time = clock::date_and_time(unix_seconds);
    format!("{time} {level:<5} {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_levels_begin_in_the_same_column() {
        let info = line(1_795_352_851, Level::Info, &format_args!("text"));
        assert_eq!(info, "2026-11-22 13:07:31Z INFO  text");
        let error = line(1_795_352_851, Level::Error, &format_args!("text"));
        assert_eq!(error, "2026-11-22 13:07:31Z ERROR text");
    }
}
