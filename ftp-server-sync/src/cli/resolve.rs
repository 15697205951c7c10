//! From typed flags to `Settings`: what several flags say together.
//!
//! Only the directory, the password file and the users file are read, and users and groups looked
//! up; everything else is arithmetic.

mod hooks;
mod listen;
mod logs;
mod port_mapping;
mod time_zone;
pub(super) mod users;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{self, PathBuf};

use ftp_proto::DeniedCommands;
use ipnet::IpNet;
use rustix::process::geteuid;

use super::environment::Environment;
use super::error::{self, FlagError};
use super::flags::Flags;
use super::given::GivenFlags;
use crate::fs::absence::UNSERVED_MOUNT;
use crate::net::order;
use crate::settings::file::reason;
use crate::settings::{
    AccessRules, CertificateFiles, Limits, Listen, LocalNetworks, LoginBlock, PortRange, Rates,
    RunAs, Settings, StatusSocketPlace, Timeouts, TlsSettings, UploadRules,
};

/// The settings that these flags ask for. `given` has the values as they are written, for errors.
pub(super) fn settings(
    mut flags: Flags,
    given: &GivenFlags,
    environment: &Environment,
    passed: &[Listen],
) -> Result<Settings, FlagError> {
    let port_mapping = port_mapping::settings(&mut flags, given, environment)?;
    let (listen, socket_source) = listen::settings(&flags, given, passed)?;
    given.refuse_repeated(
        "--masquerade-address-map",
        keys(&flags.masquerade_address_map),
    )?;
    given.refuse_repeated("--masquerade-client", keys(&flags.masquerade_client))?;
    given.refuse_repeated("--proxy-protocol", flags.proxy_protocol.iter())?;
    check_access(&flags, given)?;
    let run_as = run_as(&flags, given)?;
    let settings = Settings {
        listen,
        socket_source,
        tls: tls(&flags, given, environment)?,
        directory: share(&flags, given, run_as.is_some())?,
        run_as,
        users: users::users(&flags, given, environment)?,
        users_file: users::file(&flags),
        create_homes: users::creates_homes(&flags, given)?,
        hooks: hooks::settings(&flags, given)?,
        state_directory: environment.state_directory(flags.run_as.is_some()),
        local_time: time_zone::local_time(&flags, given, environment)?,
        status_socket: status_socket(&flags, environment),
        metrics: metrics(&flags, given)?,
        sources: sources(&flags, given),
        password_source: users::password_source(&flags, given),
        local_networks: local_networks(&flags, given)?,
        outer_ports: outer_ports(&flags, given)?,
        log_level: logs::level(&flags, given)?,
        log: logs::settings(&flags, given)?,
        transfer_log: logs::transfer_log(&flags, given, environment)?,
        login_block: login_block(&flags),
        limits: limits(&flags),
        timeouts: timeouts(&flags),
        uploads: uploads(&flags),
        rates: rates(&flags),
        hidden: flags.hide,
        umask: flags.umask,
        masquerade_address: flags.masquerade_address,
        masquerade_map: order::map_of(flags.masquerade_address_map),
        masquerade_clients: flags.masquerade_client,
        masquerade_refresh: flags.masquerade_refresh,
        passive_ports: flags.passive_ports,
        outer_port: flags.outer_port,
        port_mapping,
        trusted_gateways: flags.trust_gateway,
        proxy_protocol: flags.proxy_protocol.into(),
        access: AccessRules {
            allowed: flags.allow,
            denied: flags.deny,
        },
        login_delay: flags.login_delay,
        shutdown_grace: flags.shutdown_grace,
        ascii: flags.ascii,
        name_charset: flags.encoding,
        banner: flags.banner,
        permit_foreign_addresses: flags.permit_foreign_addresses,
        permit_privileged_ports: flags.permit_privileged_ports,
        denied_commands: denied_commands(&flags.deny_commands),
        sandbox: sandbox(flags.sandbox, given)?,
    };
    listen::check_limits(&settings, given)?;
    hooks::checked(settings, given)
}

