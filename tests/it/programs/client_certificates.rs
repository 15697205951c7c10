//! Clients that must show a certificate: with it they are served, and nobody else is.

use std::fs;

use tempfile::TempDir;

use super::tls::{STRICT, Secure, curl_story};
use crate::support::certificates::{Authority, Certificate};

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
            curl_story(&secure, &with(way, &clients.ours), &url(&secure, way));
            let (dialogue, log) = secure.finish();
            dialogue.assert_used(&["STOR", "RETR", "LIST"]);
            dialogue.assert_sent("PROT P");
            assert!(!log.contains(REFUSED), "{log}");
        }
    }
}

/// The neighbours of the story above: the same in all but the certificate.
#[test]
fn curl_without_one_or_with_another_authoritys() {
    for way in &WAYS {
        let (secure, clients) = place(&[]);
        for flags in [way.flags.to_vec(), with(way, &clients.another)] {
            let url = url(&secure, way);
            fs::write(secure.site.work("sample"), "text").expect("a file");
            secure
                .curl(&flags, &["-T", "sample", &url])
                .expect_failure();
            assert!(!secure.site.root("sample").exists());
        }
        let (dialogue, log) = secure.finish();
        assert_eq!(dialogue.sessions(), 0, "{log}");
        assert_eq!(log.matches(REFUSED).count(), 2, "{log}");
    }
}

/// Not even those who do not ask for TLS.
#[test]
fn curl_in_clear_text() {
    let (secure, _) = place(&[]);
    let url = secure.site.url("/");
    let refused = secure.curl(&[], &[&url]).expect_failure();
    assert!(refused.text().contains("530"), "{}", refused.text());
    secure.finish();
}

struct Clients {
    ours: Certificate,
    another: Certificate,
}

/// A server that wants certificates, and two clients that have some.
fn place(extra: &[&str]) -> (Secure, Clients) {
    let directory = TempDir::new().expect("a temporary directory");
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let clients = Clients {
        ours: right.client(directory.path(), "ours"),
        another: wrong.client(directory.path(), "another"),
    };
    let [flag, file] = right.flags(directory.path());
    let flags = [&["--tls-implicit", "0", &flag, &file], extra].concat();
    (Secure::in_directory(directory, &flags), clients)
}

fn with<'a>(way: &Way, certificate: &'a Certificate) -> Vec<&'a str> {
    let shown = ["--cert", &certificate.chain, "--key", &certificate.key];
    [way.flags, &shown].concat()
}

fn url(secure: &Secure, way: &Way) -> String {
    match way.implicit {
        true => secure.implicit_url(),
        false => secure.site.url("/sample"),
    }
}

/// In the log.
const REFUSED: &str = " no TLS: ";
