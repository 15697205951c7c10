//! On what was measured, and when.

use std::fs;
use std::thread;
use std::time::SystemTime;

use ftp_proto::date::time_val;
use rustix::system::uname;

/// One line, for above a table. The load is that before the run.
pub(crate) fn heading() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, usize::from);
    format!(
        "Measured on {}, kernel {}, {processors} processors ({}); load before: {load}.",
        date(),
        uname().release().to_string_lossy(),
        processor(),
    )
}

fn date() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = now.map_or(0, |since| since.as_secs());
    let text = time_val(seconds.try_into().unwrap_or(i64::MAX));
    let text = String::from_utf8_lossy(&text);
    format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..8])
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let model = lines.find(|(key, _)| key.trim() == "model name");
    model
        .map_or("unknown", |(_, value)| value.trim())
        .to_owned()
}
