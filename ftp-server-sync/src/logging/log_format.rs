//! How a line of the log is laid out, and whether journald reads it.

use std::ffi::OsStr;
use std::fmt;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;

/// The form of the lines of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2026-11-22 13:07:31Z INFO  text`.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// A priority in front, as `sd-daemon(3)` defines it, and no time: journald adds it.
    Journald,
}

/// Where the log goes, and how it looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// `None`: the one for journald where stderr leads to it, else text.
    pub format: Option<LogFormat>,
    /// By absolute path; `None`: the log goes to stderr.
    pub file: Option<PathBuf>,
}

impl LogFormat {
    /// What suits a stream, by the value of the variable JOURNAL_STREAM: systemd sets it to the
    /// device and the inode of the stream that it has connected to journald. Other programs may
    /// have inherited the variable, with a stream of their own.
    pub(super) fn of_stream(stream: impl AsFd, variable: Option<&OsStr>) -> Self {
        let named = variable.and_then(OsStr::to_str).and_then(|text| {
            let (device, inode) = text.split_once(':')?;
            Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?))
        });
        let stream = rustix::fs::fstat(stream).ok();
        // Their types differ between machines.
        #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
        let stream = stream.map(|stat| (stat.st_dev as u64, stat.st_ino as u64));
        if named.is_some() && named == stream {
            Self::Journald
        } else {
            Self::Text
        }
    }

    pub(super) fn number(self) -> u8 {
        self as u8
    }

    pub(super) fn of_number(number: u8) -> Self {
        let mut all = [Self::Text, Self::Json, Self::Journald].into_iter();
        all.find(|format| format.number() == number)
            .unwrap_or_default()
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Journald => "journald",
        })
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "journald" => Ok(Self::Journald),
            _ => Err("give text, json or journald".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs::File;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_variable_counts_for_its_own_stream_only() {
        let file = tempfile::tempfile().unwrap();
        let metadata = file.metadata().unwrap();
        let (device, inode) = (metadata.dev(), metadata.ino());
        let of = |text: &str| {
            let variable = OsString::from(text);
            LogFormat::of_stream(&file, Some(&variable))
        };
        assert_eq!(of(&format!("{device}:{inode}")), LogFormat::Journald);
        for other in [
            format!("{device}:{}", inode + 1),
            format!("{}:{inode}", device + 1),
            format!("{device}:{inode}:"),
            format!("{device}"),
            ":".to_owned(),
            String::new(),
        ] {
            assert_eq!(of(&other), LogFormat::Text, "{other}");
        }
        assert_eq!(LogFormat::of_stream(&file, None), LogFormat::Text);
        let null = File::open("/dev/null").unwrap();
        let variable = OsString::from(format!("{device}:{inode}"));
        assert_eq!(
            LogFormat::of_stream(&null, Some(&variable)),
            LogFormat::Text
        );
    }

    #[test]
    fn names_and_numbers_lead_back() {
        for format in [LogFormat::Text, LogFormat::Json, LogFormat::Journald] {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert_eq!(LogFormat::of_number(format.number()), format);
        }
        "JSON".parse::<LogFormat>().unwrap_err();
    }
}
