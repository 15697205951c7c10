//! What the operator has decided, and the core's `Config` that follows from it.
//!
//! Settings that come from [`cli`](crate::cli) have been checked: a server can use them as they
//! are.

mod address;
mod denied_file;
pub(crate) mod file;
mod hook_places;
mod hooks;
pub(crate) mod load_users;
mod local_networks;
mod local_time;
mod own_addresses;
pub(crate) mod password_exposure;
mod port_mapping;
mod run_as;
mod sandbox;
mod status_socket;
mod transfer_log;
mod uploads;
pub(crate) mod watched_files;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ftp_proto::listing::Pattern;
use ftp_proto::text::printable_word;
use ftp_proto::{AsciiConversion, Config, DeniedCommands, Masquerade, OuterPorts};
use ipnet::IpNet;
use log::LevelFilter;
use rustix::process::geteuid;

pub use crate::accounts::access::{AccessRefusal, AccessRules};
pub use crate::accounts::charset::{CharsetError, NameCharset};
pub use crate::accounts::login_throttle::LoginBlock;
use crate::accounts::login_throttle::LoginRules;
pub use crate::accounts::password_hash::{
    HashProblem, HashScheme, HashWeakness, PasswordHash, PasswordProblem, hash_password,
};
pub use crate::accounts::passwords::Password;
pub use crate::accounts::quota::Quota;
pub use crate::accounts::rates::Rates;
pub use crate::accounts::stored_password::{Candidate, StoredPassword};
pub use crate::accounts::system_users::{SystemGroup, SystemUsers};
pub use crate::accounts::users::Users;
pub use crate::accounts::users_file;
pub use crate::logging::{LogFormat, LogSettings};
use crate::net::interfaces::Interfaces;
pub use crate::net::listen::{Listen, SocketSource};
use crate::net::order;
pub use crate::net::port_range::PortRange;
pub use address::{AddressSource, ClientAddress, KnownAddresses};
pub(crate) use address::{STUN_PORT, is_mistyped_address, unusable};
pub(crate) use hooks::HookKind;
pub use hooks::HookSettings;
pub use local_networks::LocalNetworks;
pub use local_time::LocalTime;
use password_exposure::PasswordExposure;
pub(crate) use port_mapping::{LOCK_FILE, NONCE_FILE, RECORD_FILE};
pub use port_mapping::{MappingProtocol, PortMapping};
pub use run_as::RunAs;
pub use status_socket::StatusSocketPlace;
pub(crate) use status_socket::is_status_socket;
pub use transfer_log::TransferLogSettings;
pub use uploads::{BrokenUploads, UploadRules};

