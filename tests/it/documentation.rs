//! What the documentation says is true: links lead somewhere, commands are accepted, quoted replies
//! exist.
//!
//! Pages are read as text, as far as these tests need it: headings, links, code spans and fenced
//! blocks.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::client_program::{SECONDS_MAX, path};
use crate::support::process;
use crate::support::server;

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    assert!(pages.len() >= PAGES_MIN, "pages are missing: {pages:?}");
    let faults: Vec<String> = pages.iter().flat_map(|page| broken_links(page)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Its front page is also read where the rest of the repository is not: on documentation sites, in
/// its package.
#[test]
fn the_library_links_to_nothing_outside() {
    let text = read(&root().join(LIBRARY));
    let links: Vec<String> = links(&text).filter(|link| is_relative(link)).collect();
    assert_eq!(links, [""; 0]);
}

#[test]
fn the_readme_is_short() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= README_LINES_MAX, "{lines} lines");
}

/// Every command of ours that is printed is one that the program accepts. Those for docker, and the
/// set-ups, run in the NAT lab.
#[test]
fn commands_are_accepted() {
    let place = Place::new();
    let mut count = 0;
    for page in pages().iter().filter(|page| !page.ends_with(SET_UPS)) {
        for block in blocks(&read(page), "sh") {
            for words in commands(&block) {
                place.assert_accepted(&words, &variables(&block), &block);
                count += 1;
            }
        }
    }
    assert!(count >= COMMANDS_MIN, "only {count} commands were found");
}

#[test]
fn configuration_files_are_accepted() {
    let place = Place::new();
    for page in ["README.md", "ftp-server-sync/docs/flags.md"] {
        let text = read(&root().join(page));
        let files = blocks(&text, "text").filter(|block| block.starts_with("# /etc/"));
        let files: Vec<String> = files.collect();
        assert!(!files.is_empty(), "no file in {page}");
        for file in files {
            place.write_configuration(&file);
            place.assert_accepted(&["--config", CONFIGURATION], &[], &file);
        }
    }
}

/// The unit file starts the server in a way that it accepts.
#[test]
fn the_unit_is_accepted() {
    let readme = read(&root().join("README.md"));
    let unit = read(&root().join("ftp-server-sync/packaging/systemd/ftp-server-sync.service"));
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=ftp-server-sync "))
        .expect("how it starts");
    let place = Place::new();
    let file = blocks(&readme, "text").find(|block| block.starts_with("# /etc/"));
    place.write_configuration(&file.expect("its configuration"));
    let start: Vec<&str> = start.split_whitespace().collect();
    place.assert_accepted(&start, &[], &unit);
}

/// Each reply that a page quotes is one that a golden session holds, or that is made of nothing
/// else than what its source says.
#[test]
fn quoted_replies_exist() {
    let mut known = BTreeSet::new();
    for entry in fs::read_dir(root().join("tests/testkit/transcripts")).expect("the transcripts") {
        let story = read(&entry.expect("an entry").path());
        let replies = story.lines().filter_map(|line| line.strip_prefix("S: "));
        known.extend(replies.map(str::to_owned));
    }
    for file in files_below(&root().join("ftp-proto/src"), "rs") {
        known.extend(fixed_replies(&read(&file)));
    }
    let mut count = 0;
    for page in pages() {
        for reply in spans(&read(&page)).filter(|span| is_reply(span)) {
            assert!(known.contains(&reply), "{}: {reply}", page.display());
            count += 1;
        }
    }
    assert!(count >= REPLIES_MIN, "only {count} replies were found");
}

/// What the guide shows of `--check` is what the golden file holds.
#[test]
fn the_shown_check_is_printed() {
    let golden = read(&root().join("ftp-server-sync/tests/check.txt"));
    let guide = read(&root().join("ftp-server-sync/docs/behind-a-router.md"));
    let shown = blocks(&guide, "text").filter(|block| block.starts_with("connecting to "));
    let shown: Vec<String> = shown.collect();
    assert!(!shown.is_empty(), "no example of --check");
    for block in shown {
        assert!(golden.contains(&block), "{block}");
    }
}

/// The same of `--who`, and all metrics are in the table.
#[test]
fn what_the_status_page_shows_is_printed() {
    let golden = |name: &str| read(&root().join("ftp-server-sync/tests/status").join(name));
    let page = read(&root().join("ftp-server-sync/docs/status.md"));
    let is_table = |block: &String| block.starts_with("ftp-server-sync 0.1.0, pid ");
    let table = blocks(&page, "text").find(is_table).expect("a table");
    assert_eq!(golden("table-80.txt").trim_end(), table);
    let page = page.replace("`…_", "`ftp_server_sync_passive_ports_");
    let metrics = golden("metrics.txt");
    let types = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = types.filter_map(|rest| rest.split(' ').next()).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let is_named = [format!("`{name}`"), format!("`{name}{{")];
        assert!(is_named.iter().any(|name| page.contains(name)), "{name}");
    }
}

