//! The completion for fish: one command `complete` for each flag.

use super::{Flag, Value, description, sections};

pub(super) fn completion() -> String {
    let mut text = String::from(
        "# Completion of ftp-server-sync for fish, made from its table of flags.\n\n\
         complete -c ftp-server-sync -f\n",
    );
    for (_, flags) in sections() {
        for flag in flags {
            text.push_str(&command(&flag));
        }
    }
    text
}

fn command(flag: &Flag) -> String {
    let short = flag.short.map(|short| format!("-s {short} "));
    let values = match Value::of(flag) {
        Value::Switch => String::new(),
        Value::Free => "-x ".to_owned(),
        // Without -x: it may be left out.
        Value::Words(words) if flag.may_lack_value() => format!("-f -a '{}' ", words.join(" ")),
        Value::Words(words) => format!("-x -a '{}' ", words.join(" ")),
        Value::File => "-r -F ".to_owned(),
        Value::Directory => "-x -a '(__fish_complete_directories)' ".to_owned(),
        Value::User => "-x -a '(__fish_complete_users)' ".to_owned(),
        Value::Group => "-f -a '(__fish_complete_groups)' ".to_owned(),
    };
    let summary = description::summary(flag)
        .replace('\\', "\\\\")
        .replace('\'', "\\'");
    let short = short.unwrap_or_default();
    let name = flag.name();
    format!("complete -c ftp-server-sync {short}-l {name} {values}-d '{summary}'\n")
}
