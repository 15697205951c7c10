//! The table of flags: a flag is declared here, with its letter, its help, its type and its
//! default.

mod row;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use argh::{ArgsInfo, FlagInfoKind, FromArgs, Optionality};
use ftp_proto::AsciiConversion;
use ftp_proto::listing::Pattern;
use ipnet::IpNet;
use log::LevelFilter;

use super::values;
use crate::nat::rules::RulesKind;
use crate::probe::ProbeTarget;
use crate::settings::{
    AddressSource, BrokenUploads, ClientAddress, LocalNetworks, LogFormat, MappingProtocol,
    NameCharset, PortRange,
};

pub(super) use row::{EVERY, Flag};

/// Serves a directory over FTP, also from behind a NAT router.
#[derive(FromArgs, ArgsInfo)]
pub(super) struct Flags {
    /// listen on this address of the machine only; may be repeated [every address]
    #[argh(option, short = 'i', arg_name = "ADDR", from_str_fn(values::interface))]
    pub(super) interface: Vec<IpAddr>,
    /// port of control connections; 0 takes any free one and prints it [2121]
    #[argh(option, short = 'p', arg_name = "N")]
    #[argh(from_str_fn(values::port), default = "2121")]
    pub(super) port: u16,
    /// serve one client, whose connection is standard input, and end with it: for inetd, or for
    /// systemd's Accept=yes
    #[argh(switch)]
    pub(super) inetd: bool,
    /// the directory to share [.]
    #[argh(option, short = 'd', arg_name = "PATH")]
    #[argh(from_str_fn(values::path), default = "PathBuf::from(\".\")")]
    pub(super) directory: PathBuf,
    /// do not serve names that match this pattern, such as @eaDir or ".Trash*"; may be repeated
    #[argh(option, arg_name = "PATTERN[,...]", from_str_fn(values::hide))]
    pub(super) hide: Vec<Pattern>,
    /// show dates in LIST in this machine's time zone [UTC]
    #[argh(switch)]
    pub(super) local_time: bool,
    /// allow changes: by the user and by system users, or by anonymous if there are neither
    #[argh(switch, short = 'w')]
    pub(super) write: bool,
    /// permission bits that new files and directories do not get, in octal [of the process]
    #[argh(option, arg_name = "MODE", from_str_fn(values::umask))]
    pub(super) umask: Option<u32>,
    /// what happens to an upload whose connection breaks: "keep" what has arrived, for the client
    /// to go on with it, or "discard" it [keep]
    #[argh(option, arg_name = "keep|discard")]
    #[argh(from_str_fn(values::broken_uploads), default = "BrokenUploads::Keep")]
    pub(super) broken_uploads: BrokenUploads,
    /// confirm an upload only when it is on the disk, where a power cut does not harm it; slower
    #[argh(switch)]
    pub(super) sync: bool,
    /// as root: become this user, by name or number, after the ports are open, and give up all
    /// rights of root
    #[argh(option, arg_name = "USER[:GROUP]")]
    pub(super) run_as: Option<String>,
    /// the only user; without this flag, anonymous may log in
    #[argh(option, short = 'u', arg_name = "NAME", from_str_fn(values::username))]
    pub(super) username: Option<String>,
    /// the user's password; other users of this machine can see it for the moment until the server
    /// has hidden it
    #[argh(option, short = 'P', arg_name = "TEXT", from_str_fn(values::bytes))]
    pub(super) password: Option<OsString>,
    /// read the password from this file; without either flag, it is read from the environment
    /// variable FTP_PASSWORD
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) password_file: Option<PathBuf>,
    /// let anonymous log in beside the user, to read only
    #[argh(switch)]
    pub(super) anonymous: bool,
    /// let the users in this file log in: one name:hash:home:rights per line, each user with a home
    /// of their own; docs/users.md describes it
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) users: Option<PathBuf>,
    /// as root: let this machine's users log in with their passwords of the system, or only those
    /// of this group: each to their home, with the rights that the system gives; changes need
    /// --write
    #[argh(option, arg_name = "[GROUP]")]
    pub(super) system_users: Option<String>,
    /// make a home that is missing when its user logs in: of --users or --system-users
    #[argh(switch)]
    pub(super) create_home: bool,
    /// convert line ends when TYPE A has requested it, from the start until TYPE I (RFC 959), or
    /// never [requested]
    #[argh(option, arg_name = "requested|rfc959|never")]
    #[argh(from_str_fn(values::ascii), default = "AsciiConversion::Requested")]
    pub(super) ascii: AsciiConversion,
    /// the charset of names for clients that do not ask for UTF-8, such as GBK or windows-1251;
    /// "auto:CHARSET" also takes UTF-8 from clients that write it, and "auto" the charset of the
    /// locale [UTF-8]
    #[argh(option, arg_name = "NAME|auto")]
    #[argh(from_str_fn(values::encoding), default = "NameCharset::UTF_8")]
    pub(super) encoding: NameCharset,
    /// the router's public IPv4 address, for PASV replies; or where it is learned: a host name,
    /// @FILE for a file that contains it, or stun:HOST[:PORT] for a STUN server
    #[argh(option, short = 'n', arg_name = "ADDR", from_str_fn(values::address))]
    pub(super) masquerade_address: Option<AddressSource>,
    /// public address for each local address; may be repeated
    #[argh(
        option,
        arg_name = "PRIVATE=PUBLIC[,...]",
        from_str_fn(values::map_entry)
    )]
    pub(super) masquerade_address_map: Vec<(Ipv4Addr, AddressSource)>,
    /// the address that PASV replies give to clients in a network, or "local" for the one that
    /// they connected to; the longest prefix wins; may be repeated
    #[argh(option, arg_name = "NET=ADDR|local[,...]", from_str_fn(values::client))]
    pub(super) masquerade_client: Vec<(IpNet, ClientAddress)>,
    /// time between two lookups of the host names in these flags, or two requests to the STUN
    /// servers [60]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(from_str_fn(values::refresh), default = "Duration::from_secs(60)")]
    pub(super) masquerade_refresh: Duration,
    /// clients in these networks get the address that they connected to: "auto" for the networks
    /// of this machine, networks, or both, or "none"; may be repeated [auto]
    #[argh(option, arg_name = "NET[,...]", from_str_fn(values::local_network))]
    pub(super) local_networks: Vec<LocalNetworks>,
    /// ports for passive data connections, which the router must forward, or one port [the
    /// kernel's choice]
    #[argh(option, short = 'r', arg_name = "FROM-TO")]
    pub(super) passive_ports: Option<PortRange>,
    /// the ports that the router forwards to the passive ports; both ranges have the same size
    /// [the same ports]
    #[argh(option, arg_name = "FROM-TO")]
    pub(super) outer_ports: Option<PortRange>,
    /// the port that the router forwards to the control port [21]
    #[argh(option, arg_name = "N")]
    #[argh(from_str_fn(values::outer_port), default = "21")]
    pub(super) outer_port: u16,
    /// have the router forward these ports, and learn its public address from it: "auto", "pcp",
    /// "nat-pmp", "upnp" or "off"; without --passive-ports, it implies ten of them [off]
    #[argh(option, arg_name = "auto|pcp|nat-pmp|upnp|off")]
    #[argh(from_str_fn(values::port_mapping), default = "Box::default()")]
    pub(super) port_mapping: Box<[MappingProtocol]>,
    /// the interface whose default gateway is asked to forward ports [that of the best default
    /// route]
    #[argh(option, arg_name = "NAME", from_str_fn(values::interface_name))]
    pub(super) port_mapping_interface: Option<String>,
    /// have the router forward the control port even though anonymous may log in
    #[argh(switch)]
    pub(super) port_mapping_anonymous: bool,
    /// let a client's control or data connection come from these gateways, and the other one from
    /// elsewhere; give addresses or networks; may be repeated
    #[argh(option, arg_name = "NET[,...]", from_str_fn(values::gateway))]
    pub(super) trust_gateway: Vec<IpNet>,
    /// the balancers before this server, by address or network: each of their connections must
    /// begin with a header of the PROXY protocol, which names the client; may be repeated
    #[argh(option, arg_name = "NET[,...]", from_str_fn(values::gateway))]
    pub(super) proxy_protocol: Vec<IpNet>,
    /// offer TLS (FTPS); without --certfile, the server makes its own certificate and stores it
    #[argh(switch)]
    pub(super) tls: bool,
    /// the certificate, followed by those that lead to its authority, as PEM; may be repeated for
    /// another kind of key: a client is given the first one that it can use
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) certfile: Vec<PathBuf>,
    /// the certificate's private key, as PEM; one for each --certfile, in the same order [in the
    /// file of --certfile]
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) keyfile: Vec<PathBuf>,
    /// refuse logins without TLS
    #[argh(switch)]
    pub(super) tls_control_required: bool,
    /// refuse transfers without TLS
    #[argh(switch)]
    pub(super) tls_data_required: bool,
    /// listen on this port too, for clients that begin with TLS at once (implicit FTPS, usually
    /// 990)
    #[argh(option, arg_name = "PORT", from_str_fn(values::port))]
    pub(super) tls_implicit: Option<u16>,
    /// accept only data connections that resume the TLS session of their control connection
    #[argh(switch)]
    pub(super) tls_require_resumption: bool,
    /// accept an upload over TLS only if it ends with close_notify; many clients send none
    #[argh(switch)]
    pub(super) tls_require_close_notify: bool,
    /// whether data connections through a trusted gateway must do so: "on", or "off" for clients
    /// that cannot [on]
    #[argh(option, arg_name = "on|off")]
    #[argh(from_str_fn(values::on_or_off), default = "true")]
    pub(super) gateway_resumption: bool,
    /// accept only clients with a certificate that an authority in this file has signed; implies
    /// --tls-control-required
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) client_ca: Option<PathBuf>,
    /// sessions at the same time [512]
    #[argh(option, arg_name = "N")]
    #[argh(from_str_fn(values::number::<1, 1_000_000>), default = "512")]
    pub(super) max_cons: u32,
    /// sessions from one IPv4 address, or one /64 network of IPv6 addresses, at the same time; 0
    /// for no limit [32]
    #[argh(option, arg_name = "N")]
    #[argh(from_str_fn(values::number::<0, 1_000_000>), default = "32")]
    pub(super) max_cons_per_ip: u32,
    /// serve only clients in these networks; may be repeated [every client]
    #[argh(option, arg_name = "NET[,...]", from_str_fn(values::network))]
    pub(super) allow: Vec<IpNet>,
    /// do not serve clients in these networks, unless --allow has a longer prefix for them; may be
    /// repeated
    #[argh(option, arg_name = "NET[,...]", from_str_fn(values::network))]
    pub(super) deny: Vec<IpNet>,
    /// failed logins after which a session is closed [3]
    #[argh(option, arg_name = "N")]
    #[argh(from_str_fn(values::number::<1, 1000>), default = "3")]
    pub(super) max_login_attempts: u32,
    /// delay of the reply to a failed login; further passwords from its address are then checked
    /// one after another, at most five in a second; 0 for neither [3]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(from_str_fn(values::delay), default = "Duration::from_secs(3)")]
    pub(super) login_delay: Duration,
    /// failed logins after which their address (IPv6: its /64 network) is blocked, however many
    /// sessions they come from; 0 for never [20]
    #[argh(option, arg_name = "N")]
    #[argh(from_str_fn(values::number::<0, 1_000_000>), default = "20")]
    pub(super) block_after: u32,
    /// how long such an address is refused [600]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(from_str_fn(values::block_time), default = "Duration::from_secs(600)")]
    pub(super) block_time: Duration,
    /// close a session that does not log in within this time, its TLS handshake included; 0 for as
    /// long as --timeout, which is never exceeded [60]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(
        from_str_fn(values::timeout),
        default = "Some(Duration::from_secs(60))"
    )]
    pub(super) login_timeout: Option<Duration>,
    /// close a session that sends no command for this time; 0 for never [300]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(
        from_str_fn(values::timeout),
        default = "Some(Duration::from_secs(300))"
    )]
    pub(super) timeout: Option<Duration>,
    /// time limit for opening a data connection, in either mode; 0 for no limit [30]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(
        from_str_fn(values::timeout),
        default = "Some(Duration::from_secs(30))"
    )]
    pub(super) passive_timeout: Option<Duration>,
    /// abort a transfer if no byte moves for this time; 0 for never [300]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(
        from_str_fn(values::timeout),
        default = "Some(Duration::from_secs(300))"
    )]
    pub(super) data_timeout: Option<Duration>,
    /// bytes per second that each session may upload, also as 500K or 2M; 0 for no limit [0]
    #[argh(option, arg_name = "BYTES")]
    #[argh(from_str_fn(values::rate), default = "None")]
    pub(super) rate_in: Option<NonZeroU64>,
    /// the same for downloads and listings [0]
    #[argh(option, arg_name = "BYTES")]
    #[argh(from_str_fn(values::rate), default = "None")]
    pub(super) rate_out: Option<NonZeroU64>,
    /// the largest file that an upload may make, also as 500M or 20G; 0 for no limit [0]
    #[argh(option, arg_name = "BYTES")]
    #[argh(from_str_fn(values::size), default = "None")]
    pub(super) max_upload_size: Option<u64>,
    /// the space that uploads leave free on the disk, also as 500M or 20G; 0 for none [0]
    #[argh(option, arg_name = "BYTES")]
    #[argh(from_str_fn(values::size), default = "None")]
    pub(super) free_space_min: Option<u64>,
    /// let running transfers continue for this time after SIGTERM or SIGINT; 0 ends them at once
    /// [10]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(from_str_fn(values::grace), default = "Duration::from_secs(10)")]
    pub(super) shutdown_grace: Duration,
    /// let PORT and EPRT name another host than the client, and let another host connect to a
    /// passive port (FXP)
    #[argh(switch)]
    pub(super) permit_foreign_addresses: bool,
    /// let PORT and EPRT name a port below 1024
    #[argh(switch)]
    pub(super) permit_privileged_ports: bool,
    /// answer these commands with 502, such as EPSV where data connections lead to another address
    /// than the control connection; may be repeated
    #[argh(
        option,
        arg_name = "COMMAND[,...]",
        from_str_fn(values::denied_command)
    )]
    pub(super) deny_commands: Vec<String>,
    /// have the kernel (Landlock) refuse this process all files but those that it serves and needs,
    /// and every program
    #[argh(switch)]
    pub(super) sandbox: bool,
    /// run this program after each upload that has left a file: a path, without arguments; the
    /// variables FTP_FILE, FTP_PATH, FTP_USER, FTP_RESULT and others say what happened
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) on_upload: Option<PathBuf>,
    /// the same after each login, logout, upload, download, delete, rename, mkdir, rmdir and
    /// refused command: FTP_EVENT says which
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) on_event: Option<PathBuf>,
    /// how long one run of these programs may take; then it is ended, with all that it has started
    /// [60]
    #[argh(option, arg_name = "SECONDS")]
    #[argh(from_str_fn(values::number::<1, 86_400>), default = "60")]
    pub(super) hook_timeout: u32,
    /// the socket at which the server says what it is doing, for this user and root; "off" for none
    /// [status-PORT.socket in the runtime or state directory]
    #[argh(option, arg_name = "PATH", from_str_fn(values::path))]
    pub(super) status_socket: Option<PathBuf>,
    /// serve metrics for Prometheus at /metrics, and /healthz, on this address over HTTP; a port
    /// alone is one of 127.0.0.1
    #[argh(option, arg_name = "PORT|ADDR:PORT", from_str_fn(values::metrics))]
    pub(super) metrics: Option<SocketAddr>,
    /// serve nothing, but show who is connected to the server that runs; goes with --status-socket,
    /// --config or --port where several run; exit code 2 if none answers
    #[argh(switch)]
    #[expect(dead_code, reason = "read before values are parsed")]
    who: bool,
    /// with --who: again each second, on a terminal as a table that stays in its place
    #[argh(switch)]
    pub(super) watch: bool,
    /// with --who: as JSON, with --watch one line each second
    #[argh(switch)]
    pub(super) json: bool,
    /// end the session with this number of the server that runs
    #[argh(option, arg_name = "N", from_str_fn(values::session_number))]
    pub(super) kick: Option<u64>,
    /// end the server that runs, as SIGTERM does
    #[argh(switch)]
    pub(super) stop: bool,
    /// have the server that runs read its settings again, as SIGHUP does
    #[argh(switch)]
    pub(super) reload: bool,
    /// end the server that runs after its last session, and let no new session start
    #[argh(switch)]
    pub(super) drain: bool,
    /// the text that greets clients [FTP server ready.]
    #[argh(option, arg_name = "TEXT", from_str_fn(values::banner))]
    pub(super) banner: Option<String>,
    /// short for --log-level debug
    #[argh(switch, short = 'D')]
    pub(super) debug: bool,
    /// error, warn, info, debug or trace [info]
    #[argh(option, arg_name = "LEVEL", from_str_fn(values::log_level))]
    pub(super) log_level: Option<LevelFilter>,
    /// the form of log lines: "text", "json", or "journald" with priorities and without time
    /// [journald where stderr leads to it, else text]
    #[argh(
        option,
        arg_name = "text|json|journald",
        from_str_fn(values::log_format)
    )]
    pub(super) log_format: Option<LogFormat>,
    /// append the log to this file instead of stderr; SIGHUP opens it again
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) log_file: Option<PathBuf>,
    /// append a line about each file that was sent, received or removed to this file, in the format
    /// xferlog of wu-ftpd; SIGHUP opens it again
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    pub(super) xferlog: Option<PathBuf>,
    /// read more flags from this file: one "name value" per line, without dashes
    #[argh(option, arg_name = "FILE", from_str_fn(values::path))]
    #[expect(dead_code, reason = "read before values are parsed")]
    config: Option<PathBuf>,
    /// serve nothing, but print the address that every kind of client would get, and what is
    /// wrong; exit code 1 if some clients would fail, 2 if the server cannot start
    #[argh(switch)]
    pub(super) check: bool,
    /// serve nothing, but count what the homes of users with a quota have in them, print it, and
    /// store it for the next start
    #[argh(switch)]
    pub(super) recount: bool,
    /// serve nothing, but print what forwards or opens the ports: "text" for a router's form,
    /// "nft", "iptables", "docker" or "ufw"
    #[argh(option, arg_name = "KIND", from_str_fn(values::rules_kind))]
    pub(super) rules: Option<RulesKind>,
    /// serve nothing, but print a hash (argon2id) of a password: it is asked for twice, or read as
    /// one line where standard input is no terminal
    #[argh(switch)]
    #[expect(dead_code, reason = "read before values are parsed")]
    hash_password: bool,
    /// serve nothing, but look at an FTP server from here, as its clients do; exit code 1 if some
    /// would fail, 2 if it cannot be reached; goes with --username, --password-file and --tls
    #[argh(option, arg_name = "HOST[:PORT]")]
    pub(super) probe: Option<ProbeTarget>,
    /// with --probe: also store a small file, and remove it
    #[argh(switch)]
    pub(super) write_test: bool,
    /// print the version and exit
    #[argh(switch, short = 'V')]
    #[expect(dead_code, reason = "read before values are parsed")]
    version: bool,
}

/// Every flag, in the order of the help.
pub(super) fn table() -> Vec<Flag> {
    let rows = Flags::get_args_info().flags.iter();
    let flags = rows.map(|row| Flag {
        long: row.long,
        short: row.short,
        placeholder: match row.kind {
            FlagInfoKind::Switch => None,
            FlagInfoKind::Option { arg_name } => Some(arg_name),
        },
        repeatable: row.optionality == Optionality::Repeating,
        description: row.description,
    });
    let mut table: Vec<Flag> = flags.collect();
    // argh declares --help, and puts it first.
    let help = table.remove(0);
    table.push(Flag {
        short: Some('h'),
        placeholder: Some("[all|WORD]"),
        description: "print the flags that most servers need, all flags, or those with a word in \
                      their names, and exit",
        ..help
    });
    table
}

/// The long name of each flag, with its dashes, in the order of the help.
pub fn long_names() -> Vec<&'static str> {
    table().iter().map(|flag| flag.long).collect()
}

/// What the program does.
pub(super) fn description() -> &'static str {
    Flags::get_args_info().description
}
