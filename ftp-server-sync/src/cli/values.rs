//! The values of flags: from text to checked types. Every error says what to give instead.
//!
//! Nothing in this file reads a file, resolves a name or knows the other flags.

mod charset;
mod commands;
mod mapping;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use ftp_proto::AsciiConversion;
use ipnet::IpNet;
use log::LevelFilter;

use crate::accounts::limit_values::digits;
use crate::accounts::users::is_anonymous;
use crate::nat::rules::RulesKind;
use crate::settings::{
    AddressSource, BrokenUploads, ClientAddress, LocalNetworks, LogFormat, STUN_PORT,
    is_mistyped_address, unusable,
};

pub(super) use crate::accounts::limit_values::{hide, network, rate, size, umask};
pub(super) use charset::encoding;
pub(super) use commands::denied_command;
pub(super) use mapping::{interface_name, port_mapping};

/// Bytes as text, since argh reads only text: each byte becomes the character of the same number.
pub(super) fn text_of_bytes(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The bytes that [`text_of_bytes`] made text of.
pub(super) fn bytes(text: &str) -> Result<OsString, String> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes
        .map(OsString::from_vec)
        .map_err(|error| error.to_string())
}

/// A path as it is: only a shell expands others.
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    let is_of_home = text == "~" || text.starts_with("~/");
    if is_of_home || text.starts_with('$') {
        let sign = &text[..1];
        return Err(format!(
            "{sign} is not expanded here; give the whole path, or begin with ./{sign} if a name does"
        ));
    }
    bytes(text).map(PathBuf::from)
}

/// An address to listen on.
pub(super) fn interface(text: &str) -> Result<IpAddr, String> {
    let problem = match ip_address(text) {
        Some(address) if address.is_multicast() => {
            "cannot listen on a multicast address; give one of this machine's"
        }
        Some(IpAddr::V4(Ipv4Addr::BROADCAST)) => {
            "cannot listen on the broadcast address; give one of this machine's"
        }
        Some(IpAddr::V6(address)) if address.is_unicast_link_local() => {
            "a link-local address needs a zone, which is not supported in this version; give ::"
        }
        Some(address) => return Ok(address),
        None => {
            "not an IP address; give one of this machine's, without port, such as 192.168.1.10, \
             0.0.0.0 or ::"
        }
    };
    Err(problem.to_owned())
}

/// A decimal number from `MIN` to `MAX`.
pub(super) fn number<const MIN: u32, const MAX: u32>(text: &str) -> Result<u32, String> {
    let number = digits(text).filter(|number| (MIN..=MAX).contains(number));
    number.ok_or_else(|| format!("give a whole number from {MIN} to {MAX}"))
}

/// A port number; 0 where the kernel may choose.
pub(super) fn port(text: &str) -> Result<u16, String> {
    Ok(digits(text).ok_or("give a port number from 0 (any free one) to 65535")?)
}

/// Where metrics are read: everyone who reaches that address can read them, so it is written out.
pub(super) fn metrics(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = digits(text) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    let port = text
        .rsplit_once(':')
        .and_then(|(_, port)| digits::<u16>(port));
    match (text.parse::<SocketAddr>(), port) {
        (Ok(address), _) if !address.ip().is_multicast() => Ok(address),
        (Err(_), Some(port)) if text.starts_with("localhost:") => Err(format!(
            "a host name is not looked up; give 127.0.0.1:{port}"
        )),
        _ => Err(
            "give a port, such as 9121, or an address of this machine with a port, such as \
             192.168.1.10:9121 or [::1]:9121"
                .to_owned(),
        ),
    }
}

/// The number of a session.
pub(super) fn session_number(text: &str) -> Result<u64, String> {
    let number = digits(text.strip_prefix('#').unwrap_or(text)).filter(|&number| number > 0);
    Ok(number.ok_or("give the number of a session, as --who and the log show it, such as 17")?)
}

