//! The settings of a session, and the limits that no setting changes.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use ipnet::IpNet;

use crate::denied_commands::DeniedCommands;
use crate::masquerade::Masquerade;

/// The settings of a session. They may be replaced while it runs:
/// [`handle_config`](crate::Session::handle_config).
///
/// ```
/// let mut config = ftp_proto::Config::default();
/// config.banner = "Welcome.".into();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The text of the 220 greeting; line breaks make it a multi-line reply. Default: "FTP server
    /// ready."
    pub banner: String,
    /// What PASV and EPSV announce. Default: the server's own address to everyone.
    pub masquerade: Masquerade,
    /// Whether PORT and EPRT may name another host than the client, and another host may connect
    /// in passive mode (FXP). The address is then used as it is named, a private one too; only a
    /// trusted gateway's is refused. Default: no.
    pub permit_foreign_addresses: bool,
    /// The networks of routers that translate the addresses of clients, IPv4 as such. A connection
    /// from one of them may come from any client:
    /// [`Session::judge_peer`](crate::Session::judge_peer). For the same reason PORT and EPRT are
    /// refused where they would lead to such an address. Default: none.
    pub trusted_gateways: Vec<IpNet>,
    /// Whether PORT and EPRT may name a port below 1024. Default: no.
    pub permit_privileged_ports: bool,
    /// The session ends after this number of failed logins (at least 1). Default: 3.
    pub login_attempts_max: u32,
    /// From the greeting to a successful login; `None`: no limit. Default: 300 s.
    pub login_timeout: Option<Duration>,
    /// Between two commands; `None`: no limit. Default: 300 s.
    pub idle_timeout: Option<Duration>,
    /// Until a data connection is established, in active and passive mode; `None`: no limit. The
    /// first connection to a client that names a private address has 10 s at most. Default: 30 s.
    pub data_open_timeout: Option<Duration>,
    /// Without a byte transferred on a data connection; `None`: no limit. Default: 300 s.
    pub data_stall_timeout: Option<Duration>,
    /// From the end of the session until the client has read the last replies; `None`: no limit.
    /// Default: 5 s.
    pub flush_timeout: Option<Duration>,
    /// The umask that SITE UMASK shows until the client sets another one. The core only shows it:
    /// the system applies its own umask to new files. Default: 022.
    pub umask: u32,
    /// When the line ends of files are converted. Default: [`AsciiConversion::Requested`].
    pub ascii: AsciiConversion,
    /// Whether HASH, XCRC, XMD5, XSHA1 and XSHA256 are offered; the driver must then perform
    /// [`FileRequest::Hash`](crate::FileRequest::Hash). Default: no.
    pub digests: bool,
    /// The commands that are not offered, such as EPSV where the router in front of the server does
    /// not forward what it announces. Default: none.
    pub denied_commands: DeniedCommands,
    /// Whether AUTH TLS is offered (RFC 4217); the driver must then perform
    /// [`Action::StartTls`](crate::Action::StartTls). Default: no.
    pub tls: bool,
    /// Refuse a login before AUTH TLS. Has no effect where `tls` is false; the same applies to the
    /// next. Default: no.
    pub tls_control_required: bool,
    /// Refuse a transfer without PROT P. Default: no.
    pub tls_data_required: bool,
}

