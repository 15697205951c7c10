//! Client libraries of other languages, each driven by a script in `tests/clients`.
//!
//! Python's ftplib is in `ftplib.rs`. aioftp and basic-ftp are not Debian packages of these
//! versions: `tests/run` installs them below `target`, and knows the versions. Apache Commons Net,
//! of Java programs, needs a compiler of 260 MB: `tests/run --long` installs it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::dialogue::{Dialogue, Mode};
use super::tls::STRICT;
use super::{
    HALF, LOOPBACK, assert_same_trees, assert_sample, plant, prepare, start, start_secure,
};
use crate::support::client_program::{NAMES, SECONDS_MAX, path, sorted_lines};
use crate::support::file_contents::assert_same_files;
use crate::support::process;
use crate::support::server::{PASSWORD, Program, TestServer, USER};

#[test]
fn perl_passive() {
    check_perl("127.0.0.1", "passive").assert_mode(Mode::Pasv);
    check_perl("::1", "passive").assert_mode(Mode::Epsv);
}

#[test]
fn perl_active() {
    check_perl("127.0.0.1", "active").assert_mode(Mode::Port);
    check_perl("::1", "active").assert_mode(Mode::Eprt);
}

#[test]
fn basic_ftp_by_default() {
    for host in ["127.0.0.1", "::1"] {
        let dialogue = check_basic_ftp(start(host), "as-it-is");
        dialogue.assert_mode(Mode::Epsv);
    }
}

#[test]
fn basic_ftp_with_pasv() {
    check_basic_ftp(start("127.0.0.1"), "pasv").assert_mode(Mode::Pasv);
}

/// All its data connections resume: the server would refuse them otherwise.
#[test]
fn basic_ftp_over_tls() {
    let dialogue = check_basic_ftp(start_secure(&STRICT).server, "tls");
    dialogue
        .assert_mode(Mode::Epsv)
        .assert_used(&["AUTH", "PROT"]);
}

#[test]
fn aioftp_by_default() {
    for host in ["127.0.0.1", "::1"] {
        check_aioftp(host, "as-it-is").assert_mode(Mode::Epsv);
    }
}

#[test]
fn aioftp_with_pasv() {
    check_aioftp("127.0.0.1", "pasv").assert_mode(Mode::Pasv);
}

#[test]
fn long_php_passive() {
    // Its ftp:// streams ask with EPSV, and with PASV if that is refused.
    let dialogue = check_php("passive");
    dialogue
        .assert_used(&["PASV", "EPSV"])
        .assert_unused(&["PORT"]);
}

#[test]
fn long_php_by_default() {
    check_php("active").assert_mode(Mode::Port);
}

/// Its default is active mode.
#[test]
fn long_commons_net_by_default() {
    check_commons_net(start("127.0.0.1"), "active").assert_mode(Mode::Port);
    check_commons_net(start("::1"), "active").assert_mode(Mode::Eprt);
}

#[test]
fn long_commons_net_passive() {
    check_commons_net(start("127.0.0.1"), "passive").assert_mode(Mode::Pasv);
    check_commons_net(start("127.0.0.1"), "epsv").assert_mode(Mode::Epsv);
    check_commons_net(start("::1"), "passive").assert_mode(Mode::Epsv);
}

/// Its data connections do not resume the session of the control connection.
#[test]
fn long_commons_net_over_tls() {
    let secure = start_secure(&["--tls-control-required", "--tls-data-required"]);
    let dialogue = check_commons_net(secure.server, "tls");
    dialogue
        .assert_mode(Mode::Pasv)
        .assert_used(&["AUTH", "PROT"]);
}

fn check_perl(host: &str, mode: &str) -> Dialogue {
    let script = script("net_ftp_session.pl");
    let dialogue = check(host, "perl", &[path(&script)], mode, Trees::One);
    dialogue.assert_sent(&format!("REST {HALF}"));
    dialogue.assert_used(&["APPE", "LIST", "NLST", "SIZE", "MDTM"]);
    dialogue
}

fn check_basic_ftp(server: TestServer<Program>, mode: &str) -> Dialogue {
    let (script, module) = (
        script("basic_ftp_session.mjs"),
        installed("node/node_modules/basic-ftp"),
    );
    let arguments = [path(&script), path(&module)];
    // Over TLS it closes the data connection of an empty file, mostly after the handshake, and
    // under load before it has proved who it is.
    let trees = match mode {
        "tls" => Trees::WithoutEmptyFiles,
        _ => Trees::Whole,
    };
    let dialogue = check_on(server, "node", &arguments, mode, trees);
    dialogue.assert_sent(&format!("REST {HALF}"));
    dialogue.assert_used(&["APPE", "MLSD", "SIZE", "MDTM"]);
    dialogue
}