/// The library's front page speaks of types and functions that exist, in it or in its test kit.
#[test]
fn the_library_has_what_its_page_names() {
    let mut sources = files_below(&root().join("ftp-proto/src"), "rs");
    sources.extend(files_below(&root().join("tests/testkit/src"), "rs"));
    let sources: String = sources.iter().map(|file| read(file)).collect();
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let words: BTreeSet<&str> = sources.split(|character| !is_part(character)).collect();
    for span in spans(&read(&root().join(LIBRARY))) {
        let name = span.rsplit("::").next().unwrap_or_default();
        if !name.is_empty() && name.chars().all(is_part) {
            assert!(words.contains(name), "{span} is not in ftp-proto");
        }
    }
}

/// The pages for contributors name files that exist.
#[test]
fn named_files_exist() {
    for page in files_below(&root().join(".github"), "md") {
        for span in spans(&read(&page)).filter(|span| is_path(span)) {
            assert!(root().join(&span).exists(), "{}: {span}", page.display());
        }
    }
}

/// What stops an attack is tested where the page says.
#[test]
fn named_tests_exist() {
    let page = read(&root().join("ftp-server-sync/docs/security.md"));
    let files: Vec<String> = spans(&page).filter(|span| span.ends_with(".rs")).collect();
    assert!(files.len() >= 15, "{files:?}");
    for file in files {
        assert!(root().join("tests/it").join(&file).exists(), "{file}");
    }
}

/// A directory to share, and the files that printed commands name.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::create_dir(directory.path().join("share")).expect("a directory to share");
        fs::write(directory.path().join("password"), "secret\n").expect("a password");
        let hook = directory.path().join("hook");
        fs::write(&hook, "#!/bin/sh\n").expect("a program");
        fs::set_permissions(&hook, Permissions::from_mode(0o755)).expect("a mode");
        Self { directory }
    }

    fn write_configuration(&self, text: &str) {
        fs::write(self.directory.path().join("conf"), self.here(text)).expect("a configuration");
    }

    /// With the names of this directory instead of the printed ones.
    fn here(&self, text: &str) -> String {
        let directory = path(self.directory.path());
        let names = [
            (CONFIGURATION, "conf"),
            ("/etc/ftp-server-sync.password", "password"),
            ("bob.password", "password"),
            ("/usr/local/bin/ftp-move-photos", "hook"),
            ("/srv/ftp", "share"),
        ];
        names.iter().fold(text.to_owned(), |text, (printed, name)| {
            text.replace(printed, &format!("{directory}/{name}"))
        })
    }

    /// `--rules` reads every flag and opens no port. It needs a range.
    #[track_caller]
    fn assert_accepted(
        &self,
        words: &[impl AsRef<str>],
        variables: &[(&str, &str)],
        context: &str,
    ) {
        let words = words.iter().map(|word| match word.as_ref() {
            // A user that each machine has.
            "ftp-server" => "daemon".to_owned(),
            word => self.here(word),
        });
        let mut words: Vec<String> = words.filter(|word| word != "--check").collect();
        if let Some(probe) = words.iter().position(|word| word == "--probe") {
            // No one listens there: flags are read before that is found out.
            words[probe + 1] = "127.0.0.1:1".to_owned();
            let finished = process::run(&mut server::command(&words), SECONDS_MAX);
            assert!(
                finished.text().contains("port 1: connection refused"),
                "{context}\n{}",
                finished.text()
            );
            return;
        }
        if words.iter().any(|word| word == "--who") {
            // In a directory without a server.
            words.extend(["--status-socket".to_owned(), self.here("/srv/ftp/socket")]);
            let finished = process::run(&mut server::command(&words), SECONDS_MAX);
            let text = finished.text();
            assert!(
                text.contains("there is no such socket"),
                "{context}\n{text}"
            );
            return;
        }
        if words.iter().any(|word| word == "--hash-password") {
            let finished = process::run(&mut server::command(&words), SECONDS_MAX);
            let text = finished.text();
            assert!(text.contains("the password is empty"), "{context}\n{text}");
            return;
        }
        let has = |flags: &[&str]| words.iter().any(|word| flags.contains(&word.as_str()));
        let needs_range = !has(&["-r", "--passive-ports", "--config"]);
        let needs_rules = !has(&["--rules"]);
        if needs_range {
            words.extend(["-r", "60000-60009"].map(str::to_owned));
        }
        if needs_rules {
            words.extend(["--rules", "ufw"].map(str::to_owned));
        }
        let mut command = server::command(&words);
        let variables = variables.iter();
        command.envs(variables.map(|(name, value)| (name, self.here(value))));
        let finished = process::run(&mut command, SECONDS_MAX);
        let is_accepted = finished.status.is_some_and(|status| status.success());
        assert!(is_accepted, "{context}\n{}", finished.text());
    }
}