/// How many connections and logins there may be.
fn limits(flags: &Flags) -> Limits {
    Limits {
        connections_max: flags.max_cons,
        connections_per_address_max: Some(flags.max_cons_per_ip).filter(|&max| max > 0),
        login_attempts_max: flags.max_login_attempts,
    }
}

fn timeouts(flags: &Flags) -> Timeouts {
    Timeouts {
        idle: flags.timeout,
        login: flags.login_timeout,
        data_open: flags.passive_timeout,
        data_stall: flags.data_timeout,
        never_connected_after: Timeouts::NEVER_CONNECTED_AFTER_DEFAULT,
    }
}

fn rates(flags: &Flags) -> Rates {
    Rates {
        inward: flags.rate_in,
        outward: flags.rate_out,
    }
}

fn uploads(flags: &Flags) -> UploadRules {
    UploadRules {
        broken: flags.broken_uploads,
        sync: flags.sync,
        max_bytes: flags.max_upload_size,
        free_bytes_min: flags.free_space_min,
    }
}

/// When failed logins block their address.
fn login_block(flags: &Flags) -> Option<LoginBlock> {
    let (after, time) = (flags.block_after, flags.block_time);
    (after > 0).then_some(LoginBlock { after, time })
}

/// The commands that clients may not use.
fn denied_commands(names: &[String]) -> DeniedCommands {
    let mut denied = DeniedCommands::default();
    for name in names {
        // Each value has been checked alone.
        let result = denied.deny(name);
        debug_assert!(result.is_ok(), "{name}: {result:?}");
    }
    denied
}

fn keys<K, V>(entries: &[(K, V)]) -> impl Iterator<Item = &K> + Clone {
    entries.iter().map(|(key, _)| key)
}

fn sandbox(is_wanted: bool, given: &GivenFlags) -> Result<bool, FlagError> {
    if is_wanted && cfg!(not(feature = "sandbox")) {
        let problem = "this program was built without it; build it with the feature \"sandbox\"";
        return Err(given.refuse("--sandbox", problem));
    }
    Ok(is_wanted)
}

/// A network is served or not.
fn check_access(flags: &Flags, given: &GivenFlags) -> Result<(), FlagError> {
    given.refuse_repeated("--allow", flags.allow.iter())?;
    given.refuse_repeated("--deny", flags.deny.iter())?;
    let is_allowed = |network: &IpNet| flags.allow.contains(network);
    match flags.deny.iter().position(is_allowed) {
        Some(index) => {
            let problem = "is in --allow too; give it once";
            Err(given.refuse_nth("--deny", index, problem))
        }
        None => Ok(()),
    }
}

/// Where metrics are read. A passive port that is taken would be missing in the range.
fn metrics(flags: &Flags, given: &GivenFlags) -> Result<Option<SocketAddr>, FlagError> {
    let flag = "--metrics";
    let port = flags.metrics.map_or(0, |address| address.port());
    if port != 0 && port == flags.port {
        let problem = "is the control port already; give another port";
        return Err(given.refuse_beside(flag, "--port", problem));
    }
    if port != 0
        && flags
            .passive_ports
            .is_some_and(|range| range.contains(port))
    {
        let problem = "is one of --passive-ports; give a port outside of them";
        return Err(given.refuse_beside(flag, "--passive-ports", problem));
    }
    Ok(flags.metrics)
}