/// A port of the router.
pub(super) fn outer_port(text: &str) -> Result<u16, String> {
    let port = digits(text).filter(|&port| port > 0);
    Ok(port.ok_or("give the router's port number, from 1 to 65535")?)
}

/// What happens to an upload whose connection breaks.
pub(super) fn broken_uploads(text: &str) -> Result<BrokenUploads, String> {
    match text {
        "keep" => Ok(BrokenUploads::Keep),
        "discard" => Ok(BrokenUploads::Discard),
        _ => Err("give keep or discard".to_owned()),
    }
}

/// A time limit in seconds; 0 is no limit.
pub(super) fn timeout(text: &str) -> Result<Option<Duration>, String> {
    let limit = seconds(text, YEAR);
    let limit = limit.ok_or("give whole seconds from 0 (never) to 31536000 (a year)")?;
    Ok((!limit.is_zero()).then_some(limit))
}

/// The delay of the reply to a failed login.
pub(super) fn delay(text: &str) -> Result<Duration, String> {
    Ok(seconds(text, MINUTE).ok_or("give whole seconds from 0 (no delay) to 60")?)
}

/// How long an address is refused after failed logins.
pub(super) fn block_time(text: &str) -> Result<Duration, String> {
    let time = seconds(text, YEAR).filter(|time| !time.is_zero());
    let wanted = "give whole seconds from 1 to 31536000 (a year), or --block-after 0 for no block";
    Ok(time.ok_or(wanted)?)
}

/// How long transfers may go on when the server ends.
pub(super) fn grace(text: &str) -> Result<Duration, String> {
    Ok(seconds(text, DAY).ok_or("give whole seconds from 0 (at once) to 86400 (a day)")?)
}

/// The time after which a host name is resolved, or a STUN server asked, again.
pub(super) fn refresh(text: &str) -> Result<Duration, String> {
    let time = seconds(text, DAY).filter(|time| !time.is_zero());
    Ok(time.ok_or("give whole seconds from 1 to 86400 (a day)")?)
}

/// A gateway, or several, from which connections of clients may come.
pub(super) fn gateway(text: &str) -> Result<IpNet, String> {
    let is_usable = |network: &IpNet| {
        let address = network.addr();
        // 0.0.0.0/0 is a network that connections come from; the start warns of it.
        let is_address = !address.is_unspecified() || network.prefix_len() == 0;
        is_address && !address.is_multicast()
    };
    match network(text) {
        Ok(network) if is_usable(&network) => Ok(network),
        Err(problem) if text.contains('/') => Err(problem),
        _ => Err(
            "give the address that connections come from, such as 172.17.0.1, or its network, \
             such as 172.17.0.0/16"
                .to_owned(),
        ),
    }
}

/// The address for PASV replies to clients outside, or where it can be learned.
pub(super) fn address(text: &str) -> Result<AddressSource, String> {
    let problem = match ip_address(text) {
        Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => {
            "not an address that a client can connect to; give the router's public IPv4 address or \
             its host name; where clients need different ones, give them by network with \
             --masquerade-client, or by the address that they connect to with \
             --masquerade-address-map"
        }
        Some(address) if address.is_loopback() && address.is_ipv4() => {
            "a loopback address leads each client to itself; give the router's public IPv4 address \
             or its host name"
        }
        _ => return announced(text),
    };
    Err(problem.to_owned())
}

