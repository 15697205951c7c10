//! Certificates with an RSA and with an ECDSA key: each client is given the first that it can use.

use std::fs;
use std::path::Path;

use super::tls::s_client;
use crate::support::certificates::Certificate;
use crate::support::client_program::path;
use crate::support::process;
use crate::support::server::{self, Program, SecureServer, Setup};

#[test]
fn openssl_is_given_what_it_can_use() {
    let secure = start();
    for (flags, expected) in [
        (&["-tls1_3"][..], RSA),
        (&["-tls1_2"], RSA),
        // An old device.
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], RSA),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            ECDSA,
        ),
        (&["-tls1_2", "-sigalgs", "ECDSA+SHA256"], ECDSA),
        (&["-tls1_3", "-sigalgs", "ECDSA+SHA256"], ECDSA),
        (&["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"], RSA),
    ] {
        assert_is_given(&secure, flags, expected);
    }
}

#[test]
fn the_log_and_check_name_both() {
    let secure = start();
    let ecdsa = "certificate with an ECDSA key for localhost, 127.0.0.1, ::1, valid until ";
    let rsa = "certificate with an RSA key for rsa.example, valid until ";
    for text in [ecdsa, rsa] {
        let log = secure.server.log_with(text);
        assert_eq!(log.matches(text).count(), 1, "{log}");
    }
    let (chain, key) = rsa_files();
    let flags = [
        "-i",
        "127.0.0.1",
        "-p",
        "0",
        "--certfile",
        &chain,
        "--keyfile",
        &key,
    ];
    let flags = [&flags[..], &secure.certificate.flags()].concat();
    let checked = process::run(server::command(&flags).arg("--check"), 20);
    let text = checked.expect_success().text();
    for text_of_one in [ecdsa, rsa] {
        let line = format!("TLS: {}", text_of_one.trim_end());
        assert!(text.contains(&line), "{text}");
    }
}

/// The second pair is watched too.
#[test]
fn a_renewal_of_either_takes_effect() {
    let secure = start();
    let directory = Path::new(&secure.certificate.chain)
        .parent()
        .expect("a directory");
    let before = fs::read(&secure.certificate.chain).expect("the certificate");
    Certificate::new(directory, &["renewed.example"]);
    assert_ne!(
        fs::read(&secure.certificate.chain).expect("the certificate"),
        before
    );
    secure
        .server
        .log_with("certificate with an ECDSA key for localhost, 127.0.0.1, ::1, renewed.example");
    assert_is_given(&secure, &["-tls1_3", "-sigalgs", "ECDSA+SHA256"], ECDSA);
    assert_is_given(&secure, &["-tls1_3"], RSA);
}

/// The RSA certificate comes first.
fn start() -> SecureServer<Program> {
    let (chain, key) = rsa_files();
    let flags = ["--debug", "--certfile", &chain, "--keyfile", &key];
    SecureServer::program_from(Setup::new().flags(&flags))
}

fn rsa_files() -> (String, String) {
    let directory =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../ftp-server-sync/tests/certificates");
    let file = |name| path(&directory.join(name)).to_owned();
    (file("rsa.crt"), file("rsa-pkcs8.key"))
}

#[track_caller]
fn assert_is_given(secure: &SecureServer<Program>, flags: &[&str], expected: &str) {
    let both = secure.server.work("both");
    let texts =
        [&rsa_files().0, &secure.certificate.chain].map(|file| fs::read(file).expect("a file"));
    fs::write(&both, texts.concat()).expect("the certificates");
    let flags = [flags, &["-CAfile", path(&both)]].concat();
    let text = s_client(secure, &flags, "QUIT\n").expect_success().text();
    assert!(text.contains(expected), "{flags:?}: {text}");
}

const RSA: &str = "Peer signature type: RSA-PSS";
const ECDSA: &str = "Peer signature type: ECDSA";