/// The settings of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The sockets for control connections; at least one.
    pub listen: Vec<Listen>,
    /// Who opens them.
    pub socket_source: SocketSource,
    /// The shared directory, as an absolute path.
    pub directory: PathBuf,
    /// Names in it that are not served; a pattern matches one name.
    pub hidden: Vec<Pattern>,
    /// The files that the settings were read from, by absolute path: the configuration file and the
    /// password file. No client sees them.
    pub sources: Vec<PathBuf>,
    /// The one of them that has the password; `None`: no file has it.
    pub password_source: Option<PathBuf>,
    /// The time zone for dates in LIST and STAT; `None`: UTC.
    pub local_time: Option<LocalTime>,
    /// The permission bits that new files and directories must not have; `None`: the umask that the
    /// process has. The server sets it for the whole process.
    pub umask: Option<u32>,
    /// The rules for uploads.
    pub uploads: UploadRules,
    /// The user that the server becomes when it has opened what it needs; `None`: it keeps its
    /// rights.
    pub run_as: Option<RunAs>,
    /// The operator's programs that run when clients have done something.
    pub hooks: HookSettings,
    /// Who may log in, and with which rights.
    pub users: Users,
    /// The file of some of them, by absolute path. No client sees it.
    pub users_file: Option<PathBuf>,
    /// Whether a user's home that is missing is made at the login.
    pub create_homes: bool,
    /// The directory for what the server stores for its next start.
    pub state_directory: PathBuf,
    /// The socket at which the server says what it is doing.
    pub status_socket: StatusSocketPlace,
    /// The socket for readers of metrics.
    pub metrics: Option<SocketAddr>,
    /// The public address in passive mode replies; `None`: the address that the client connected
    /// to.
    pub masquerade_address: Option<AddressSource>,
    /// The public address for each local address that clients connect to.
    pub masquerade_map: BTreeMap<Ipv4Addr, AddressSource>,
    /// The address that clients of certain networks are given. No network occurs twice.
    pub masquerade_clients: Vec<(IpNet, ClientAddress)>,
    /// The time between two lookups of a host name among these addresses, and between two requests
    /// to a STUN server.
    pub masquerade_refresh: Duration,
    /// The clients that are given the address that they connected to.
    pub local_networks: LocalNetworks,
    /// The ports of passive data connections; `None`: the kernel chooses.
    pub passive_ports: Option<PortRange>,
    /// The ports that the router forwards to `passive_ports`, and as many; `None`: the same
    /// numbers.
    pub outer_ports: Option<PortRange>,
    /// The port that the router forwards to the control port.
    pub outer_port: u16,
    /// Whether the server asks the router to forward its ports.
    pub port_mapping: PortMapping,
    /// The networks of gateways that may replace the client's address on its control connection or
    /// its data connections, IPv4 as such.
    pub trusted_gateways: Vec<IpNet>,
    /// Where balancers are, IPv4 as such: their connections begin with a PROXY header.
    pub proxy_protocol: Arc<[IpNet]>,
    /// TLS; `None`: all connections are in clear text.
    pub tls: Option<TlsSettings>,
    /// The addresses that are served.
    pub access: AccessRules,
    /// Limits on connections and logins.
    pub limits: Limits,
    /// Limits on the speed of each session's transfers.
    pub rates: Rates,
    /// Limits on the duration of waits.
    pub timeouts: Timeouts,
    /// The delay of the reply to a wrong password. Unless it is zero, further passwords from the
    /// same address are compared one after another.
    pub login_delay: Duration,
    /// When an address is blocked because of failed logins; `None`: never.
    pub login_block: Option<LoginBlock>,
    /// The time for running transfers after the server has been asked to end; zero: they end at
    /// once.
    pub shutdown_grace: Duration,
    /// How clients write names that have not sent `OPTS UTF8 ON`.
    pub name_charset: NameCharset,
    /// The text of the greeting; `None`: the default text.
    pub banner: Option<String>,
    /// When the line ends of files are converted.
    pub ascii: AsciiConversion,
    /// Whether PORT and EPRT may name another host than the client (FXP).
    pub permit_foreign_addresses: bool,
    /// Whether PORT and EPRT may name a port below 1024.
    pub permit_privileged_ports: bool,
    /// The commands that are answered with 502.
    pub denied_commands: DeniedCommands,
    /// Whether the process keeps only the rights to what [`enter_sandbox`](crate::enter_sandbox)
    /// leaves.
    pub sandbox: bool,
    /// The least important log lines that are written.
    pub log_level: LevelFilter,
    /// Where the log of the process goes, and how it looks.
    pub log: LogSettings,
    /// The file for a line about each file that is sent, received or removed; `None`: none.
    pub transfer_log: Option<TransferLogSettings>,
}

/// TLS (RFC 4217): the certificates, and what is required of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificates and their keys, no two of the same kind. A client is given the first one
    /// that it can use. Empty: the server makes its own certificate.
    pub certificates: Vec<CertificateFiles>,
    /// The directory for the certificate that the server makes.
    pub state_directory: PathBuf,
    /// Logins in clear text are refused.
    pub control_required: bool,
    /// Transfers in clear text are refused.
    pub data_required: bool,
    /// Data connections must resume the TLS session of their control connection.
    pub resumption_required: bool,
    /// An upload over TLS without close_notify, TLS's mark of the end, fails.
    pub close_notify_required: bool,
    /// Data connections must do so if they, or their clients, come from a trusted gateway.
    pub gateway_resumption: bool,
    /// Authorities: clients must show a certificate that one of them has signed. `None`: clients
    /// need none.
    pub client_ca: Option<PathBuf>,
}

