//! What is wrong with the certificate, and what clients will do about it.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ftp_proto::text::printable_word;

use crate::nat::finding::{Finding, Severity};
use crate::tls::CertificateProblem;

/// A finding for each problem of the certificate in force.
pub(crate) fn certificate_findings(problems: Vec<CertificateProblem>) -> Vec<Finding> {
    problems.into_iter().map(finding).collect()
}

fn finding(problem: CertificateProblem) -> Finding {
    match problem {
        CertificateProblem::KeyReadableByAll { file } => {
            let file = shown(&file);
            Finding::new(
                Severity::Risk,
                format!(
                    "every user of this machine can read the private key in {file}; chmod 600 {file}"
                ),
            )
        }
        CertificateProblem::NamesMissing { file, names } => Finding::note(format!(
            "the self-signed certificate does not contain {}: clients that check names will reject \
             it; remove {} and restart, and the server makes a new certificate",
            names.join(", "),
            shown(&file)
        )),
        CertificateProblem::Expired { file, date } => Finding::failure(format!(
            "the certificate in {} expired on {date}: {REJECTED}",
            shown(&file)
        )),
        CertificateProblem::NotYetValid { file, date } => Finding::failure(format!(
            "the certificate in {} is not valid before {date}: {REJECTED}",
            shown(&file)
        )),
    }
}

fn shown(file: &Path) -> String {
    printable_word(file.as_os_str().as_bytes())
}

const REJECTED: &str = "clients will reject it, or ask their user";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(problem: CertificateProblem, severity: Severity, text: &str) {
        let expected = [Finding::new(severity, text)];
        assert_eq!(certificate_findings(vec![problem]), expected);
    }

    #[test]
    fn each_problem_is_a_finding() {
        check(
            CertificateProblem::KeyReadableByAll {
                file: "/etc/a key".into(),
            },
            Severity::Risk,
            "every user of this machine can read the private key in \"/etc/a key\"; chmod 600 \
             \"/etc/a key\"",
        );
        check(
            CertificateProblem::NamesMissing {
                file: "/state/certificate.pem".into(),
                names: vec!["b.example".to_owned(), "192.0.2.9".to_owned()],
            },
            Severity::Note,
            "the self-signed certificate does not contain b.example, 192.0.2.9: clients that check \
             names will reject it; remove /state/certificate.pem and restart, and the server makes a \
             new certificate",
        );
        check(
            CertificateProblem::NotYetValid {
                file: "/etc/rsa.pem".into(),
                date: "2026-01-02".to_owned(),
            },
            Severity::Failure,
            "the certificate in /etc/rsa.pem is not valid before 2026-01-02: clients will reject it, or ask \
             their user",
        );
        check(
            CertificateProblem::Expired {
                file: "/etc/rsa.pem".into(),
                date: "2027-01-02".to_owned(),
            },
            Severity::Failure,
            "the certificate in /etc/rsa.pem expired on 2027-01-02: clients will reject it, or ask their \
             user",
        );
    }
}
