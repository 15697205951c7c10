//! The certificate that the server makes for itself and uses from then on, so that clients have to
//! trust it only once.
//!
//! One file contains the certificate and its key. It is created complete or not at all, is never
//! changed, and only the server's user can read it at any time. A second file contains the
//! certificate alone: users can give it to clients without showing the key.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use log::info;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use super::error::{LoadError, Role};
use super::facts::fingerprint;
use super::pem;
use crate::logging::clock::unix_time;
use crate::net::interfaces::Interfaces;
use crate::settings::file::reason;
use crate::settings::{
    AddressSource, ClientAddress, SELF_SIGNED_FILE as FILE, Settings, TlsSettings,
};

/// The file with the certificate and its key. If it does not exist, it is created.
pub(super) fn ensure_file(
    directory: &Path,
    settings: &Settings,
    interfaces: &Interfaces,
) -> Result<PathBuf, LoadError> {
    let file = directory.join(FILE);
    let refuse = |problem: String| {
        let problem = format!(
            "cannot be written: {problem}; give a certificate with --certfile, or set the environment \
             variable STATE_DIRECTORY to a directory that this user may write to"
        );
        LoadError::new(Role::SelfSigned, &file, problem)
    };
    let refuse_io = |error: io::Error| refuse(reason(&error));
    if !path_exists(&file).map_err(refuse_io)? {
        let pem = generate(&names(settings, interfaces), unix_time())
            .map_err(|error| refuse(error.to_string()))?;
        if create(directory, &file, &pem).map_err(refuse_io)? {
            info!("made a self-signed certificate: {}", file.display());
        }
    }
    Ok(file)
}

/// Writes the certificate without its key into a file of its own, unless it is there already. The
/// server works without it.
pub(super) fn publish(tls: &TlsSettings) {
    let (source, public) = (tls.self_signed_file(), tls.public_file());
    match copy_certificate(&source, &public) {
        Ok(false) => {}
        Ok(true) => info!(
            "the certificate without its key, for clients: {}",
            public.display()
        ),
        Err(error) => info!(
            "{} cannot be written: {}; clients can use the certificate of {}, without the key in it",
            public.display(),
            reason(&error),
            source.display()
        ),
    }
}

/// Whether the file exists, and the directory can be read.
pub(super) fn exists(directory: &Path) -> bool {
    path_exists(&directory.join(FILE)).unwrap_or_default()
}

/// The names and addresses of the server that follow from the settings and the host name. They do
/// not change with the network.
pub(super) fn configured_names(settings: &Settings) -> Vec<String> {
    let public = |public: &AddressSource| match public {
        AddressSource::Address(_) | AddressSource::Name(_) => Some(public.to_string()),
        // No name of this server.
        AddressSource::File(_) | AddressSource::Stun { .. } => None,
    };
    let address = settings.masquerade_address.iter();
    let mut names: Vec<String> = address.filter_map(public).collect();
    names.extend(settings.masquerade_map.values().filter_map(public));
    let rules = settings.masquerade_clients.iter();
    names.extend(rules.filter_map(|(_, address)| match address {
        ClientAddress::Public(address) => public(address),
        ClientAddress::Local => None,
    }));
    names.extend(host_name());
    let listen = settings.listen.iter().map(|listen| listen.address.ip());
    let listen = listen.filter(|address| !address.is_unspecified());
    names.extend(listen.map(|address| address.to_canonical().to_string()));
    without_duplicates(names)
}

/// The configured names, `localhost`, and the addresses that this machine has now.
fn names(settings: &Settings, interfaces: &Interfaces) -> Vec<String> {
    let mut names = configured_names(settings);
    names.push("localhost".to_owned());
    if settings
        .listen
        .iter()
        .any(|listen| listen.address.ip().is_unspecified())
    {
        let addresses = interfaces.addresses.iter().map(IpAddr::to_canonical);
        // Clients can use a link-local address only together with an interface.
        let is_link_local = |address: &IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        names.extend(
            addresses
                .filter(|address| !is_link_local(address))
                .map(|address| address.to_string()),
        );
    }
    let mut names = without_duplicates(names);
    names.truncate(NAMES_MAX);
    names
}

fn host_name() -> Option<String> {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().ok()?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_part)).then(|| name.to_owned())
}