/// The files of a certificate, in PEM format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by the certificates that lead to its authority.
    pub chain: PathBuf,
    /// The private key of the certificate: PKCS#1, PKCS#8 or SEC1. This may be the same file.
    pub key: PathBuf,
}

/// Limits on connections and logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Control connections at the same time.
    pub connections_max: u32,
    /// Control connections from one IPv4 address, or one /64 network of IPv6 addresses, at the same
    /// time; `None`: no such limit.
    pub connections_per_address_max: Option<u32>,
    /// Failed logins in one session.
    pub login_attempts_max: u32,
}

/// The longest duration of each wait; `None`: no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Between two commands, and until the login.
    pub idle: Option<Duration>,
    /// Until the login, where `idle` is longer.
    pub login: Option<Duration>,
    /// Until a data connection is open, in active and passive mode.
    pub data_open: Option<Duration>,
    /// Without any progress on an open data connection.
    pub data_stall: Option<Duration>,
    /// Time that a client has to connect before an abandoned port counts as never connected. No
    /// flag sets it.
    pub never_connected_after: Duration,
}

impl Settings {
    /// The core's configuration on this machine. While an address is not among `known`, its clients
    /// are given the address that they connected to. The umask is the core's default.
    pub(crate) fn config(&self, interfaces: &Interfaces, known: &KnownAddresses) -> Config {
        let mut config = Config::default();
        if let Some(banner) = &self.banner {
            config.banner.clone_from(banner);
        }
        config.masquerade = self.masquerade(interfaces, known);
        config.permit_foreign_addresses = self.permit_foreign_addresses;
        config.trusted_gateways.clone_from(&self.trusted_gateways);
        config.permit_privileged_ports = self.permit_privileged_ports;
        config.denied_commands.clone_from(&self.denied_commands);
        config.login_attempts_max = self.limits.login_attempts_max;
        config.login_timeout = self.timeouts.until_login();
        config.idle_timeout = self.timeouts.idle;
        config.data_open_timeout = self.timeouts.data_open;
        config.data_stall_timeout = self.timeouts.data_stall;
        config.ascii = self.ascii;
        config.digests = true;
        config.tls = self.tls.is_some();
        config.tls_control_required = self.tls.as_ref().is_some_and(|tls| tls.control_required);
        config.tls_data_required = self.tls.as_ref().is_some_and(|tls| tls.data_required);
        config
    }

    pub(crate) fn login_rules(&self) -> LoginRules {
        LoginRules {
            slows_down: !self.login_delay.is_zero(),
            block: self.login_block,
        }
    }

