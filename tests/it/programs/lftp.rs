//! lftp: one session in each of its ways to open data connections, and mirrors of whole trees.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use super::dialogue::{Dialogue, Mode};
use super::{
    HALF, LOOPBACK, assert_same_trees, assert_sample, plant, sorted_names, start, write_part,
    write_sample,
};
use crate::support::client_program::{NAMES, path};
use crate::support::process::Finished;
use crate::support::server::{PASSWORD, Program, TestServer, USER};

#[test]
fn lftp_by_default() {
    check("127.0.0.1", "").assert_mode(Mode::Pasv);
}

#[test]
fn lftp_that_trusts_the_address() {
    check("127.0.0.1", "set ftp:fix-pasv-address false").assert_mode(Mode::Pasv);
}

#[test]
fn lftp_that_prefers_epsv() {
    check("127.0.0.1", "set ftp:prefer-epsv true").assert_mode(Mode::Epsv);
}

#[test]
fn lftp_in_active_mode() {
    check("127.0.0.1", "set ftp:passive-mode false").assert_mode(Mode::Port);
}

/// In passive mode only: on IPv6 lftp's EPRT names the address `::`, which is refused, and lftp
/// turns to EPSV.
#[test]
fn lftp_on_ipv6() {
    check("::1", "").assert_mode(Mode::Epsv);
}

#[test]
fn lftp_mirrors_both_ways() {
    for (settings, mode) in [
        ("", Mode::Pasv),
        ("set ftp:prefer-epsv true", Mode::Epsv),
        ("set ftp:use-mlsd false", Mode::Pasv),
    ] {
        let server = start(LOOPBACK);
        plant(&server.work("tree"));
        lftp(
            &server,
            settings,
            "mirror -R --parallel=8 tree up\nmirror --parallel=8 up down\n",
        )
        .expect_success();
        assert_same_trees(&server.work("tree"), &server.path("up"));
        assert_same_trees(&server.work("tree"), &server.work("down"));
        let dialogue = Dialogue::finish(server);
        dialogue.assert_mode(mode);
        assert!(
            dialogue.sessions() >= 8,
            "{} sessions in place of eight at once",
            dialogue.sessions()
        );
    }
}

/// `mirror -c` transfers what is missing, in either direction.
#[test]
fn lftp_mirrors_continue() {
    let server = start(LOOPBACK);
    for directory in [server.path("up"), server.path("again"), server.work("down")] {
        fs::create_dir(directory).expect("a directory");
    }
    write_sample(&server.path("up/sample"));
    write_part(&server.path("again/sample"));
    write_part(&server.work("down/sample"));
    lftp(&server, "", "mirror -c up down\nmirror -c -R down again\n").expect_success();
    assert_sample(&server.work("down/sample"));
    assert_sample(&server.path("again/sample"));
    let dialogue = Dialogue::finish(server);
    let rest = format!("REST {HALF}");
    let resumed = dialogue.commands().filter(|line| *line == rest).count();
    assert_eq!(resumed, 2, "a download and an upload that went on");
}

/// A mirror carries times and permissions up, by MFMT and SITE CHMOD, and `chmod` changes them
/// there.
#[test]
fn lftp_keeps_times_and_permissions() {
    let server = start(LOOPBACK);
    fs::create_dir(server.work("tree")).expect("a directory");
    write_sample(&server.work("tree/sample"));
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let file = File::options().write(true).open(server.work("tree/sample"));
    file.and_then(|file| file.set_modified(time))
        .expect("its time");
    let mode = |bits| fs::Permissions::from_mode(bits);
    fs::set_permissions(server.work("tree/sample"), mode(0o640)).expect("its mode");
    lftp(
        &server,
        "",
        "mirror -R tree up\nput tree/sample -o other\nchmod 600 other\n",
    )
    .expect_success();
    let up = fs::metadata(server.path("up/sample")).expect("the upload");
    assert_eq!((up.mode() & 0o7777, up.mtime()), (0o640, 1_600_000_000));
    let other = fs::metadata(server.path("other")).expect("the upload");
    assert_eq!(other.mode() & 0o7777, 0o600);
    Dialogue::finish(server).assert_used(&["MFMT", "SITE"]);
}

