//! The page `docs/set-ups.md`: each block is run as it is printed there, by a normal user on the
//! machine that the sentence before it names, and prints what stands below it.
//!
//! The addresses of the page are those of the lab, and its router forwards what the page says, so
//! nothing is replaced. `tests/stubs` has what stands for a person (who types passwords and files)
//! and for apt, systemd and docker.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use super::home_network::{Router, home_network};
use crate::support::lab::{Lab, Machines, Script};
use crate::support::page::{self, Block};
use crate::support::server::{self, Program};
use crate::support::wait::{GUARD, is_so_within};

#[test]
fn try_it() {
    run("Try it").finish();
}

#[test]
fn behind_a_router() {
    run("NAS behind a router").finish();
}

#[test]
fn with_tls() {
    run("With TLS").finish();
}

#[test]
fn several_users() {
    run("Several users").finish();
}

#[test]
fn camera_and_scanner() {
    run("Camera and scanner").finish();
}

#[test]
fn docker() {
    run("Docker").finish();
}

#[test]
fn debian_service() {
    run("Debian service").finish();
}

/// The router forwards what the page says, and nothing else.
#[test]
fn a_wrong_forward_is_noticed() {
    let right = "`21 -> 192.168.77.2:2121`";
    let page = page::read(PAGE);
    assert!(page.contains(right), "{right}");
    let page = page.replace(right, "`21 -> 192.168.77.2:9`");
    let set_up = SetUp::new(&page, "NAS behind a router").try_all();
    let problem = set_up.err().expect("nothing leads to the server");
    assert!(problem.contains("curl: (7)"), "{problem}");
}

#[test]
fn a_place_must_be_named() {
    for (before, named) in [
        (
            "**Look.** On the NAS, in a second terminal:",
            Some("server"),
        ),
        ("On a machine outside:", Some("client")),
        ("Here:", None),
        (
            "On the NAS, or on a machine outside: On a machine outside:",
            None,
        ),
    ] {
        let block = Block {
            kind: "sh".to_owned(),
            text: String::new(),
            before: before.to_owned(),
        };
        assert_eq!(host(&block).ok(), named, "{before}");
    }
}

#[test]
fn wrong_outputs_are_noticed() {
    let script = |has_succeeded, stdout: &str, stderr: &str| Script {
        has_succeeded,
        is_serving: false,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    };
    let log = "2026-02-01 07:00:00Z INFO  listening on a\n2026-02-01 07:00:00Z WARN  b c d\n";
    let refusal = "Password:\ncurl: (67) Access denied: 530\n";
    for (script, right, wrong) in [
        (script(true, "hello\n", ""), "hello\n", "hello\nhello\n"),
        (
            script(true, "", log),
            "2026-01-31 12:00:00Z WARN  b [..] d\n",
            "WARN  b [..] c\n",
        ),
        (
            script(true, "x\n", log),
            "x\nINFO  listening on a\n",
            "WARN  b c d\nINFO  listening on a\n",
        ),
        (
            script(false, "", refusal),
            "curl: (67) Access denied: 530\n",
            "curl: (25) no\n",
        ),
        (
            script(true, "", refusal),
            "",
            "curl: (67) Access denied: 530\n",
        ),
    ] {
        assert_eq!(check(&script, right), Ok(()));
        assert!(check(&script, wrong).is_err(), "{wrong}");
    }
    assert!(check(&script(false, "hello\n", ""), "hello\n").is_err());
}

/// So that no section is without a test, and the table at the top leads to each.
#[test]
fn each_set_up_is_run() {
    let page = page::read(PAGE);
    let sections: Vec<&str> = page::sections(&page)
        .iter()
        .map(|(heading, _)| *heading)
        .collect();
    assert_eq!(sections, SET_UPS);
    let own = include_str!("set_ups.rs");
    for heading in SET_UPS {
        assert!(
            own.contains(&format!("run({heading:?}).finish();")),
            "{heading}"
        );
        let link = format!("[{heading}](#{})", heading.to_lowercase().replace(' ', "-"));
        assert!(page.contains(&link), "{link}");
    }
    let first = page.split("\n## ").next().expect("an introduction");
    assert!(page::blocks(first).is_empty(), "a block that no test runs");
}