/// Each certificate with its key.
fn certificates(flags: &Flags, given: &GivenFlags) -> Result<Vec<CertificateFiles>, FlagError> {
    let (chains, keys) = (&flags.certfile, &flags.keyfile);
    let problem = match (chains.len(), keys.len()) {
        (chains, keys) if keys == 0 || chains == keys => None,
        (0, _) => Some("the certificate of this key is missing; add --certfile FILE".to_owned()),
        (chains, keys) => Some(format!(
            "given {keys} times, and --certfile {chains} times; give both as often, in the same \
             order, or no --keyfile where each certificate has its key in its own file"
        )),
    };
    if let Some(problem) = problem {
        return Err(given.refuse_nth("--keyfile", keys.len() - 1, problem));
    }
    let keys = if keys.is_empty() { chains } else { keys };
    let pairs = chains.iter().zip(keys);
    let files = pairs.map(|(chain, key)| CertificateFiles {
        chain: chain.clone(),
        key: key.clone(),
    });
    Ok(files.collect())
}

fn tls(
    flags: &Flags,
    given: &GivenFlags,
    environment: &Environment,
) -> Result<Option<TlsSettings>, FlagError> {
    if !flags.tls {
        return match TLS_FLAGS.iter().find(|flag| given.find(flag).is_some()) {
            Some(flag) => Err(given.refuse(flag, "TLS is off; add --tls")),
            None => Ok(None),
        };
    }
    let certificates = certificates(flags, given)?;
    if cfg!(not(feature = "tls")) {
        return Err(given.refuse("--tls", error::NO_TLS));
    }
    Ok(Some(TlsSettings {
        certificates,
        state_directory: environment.state_directory(flags.run_as.is_some()),
        // Without TLS, a client cannot show a certificate.
        control_required: flags.tls_control_required || flags.client_ca.is_some(),
        data_required: flags.tls_data_required,
        resumption_required: flags.tls_require_resumption,
        close_notify_required: flags.tls_require_close_notify,
        gateway_resumption: flags.gateway_resumption,
        client_ca: flags.client_ca.clone(),
    }))
}

/// The user that the server becomes.
fn run_as(flags: &Flags, given: &GivenFlags) -> Result<Option<RunAs>, FlagError> {
    let found = flags.run_as.as_deref().map(RunAs::find).transpose();
    found.map_err(|problem| given.refuse("--run-as", problem))
}

/// The directory as an absolute path, if it can be listed. One whose path the server may not follow
/// since it `becomes_user` stays open: only a server that is started has to find it.
fn share(flags: &Flags, given: &GivenFlags, becomes_user: bool) -> Result<PathBuf, FlagError> {
    let (flag, directory) = ("--directory", &*flags.directory);
    let refuse = |problem: String| match given.find(flag) {
        Some(given) => given.refuse(problem),
        None => FlagError::with_value(flag, directory, problem),
    };
    let is_hidden = |error: &io::Error| {
        let is_denied = error.kind() == ErrorKind::PermissionDenied;
        becomes_user && is_denied && !geteuid().is_root()
    };
    match fs::metadata(directory) {
        // No one is given it.
        _ if given.find(flag).is_none() && !users::use_directory(flags) => {}
        Err(error) if is_hidden(&error) => {}
        Err(error) => {
            let remedy = match error.kind() {
                ErrorKind::PermissionDenied => {
                    "let the user of this program search the directories above it"
                }
                ErrorKind::NotConnected => UNSERVED_MOUNT,
                _ => "give an existing directory",
            };
            let problem = format!("{}; {remedy}", reason(&error));
            return Err(refuse(problem));
        }
        Ok(metadata) if !metadata.is_dir() => {
            let problem = "not a directory; give the directory that contains it";
            return Err(refuse(problem.to_owned()));
        }
        Ok(_) => {
            fs::read_dir(directory).map_err(|error| {
                let reason = reason(&error);
                let remedy = match error.kind() {
                    ErrorKind::NotConnected => UNSERVED_MOUNT,
                    _ => "give a directory that the user of this program may read",
                };
                refuse(format!("cannot be listed: {reason}; {remedy}"))
            })?;
        }
    }
    path::absolute(directory)
        .map_err(|error| refuse(format!("has no absolute path: {}", reason(&error))))
}

