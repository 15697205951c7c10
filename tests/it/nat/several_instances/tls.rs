//! TLS through each balancer: one certificate of all instances, data connections that resume the
//! session of their control connection, and implicit TLS behind the PROXY header.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, SupportedProtocolVersion};

use super::site::{CLIENT, HOSTS, PUBLIC, Site, block};
use crate::support::certificates::{Certificate, VERSIONS, trusting};
use crate::support::client::Client;
use crate::support::client::tls::{Ending, Protected};
use crate::support::client_program::{curl, path};
use crate::support::file_contents::{assert_same_files, noise};
use crate::support::process;

#[test]
fn long_tls_through_haproxy() {
    let site = secure("HAProxy", &["--tls-require-resumption"]).adding(block("TLS", "text", 1));
    let _balancer = site.haproxy();
    site.assert_secure();
    site.assert_curl_works();
    // The checks of the port for implicit TLS end before a handshake.
    for instance in &site.instances {
        let log = instance.log();
        assert!(!log.contains("-@10.21.0.1"), "{log}");
    }
}

#[test]
fn long_tls_through_nginx() {
    let site = secure("HAProxy", &["--tls-require-resumption"]).adding(block("TLS", "text", 2));
    let _balancer = site.nginx();
    site.assert_secure();
    site.assert_curl_works();
}

#[test]
fn long_tls_through_nftables() {
    let site = secure("nftables", &["--tls-require-resumption"]).adding(block("TLS", "text", 3));
    site.nftables();
    site.assert_secure();
    site.assert_curl_works();
}

/// Sessions of one client with one cache of TLS sessions, as rclone has: one offers the TLS session
/// of another instance, which is a new session to this one.
#[test]
fn long_tls_sessions_of_another_instance_are_new_ones() {
    let site = secure("HAProxy", &[]);
    let _balancer = site.haproxy();
    for version in VERSIONS {
        let config = site.trusting(0, version);
        let connect = || site.secure_client(PUBLIC.port(), &config);
        let mut clients = Site::on_each(connect, |client| client);
        for (number, client) in clients.iter_mut().enumerate() {
            client.store_securely(&format!("STOR file{number}"), b"text", &config);
            let fetched = client.fetch_securely(&format!("RETR file{number}"), &config);
            assert_eq!(fetched, b"text");
        }
    }
}

/// What the page says about certificates of their own: a client that trusts one of them is served
/// by that instance alone.
#[test]
fn long_certificates_of_their_own_are_trusted_on_one_instance() {
    let site = Site::with("HAProxy", |place, number| {
        let place = place.join(format!("certificate-{number}"));
        fs::create_dir(&place).expect("a directory");
        flags_of(&Certificate::new(&place, &[ADDRESS]), &[])
    });
    let _balancer = site.haproxy();
    let trusted = Certificate {
        chain: path(&site.place().join("certificate-0/chain.pem")).to_owned(),
        key: String::new(),
    };
    let served = (0..6).filter(|_| {
        let mut command = curl();
        command.args(["-sS", "--ssl-reqd", "--cacert", &trusted.chain]);
        command.args(["-u", "ann:secret", &format!("ftp://{ADDRESS}/")]);
        let finished = process::run(&mut site.lab.command_on("client", &command), 30);
        finished.succeeded()
    });
    let served = served.count();
    assert!((1..6).contains(&served), "{served}");
}

/// Instances with the flags of the page and one certificate, and these flags.
pub(super) fn secure(section: &str, more: &[&str]) -> Site {
    Site::with(section, |place, number| {
        if number == 0 {
            fs::create_dir(place.join("certificate-0")).expect("a directory");
            Certificate::new(&place.join("certificate-0"), &[ADDRESS]);
        }
        flags_of(&certificate(place, 0), more)
    })
}

fn certificate(place: &Path, number: usize) -> Certificate {
    let file = |name: &str| {
        let file = place.join(format!("certificate-{number}")).join(name);
        path(&file).to_owned()
    };
    Certificate {
        chain: file("chain.pem"),
        key: file("key.pem"),
    }
}

