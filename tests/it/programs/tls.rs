//! Clients over TLS, with OpenSSL and GnuTLS beneath them; their data connections resume, unless a
//! test says that they do not.

use std::fs;
use std::path::Path;

use super::dialogue::{Dialogue, Mode};
use super::{assert_same_trees, assert_sample, plant, start_secure, write_sample};
use crate::support::client_program::{SECONDS_MAX, path};
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::process::{self, Finished};
use crate::support::server::{PASSWORD, Program, SecureServer, USER};

/// No byte in clear text, and no data without proof whose it is.
fn start_strict() -> SecureServer<Program> {
    start_secure(&STRICT)
}

#[track_caller]
pub(super) fn curl(secure: &SecureServer<Program>, flags: &[&str], arguments: &[&str]) -> Finished {
    let user = format!("{USER}:{PASSWORD}");
    let authority = &secure.certificate.chain;
    let common = ["-q", "-sS", "--cacert", authority, "--user", &user];
    let arguments = [&common[..], flags, arguments].concat();
    secure.server.run_client("curl", &arguments)
}

/// The sample's URL for implicit TLS.
#[track_caller]
pub(super) fn implicit_url(secure: &SecureServer<Program>) -> String {
    let log = secure.server.log_with(" (TLS)");
    let line = log.lines().find(|line| line.ends_with(" (TLS)"));
    let (_, address) = line
        .and_then(|line| line.split_once("listening on "))
        .expect("the listener");
    format!("ftps://{}/sample", address.trim_end_matches(" (TLS)"))
}

fn lftp(
    secure: &SecureServer<Program>,
    settings: &str,
    script: &str,
    seconds_max: u64,
) -> Finished {
    let server = &secure.server;
    let file = server.work("script");
    let text = format!(
        "set cmd:fail-exit true\n\
         set net:max-retries 2\n\
         set net:timeout 10\n\
         set ftp:ssl-force true\n\
         set ftp:ssl-protect-data true\n\
         set ssl:ca-file {}\n\
         {settings}\n\
         open -u {USER},{PASSWORD} ftp://{}\n\
         {script}",
        secure.certificate.chain, server.address
    );
    fs::write(&file, text).expect("the script");
    let mut command = server.client_program("lftp");
    process::run(command.args(["--norc", "-f", path(&file)]), seconds_max)
}

#[test]
fn curl_over_tls() {
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        for (way, mode) in [
            (&["--ssl-reqd"][..], Mode::Epsv),
            (&["--ftp-ssl-control", "--disable-epsv"], Mode::Pasv),
        ] {
            let control_only = way.contains(&"--ftp-ssl-control");
            let secure = if control_only {
                start_secure(&["--tls-control-required"])
            } else {
                start_strict()
            };
            let flags = [version, way].concat();
            check_curl(&secure, &flags, &secure.server.url("/sample"));
            let dialogue = Dialogue::finish(secure.server);
            let log = dialogue.log();
            dialogue.assert_mode(mode);
            assert_eq!(
                dialogue.commands().any(|line| line == "PROT P"),
                !control_only
            );
            let label = if version.contains(&"--tlsv1.3") {
                "TLS 1.3, "
            } else {
                "TLS 1.2, "
            };
            assert!(log.contains(label), "{log}");
            assert!(!log.contains(NOT_RESUMED), "{log}");
        }
    }
}

#[test]
fn curl_over_implicit_tls() {
    let secure = start_secure(&[&STRICT[..], &["--tls-implicit", "0"]].concat());
    check_curl(&secure, &[], &implicit_url(&secure));
    let dialogue = Dialogue::finish(secure.server);
    let log = dialogue.log();
    dialogue.assert_mode(Mode::Epsv);
    assert!(!log.contains(NOT_RESUMED), "{log}");
    assert!(!dialogue.commands().any(|line| line.starts_with("AUTH")));
}