/// A share that is gone does not look empty: a mirror that deletes what the server lacks keeps all
/// copies, in a running session and in one that logs in again.
#[test]
fn lftp_mirrors_nothing_of_a_share_that_is_gone() {
    let server = start(LOOPBACK);
    plant(&server.work("tree"));
    plant(&server.path("tree"));
    let (root, away) = (server.root(), server.directory().join("away"));
    let delete = "mirror --delete / .copy";
    lftp(&server, "", "mirror / .copy\n").expect_success();
    let gone = format!("!mv {} {}\n{delete}\n", path(&root), path(&away));
    lftp(&server, "", &format!("{delete}\n{gone}")).expect_failure();
    lftp(&server, "", &format!("{delete}\n")).expect_failure();
    assert_same_trees(&server.work("tree"), &server.work(".copy/tree"));
    fs::rename(&away, &root).expect("a rename");
    lftp(&server, "", &format!("{delete}\n")).expect_success();
    assert_same_trees(&server.work("tree"), &server.work(".copy/tree"));
    let log = server.finish();
    assert!(
        log.contains("550 The shared directory is not available."),
        "{log}"
    );
    assert!(
        log.contains("login as tester refused: the shared directory is not available"),
        "{log}"
    );
}

/// Everything that a person does with lftp in one session.
fn check(host: &str, settings: &str) -> Dialogue {
    let server = start(host);
    write_sample(&server.work("sample"));
    write_part(&server.work("part"));
    write_part(&server.path("part"));
    let mut script = String::from(
        "put sample\n\
         get sample -o copy\n\
         get -c sample -o part\n\
         put -c sample -o part\n\
         pget -n 4 sample -o pieces\n\
         mkdir -p one/two\n\
         mv part one/two/moved\n\
         mkdir odd\n",
    );
    for name in NAMES {
        fs::write(server.work(name), name).expect("a file with an odd name");
        let [local, remote, back] =
            ["./", "odd/", "back/"].map(|directory| quoted(&format!("{directory}{name}")));
        script += &format!("put {local} -o {remote}\nget {remote} -o {back}\n");
    }
    script += "cls -1 odd\nrm sample\n";
    fs::create_dir(server.work("back")).expect("a directory");
    let finished = lftp(&server, settings, &script).expect_success();
    for sample in [
        server.work("copy"),
        server.work("part"),
        server.work("pieces"),
        server.path("one/two/moved"),
    ] {
        assert_sample(&sample);
    }
    for name in NAMES {
        for copy in [
            server.path("odd").join(name),
            server.work("back").join(name),
        ] {
            assert_eq!(fs::read_to_string(copy).expect(name), name);
        }
    }
    let listed = String::from_utf8(finished.stdout.clone()).expect("names in UTF-8");
    let mut listed: Vec<_> = listed
        .lines()
        .map(|name| name.trim_start_matches("odd/"))
        .collect();
    listed.sort_unstable();
    assert_eq!(listed, sorted_names(), "{}", finished.text());
    assert!(!server.path("sample").exists(), "rm removes");
    let dialogue = Dialogue::finish(server);
    dialogue.assert_sent(&format!("REST {HALF}"));
    dialogue
}

/// Runs a script; lftp ends with the first command that fails.
pub(super) fn lftp(server: &TestServer<Program>, settings: &str, script: &str) -> Finished {
    let file = server.work("script");
    let text = format!(
        "set cmd:fail-exit true\n\
         set net:max-retries 2\n\
         set net:timeout 10\n\
         set net:reconnect-interval-base 1\n\
         set ftp:ssl-allow false\n\
         {settings}\n\
         open -u {USER},{PASSWORD} ftp://{}\n\
         {script}",
        server.address
    );
    fs::write(&file, text).expect("the script");
    server.run_client("lftp", &["--norc", "-f", path(&file)])
}

/// A name as one word of a script.
fn quoted(name: &str) -> String {
    let mut word = String::from("\"");
    for letter in name.chars() {
        if matches!(letter, '"' | '\\') {
            word.push('\\');
        }
        word.push(letter);
    }
    word + "\""
}