/// Each stub is one that a block needs.
#[test]
fn each_stub_is_used() {
    let page = page::read(PAGE);
    let words: BTreeSet<&str> = page.split_whitespace().collect();
    let stubs = page::root()
        .join("tests/stubs")
        .read_dir()
        .expect("the stubs");
    for stub in stubs.map(|stub| stub.expect("an entry").file_name()) {
        let name = stub.to_str().expect("text");
        let is_used = name == "editor" || words.iter().any(|word| word.ends_with(name));
        assert!(is_used, "{name}");
    }
}

fn run(heading: &str) -> SetUp {
    let set_up = SetUp::new(&page::read(PAGE), heading);
    match set_up.try_all() {
        Ok(set_up) => set_up,
        Err(text) => panic!("{heading}: {text}"),
    }
}

/// One section of the page, and the lab in which it is followed.
struct SetUp {
    blocks: Vec<Block>,
    container: Option<Container>,
    machines: Machines,
    lab: Lab,
}

struct Container {
    server: Program,
    /// Where its root is.
    _root: TempDir,
}

impl SetUp {
    fn new(page: &str, heading: &str) -> Self {
        let sections = page::sections(page);
        let section = sections.iter().find(|(found, _)| *found == heading);
        let (_, text) = section.unwrap_or_else(|| panic!("no section {heading}"));
        let lab = home_network(&Router {
            forwards: false,
            ..Router::default()
        });
        lab.nft("router", &forwards(text));
        let mut machines = Machines::new();
        for (host, address) in MACHINES {
            machines.add(&lab, host, address);
        }
        let blocks = page::blocks(text);
        for name in ["password", "ftp-server-sync.password"] {
            machines.type_into("server", name, "secret\n");
        }
        for (path, text) in blocks.iter().filter_map(file) {
            let name = path.rsplit('/').next().expect("a name");
            machines.type_into("server", name, text);
        }
        let package = machines.home(NAS).join("ftp-server-sync_1.0.0_amd64.deb");
        fs::write(package, "").expect("a package");
        Self {
            blocks,
            container: None,
            machines,
            lab,
        }
    }

    /// Runs each block in its order.
    fn try_all(mut self) -> Result<Self, String> {
        let blocks = self.blocks.clone();
        let mut blocks = blocks
            .iter()
            .filter(|block| file(block).is_none())
            .peekable();
        while let Some(block) = blocks.next() {
            if block.kind != "sh" {
                return Err(format!("no test knows what this is:\n{block:?}"));
            }
            let host = host(block)?;
            if block.before.contains("to which you have copied `nas.crt`") {
                let home = |address| self.machines.home(address).join("nas.crt");
                fs::copy(home(NEIGHBOUR), home(CLIENT)).map_err(|error| error.to_string())?;
            }
            let expected = blocks.next_if(|block| block.kind == "text");
            let expected = expected.map_or("", |block| &block.text);
            self.run(host, &block.text, expected)?;
            if block.text.starts_with("docker compose up") {
                self.start_container();
            }
        }
        Ok(self)
    }

    /// Runs a script, which has to print this. A server goes on to log after the line that it
    /// listens.
    fn run(&mut self, host: &str, text: &str, expected: &str) -> Result<(), String> {
        let mut script = self.machines.run(host, text);
        let mut checked = check(&script, expected);
        is_so_within(GUARD, || {
            if script.is_serving && checked.is_err() {
                self.machines.read_on(&mut script);
                checked = check(&script, expected);
            }
            checked.is_ok() || !script.is_serving
        });
        checked.map_err(|problem| format!("{problem}:\n{text}{}", shown(&script)))
    }

    /// Docker's part: a bridge, published ports, directories, variables, another user.
    fn start_container(&mut self) {
        let compose = Compose::read(&self.blocks);
        let lab = &mut self.lab;
        lab.host("container");
        lab.network("server", "docker0", "172.17.0.1/16");
        lab.plug("container", "eth0", "172.17.0.2/16", "server", "docker0");
        lab.default_route("container", "172.17.0.1");
        lab.forward("server");
        lab.nft("server", &compose.published());
        let root = TempDir::new().expect("a directory");
        let mut command = lab.on("container", "unshare");
        command
            .args(["--mount", "sh", "-euc", CONTAINER])
            .arg(root.path());
        let program = server::command::<&str>(&[]).get_program().to_owned();
        command.arg(program).arg(&compose.user);
        command.arg(compose.volumes(&self.machines.home(NAS)));
        command.args(&compose.environment);
        self.container = Some(Container {
            server: Program::start(&mut command, Stdio::null()),
            _root: root,
        });
    }