/// curl has one cache of tickets for all its sessions, so each data connection offers the ticket
/// of some session.
#[test]
fn curl_transfers_in_parallel() {
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let secure = start_secure(&["--tls-control-required", "--tls-data-required"]);
        let server = &secure.server;
        let flags = [
            version,
            &[
                "--ssl-reqd",
                "--parallel",
                "--parallel-immediate",
                "--fail-early",
            ],
        ]
        .concat();
        let name = |number: usize| format!("file-{number}");
        for number in 0..PARALLEL_FILES {
            let bytes = noise(1000 * number + 1);
            fs::write(server.work(&name(number)), bytes).expect("a file");
        }
        let transfers = |words: &dyn Fn(usize) -> [String; 3]| {
            let words: Vec<String> = (0..PARALLEL_FILES).flat_map(words).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            curl(&secure, &flags, &words).expect_success();
        };
        transfers(&|number| {
            let url = server.url(&format!("/{}", name(number)));
            ["-T".to_owned(), name(number), url]
        });
        transfers(&|number| {
            let url = server.url(&format!("/{}", name(number)));
            ["-o".to_owned(), format!("back-{number}"), url]
        });
        for number in 0..PARALLEL_FILES {
            let sent = server.work(&name(number));
            assert_same_files(&sent, &server.path(&name(number)));
            assert_same_files(&sent, &server.work(&format!("back-{number}")));
        }
        let log = secure.server.finish();
        assert!(log.contains(NOT_RESUMED), "{log}");
        assert!(!log.contains("refused the data connection"), "{log}");
    }
}

#[test]
fn curl_without_tls_is_refused() {
    let secure = start_strict();
    let refused = curl(&secure, &[], &[&secure.server.url("/")]).expect_failure();
    assert!(refused.text().contains("530"), "{}", refused.text());
    secure.server.finish();
}

#[track_caller]
pub(super) fn check_curl(secure: &SecureServer<Program>, flags: &[&str], url: &str) {
    let server = &secure.server;
    write_sample(&server.work("sample"));
    let run = |arguments: &[&str]| curl(secure, flags, arguments).expect_success();
    run(&["-T", "sample", url]);
    assert_sample(&server.path("sample"));
    run(&["-o", "back", url]);
    assert_sample(&server.work("back"));
    let directory = url.trim_end_matches("sample");
    let listed = run(&[directory]);
    assert!(listed.text().contains(" sample"), "{}", listed.text());
}

#[test]
fn lftp_over_tls() {
    for (settings, mode) in [
        ("", Mode::Pasv),
        ("set ftp:prefer-epsv true", Mode::Epsv),
        ("set ftp:passive-mode false", Mode::Port),
        ("set ssl:priority NORMAL:-VERS-TLS1.3", Mode::Pasv),
    ] {
        let secure = start_strict();
        let server = &secure.server;
        write_sample(&server.work("sample"));
        plant(&server.work("tree"));
        let script = "put sample\nget sample -o copy\npget -n 4 sample -o pieces\n\
                      mirror -R --parallel=4 tree up\nmirror --parallel=4 up down\n";
        lftp(&secure, settings, script, SECONDS_MAX).expect_success();
        for sample in [
            server.path("sample"),
            server.work("copy"),
            server.work("pieces"),
        ] {
            assert_sample(&sample);
        }
        assert_same_trees(&server.work("tree"), &server.path("up"));
        assert_same_trees(&server.work("tree"), &server.work("down"));
        let dialogue = Dialogue::finish(secure.server);
        let log = dialogue.log();
        dialogue.assert_mode(mode);
        assert!(!log.contains(NOT_RESUMED), "{log}");
    }
}