fn without_duplicates(names: Vec<String>) -> Vec<String> {
    let mut found = Vec::new();
    for name in names {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// Generates a key and a certificate for it, as PEM.
///
/// The certificate is valid for a long time, because a new one would have to be trusted again by
/// each client. Some systems reject certificates that are valid for more than 825 days, but only
/// where they check a chain. FTP clients ask their user about this very certificate.
fn generate(names: &[String], now: Duration) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    let common_name = names
        .first()
        .filter(|name| name.len() <= COMMON_NAME_BYTES_MAX);
    let common_name = common_name.map_or(FALLBACK_NAME, String::as_str);
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Small machines have no battery for their clock: after their start it may show 1970.
    let now = now.clamp(EARLIEST, LATEST);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(1970, 1, 1) + now + VALIDITY;
    let certificate = params.self_signed(&key)?;
    Ok(certificate.pem() + &key.serialize_pem())
}

/// Creates the file. False if another server has created it before.
fn create(directory: &Path, file: &Path, pem: &str) -> io::Result<bool> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // The fingerprint makes the name of the draft unique: no other server has generated the same
    // certificate.
    let draft = directory.join(format!(
        "{FILE}.{}",
        fingerprint(pem.as_bytes()).replace(':', "")
    ));
    let created =
        write(&draft, pem.as_bytes(), 0o600).and_then(|()| match fs::hard_link(&draft, file) {
            // Unlike a rename, a hard link never replaces an existing file.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true),
        });
    // Errors are harmless here: a draft is never read, and a certificate that is lost in a power
    // cut is made again.
    let _ = fs::remove_file(&draft);
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    created
}

/// Creates a file with these permissions. What stands in its place is an error, a link too.
fn write(draft: &Path, pem: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut draft = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(draft)?;
    // The umask may have taken some of them.
    draft.set_permissions(Permissions::from_mode(mode))?;
    draft.write_all(pem)?;
    draft.sync_all()
}

/// False if the public file is up to date.
fn copy_certificate(source: &Path, public: &Path) -> io::Result<bool> {
    let certificate = pem::certificate_sections(&fs::read(source)?);
    if fs::read(public).is_ok_and(|found| found == certificate) {
        return Ok(false);
    }
    // It is complete at any time. A draft that an earlier process left, or a link in its place, is
    // removed.
    let draft = public.with_extension(format!("crt.{}", process::id()));
    let _ = fs::remove_file(&draft);
    let copied = write(&draft, &certificate, 0o644).and_then(|()| fs::rename(&draft, public));
    if copied.is_err() {
        let _ = fs::remove_file(&draft);
    }
    copied.map(|()| true)
}

/// A symbolic link exists even if its target does not.
fn path_exists(file: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        found => found.map(|_| true),
    }
}

