//! A server that requires certificates of its clients: only those that have one are served.

use std::fs;

use super::dialogue::Dialogue;
use super::tls::{STRICT, check_curl, curl, implicit_url};
use crate::support::certificates::{Authority, Certificate};
use crate::support::server::{Program, SecureServer, Setup};

/// Where clients find the server, and with which version.
struct Way {
    flags: &'static [&'static str],
    implicit: bool,
}

const WAYS: [Way; 4] = [
    Way {
        flags: &["--ssl-reqd", "--tlsv1.2", "--tls-max", "1.2"],
        implicit: false,
    },
    Way {
        flags: &["--ssl-reqd", "--tlsv1.3"],
        implicit: false,
    },
    Way {
        flags: &["--tlsv1.2", "--tls-max", "1.2"],
        implicit: true,
    },
    Way {
        flags: &["--tlsv1.3"],
        implicit: true,
    },
];

#[test]
fn curl_with_a_certificate_of_the_authority() {
    for way in &WAYS {
        for proof in [&STRICT[..], &[]] {
            let (secure, clients) = place(proof);
            check_curl(&secure, &with(way, &clients.ours), &url(&secure, way));
            let dialogue = Dialogue::finish(secure.server);
            let log = dialogue.log();
            dialogue.assert_used(&["STOR", "RETR", "LIST"]);
            dialogue.assert_sent("PROT P");
            assert!(!log.contains(REFUSED), "{log}");
        }
    }
}

/// The same as above in all but the certificate.
#[test]
fn curl_without_a_certificate_of_the_authority_is_refused() {
    for way in &WAYS {
        let (secure, clients) = place(&[]);
        for flags in [way.flags.to_vec(), with(way, &clients.another)] {
            let url = url(&secure, way);
            fs::write(secure.server.work("sample"), "text").expect("a file");
            curl(&secure, &flags, &["-T", "sample", &url]).expect_failure();
            assert!(!secure.server.path("sample").exists());
        }
        let dialogue = Dialogue::finish(secure.server);
        let log = dialogue.log();
        assert_eq!(dialogue.sessions(), 0, "{log}");
        assert_eq!(log.matches(REFUSED).count(), 2, "{log}");
    }
}

/// Nor is a client that does not ask for TLS.
#[test]
fn curl_in_clear_text_is_refused() {
    let (secure, _) = place(&[]);
    let url = secure.server.url("/");
    let refused = curl(&secure, &[], &[&url]).expect_failure();
    assert!(refused.text().contains("530"), "{}", refused.text());
    secure.server.finish();
}

struct Clients {
    ours: Certificate,
    another: Certificate,
}

/// A server that wants certificates, and two clients that have some.
fn place(extra: &[&str]) -> (SecureServer<Program>, Clients) {
    let setup = Setup::new().flags(&["--debug"]);
    let directory = setup.directory();
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let clients = Clients {
        ours: right.client(directory, "ours"),
        another: wrong.client(directory, "another"),
    };
    let flags = right.flags(directory);
    let setup = setup.flags(&["--tls-implicit", "0"]).flags(&flags);
    (SecureServer::program_from(setup.flags(extra)), clients)
}

fn with<'a>(way: &Way, certificate: &'a Certificate) -> Vec<&'a str> {
    let shown = ["--cert", &certificate.chain, "--key", &certificate.key];
    [way.flags, &shown].concat()
}

fn url(secure: &SecureServer<Program>, way: &Way) -> String {
    if way.implicit {
        implicit_url(secure)
    } else {
        secure.server.url("/sample")
    }
}

/// In the log.
const REFUSED: &str = " no TLS: ";