#[test]
fn long_lftp_over_tls() {
    let secure = start_strict();
    let server = &secure.server;
    let large = server.work("large");
    fs::write(&large, noise(1 << 20).repeat(300)).expect("a large file");
    fs::create_dir(server.work("many")).expect("a directory");
    for number in 0..2000 {
        let bytes = noise(number * 37 % 60_000);
        fs::write(server.work("many").join(number.to_string()), bytes).expect("a file");
    }
    let script = "put large\nget large -o back\n\
                  mirror -R --parallel=8 many up\nmirror --parallel=8 up down\n";
    lftp(&secure, "", script, 600).expect_success();
    assert_same_files(&large, &server.path("large"));
    assert_same_files(&large, &server.work("back"));
    assert_same_trees(&server.work("many"), &server.path("up"));
    assert_same_trees(&server.work("many"), &server.work("down"));
    let log = secure.server.finish();
    assert!(!log.contains(NOT_RESUMED), "{log}");
}

#[test]
fn ftplib_that_reuses_the_session() {
    for version in ["1.2", "1.3"] {
        for active in [&[][..], &["--active"]] {
            let secure = start_strict();
            ftplib(&secure, &[&[version, "--reuse"], active].concat()).expect_success();
            let log = secure.server.finish();
            assert!(!log.contains(NOT_RESUMED), "{log}");
        }
    }
}

/// It is served where resumption is not required, and the log warns once.
#[test]
fn ftplib_by_default_does_not_resume() {
    for version in ["1.2", "1.3"] {
        let secure = start_secure(&["--tls-control-required", "--tls-data-required"]);
        ftplib(&secure, &[version]).expect_success();
        let log = secure.server.finish();
        assert_eq!(log.matches(NOT_RESUMED).count(), 1, "{log}");
        let secure = start_strict();
        let refused = ftplib(&secure, &[version]).expect_failure();
        assert!(refused.text().contains("522 "), "{}", refused.text());
        secure.server.finish();
    }
}

fn ftplib(secure: &SecureServer<Program>, arguments: &[&str]) -> Finished {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/ftplib_tls_session.py");
    let (host, port) = (secure.server.host(), secure.server.port());
    let login = [
        path(&script),
        &host,
        &port,
        USER,
        PASSWORD,
        &secure.certificate.chain,
    ];
    secure
        .server
        .run_client("python3", &[&login[..], arguments].concat())
}

#[test]
fn openssl_logs_in_and_renews_keys() {
    let secure = start_strict();
    for version in ["-tls1_2", "-tls1_3"] {
        let login = format!("USER {USER}\nPASS {PASSWORD}\nPWD\nQUIT\n");
        let finished = s_client(&secure, &[version, "-quiet"], &login).expect_success();
        let text = String::from_utf8_lossy(&finished.stdout).into_owned();
        for reply in ["230 ", "257 ", "221 "] {
            assert!(text.contains(reply), "{}", finished.text());
        }
    }
    // A line with R alone makes it ask for a new handshake, which is refused; no other client
    // notices.
    let asked = s_client(&secure, &["-tls1_2"], "R\n");
    assert!(asked.text().contains("RENEGOTIATING"), "{}", asked.text());
    // K in TLS 1.3: new keys for both sides.
    let keys = s_client(&secure, &["-tls1_3"], "K\n");
    assert!(keys.text().contains("KEYUPDATE"), "{}", keys.text());
    check_curl(&secure, &["--ssl-reqd"], &secure.server.url("/sample"));
    secure.server.finish();
}

#[track_caller]
pub(super) fn s_client(secure: &SecureServer<Program>, flags: &[&str], typed: &str) -> Finished {
    let address = secure.server.address.to_string();
    let mut command = secure.server.client_program("openssl");
    command.args([
        "s_client",
        "-starttls",
        "ftp",
        "-crlf",
        "-connect",
        &address,
    ]);
    command.args(["-verify_return_error", "-CAfile", &secure.certificate.chain]);
    command.args(flags);
    process::run_typing(&mut command, typed, SECONDS_MAX)
}

const PARALLEL_FILES: usize = 12;

pub(super) const STRICT: [&str; 3] = [
    "--tls-control-required",
    "--tls-data-required",
    "--tls-require-resumption",
];

/// In the log.
pub(super) const NOT_RESUMED: &str = "do not resume the TLS session";
