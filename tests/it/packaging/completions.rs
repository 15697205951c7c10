//! The completions, in the shells themselves: what is typed, and what stands in the line after the
//! tabulator.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::file;
use crate::support::process;

/// What is typed behind the program's name, and what it becomes. Each is the only possible one; a
/// directory, two files and the users of the machine are there.
const COMPLETED: [(&str, &str); 15] = [
    ("--broken-up", "--broken-uploads"),
    ("-w --tls-c", "-w --tls-control-required"),
    ("--broken-uploads d", "--broken-uploads discard"),
    ("--broken-uploads=k", "--broken-uploads=keep"),
    ("-D --log-level tr", "-D --log-level trace"),
    ("--rules ipt", "--rules iptables"),
    ("--port-mapping nat", "--port-mapping nat-pmp"),
    ("--encoding au", "--encoding auto"),
    ("--run-as daem", "--run-as daemon"),
    // Files are no directories to share.
    ("--directory sh", "--directory share/"),
    ("-d sh", "-d share/"),
    ("--password-file shad", "--password-file shadow"),
    // Secrets are not offered, nor files where no file belongs.
    ("--password shad", "--password shad"),
    ("--port shad", "--port shad"),
    ("shad", "shad"),
];

#[test]
fn bash_completes() {
    let place = Place::new();
    let completions = place.directory.path().join("completions");
    fs::create_dir(&completions).expect("a directory");
    // It is found by this name, as the package installs it.
    let name = completions.join("ftp-server-sync");
    fs::copy(file("completions/ftp-server-sync.bash"), name).expect("a copy");
    let preparation = "source /usr/share/bash-completion/bash_completion\n\
        show() { printf '%s\\n' \"$READLINE_LINE\" >>lines; READLINE_LINE=; READLINE_POINT=0; }\n\
        bind -x '\"\\C-t\": show'\n";
    place.check("bash --norc --noprofile -i", preparation);
}

#[test]
fn bash_completes_without_its_library() {
    let preparation = format!(
        "source '{}'\n\
        show() {{ printf '%s\\n' \"$READLINE_LINE\" >>lines; READLINE_LINE=; READLINE_POINT=0; }}\n\
        bind -x '\"\\C-t\": show'\n",
        file("completions/ftp-server-sync.bash")
    );
    Place::new().check("bash --norc --noprofile -i", &preparation);
}

#[test]
fn zsh_completes() {
    let preparation = format!(
        "fpath=('{}' $fpath); autoload -U compinit; compinit -u -D\n\
        show() {{ print -r -- \"$BUFFER\" >>lines; BUFFER= }}; zle -N show; bindkey '^T' show\n",
        file("completions")
    );
    Place::new().check("zsh -f -i", &preparation);
}

#[test]
fn fish_completes() {
    let mut script = format!("source '{}'\n", file("completions/ftp-server-sync.fish"));
    for (typed, _) in COMPLETED {
        script.push_str(&format!(
            "echo '{MARK}'; complete -C 'ftp-server-sync {typed}'\n"
        ));
    }
    let mut fish = Command::new("fish");
    fish.args(["--no-config", "-c", &script]);
    let finished = process::run(Place::new().prepare(&mut fish), SECONDS_MAX).expect_success();
    let text = String::from_utf8(finished.stdout).expect("text");
    let offers: Vec<&str> = text.split(&format!("{MARK}\n")).skip(1).collect();
    assert_eq!(offers.len(), COMPLETED.len(), "{text}");
    for ((typed, expected), offers) in COMPLETED.iter().zip(offers) {
        // Each line is a word, and after a tabulator its description.
        let words = offers.lines().map(|line| line.split('\t').next());
        let words: Vec<&str> = words.map(Option::unwrap_or_default).collect();
        let word = expected.rsplit(' ').next().unwrap_or_default();
        if typed == expected {
            assert_eq!(words, [""; 0], "{typed}");
        } else {
            assert_eq!(words, [word], "{typed}");
        }
    }
}

/// A home with what can be completed.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path();
        fs::create_dir(path.join("share")).expect("a directory");
        fs::write(path.join("shadow"), "").expect("a file");
        Self { directory }
    }

    fn prepare<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let here: &Path = self.directory.path();
        command
            .current_dir(here)
            .env("HOME", here)
            .env("HISTFILE", "/dev/null")
            .env("BASH_COMPLETION_USER_DIR", here)
            .env("XDG_DATA_HOME", here)
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "dumb")
            .env_remove("ZDOTDIR")
    }

    /// Types at a terminal of the shell, where ^T is to write the line into the file `lines`.
    fn check(&self, shell: &str, preparation: &str) {
        let mut typed = preparation.to_owned();
        for (word, _) in COMPLETED {
            typed.push_str(&format!("ftp-server-sync {word}\t\x14"));
        }
        typed.push_str("exit\n");
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", shell, "/dev/null"]);
        let finished = process::run_typing(self.prepare(&mut command), &typed, SECONDS_MAX);
        let text = finished.text();
        let lines = fs::read_to_string(self.directory.path().join("lines")).unwrap_or_default();
        let lines: Vec<&str> = lines.lines().map(str::trim_end).collect();
        let expected = COMPLETED.map(|(_, line)| format!("ftp-server-sync {line}"));
        // Behind a name of a flag, zsh has the sign that may follow.
        let same = |line: &&str, expected: &String| line.trim_end_matches('=') == expected;
        let is_same = lines.len() == expected.len()
            && lines
                .iter()
                .zip(&expected)
                .all(|(line, expected)| same(line, expected));
        assert!(is_same, "{lines:#?}\n{text}");
    }
}

/// Stands before what fish offers.
const MARK: &str = "==";
const SECONDS_MAX: u64 = 60;