    /// The flags and paths of the files that the server appends lines to.
    pub(crate) fn log_files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let log = self.log.file.iter().map(|file| ("--log-file", &**file));
        let transfers = self.transfer_log.iter();
        log.chain(transfers.map(|log| ("--xferlog", &*log.file)))
    }

    /// That a log file cannot be opened.
    pub fn cannot_open_log(flag: &str, file: &Path, error: &io::Error) -> io::Error {
        let path = printable_word(file.as_os_str().as_bytes());
        let reason = file::reason(error);
        let remedy =
            "give a file that the user of this program may write, in a directory that exists";
        io::Error::new(error.kind(), format!("{flag} {path}: {reason}; {remedy}"))
    }

    /// User and group of a log file that the server makes as root: those that it will be.
    pub fn log_file_owner(&self) -> Option<(u32, u32)> {
        let run_as = self.run_as.as_ref().filter(|_| geteuid().is_root());
        run_as.map(|run_as| (run_as.user, run_as.group))
    }

    /// The files that a server makes in the state directory, and gives to the user that it becomes.
    pub(crate) fn state_files(&self) -> Vec<PathBuf> {
        let names = [
            SELF_SIGNED_FILE,
            PUBLIC_FILE,
            QUOTA_FILE,
            QUOTA_FILE_NEW,
            NONCE_FILE,
            RECORD_FILE,
            LOCK_FILE,
        ];
        let files = names.map(|name| self.state_directory.join(name));
        files.into()
    }

    /// Whether some user has a quota.
    pub(crate) fn has_quotas(&self) -> bool {
        let mut users = self.users.of_file();
        users.any(|user| user.options.quota.is_limited())
    }

    /// The control port, for clients without TLS and with explicit TLS; 0: the kernel chooses.
    pub fn control_port(&self) -> u16 {
        self.port(false).unwrap_or_default()
    }

    /// The port of implicit TLS; `None`: there is none. 0: the kernel chooses.
    pub fn implicit_port(&self) -> Option<u16> {
        self.port(true)
    }

    fn port(&self, implicit_tls: bool) -> Option<u16> {
        let mut listen = self.listen.iter();
        let found = listen.find(|listen| listen.implicit_tls == implicit_tls)?;
        Some(found.address.port())
    }

    /// Where the public addresses are learned that are not given as such; sorted, without
    /// duplicates.
    pub fn address_sources(&self) -> BTreeSet<&AddressSource> {
        let mut sources = self.public_addresses();
        sources.retain(|public| !matches!(public, AddressSource::Address(_)));
        sources
    }

    /// All public addresses that some clients are given; sorted, without duplicates.
    pub(crate) fn public_addresses(&self) -> BTreeSet<&AddressSource> {
        let of_clients = self.masquerade_clients.iter();
        let of_clients = of_clients.filter_map(|(_, address)| match address {
            ClientAddress::Public(public) => Some(public),
            ClientAddress::Local => None,
        });
        let sources = self.masquerade_address.iter();
        order::set_of(
            sources
                .chain(self.masquerade_map.values())
                .chain(of_clients),
        )
    }

    /// Whether clients on the Internet are given the address of this source, not only those of
    /// certain networks.
    pub(crate) fn is_for_internet(&self, source: &AddressSource) -> bool {
        let mut sources = self
            .masquerade_address
            .iter()
            .chain(self.masquerade_map.values());
        sources.any(|public| public == source)
    }

    /// Whether some clients are given another address than the one that they connected to.
    pub(crate) fn masquerades(&self) -> bool {
        self.port_mapping.is_on() || !self.public_addresses().is_empty()
    }

    /// The server's own files, by absolute path: no client may list, read or write them.
    pub(crate) fn own_files(&self) -> Vec<PathBuf> {
        let mut files = self.certificate_files();
        let tls = self.tls.iter();
        // A client that could replace the public one would make others trust another certificate.
        files.extend(tls.flat_map(|tls| [tls.self_signed_file(), tls.public_file()]));
        files.extend(self.sources.iter().cloned());
        files.extend(self.users_file.iter().cloned());
        // A client that could replace it would lead the others to another server.
        files.extend(self.address_files().cloned());
        files.extend(self.port_mapping.files_in_use());
        // Also before a user has a quota: the users file is taken when it changes.
        if self.users_file.is_some() {
            let names = [QUOTA_FILE, QUOTA_FILE_NEW];
            files.extend(names.map(|name| self.state_directory.join(name)));
        }
        files.extend(self.log_files().map(|(_, file)| file.to_owned()));
        // A client that could replace one would have its own program run.
        let programs = self.hooks.programs();
        files.extend(programs.map(|(_, program)| program.to_owned()));
        let files = files.iter().filter_map(|file| path::absolute(file).ok());
        files.collect()
    }

    /// The files that public addresses are read from.
    pub(crate) fn address_files(&self) -> impl Iterator<Item = &PathBuf> {
        let sources = self.address_sources().into_iter();
        sources.filter_map(|source| match source {
            AddressSource::File(file) => Some(file),
            _ => None,
        })
    }

    /// Who else may read the files with the password and with the users.
    pub(crate) fn password_exposures(&self) -> Vec<PasswordExposure> {
        let password = self.password_source.iter();
        let password = password.filter_map(|file| PasswordExposure::find(file));
        let users = self.users_file.iter();
        let users = users.filter_map(|file| PasswordExposure::of_users(file));
        password.chain(users).collect()
    }

    /// The server's own files that a reload reads again, or the server when they change.
    pub(crate) fn files_to_read_again(&self) -> Vec<PathBuf> {
        let self_signed = self.tls.iter().filter(|tls| tls.certificates.is_empty());
        let self_signed = self_signed.map(TlsSettings::self_signed_file);
        let mut files = self.sources.clone();
        files.extend(self.users_file.iter().cloned());
        files.extend(self.certificate_files());
        files.extend(self_signed);
        files.extend(self.address_files().cloned());
        files.dedup();
        files
    }

    /// The files of the certificates, their keys and the clients' authorities; none without TLS.
    pub(crate) fn certificate_files(&self) -> Vec<PathBuf> {
        self.tls.iter().flat_map(TlsSettings::files).collect()
    }

    fn masquerade(&self, interfaces: &Interfaces, known: &KnownAddresses) -> Masquerade {
        let clients = self.masquerade_clients.iter();
        let map = self.masquerade_map.iter();
        let address = self.masquerade_address.as_ref();
        let gateways = interfaces.gateways.iter();
        let mut rules = Masquerade::default();
        rules.clients = clients
            .map(|(network, address)| (*network, address.rule(known)))
            .collect();
        rules.local_networks = self.local_networks.resolve(&interfaces.local_networks());
        rules.gateways = gateways.map(IpAddr::to_canonical).collect();
        rules.map = order::map_of(map.map(|(local, public)| (*local, public.resolved(known))));
        rules.address = address.map(|public| public.resolved(known));
        rules.outer_ports = self.outer_ports();
        rules
    }

    fn outer_ports(&self) -> Option<OuterPorts> {
        let (inner, outer) = (self.passive_ports?, self.outer_ports?);
        // Ranges of different sizes are refused before.
        let count = inner.count().min(outer.count());
        OuterPorts::new(inner.first(), outer.first(), count).ok()
    }
}

