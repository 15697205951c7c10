//! Handshakes that fail: the log says in plain words what the client lacks, and which client it is.

use std::io::Write;
use std::net::TcpStream;

use rustls::version;
use tempfile::TempDir;

use super::start_secure;
use super::tls::s_client;
use crate::support::certificates::{Authority, Certificate};
use crate::support::client::Client;
use crate::support::client::tls::Protected;
use crate::support::server::{Program, SecureServer};
use crate::support::wait::wait_until;

#[test]
fn an_old_client_is_named() {
    let secure = start_secure(&[]);
    for version in ["-tls1", "-tls1_1"] {
        let weak = ["-cipher", "DEFAULT@SECLEVEL=0"];
        s_client(&secure, &[&[version], &weak[..]].concat(), "").expect_failure();
    }
    expect_log(
        &secure,
        "the client speaks TLS 1.1 or older, the server TLS 1.2 and 1.3; update the client",
        2,
    );
}

#[test]
fn a_client_without_a_common_cipher_is_named() {
    let secure = start_secure(&[]);
    // The first would need an RSA certificate, the second is older than GCM.
    for cipher in ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"] {
        s_client(&secure, &["-tls1_2", "-cipher", cipher], "").expect_failure();
    }
    // This one can use the cipher, but not the key.
    let rsa = ["-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"];
    s_client(&secure, &rsa, "").expect_failure();
    expect_log(
        &secure,
        "no common cipher; update the client, or give a certificate with another kind of key (old \
         clients know RSA only)",
        3,
    );
    // Without forward secrecy.
    s_client(&secure, &["-tls1_2", "-cipher", "AES128-SHA"], "").expect_failure();
    for version in ["-tls1_2", "-tls1_3"] {
        s_client(&secure, &[version, "-groups", "P-521"], "").expect_failure();
    }
    expect_log(
        &secure,
        "no common key exchange (the server knows X25519, P-256 and P-384); update the client",
        3,
    );
}

#[test]
fn a_client_that_does_not_trust_the_certificate_is_named() {
    let secure = start_secure(&[]);
    let directory = TempDir::new().expect("a temporary directory");
    let other = Certificate::new(directory.path(), &[]);
    for version in ["-tls1_2", "-tls1_3"] {
        s_client(&secure, &[version, "-CAfile", &other.chain], "").expect_failure();
    }
    expect_log(&secure, "the client does not trust the certificate", 2);
}

#[test]
fn a_client_for_another_protocol_is_named() {
    let secure = start_secure(&[]);
    for version in ["-tls1_2", "-tls1_3"] {
        s_client(&secure, &[version, "-alpn", "h2,http/1.1"], "").expect_failure();
    }
    let reason = "the client asks for another protocol than FTP (by ALPN)";
    expect_log(&secure, reason, 2);
    let asked = s_client(&secure, &["-alpn", "http/1.1,ftp"], "QUIT\n");
    assert!(
        asked.text().contains("ALPN protocol: ftp"),
        "{}",
        asked.text()
    );
    let own = secure.config(&version::TLS13);
    let mut client = secure.client(&own);
    let mut strange = (*own).clone();
    strange.alpn_protocols = vec![b"http/1.1".to_vec()];
    let data = client.data();
    client.command("NLST", 150);
    assert!(Protected::try_over(data, &strange.into()).is_err());
    client.expect(522);
    let line = format!(
        " no TLS on the data connection with {}: {reason}\n",
        from(&client.stream)
    );
    secure.server.log_with(&line);
}

#[test]
fn a_client_without_a_certificate_of_the_authority_is_named() {
    let directory = TempDir::new().expect("a temporary directory");
    let [flag, file] = Authority::new("right").flags(directory.path());
    let another = Authority::new("wrong").client(directory.path(), "another");
    let secure = start_secure(&[&flag, &file]);
    for version in ["-tls1_2", "-tls1_3"] {
        s_client(&secure, &[version], "QUIT\n");
        let shown = ["-cert", &another.chain, "-key", &another.key];
        s_client(&secure, &[&[version], &shown[..]].concat(), "QUIT\n");
    }
    expect_log(
        &secure,
        "the client shows no certificate, which --client-ca demands",
        2,
    );
    expect_log(
        &secure,
        "no authority of --client-ca has signed the client's certificate",
        2,
    );
}

#[test]
fn a_client_that_does_not_speak_tls_is_named() {
    let secure = start_secure(&[]);
    let after_auth = || {
        let mut client = Client::greeted(secure.server.address);
        client.command("AUTH TLS", 234);
        client.stream
    };
    let mut clear = after_auth();
    clear.write_all(b"USER joe\r\n").expect("sending");
    expect_log(&secure, "what the client sends is not TLS", 1);
    drop(after_auth());
    expect_log(
        &secure,
        "the client closed the connection before the handshake was complete",
        1,
    );
}

/// Waits until the log has this number of lines about failed handshakes with this reason.
#[track_caller]
fn expect_log(secure: &SecureServer<Program>, reason: &str, times: usize) {
    let end = format!(": {reason}");
    let found = || {
        let log = secure.server.log();
        let of_client =
            |line: &&str| line.contains(" -@127.0.0.1 no TLS: ") && line.ends_with(&end);
        log.lines().filter(of_client).count()
    };
    secure.server.log_with(reason);
    wait_until(reason, || found() >= times);
    assert_eq!(found(), times, "{}", secure.server.log());
}

fn from(stream: &TcpStream) -> String {
    stream.local_addr().expect("an address").ip().to_string()
}