fn check_aioftp(host: &str, mode: &str) -> Dialogue {
    let script = script("aioftp_session.py");
    installed("python/aioftp");
    let dialogue = check(host, "python3", &[path(&script)], mode, Trees::Whole);
    dialogue.assert_sent(&format!("REST {HALF}"));
    dialogue.assert_used(&["APPE", "MLSD", "LIST", "MLST"]);
    dialogue
}

fn check_php(mode: &str) -> Dialogue {
    let script = script("php_session.php");
    let dialogue = check(LOOPBACK, "php", &[path(&script)], mode, Trees::One);
    dialogue.assert_sent(&format!("REST {HALF}"));
    dialogue.assert_used(&[
        "APPE", "ALLO", "LIST", "NLST", "MLSD", "SIZE", "MDTM", "SITE",
    ]);
    dialogue
}

/// More than the others do: links, and commands while a transfer runs.
fn check_commons_net(server: TestServer<Program>, mode: &str) -> Dialogue {
    fs::create_dir(server.path("links")).expect("a directory");
    symlink("../odd", server.path("links/directory")).expect("a link");
    symlink("../sample", server.path("links/file")).expect("a link");
    server.write_sparse("slow", 12 * 1024 * 1024);
    let script = script("CommonsNetSession.java");
    let arguments = ["-cp", COMMONS_NET, path(&script)];
    let dialogue = check_on(server, "java", &arguments, mode, Trees::One);
    dialogue.assert_sent(&format!("REST {HALF}"));
    dialogue.assert_used(&[
        "APPE", "LIST", "NLST", "MLSD", "MLST", "SIZE", "MDTM", "MFMT", "STOU",
    ]);
    // More than the server holds while a transfer runs; the others wait in the network.
    let noops = dialogue.commands().filter(|line| *line == "NOOP").count();
    assert!(noops > 16, "{noops} NOOPs:\n{}", dialogue.log());
    dialogue
}

/// Whether a library can send and fetch a directory with all that is in it.
#[derive(PartialEq)]
enum Trees {
    One,
    WithoutEmptyFiles,
    Whole,
}

/// Lays out the client's directory, runs the script there, and compares what it left on both sides.
fn check(host: &str, program: &str, arguments: &[&str], mode: &str, trees: Trees) -> Dialogue {
    check_on(start(host), program, arguments, mode, trees)
}

fn check_on(
    server: TestServer<Program>,
    program: &str,
    arguments: &[&str],
    mode: &str,
    trees: Trees,
) -> Dialogue {
    prepare(&server);
    plant(&server.work("tree"));
    if trees == Trees::WithoutEmptyFiles {
        fs::remove_file(server.work("tree/empty")).expect("an empty file");
    }
    fs::write(server.work("names"), NAMES.join("\n") + "\n").expect("a list of names");
    let mut wanted = Vec::new();
    for name in NAMES {
        fs::write(server.work(name), name).expect("a file with an odd name");
        wanted.push(format!("{name} {}", name.len()));
    }
    wanted.sort();
    let mut command = server.client_program(program);
    command
        .env("PYTHONPATH", clients().join("python"))
        .args(arguments)
        .args([&server.host(), &server.port(), USER, PASSWORD, mode]);
    let finished = process::run(&mut command, SECONDS_MAX).expect_success();

    assert_eq!(sorted_lines(&finished), wanted, "{}", finished.text());
    for sample in [
        server.work("copy"),
        server.work("part"),
        server.path("part"),
        server.path("appended"),
    ] {
        assert_sample(&sample);
    }
    for name in NAMES {
        for copy in [
            server.path("odd").join(name),
            server.work("back").join(name),
        ] {
            assert_same_files(&server.work(name), &copy);
        }
    }
    if trees != Trees::One {
        assert_same_trees(&server.work("tree"), &server.path("up"));
        assert_same_trees(&server.work("tree"), &server.work("down"));
    }
    for gone in ["sample", "one"] {
        assert!(!server.path(gone).exists(), "{gone} is still there");
    }
    let dialogue = Dialogue::finish(server);
    // Each asks for a missing file and perhaps for missing directories; nothing else may go wrong.
    dialogue.assert_smooth_but(&["550"]);
    dialogue
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}

/// Something that `tests/run` has installed.
#[track_caller]
pub(super) fn installed(name: &str) -> PathBuf {
    let place = clients().join(name);
    assert!(
        place.exists(),
        "{} is missing: `tests/run --install` installs it",
        place.display()
    );
    place
}

pub(super) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-clients")
}

/// Of the Debian package libcommons-net-java.
const COMMONS_NET: &str = "/usr/share/java/commons-net.jar";