/// The same for any clients. Those on this machine itself can use a loopback address.
fn announced(text: &str) -> Result<AddressSource, String> {
    if let Some(file) = text.strip_prefix('@') {
        return address_file(file);
    }
    match text.split_at_checked("stun:".len()) {
        Some((scheme, server)) if scheme.eq_ignore_ascii_case("stun:") => {
            return stun_server(server);
        }
        _ => {}
    }
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let problem = match ip_address(text) {
        Some(IpAddr::V4(address)) => match unusable(address) {
            Some(problem) => problem,
            None => return Ok(AddressSource::Address(address)),
        },
        Some(IpAddr::V6(_)) => "a PASV reply cannot carry an IPv6 address",
        None if text.bytes().all(is_number) || is_mistyped_address(text) => {
            "not an IPv4 address, which has four numbers from 0 to 255"
        }
        None if text.starts_with('/') => {
            let remedy = "give a file that contains the address as @FILE, such as @/run/public-ip";
            return Err(format!("a path, not an address; {remedy}"));
        }
        None if ["auto", "none", "local"].contains(&text) => "not a host name",
        None if is_host_name(text) => {
            let name = text.trim_end_matches('.').to_ascii_lowercase();
            return Ok(AddressSource::Name(name));
        }
        None => "neither an IPv4 address nor a host name",
    };
    Err(format!(
        "{problem}; give the router's public IPv4 address or its host name"
    ))
}

/// A file that contains the address.
fn address_file(text: &str) -> Result<AddressSource, String> {
    if text.is_empty() || text.ends_with('/') {
        let remedy = "give the file that the address is written into, such as @/run/public-ip";
        return Err(format!("no file after the @; {remedy}"));
    }
    path(text).map(AddressSource::File)
}

/// A STUN server.
fn stun_server(text: &str) -> Result<AddressSource, String> {
    let (host, port) = text
        .split_once(':')
        .map_or((text, None), |(host, port)| (host, Some(port)));
    let port = port
        .map_or(Some(STUN_PORT), digits)
        .filter(|&port| port > 0);
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_host = host.parse::<Ipv4Addr>().is_ok() || is_host_name(&host);
    let problem = match port {
        _ if text.parse::<Ipv6Addr>().is_ok() || text.starts_with('[') => {
            "over IPv6, a server sees no address for PASV replies"
        }
        _ if !is_host => "not the name or the IPv4 address of a server",
        None => "not a port number from 1 to 65535",
        Some(port) => return Ok(AddressSource::Stun { host, port }),
    };
    Err(format!(
        "{problem}; give stun:HOST or stun:HOST:PORT, such as stun:stun.example.org"
    ))
}

/// One `PRIVATE=PUBLIC` of the map.
pub(super) fn map_entry(text: &str) -> Result<(Ipv4Addr, AddressSource), String> {
    let (private, public) = text
        .split_once('=')
        .ok_or("the \"=\" is missing; give PRIVATE=PUBLIC, such as 192.168.1.10=198.51.100.7")?;
    let problem = match ip_address(private) {
        Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => {
            "0.0.0.0 is no local address of a connection; --masquerade-address is for all of them"
        }
        Some(IpAddr::V4(private)) => return Ok((private, address(public)?)),
        Some(IpAddr::V6(_)) => "IPv6 needs no masquerade; give an IPv4 address before the \"=\"",
        None => {
            "give this machine's IPv4 address before the \"=\", such as 192.168.1.10=198.51.100.7"
        }
    };
    Err(problem.to_owned())
}

/// One `NET=ADDR` or `NET=local`.
pub(super) fn client(text: &str) -> Result<(IpNet, ClientAddress), String> {
    let (network, given) = text
        .split_once('=')
        .ok_or("the \"=\" is missing; give NET=ADDR or NET=local, such as 10.8.0.0/24=local")?;
    let network = self::network(network)?;
    match given {
        _ if matches!(network, IpNet::V6(_)) => {
            Err("IPv6 clients need no masquerade; give an IPv4 network".to_owned())
        }
        "local" => Ok((network, ClientAddress::Local)),
        word if word.eq_ignore_ascii_case("local") => {
            Err("write \"local\" in small letters".to_owned())
        }
        public => match announced(public) {
            Ok(address) => Ok((network, ClientAddress::Public(address))),
            Err(problem) => Err(format!("{problem}, or \"local\"")),
        },
    }
}