/// The flags of the page with this certificate.
fn flags_of(certificate: &Certificate, more: &[&str]) -> Vec<String> {
    let printed = block("TLS", "text", 0);
    let words = printed.split_whitespace().chain(more.iter().copied());
    let words = words.map(|word| {
        let word = word.replace("/etc/ftp/fullchain.pem", &certificate.chain);
        word.replace("/etc/ftp/privkey.pem", &certificate.key)
    });
    words.collect()
}

impl Site {
    /// The settings of a client that trusts this instance.
    pub(super) fn trusting(
        &self,
        number: usize,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ClientConfig> {
        let certificate = certificate(self.place(), number);
        let root = CertificateDer::from_pem_file(&certificate.chain);
        trusting(root.expect("the certificate"), version)
    }

    /// A client that is logged in and protects its data.
    pub(super) fn secure_client(&self, port: u16, config: &Arc<ClientConfig>) -> Client {
        let mut client = self.connect(port);
        if port == IMPLICIT {
            client.secure(config);
            client.expect(220);
        } else {
            client.expect(220);
            client.auth_tls(config);
        }
        assert_eq!(client.log_in_as("ann", "secret").code, 230);
        client.command("TYPE I", 200);
        client.protect_data();
        client
    }

    /// Each instance serves both kinds of TLS, has its data connections resumed, and knows its
    /// client.
    fn assert_secure(&self) {
        for port in [PUBLIC.port(), IMPLICIT] {
            for version in VERSIONS {
                let connect = || {
                    let config = self.trusting(0, version);
                    (self.secure_client(port, &config), config)
                };
                let mut clients = Self::on_each(connect, |(client, _)| client);
                for (number, (client, config)) in clients.iter_mut().enumerate() {
                    let name = format!("{port}-{number}");
                    self.assert_transfers(number, client, config, &name);
                }
            }
        }
    }

    fn assert_transfers(
        &self,
        number: usize,
        client: &mut Client,
        config: &Arc<ClientConfig>,
        name: &str,
    ) {
        let bytes = noise(1 << 20);
        let socket = client.data();
        client.command(format!("STOR {name}"), 150);
        let mut data = Protected::over(socket, config);
        assert!(data.is_resumed(), "the upload has a session of its own");
        data.write(&bytes);
        data.close();
        client.expect(226);
        let socket = client.data();
        client.command(format!("RETR {name}"), 150);
        let data = Protected::over(socket, config);
        assert!(data.is_resumed(), "the download has a session of its own");
        let (read, ending) = data.read_to_end();
        assert_eq!(ending, Ending::CloseNotify);
        assert!(read == bytes, "{name} is another file");
        for verb in ["STOR", "RETR"] {
            let line = format!("ann@{CLIENT} {verb} /{name}");
            self.instances[number].log_with(&line);
        }
    }

    /// curl, which resumes by itself, with both kinds of TLS, up and down, on each instance.
    fn assert_curl_works(&self) {
        let wanted = self.place().join("wanted");
        fs::write(&wanted, noise(100_000)).expect("a file");
        let certificate = certificate(self.place(), 0);
        let run = |arguments: &[&str]| {
            let mut command: Command = curl();
            command.args(["-sS", "--ssl-reqd", "--cacert", &certificate.chain]);
            command.args(["-u", "ann:secret"]).args(arguments);
            process::run(&mut self.lab.command_on("client", &command), 30).expect_success();
        };
        for scheme in ["ftp", "ftps"] {
            for _ in HOSTS {
                let url = format!("{scheme}://{ADDRESS}/from-curl");
                run(&["-T", path(&wanted), &url]);
                assert_same_files(&wanted, &self.share().join("from-curl"));
                let fetched = self.place().join("fetched");
                run(&["-o", path(&fetched), &url]);
                assert_same_files(&wanted, &fetched);
            }
        }
    }
}

const ADDRESS: &str = "203.0.113.1";
const IMPLICIT: u16 = 990;