/// The arguments of each command of ours in a block. Those that hold a placeholder are left out.
fn commands(block: &str) -> Vec<Vec<String>> {
    let block = block.replace("\\\n", " ");
    let lines = block.lines().filter(|line| !line.contains("..."));
    let ours = lines.filter_map(|line| {
        let prefixes = ["ftp-server-sync", "cargo run --release --"];
        prefixes.iter().find_map(|prefix| line.strip_prefix(prefix))
    });
    ours.map(|rest| rest.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// The variables that a block exports.
fn variables(block: &str) -> Vec<(&str, &str)> {
    let exports = block
        .lines()
        .filter_map(|line| line.strip_prefix("export "));
    exports.filter_map(|line| line.split_once('=')).collect()
}

fn broken_links(page: &Path) -> Vec<String> {
    let directory = page.parent().expect("a directory");
    let text = read(page);
    let broken = links(&text).filter(|link| is_relative(link) && !leads(page, directory, link));
    broken
        .map(|link| format!("{}: {link}", page.display()))
        .collect()
}

fn leads(page: &Path, directory: &Path, link: &str) -> bool {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => directory.join(file),
    };
    let has_anchor = || anchors(&read(&target)).contains(anchor);
    target.exists() && (anchor.is_empty() || has_anchor())
}

fn is_relative(link: &str) -> bool {
    !link.contains("://") && !link.starts_with("mailto:")
}

/// What a heading is called in links.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in prose(text).lines().filter(|line| line.starts_with('#')) {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let is_part = |character: &char| character.is_alphanumeric() || "-_ ".contains(*character);
        let anchor: String = heading.chars().filter(is_part).collect();
        let anchor = anchor.replace(' ', "-");
        assert!(anchors.insert(anchor), "two headings are {heading:?}");
    }
    anchors
}

/// Where the links of a page lead.
fn links(text: &str) -> impl Iterator<Item = String> {
    let text = prose(text);
    // Every second piece is a code span.
    let outside: Vec<&str> = text.split('`').step_by(2).collect();
    let outside = outside.join("`");
    let targets = outside
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.to_owned());
    targets.collect::<Vec<_>>().into_iter()
}

/// The code spans of a page.
fn spans(text: &str) -> impl Iterator<Item = String> {
    let text = prose(text).replace("``", "`");
    let spans = text.split('`').skip(1).step_by(2);
    spans
        .map(|span| span.replace("\\|", "|"))
        .collect::<Vec<_>>()
        .into_iter()
}

/// A page without its fenced blocks.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose += line;
            prose.push('\n');
        }
    }
    prose
}

/// The fenced blocks of this kind.
fn blocks(text: &str, kind: &str) -> impl Iterator<Item = String> {
    let fence = format!("\n```{kind}\n");
    let rests: Vec<&str> = text.split(&fence).skip(1).collect();
    let blocks: Vec<String> = rests
        .iter()
        .filter_map(|rest| rest.split_once("\n```"))
        .map(|(block, _)| block.to_owned())
        .collect();
    blocks.into_iter()
}

/// Replies that are always the same: `fixed(CODE, "TEXT")`.
fn fixed_replies(source: &str) -> Vec<String> {
    let calls = source.split("fixed(").skip(1);
    let replies = calls.filter_map(|call| {
        let (code, rest) = call.split_once(", \"")?;
        let (text, _) = rest.split_once("\")")?;
        Some(format!("{code} {text}"))
    });
    replies.collect()
}

/// A whole reply, such as `230 Login successful.`
fn is_reply(span: &str) -> bool {
    let Some((code, text)) = span.split_once(' ') else {
        return false;
    };
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    is_code && text.starts_with(|first: char| first.is_ascii_uppercase())
}

fn is_path(span: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    span.contains('/') && !span.starts_with('/') && span.bytes().all(is_part)
}

fn pages() -> Vec<PathBuf> {
    files_below(&root(), "md")
}

/// The repository's own files with this ending, in order.
fn files_below(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(directory).expect("a directory");
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let (path, name) = (entry.path(), entry.file_name());
        let is_foreign = FOREIGN.iter().any(|foreign| name == **foreign);
        if entry.file_type().expect("its kind").is_dir() {
            if !is_foreign {
                files.extend(files_below(&path, ending));
            }
        } else if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the repository")
        .to_owned()
}

/// Whose commands are all run.
const SET_UPS: &str = "ftp-server-sync/docs/set-ups.md";
const LIBRARY: &str = "ftp-proto/README.md";
/// Where the printed configuration file is.
const CONFIGURATION: &str = "/etc/ftp-server-sync.conf";
const README_LINES_MAX: usize = 250;
/// Folders that hold no page of ours.
const FOREIGN: &[&str] = &[".git", "target", "corpus", "node_modules"];
/// That the search itself works.
const PAGES_MIN: usize = 12;
const COMMANDS_MIN: usize = 10;
const REPLIES_MIN: usize = 10;