/// When the bytes of a file are converted: the rule that turns the client's TYPE into a
/// [`Representation`](crate::Representation).
///
/// RFC 959 makes ASCII the type of a session without a TYPE command. Cameras, scanners and many
/// scripts send none and mean bytes, and a converted picture is damaged although the reply is 226.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AsciiConversion {
    /// Files are sent and stored as they are until the client sends TYPE A.
    #[default]
    Requested,
    /// Files are converted from the start of the session until the client sends TYPE I (RFC 959,
    /// section 5.1).
    Rfc959,
    /// Files are never converted: TYPE A is accepted, and means TYPE I.
    Never,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            banner: String::from("FTP server ready."),
            masquerade: Masquerade::default(),
            permit_foreign_addresses: false,
            trusted_gateways: Vec::new(),
            permit_privileged_ports: false,
            login_attempts_max: 3,
            login_timeout: Some(Duration::from_secs(300)),
            idle_timeout: Some(Duration::from_secs(300)),
            data_open_timeout: Some(Duration::from_secs(30)),
            data_stall_timeout: Some(Duration::from_secs(300)),
            flush_timeout: Some(Duration::from_secs(5)),
            umask: 0o022,
            ascii: AsciiConversion::default(),
            digests: false,
            denied_commands: DeniedCommands::default(),
            tls: false,
            tls_control_required: false,
            tls_data_required: false,
        }
    }
}

impl Config {
    /// Whether a connection from this address may come from any client: it is the address of a
    /// [trusted gateway](Self::trusted_gateways).
    #[must_use]
    pub fn is_trusted_gateway(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mut networks = self.trusted_gateways.iter();
        networks.any(|network| network.contains(&address))
    }
}

/// Limits against a client that sends too much; tests check each limit at its boundary.
pub mod limits {
    use core::time::Duration;

    /// The longest command line, line ending included, in bytes. A driver's input buffer must hold
    /// at least this many.
    pub const LINE_BYTES_MAX: usize = 4096;
    /// The longest path, in bytes, after `..` is resolved.
    pub const PATH_BYTES_MAX: usize = 4095;
    /// The deepest path, in components.
    pub const PATH_DEPTH_MAX: usize = 128;
    /// The number of lines held while a transfer runs or the session waits for a passive port.
    pub const HELD_LINES_MAX: usize = 16;
    /// The bytes of those lines, in total.
    pub const HELD_BYTES_MAX: usize = 4096;
    /// The number of lines without a command of FTP that a client may send before it logs in. The
    /// next one ends the session.
    pub const UNKNOWN_COMMANDS_MAX: u32 = 10;
    /// The bytes of [`Session::set_remedy`](crate::Session::set_remedy) that a reply shows: more
    /// than a person reads in one line.
    pub const REMEDY_BYTES_MAX: usize = 400;
    /// The entries in a reply to STAT with a path, which is held in memory as a whole. If there are
    /// more, STAT is refused.
    pub const STAT_ENTRIES_MAX: usize = 10_000;
    /// How long an upload may receive nothing after its control connection is
    /// [lost](crate::Session::handle_connection_lost). Longer than TCP waits before it first sends
    /// a lost packet again.
    pub const LOST_UPLOAD_STALL: Duration = Duration::from_secs(2);
    /// The largest file, in bytes, of which SIZE counts the line ends for TYPE A. The whole file is
    /// read for that.
    pub const ASCII_SIZE_BYTES_MAX: u64 = 64 << 20;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// The documentation of each field ends with what it is by default.
    #[test]
    fn the_documented_defaults_are_true() {
        let source = include_str!("config.rs");
        let end = source.find("impl Default").expect("the fields come first");
        let documented = source[..end].matches("Default: ").count();
        let config = Config::default();
        let fields = format!("{config:#?}");
        let count = fields
            .lines()
            .filter(|line| line.starts_with("    ") && !line.starts_with("     "));
        // Lines that close a field are no fields.
        assert_eq!(documented, count.filter(|line| line.contains(": ")).count());
        let seconds = |value: Option<Duration>| value.map(|value| value.as_secs());
        let limits = [
            config.login_timeout,
            config.idle_timeout,
            config.data_stall_timeout,
        ];
        assert_eq!(limits.map(seconds), [Some(300); 3]);
        let limits = [config.data_open_timeout, config.flush_timeout];
        assert_eq!(limits.map(seconds), [Some(30), Some(5)]);
        assert_eq!((config.login_attempts_max, config.umask), (3, 0o022));
        assert_eq!(config.ascii, AsciiConversion::Requested);
        assert_eq!(config.banner, "FTP server ready.");
    }
}