    /// A set-up that is recommended gives no reason for a warning, but for those on the page.
    fn finish(self) {
        let mut printed = self.machines.printed();
        if let Some(container) = &self.container {
            printed += &container.server.log();
        }
        let shown: Vec<&str> = self
            .blocks
            .iter()
            .flat_map(|block| block.text.lines())
            .collect();
        for line in printed.lines() {
            let is_bad = [" WARN ", " ERROR ", "panicked"]
                .iter()
                .any(|sign| line.contains(sign));
            let is_shown = shown.iter().any(|shown| is_like(line, shown));
            assert!(!is_bad || is_shown, "{line}\nin\n{printed}");
        }
    }
}

/// What a compose file says, as far as the page uses it.
struct Compose {
    user: String,
    ports: Vec<String>,
    volumes: Vec<String>,
    environment: Vec<String>,
}

impl Compose {
    fn read(blocks: &[Block]) -> Self {
        let file = blocks.iter().find(|block| block.kind == "yaml");
        let mut compose = Self {
            user: String::new(),
            ports: Vec::new(),
            volumes: Vec::new(),
            environment: Vec::new(),
        };
        let mut group = "";
        for line in file.expect("a compose file").text.lines().skip(3) {
            let depth = line.len() - line.trim_start().len();
            let line = line.trim();
            let value = |text: &str| text.trim_matches('"').to_owned();
            let pair = line.split_once(": ");
            match (depth, group) {
                (4, _) if line.ends_with(':') => group = line.trim_end_matches(':'),
                (4, _) => match pair.expect("a setting") {
                    ("user", user) => compose.user = value(user),
                    ("network_mode", "bridge") | ("image" | "restart", _) => {}
                    other => panic!("unknown: {other:?}"),
                },
                (6, "ports") => compose.ports.push(value(&line[2..])),
                (6, "volumes") => compose.volumes.push(value(&line[2..])),
                (6, "environment") => {
                    let (name, text) = pair.expect("a variable");
                    compose.environment.push(format!("{name}={}", value(text)));
                }
                _ => panic!("unknown: {line:?}"),
            }
        }
        compose
    }

    /// What docker loads for the published ports.
    fn published(&self) -> String {
        let line = |ports: &String| {
            let (outer, inner) = ports.split_once(':').expect("two sides");
            forward("fib daddr type local", outer, "172.17.0.2", inner)
        };
        chain("docker", &self.ports.iter().map(line).collect::<String>())
    }

    /// One word for each, `FROM:TO`, the first path whole.
    fn volumes(&self, home: &Path) -> String {
        let volumes = self.volumes.iter().map(|volume| {
            let volume = volume.trim_start_matches("./").trim_end_matches(":ro");
            format!("{}/{volume}", home.display())
        });
        volumes.collect::<Vec<_>>().join(" ")
    }
}

/// What a script had to do: end well, or serve; and print this.
fn check(script: &Script, expected: &str) -> Result<(), String> {
    let must_fail = expected.starts_with("curl: (");
    if script.has_succeeded == must_fail {
        return Err(format!(
            "it should have {}",
            if must_fail { "failed" } else { "succeeded" }
        ));
    }
    if must_fail {
        let is_so = script.stderr.ends_with(expected);
        return is_so.then_some(()).ok_or(format!("not {expected:?}"));
    }
    if script.stderr.contains(" INFO  listening on ") {
        // Some lines, in this order.
        let printed = format!("{}{}", script.stdout, script.stderr);
        let (mut printed, mut expected) = (printed.lines(), expected.lines());
        let missing = expected.find(|line| !printed.any(|printed| is_like(printed, line)));
        return missing.map_or(Ok(()), |line| Err(format!("no {line:?} in its place")));
    }
    if !expected.is_empty() && script.stdout != expected {
        return Err(format!("not {expected:?}"));
    }
    Ok(())
}

fn shown(script: &Script) -> String {
    format!("---\n{}---\n{}", script.stdout, script.stderr)
}

