//! Files that are refused, with the words that say why; and handshakes with those that are taken.

use std::io::{self, Read, Write};

use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, ServerConnection};
use tempfile::TempDir;

use super::*;
use crate::cli::golden;
use crate::cli::{self, Invocation};

/// A directory with certificates and keys, which is also where the server keeps its own.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Self { directory };
        for (name, content) in FIXTURES {
            place.write(name, content);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
        self.permit(name, 0o600);
    }

    fn permit(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn shown(&self) -> String {
        self.directory.path().display().to_string()
    }

    /// `@` stands for this directory, in the flags and in what is refused.
    fn load(&self, line: &str) -> Result<Identity, String> {
        let directory = format!("{}/", self.shown());
        let line = line.replace('@', &directory);
        let arguments = ["--tls"].into_iter().chain(line.split_whitespace());
        let state = |name: &str| (name == "STATE_DIRECTORY").then(|| self.shown().into());
        let Ok(Invocation::Serve(settings)) = cli::parse(arguments.map(Into::into), state) else {
            panic!("{line}");
        };
        match Identity::load(&settings, &Interfaces::default()) {
            Ok(identity) => Ok(identity.unwrap()),
            Err(error) => Err(error.to_string().replace(&directory, "@")),
        }
    }

    /// A pair of certificate and key, valid since long, in one file.
    fn pair(&self, name: &str, key: &KeyPair) {
        let certificate = params(&[name]).self_signed(key).unwrap();
        self.write(name, certificate.pem() + &key.serialize_pem());
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

#[test]
fn files_that_are_refused() {
    let place = Place::new();
    place.write("empty", "");
    place.write("binary", [0x30, 0x82, 0xff, 0]);
    place.write("half", &FIXTURES[0].1[..500]);
    place.write(
        "damaged",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    place.write("nonsense", nonsense);
    let damaged = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    place.write("damaged.key", damaged);
    place.write("huge", vec![b'-'; FILE_BYTES_MAX as usize + 1]);
    mknodat(CWD, place.path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let golden = include_str!("../../../tests/certificates/refusals.txt");
    golden::check("refusals.txt", golden, 21, |line| match place.load(line) {
        Ok(identity) => format!("{}\n", identity.description()),
        Err(error) => format!("{error}\n"),
    });
}

#[test]
fn what_is_told_of_a_certificate() {
    let place = Place::new();
    let told = |line: &str| place.load(line).unwrap().description();
    assert_eq!(
        told("--certfile @p256.crt --keyfile @p256-sec1.key"),
        "certificate for p256.example, *.p256.example, 192.0.2.1, 2001:db8::1, valid until \
         2126-11-01, SHA-256 fingerprint 4F:13:C8:A5:26:AA:94:6B:0F:24:00:3C:2A:3F:12:24:0A:E1:65:\
         15:6F:61:E1:5B:D7:64:8D:C8:85:E2:12:87"
    );
    for key in ["rsa-pkcs1.key", "rsa-pkcs8.key"] {
        let line = format!("--certfile @rsa.crt --keyfile @{key}");
        let told = told(&line);
        assert!(
            told.starts_with("certificate for rsa.example, valid"),
            "{told}"
        );
    }
}

#[test]
fn what_is_warned_of() {
    let place = Place::new();
    place.pair("pair", &KeyPair::generate().unwrap());
    let check = |line: &str, expected: &[&str]| {
        let found = place.load(line).unwrap().findings();
        let found: Vec<String> = found
            .iter()
            .map(|line| line.to_string().replace(&place.shown(), "@"))
            .collect();
        assert_eq!(found, expected, "{line}");
    };
    check("--certfile @pair", &[]);
    for mode in [0o640, 0o660, 0o400] {
        place.permit("pair", mode);
        check("--certfile @pair", &[]);
    }
    place.permit("pair", 0o644);
    let open = "everybody on this machine can read the key in @/pair; chmod 600 @/pair";
    check("--certfile @pair", &[open]);
    place.permit("pair", 0o600);
    check("-n a.example", &[]);
    place.permit("certificate.pem", 0o604);
    check(
        "-n b.example -i 192.0.2.9",
        &[
            "everybody on this machine can read the key in @/certificate.pem; chmod 600 \
             @/certificate.pem",
            "note: the kept certificate does not name b.example, 192.0.2.9: clients that compare \
             names will object; to have a new one made, remove @/certificate.pem and restart",
        ],
    );
}

#[test]
fn certificates_of_the_wrong_age() {
    let facts = Facts {
        fingerprint: String::new(),
        names: Vec::new(),
        not_before: *b"20260102030405",
        not_after: *b"20270102030405",
    };
    let check = |now, expected: Option<&str>| {
        let found = age(&facts, now).map(|finding| finding.to_string());
        assert_eq!(found.as_deref(), expected);
    };
    let early = "the certificate is not valid before 2026-01-02: clients will refuse it, or ask";
    let late = "the certificate has expired on 2027-01-02: clients will refuse it, or ask";
    check(b"20260102030404", Some(early));
    check(b"20260102030405", None);
    check(b"20270102030405", None);
    check(b"20270102030406", Some(late));
    check(b"19700101000000", Some(early));
}

#[test]
fn handshakes_with_every_kind_of_key() {
    let place = Place::new();
    for (name, key) in [
        ("p256.test", KeyPair::generate()),
        ("p384.test", KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)),
        ("ed25519.test", KeyPair::generate_for(&PKCS_ED25519)),
        (
            "rsa.test",
            KeyPair::from_pem(include_str!("../../../tests/certificates/rsa-pkcs8.key")),
        ),
    ] {
        place.pair(name, &key.unwrap());
        let identity = place.load(&format!("--certfile @{name}")).unwrap();
        let roots = fs::read(place.path(name)).unwrap();
        let check = |version| handshake(&identity, version, &roots, name, None);
        assert_eq!(
            check(&rustls::version::TLS13),
            Ok(ProtocolVersion::TLSv1_3),
            "{name}"
        );
        assert_eq!(
            check(&rustls::version::TLS12),
            Ok(ProtocolVersion::TLSv1_2),
            "{name}"
        );
        // The neighbour that must fail: who expects another name.
        let other = handshake(
            &identity,
            &rustls::version::TLS13,
            &roots,
            "other.test",
            None,
        );
        assert!(other.unwrap_err().contains("NotValidForName"));
    }
}

#[test]
fn the_kept_certificate_is_trusted_again() {
    let place = Place::new();
    place.load("-n nas.example").unwrap();
    let trusted = fs::read(place.path("certificate.pem")).unwrap();
    for name in ["nas.example", "localhost"] {
        // By now the server is called otherwise.
        let identity = place.load("-n other.example").unwrap();
        let version = &rustls::version::TLS13;
        assert!(
            handshake(&identity, version, &trusted, name, None).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn clients_need_a_certificate_of_the_authority() {
    let place = Place::new();
    place.pair("server.test", &KeyPair::generate().unwrap());
    let authority = |name| {
        let mut params = params(&[name]);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        (certificate.pem(), Issuer::new(params, key))
    };
    let client = |issuer: &Issuer<'_, KeyPair>| {
        let key = KeyPair::generate().unwrap();
        let certificate = params(&["client"]).signed_by(&key, issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let (right_pem, right) = authority("right");
    let (_, wrong) = authority("wrong");
    place.write("ca", right_pem);
    let identity = place
        .load("--certfile @server.test --client-ca @ca")
        .unwrap();
    let roots = fs::read(place.path("server.test")).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let check = |client| handshake(&identity, version, &roots, "server.test", client);
        assert!(check(Some(client(&right))).is_ok());
        assert!(check(Some(client(&wrong))).is_err());
        assert!(check(None).is_err());
    }
}

/// In memory, with a client that trusts the certificates in `roots`.
fn handshake(
    identity: &Identity,
    version: &'static rustls::SupportedProtocolVersion,
    roots: &[u8],
    name: &str,
    client: Option<(String, String)>,
) -> Result<ProtocolVersion, String> {
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(roots) {
        trusted.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(trusted);
    let config = match client {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = ServerConnection::new(identity.config.clone()).unwrap();
    client.writer().write_all(b"ping").unwrap();
    for _flight in 0..10 {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        feed(&flight, |bytes| server.read_tls(bytes))?;
        server
            .process_new_packets()
            .map_err(|error| format!("{error:?}"))?;
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        feed(&flight, |bytes| client.read_tls(bytes))?;
        client
            .process_new_packets()
            .map_err(|error| format!("{error:?}"))?;
    }
    let mut ping = [0; 4];
    server
        .reader()
        .read_exact(&mut ping)
        .map_err(|error| error.to_string())?;
    Ok(server.protocol_version().unwrap())
}

fn feed(
    mut flight: &[u8],
    mut read: impl FnMut(&mut dyn Read) -> io::Result<usize>,
) -> Result<(), String> {
    while !flight.is_empty() {
        read(&mut flight).map_err(|error| error.to_string())?;
    }
    Ok(())
}

macro_rules! fixtures {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../tests/certificates/", $name)))),*]
    };
}

/// Made by openssl; the keys guard nothing.
const FIXTURES: &[(&str, &str)] = fixtures![
    "rsa.crt" "rsa-pkcs1.key" "rsa-pkcs8.key" "rsa-pkcs1-encrypted.key" "rsa-pkcs8-encrypted.key"
    "p256.crt" "p256-sec1.key" "p521.crt" "p521.key" "rsa1024.crt" "rsa1024.key"
    "v1.crt"
];
