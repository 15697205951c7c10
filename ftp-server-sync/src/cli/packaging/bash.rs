//! The completion for bash. It uses nothing of the package bash-completion.

use super::{Flag, Value, fill, sections};

pub(super) fn completion() -> String {
    let flags: Vec<Flag> = sections()
        .into_iter()
        .flat_map(|(_, flags)| flags)
        .collect();
    // Flags with the same values share a case.
    let mut cases: Vec<(String, String)> = Vec::new();
    for flag in &flags {
        let Some(commands) = commands(flag) else {
            continue;
        };
        let short = flag.short.map(|short| format!("-{short} | "));
        let pattern = format!("{}{}", short.unwrap_or_default(), flag.long);
        match cases.iter_mut().find(|(_, other)| *other == commands) {
            Some((patterns, _)) => patterns.push_str(&format!(" | {pattern}")),
            None => cases.push((pattern, commands)),
        }
    }
    let names: Vec<&str> = flags.iter().map(|flag| flag.long).collect();
    let cases: String = cases
        .iter()
        .map(|(patterns, commands)| format!("        {patterns})\n{commands}            ;;\n"))
        .collect();
    fill("ftp-server-sync.bash", "@CASES@", &cases)
        .replace("@FLAGS@", &format!(" {} ", names.join(" ")))
}

/// What is done when the flag stands in front; `None` where another flag follows.
fn commands(flag: &Flag) -> Option<String> {
    // What may be left out may be followed by a flag.
    let also = if flag.may_lack_value() { " $flags" } else { "" };
    let offer =
        |what: &str| format!("            mapfile -t COMPREPLY < <(compgen {what} -- \"$word\")\n");
    let paths = "            compopt -o filenames 2>/dev/null\n";
    let commands = match Value::of(flag) {
        Value::Switch => return None,
        Value::Free => String::new(),
        Value::Words(words) => offer(&format!("-W \"{}{also}\"", words.join(" "))),
        Value::File => format!("{paths}{}", offer("-f")),
        Value::Directory => format!("{paths}{}", offer("-d")),
        Value::User => offer("-u"),
        Value::Group => offer("-g -W \"$flags\""),
    };
    Some(commands)
}