impl Timeouts {
    /// The shorter of the two limits until the login.
    pub fn until_login(&self) -> Option<Duration> {
        self.login.into_iter().chain(self.idle).min()
    }

    /// Real clients wait for 5 s at least, most of them for much longer.
    pub const NEVER_CONNECTED_AFTER_DEFAULT: Duration = Duration::from_secs(4);
}

impl TlsSettings {
    /// The certificate that the server makes, with its key, if there is no other.
    pub(crate) fn self_signed_file(&self) -> PathBuf {
        self.state_directory.join(SELF_SIGNED_FILE)
    }

    /// The same certificate without its key, for clients to trust.
    pub(crate) fn public_file(&self) -> PathBuf {
        self.state_directory.join(PUBLIC_FILE)
    }

    /// The files that may be replaced while the server runs.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let certificates = self.certificates.iter();
        let certificates = certificates.flat_map(|files| [&files.chain, &files.key]);
        certificates.chain(&self.client_ca).cloned()
    }
}

/// The name of the file with the certificate that the server makes.
pub(crate) const SELF_SIGNED_FILE: &str = "certificate.pem";

/// The name of the file in the state directory with what quotas count.
pub(crate) const QUOTA_FILE: &str = "quota";

/// The name of that file until it is complete.
pub(crate) const QUOTA_FILE_NEW: &str = "quota.new";

/// The name of the file with this certificate alone.
pub(crate) const PUBLIC_FILE: &str = "certificate.crt";
