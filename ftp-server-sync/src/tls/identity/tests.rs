//! Files that are refused, with their errors, and handshakes with files that are accepted.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, ServerConnection};
use tempfile::TempDir;

use super::super::certificate::FILE_BYTES_MAX;
use super::*;
use crate::cli::golden;
use crate::cli::{self, Invocation};

/// A directory with certificates and keys. The server makes its own certificate there too.
struct Fixtures {
    directory: TempDir,
}

impl Fixtures {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let fixtures = Self { directory };
        for (name, content) in FIXTURES {
            fixtures.write(name, content);
        }
        fixtures
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

    /// `@` stands for this directory, in the flags and in the error.
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

    /// Writes a new certificate and its key into one file.
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
    let fixtures = Fixtures::new();
    fixtures.write("empty", "");
    fixtures.write("binary", [0x30, 0x82, 0xff, 0]);
    fixtures.write("half", &FIXTURES[0].1[..500]);
    fixtures.write(
        "damaged",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fixtures.write("nonsense", nonsense);
    let damaged = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fixtures.write("damaged.key", damaged);
    fixtures.write("huge", vec![b'-'; FILE_BYTES_MAX as usize + 1]);
    mknodat(CWD, fixtures.path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let golden = include_str!("../../../tests/certificates/refusals.txt");
    golden::check("refusals.txt", golden, 21, |line| {
        match fixtures.load(line) {
            Ok(identity) => format!("{}\n", identity.descriptions().join("\n")),
            Err(error) => format!("{error}\n"),
        }
    });
}

#[test]
fn the_log_describes_a_certificate() {
    let fixtures = Fixtures::new();
    let description = |line: &str| fixtures.load(line).unwrap().descriptions().join("\n");
    assert_eq!(
        description("--certfile @p256.crt --keyfile @p256-sec1.key"),
        "certificate for p256.example, *.p256.example, 192.0.2.1, 2001:db8::1, valid until \
         2126-11-01, SHA-256 fingerprint 4F:13:C8:A5:26:AA:94:6B:0F:24:00:3C:2A:3F:12:24:0A:E1:65:\
         15:6F:61:E1:5B:D7:64:8D:C8:85:E2:12:87"
    );
    for key in ["rsa-pkcs1.key", "rsa-pkcs8.key"] {
        let line = format!("--certfile @rsa.crt --keyfile @{key}");
        let description = description(&line);
        assert!(
            description.starts_with("certificate for rsa.example, valid"),
            "{description}"
        );
    }
}

#[test]
fn problems_with_the_files() {
    let fixtures = Fixtures::new();
    fixtures.pair("pair", &KeyPair::generate().unwrap());
    let check = |line: &str, expected: &[CertificateProblem]| {
        assert_eq!(fixtures.load(line).unwrap().problems(), expected, "{line}");
    };
    let readable = |name| CertificateProblem::KeyReadableByAll {
        file: fixtures.path(name),
    };
    check("--certfile @pair", &[]);
    for mode in [0o640, 0o660, 0o400] {
        fixtures.permit("pair", mode);
        check("--certfile @pair", &[]);
    }
    fixtures.permit("pair", 0o644);
    check("--certfile @pair", &[readable("pair")]);
    fixtures.permit("pair", 0o600);
    check("-n a.example", &[]);
    fixtures.permit("certificate.pem", 0o604);
    let names_missing = CertificateProblem::NamesMissing {
        file: fixtures.path("certificate.pem"),
        names: ["b.example", "192.0.2.9"].map(str::to_owned).into(),
    };
    check(
        "-n b.example -i 192.0.2.9",
        &[readable("certificate.pem"), names_missing],
    );
}

#[test]
fn handshakes_with_every_kind_of_key() {
    let fixtures = Fixtures::new();
    for (name, key) in [
        ("p256.test", KeyPair::generate()),
        ("p384.test", KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)),
        ("ed25519.test", KeyPair::generate_for(&PKCS_ED25519)),
        (
            "rsa.test",
            KeyPair::from_pem(include_str!("../../../tests/certificates/rsa-pkcs8.key")),
        ),
    ] {
        fixtures.pair(name, &key.unwrap());
        let identity = fixtures.load(&format!("--certfile @{name}")).unwrap();
        let roots = fs::read(fixtures.path(name)).unwrap();
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
        // A client that expects another name must reject the certificate.
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

/// The order decides only where a client can use both.
#[test]
fn each_client_is_given_a_certificate_that_it_can_use() {
    let fixtures = Fixtures::new();
    fixtures.pair("ecdsa.test", &KeyPair::generate().unwrap());
    let rsa = KeyPair::from_pem(include_str!("../../../tests/certificates/rsa-pkcs8.key"));
    fixtures.pair("rsa.test", &rsa.unwrap());
    let roots = ["ecdsa.test", "rsa.test"].map(|name| fs::read(fixtures.path(name)).unwrap());
    for [first, second] in [["ecdsa.test", "rsa.test"], ["rsa.test", "ecdsa.test"]] {
        let line = format!("--certfile @{first} --certfile @{second}");
        let identity = fixtures.load(&line).unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let check = |name| handshake(&identity, version, &roots.concat(), name, None);
            assert!(check(first).is_ok(), "{line}");
            assert!(check(second).unwrap_err().contains("NotValidForName"));
        }
        let descriptions = identity.descriptions();
        for (description, name) in descriptions.iter().zip([first, second]) {
            let kind = if name == "rsa.test" { "RSA" } else { "ECDSA" };
            let start = format!("certificate with an {kind} key for {name}, valid until ");
            assert!(description.starts_with(&start), "{description}");
        }
    }
}

#[test]
fn the_self_signed_certificate_stays_trusted() {
    let fixtures = Fixtures::new();
    fixtures.load("-n nas.example").unwrap();
    let trusted = fs::read(fixtures.path("certificate.pem")).unwrap();
    for name in ["nas.example", "localhost"] {
        // The server has another name now.
        let identity = fixtures.load("-n other.example").unwrap();
        let version = &rustls::version::TLS13;
        assert!(
            handshake(&identity, version, &trusted, name, None).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn clients_need_a_certificate_of_the_authority() {
    let fixtures = Fixtures::new();
    fixtures.pair("server.test", &KeyPair::generate().unwrap());
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
    fixtures.write("ca", right_pem);
    let identity = fixtures
        .load("--certfile @server.test --client-ca @ca")
        .unwrap();
    let roots = fs::read(fixtures.path("server.test")).unwrap();
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

/// Made by openssl. The keys protect nothing.
const FIXTURES: &[(&str, &str)] = fixtures![
    "rsa.crt" "rsa-pkcs1.key" "rsa-pkcs8.key" "rsa-pkcs1-encrypted.key" "rsa-pkcs8-encrypted.key"
    "p256.crt" "p256-sec1.key" "p521.crt" "p521.key" "rsa1024.crt" "rsa1024.key"
    "v1.crt"
];