/// One entry of the local networks: a word, or a network.
pub(super) fn local_network(text: &str) -> Result<LocalNetworks, String> {
    match text {
        "auto" => Ok(LocalNetworks::Auto),
        "none" => Ok(LocalNetworks::None),
        text => match network(text) {
            Ok(network) => Ok(LocalNetworks::Networks(vec![network])),
            Err(problem) => Err(format!("{problem}, or auto, or none")),
        },
    }
}

/// The name of the user.
pub(super) fn username(text: &str) -> Result<String, String> {
    let problem = if is_anonymous(text.as_bytes()) {
        "anonymous logs in with this name, without a password; leave --username out, or choose another name"
    } else if text.chars().any(char::is_control) || text.trim() != text {
        "a name has no control characters and no blanks at its ends; leave them out"
    } else {
        return Ok(text.to_owned());
    };
    Err(problem.to_owned())
}

/// The greeting. Line feeds stay: they make it a reply of several lines.
pub(super) fn banner(text: &str) -> Result<String, String> {
    let is_unsafe = |character: char| character.is_control() && character != '\n';
    if text.chars().any(is_unsafe) {
        return Err(
            "a control character other than a line feed cannot be sent; leave it out".to_owned(),
        );
    }
    if text.len() > BANNER_BYTES_MAX {
        return Err(format!("too long; give at most {BANNER_BYTES_MAX} bytes"));
    }
    Ok(text.trim_end_matches('\n').to_owned())
}

/// Whether something is done.
pub(super) fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("give on or off".to_owned()),
    }
}

/// When line ends are converted.
pub(super) fn ascii(text: &str) -> Result<AsciiConversion, String> {
    match text {
        "requested" => Ok(AsciiConversion::Requested),
        "rfc959" => Ok(AsciiConversion::Rfc959),
        "never" => Ok(AsciiConversion::Never),
        _ => Err("give requested, rfc959 or never".to_owned()),
    }
}

/// The form of the lines of the log.
pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    text.parse()
}

/// How much is logged.
pub(super) fn log_level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" => Ok(LevelFilter::Error),
        "warn" => Ok(LevelFilter::Warn),
        "info" => Ok(LevelFilter::Info),
        "debug" => Ok(LevelFilter::Debug),
        "trace" => Ok(LevelFilter::Trace),
        _ => Err("give error, warn, info, debug or trace".to_owned()),
    }
}

/// For whom rules are printed.
pub(super) fn rules_kind(text: &str) -> Result<RulesKind, String> {
    Ok(RulesKind::named(text).ok_or("give text, nft, iptables, docker or ufw")?)
}

/// A password that a client can send.
pub(super) fn password(password: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    if password.is_empty() {
        return Err("the password is empty");
    }
    if password.iter().any(|byte| b"\r\n\0".contains(byte)) {
        return Err("the password contains a line break or a NUL byte, which no client can send");
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err("the password is longer than 1000 bytes");
    }
    Ok(password)
}

/// An IPv4 address, or an IPv6 address that is not IPv4 mapped into IPv6.
fn ip_address(text: &str) -> Option<IpAddr> {
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

fn seconds(text: &str, max: u64) -> Option<Duration> {
    let seconds = digits(text).filter(|&seconds| seconds <= max)?;
    Some(Duration::from_secs(seconds))
}

/// RFC 1123, section 2.1, and underscores, which exist. A dot at the end is allowed.
fn is_host_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(is_part)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A number at the end is a mistyped address, never a domain.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= HOST_NAME_BYTES_MAX
        && name.split('.').all(is_label)
        && !is_number
        && !is_mistyped_address(name)
}

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * 60;
/// `Instant` arithmetic must not overflow on any platform.
const YEAR: u64 = 365 * DAY;
const HOST_NAME_BYTES_MAX: usize = 253;
const BANNER_BYTES_MAX: usize = 2000;
/// Well inside a command line.
pub(super) const PASSWORD_BYTES_MAX: usize = 1000;

#[cfg(test)]
mod tests;