/// Where the server says what it is doing.
fn status_socket(flags: &Flags, environment: &Environment) -> StatusSocketPlace {
    match &flags.status_socket {
        // One process for each client: none of them knows the others.
        _ if flags.inetd => StatusSocketPlace::Off,
        None => StatusSocketPlace::Directory(environment.socket_directory(flags.run_as.is_some())),
        Some(word) if word.as_os_str() == OsStr::new(OFF) => StatusSocketPlace::Off,
        // What cannot be made absolute cannot be made either, and that is reported then.
        Some(path) => StatusSocketPlace::File(path::absolute(path).unwrap_or(path.clone())),
    }
}

/// The files that the settings are read from. What cannot be made absolute could not be read.
fn sources(flags: &Flags, given: &GivenFlags) -> Vec<PathBuf> {
    let config = given
        .find("--config")
        .and_then(|config| config.value.clone());
    let files = [config.map(PathBuf::from), flags.password_file.clone()];
    let files = files.into_iter().flatten();
    files.filter_map(|file| path::absolute(file).ok()).collect()
}

/// "none" stands alone; everything else makes one list.
fn local_networks(flags: &Flags, given: &GivenFlags) -> Result<LocalNetworks, FlagError> {
    let (flag, entries) = ("--local-networks", &flags.local_networks);
    let mut words = entries.iter();
    if let Some(index) = words.position(|entry| *entry == LocalNetworks::None) {
        if entries.len() == 1 {
            return Ok(LocalNetworks::None);
        }
        let problem = "must stand alone; give none, or else auto and networks";
        return Err(given.refuse_nth(flag, index, problem));
    }
    let named: Vec<IpNet> = entries
        .iter()
        .flat_map(LocalNetworks::named)
        .copied()
        .collect();
    let key = |entry: &LocalNetworks| match entry.named().first() {
        Some(network) => network.to_string(),
        None => "auto".to_owned(),
    };
    let keys: Vec<String> = entries.iter().map(key).collect();
    given.refuse_repeated(flag, keys.iter())?;
    let has_auto = entries.contains(&LocalNetworks::Auto);
    Ok(match (has_auto, named.is_empty()) {
        (_, true) => LocalNetworks::Auto,
        (true, false) => LocalNetworks::AutoAnd(named),
        (false, false) => LocalNetworks::Networks(named),
    })
}

/// Each port of the router leads to one of ours, so both ranges have the same size.
fn outer_ports(flags: &Flags, given: &GivenFlags) -> Result<Option<PortRange>, FlagError> {
    let flag = "--outer-ports";
    let Some(outer) = flags.outer_ports else {
        return Ok(None);
    };
    let Some(inner) = flags.passive_ports else {
        let problem = "the ports that they lead to are missing; add --passive-ports FROM-TO";
        return Err(given.refuse(flag, problem));
    };
    let (count, wanted) = (outer.count(), inner.count());
    if count != wanted {
        let last = u32::from(outer.first()) + u32::from(wanted - 1);
        let remedy = match u16::try_from(last) {
            Ok(last) => format!("give {}-{last}", outer.first()),
            Err(_) => "give a range that begins lower".to_owned(),
        };
        let both = format!("has {count} ports, and --passive-ports {wanted}");
        let problem = format!("{both}: each port leads to one; {remedy}");
        return Err(given.refuse_beside(flag, "--passive-ports", problem));
    }
    let port = flags.outer_port;
    if outer.contains(port) {
        let problem = format!("contains the router's control port {port}; give a range without it");
        return Err(given.refuse_beside(flag, "--outer-port", problem));
    }
    Ok(Some(outer))
}

/// No status socket.
const OFF: &str = "off";

/// The flags that need `--tls`.
const TLS_FLAGS: [&str; 9] = [
    "--certfile",
    "--keyfile",
    "--tls-control-required",
    "--tls-data-required",
    "--tls-implicit",
    "--tls-require-resumption",
    "--tls-require-close-notify",
    "--gateway-resumption",
    "--client-ca",
];

#[cfg(all(test, feature = "tls"))]
mod tests;