/// Ten years, with their leap days.
const VALIDITY: Duration = Duration::from_secs(3652 * 86_400);
/// 2026-01-01: an earlier time is wrong, because this program is newer.
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);
/// 2900-01-01: some programs cannot represent much later years.
const LATEST: Duration = Duration::from_secs(29_348_006_400);
/// Far more than any machine has, and few enough for a certificate of moderate size.
const NAMES_MAX: usize = 100;
/// RFC 5280, appendix A.1.
const COMMON_NAME_BYTES_MAX: usize = 64;
const FALLBACK_NAME: &str = "ftp-server-sync";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::Barrier;
    use std::thread;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::super::facts::CertificateFacts;
    use super::*;
    use crate::cli::{self, Invocation};

    fn settings(line: &str) -> Settings {
        let line = line.split_whitespace().map(Into::into);
        match cli::parse(line, |_| None) {
            Ok(Invocation::Serve(settings)) => *settings,
            other => panic!("{other:?}"),
        }
    }

    fn file_in(directory: &Path) -> Result<PathBuf, String> {
        let file = ensure_file(directory, &settings("--tls"), &Interfaces::default());
        file.map_err(|error| error.to_string())
    }

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn it_is_made_once_and_only_its_user_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("deep/state");
        let file = file_in(&state).unwrap();
        assert_eq!((mode(&state), mode(&file)), (0o700, 0o600));
        let first = fs::read(&file).unwrap();
        assert_eq!(file_in(&state).unwrap(), file);
        assert_eq!(fs::read(&file).unwrap(), first);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
    }

    #[test]
    fn servers_that_start_together_share_one_certificate() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let start = Barrier::new(8);
        let found: Vec<Vec<u8>> = thread::scope(|scope| {
            let serve = || {
                start.wait();
                fs::read(file_in(&state).unwrap()).unwrap()
            };
            let servers: Vec<_> = (0..8).map(|_| scope.spawn(serve)).collect();
            servers
                .into_iter()
                .map(|server| server.join().unwrap())
                .collect()
        });
        assert!(found.iter().all(|pem| *pem == found[0] && !pem.is_empty()));
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_file_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        fs::write(&file, "").unwrap();
        assert_eq!(file_in(directory.path()).unwrap(), file);
        assert_eq!(fs::read(&file).unwrap(), b"");
        fs::remove_file(&file).unwrap();
        symlink("nowhere", &file).unwrap();
        assert_eq!(file_in(directory.path()).unwrap(), file);
        assert!(!create(directory.path(), &file, "new").unwrap());
        assert_eq!(fs::read_link(&file).unwrap(), Path::new("nowhere"));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error() {
        let problem = file_in(Path::new("/dev/null/state")).unwrap_err();
        assert_eq!(
            problem,
            "self-signed certificate file /dev/null/state/certificate.pem: cannot be written: not a \
             directory; give a certificate with --certfile, or set the environment variable \
             STATE_DIRECTORY to a directory that this user may write to"
        );
    }

    #[test]
    fn it_contains_the_names_of_the_server() {
        let interfaces = Interfaces {
            addresses: ["127.0.0.1", "192.168.77.2", "fe80::1", "2001:db8::2"]
                .map(|address| address.parse().unwrap())
                .into(),
            ..Interfaces::default()
        };
        let check = |line: &str, expected: &str| {
            let mut found = names(&settings(line), &interfaces);
            let own = host_name().unwrap();
            found.retain(|name| *name != own);
            assert_eq!(found.join(" "), expected, "{line}");
        };
        check("", "localhost 127.0.0.1 192.168.77.2 2001:db8::2");
        check("-i 192.168.77.2 -i ::1", "192.168.77.2 ::1 localhost");
        check(
            "-n nas.example -i 10.0.0.1 --masquerade-address-map 10.0.0.1=203.0.113.1 \
             --masquerade-client 10.8.0.0/24=vpn.example,10.9.0.0/24=local",
            "nas.example 203.0.113.1 vpn.example 10.0.0.1 localhost",
        );
        check(
            "-n @/run/public-ip -i 10.0.0.1 --masquerade-address-map 10.0.0.1=stun:stun.example",
            "10.0.0.1 localhost",
        );
    }

    #[test]
    fn it_is_valid_for_ten_years() {
        let check = |now, expected: &[u8; 14]| {
            let pem = generate(&["a.example".to_owned()], Duration::from_secs(now)).unwrap();
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            let facts = CertificateFacts::parse(&certificate).unwrap();
            assert_eq!(
                (&facts.not_before, &facts.not_after),
                (b"20200101000000", expected)
            );
        };
        check(0, b"20360101000000");
        check(1_800_000_000, b"20370114080000");
        check(3_000_000_000, b"20750124052000");
        check(u64::MAX, b"29100101000000");
    }

    /// Small machines sign with it fast, and every client of today knows it.
    #[test]
    fn its_key_is_on_p256() {
        let pem = generate(&["a.example".to_owned()], unix_time()).unwrap();
        let key = KeyPair::from_pem(&pem[pem.find("-----BEGIN PRIVATE").unwrap()..]).unwrap();
        assert_eq!(key.algorithm(), &rcgen::PKCS_ECDSA_P256_SHA256);
    }

    #[test]
    fn the_public_file_has_the_certificate_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = file_in(directory.path()).unwrap();
        let public = directory.path().join("certificate.crt");
        let text = || fs::read_to_string(&public).unwrap();
        assert!(copy_certificate(&file, &public).unwrap());
        let both = fs::read_to_string(&file).unwrap();
        let (certificate, key) = both.split_once("-----BEGIN PRIVATE KEY-----").unwrap();
        assert!(text() == certificate && key.len() > 100);
        assert_eq!(mode(&public), 0o644);
        assert!(!copy_certificate(&file, &public).unwrap());
        // Another order, and text around it.
        fs::write(
            &file,
            format!("a note\n-----BEGIN PRIVATE KEY-----{key}{certificate}more"),
        )
        .unwrap();
        assert!(!copy_certificate(&file, &public).unwrap());
        // Another certificate.
        fs::remove_file(&file).unwrap();
        file_in(directory.path()).unwrap();
        assert!(copy_certificate(&file, &public).unwrap());
        assert!(text() != certificate && both != fs::read_to_string(&file).unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn unusual_names_are_accepted() {
        let long = "a".repeat(COMMON_NAME_BYTES_MAX + 1);
        for names in [&[][..], &["a_b.example".to_owned()], &[long]] {
            generate(names, unix_time()).unwrap();
        }
    }
}
