//! `/etc/ftp-server-sync.conf`: every flag in a comment, with its description and its default.

use super::{Flag, Value, description, fill, is_for_files, sections};
use crate::logging::wrap::wrap;

/// The whole file.
pub(super) fn file() -> String {
    let mut text = String::new();
    for (heading, flags) in sections() {
        text.push_str(&format!("\n# == {heading} ==\n"));
        for flag in flags.iter().filter(|flag| is_for_files(flag)) {
            let description = wrap("", 0, WIDTH - 2, &description::sentences(flag));
            text.push('\n');
            for line in description.lines() {
                text.push_str(&format!("# {line}\n"));
            }
            text.push_str(&format!("{}\n", entry(flag)));
        }
    }
    fill("ftp-server-sync.conf", "@FLAGS@", &text)
}

/// The line that is in force when its `#` is removed, if there is a default.
fn entry(flag: &Flag) -> String {
    let name = flag.name();
    if let Some((_, value)) = IN_FORCE.iter().find(|(long, _)| *long == flag.long) {
        return format!("{name} {value}");
    }
    match (flag.placeholder, literal_default(flag)) {
        (None, _) => format!("#{name}"),
        (Some(_), Some(default)) => format!("#{name} {default}"),
        (Some(placeholder), None) => format!("#{name} {placeholder}"),
    }
}

/// The default, if it is written as a value is. Several words explain one instead, but in a text.
pub(super) fn literal_default(flag: &Flag) -> Option<&'static str> {
    let is_text = flag.placeholder == Some("TEXT");
    let default = description::default(flag).filter(|_| Value::of(flag) != Value::Switch);
    default.filter(|default| is_text || !default.contains(' '))
}

/// The lines that the file of the package has without `#`: what the server shares is not left to
/// the directory in which it is started.
pub(super) const IN_FORCE: [(&str, &str); 1] = [("--directory", "/srv/ftp")];

const WIDTH: usize = 80;