/// Whether a printed line is one of the page, where `[..]` stands for anything.
fn is_like(printed: &str, shown: &str) -> bool {
    let mut rest = without_time(printed);
    let pieces: Vec<&str> = without_time(shown).split("[..]").collect();
    let (last, first) = pieces.split_last().expect("a piece");
    for (number, piece) in first.iter().enumerate() {
        match rest.find(piece) {
            Some(at) if at == 0 || number > 0 => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    if first.is_empty() {
        rest == *last
    } else {
        rest.ends_with(last)
    }
}

/// A line of the log begins with the time, which differs.
fn without_time(line: &str) -> &str {
    let is_time = line.get(19..21) == Some("Z ") && line.starts_with("20");
    if is_time { &line[21..] } else { line }
}

/// The path of a file that a block shows, and the file.
fn file(block: &Block) -> Option<(&str, &str)> {
    let line = block.text.lines().next()?;
    let path = line.strip_prefix("# ")?;
    let is_file = path.starts_with('/') || block.kind == "yaml";
    is_file.then_some((path, &block.text))
}

/// The machine that the paragraph before a block names.
fn host(block: &Block) -> Result<&'static str, String> {
    let named: Vec<&(&str, &str)> = PLACES
        .iter()
        .filter(|(place, _)| block.before.contains(place))
        .collect();
    match named[..] {
        [(_, host)] => Ok(host),
        _ => Err(format!("it is not clear where this is run: {block:?}")),
    }
}

/// The router's rules, by the sentence `**Forward on the router** … `FROM -> ADDRESS:TO``.
fn forwards(section: &str) -> String {
    let (_, rest) = section
        .split_once("**Forward on the router**")
        .unwrap_or(("", ""));
    let paragraph = rest.split("\n\n").next().unwrap_or_default();
    let spans = paragraph.split('`').skip(1).step_by(2);
    let lines = spans.map(|span| {
        let (outer, to) = span.split_once(" -> ").expect("FROM -> TO");
        let (address, inner) = to.split_once(':').expect("ADDRESS:PORT");
        forward("ip daddr 203.0.113.1", outer, address, inner)
    });
    chain("page", &lines.collect::<String>())
}

/// One rule; a range keeps its numbers.
fn forward(matching: &str, outer: &str, address: &str, inner: &str) -> String {
    let port = if outer == inner {
        String::new()
    } else {
        format!(":{inner}")
    };
    format!("{matching} tcp dport {outer} dnat to {address}{port}\n")
}

fn chain(name: &str, rules: &str) -> String {
    format!(
        "table ip {name} {{\nchain prerouting {{\n\
         type nat hook prerouting priority dstnat;\n{rules}}}\n}}"
    )
}

/// A root directory with this system's programs and the volumes. `$0` is it, `$1` our program, `$2`
/// the user, `$3` has the volumes, `$4` and so on are the variables.
const CONTAINER: &str = "
root=$0 program=$1 user=$2 volumes=$3
shift 3
mount -t tmpfs container \"$root\"
cd \"$root\"
mkdir usr proc
mount --bind /usr usr
ln -s usr/lib usr/lib64 usr/bin .
mount -t proc proc proc
for volume in $volumes; do
    from=${volume%:*} to=.${volume##*:}
    mkdir -p \"$(dirname \"$to\")\"
    if [ -d \"$from\" ]; then mkdir \"$to\"; else touch \"$to\"; fi
    mount --bind \"$from\" \"$to\"
done
touch program
mount --bind \"$program\" program
exec chroot --userspec=\"$user\" . /usr/bin/env -i \"$@\" /program";

const PAGE: &str = "ftp-server-sync/docs/set-ups.md";
const NAS: &str = "192.168.77.2";
const NEIGHBOUR: &str = "192.168.77.3";
const CLIENT: &str = "203.0.113.9";
/// Hosts of the lab that are machines of the page.
const MACHINES: [(&str, &str); 3] = [
    ("server", NAS),
    ("neighbour", NEIGHBOUR),
    ("client", CLIENT),
];
/// What the page says before a block, and the host.
const PLACES: [(&str, &str); 4] = [
    ("n the NAS", "server"),
    ("n docker's host", "server"),
    ("On a machine in the LAN", "neighbour"),
    ("On a machine outside", "client"),
];
const SET_UPS: [&str; 7] = [
    "Try it",
    "NAS behind a router",
    "With TLS",
    "Several users",
    "Camera and scanner",
    "Docker",
    "Debian service",
];
