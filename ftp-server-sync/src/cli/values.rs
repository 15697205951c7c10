//! The values of flags, from text to checked types; every refusal says what would be right.
//!
//! Nothing in this file reads a file, asks a resolver or knows the other flags.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use log::LevelFilter;

use crate::accounts::users::is_anonymous;
use crate::net::port_range::PortRangeError;
use crate::settings::{AddressSource, ClientAddress, PortRange, unusable};

/// An address to listen on.
pub(crate) fn interface(text: &str) -> Result<IpAddr, String> {
    let address = text.parse::<IpAddr>().map_err(|_| {
        "not an IP address; give one of this machine's, without port, such as 192.168.1.10, \
         0.0.0.0 or ::"
    })?;
    match address.to_canonical() {
        address if address.is_multicast() => {
            Err("a multicast address cannot be listened on; give one of this machine's".to_owned())
        }
        IpAddr::V4(Ipv4Addr::BROADCAST) => Err(
            "the broadcast address cannot be listened on; give one of this machine's".to_owned(),
        ),
        IpAddr::V6(address) if address.is_unicast_link_local() => Err(
            "a link-local address needs a zone, which is not supported in this version; give ::"
                .to_owned(),
        ),
        address => Ok(address),
    }
}

/// A decimal number: digits only, where `FromStr` would also take a plus sign.
pub(crate) fn number(text: &str, allowed: RangeInclusive<u32>) -> Result<u32, String> {
    digits(text)
        .filter(|number| allowed.contains(number))
        .ok_or_else(|| {
            let (first, last) = allowed.into_inner();
            format!("give a whole number from {first} to {last}")
        })
}

/// A port number; 0 where the kernel may choose.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    digits(text).ok_or_else(|| "give a port number from 0 (any free one) to 65535".to_owned())
}

/// Bytes per second; 0 is no limit.
pub(crate) fn rate(text: &str) -> Result<Option<NonZeroU64>, String> {
    let (number, unit) = match text.as_bytes().last().map(u8::to_ascii_uppercase) {
        Some(b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    digits::<u64>(number)
        .and_then(|number| number.checked_mul(unit))
        .filter(|&rate| rate <= RATE_MAX)
        .map(NonZeroU64::new)
        .ok_or_else(|| {
            "give bytes per second, such as 500000, 500K or 2M (K is 1024), up to 1024G; 0 for no limit"
                .to_owned()
        })
}

/// A duration in seconds; 0 is never.
pub(crate) fn timeout(text: &str) -> Result<Option<Duration>, String> {
    let duration = seconds(text, TIMEOUT_SECONDS_MAX).ok_or_else(|| {
        format!("give whole seconds from 0 (never) to {TIMEOUT_SECONDS_MAX} (a year)")
    })?;
    Ok((!duration.is_zero()).then_some(duration))
}

/// How long a failed login is answered later.
pub(crate) fn delay(text: &str) -> Result<Duration, String> {
    seconds(text, DELAY_SECONDS_MAX)
        .ok_or_else(|| format!("give whole seconds from 0 (no delay) to {DELAY_SECONDS_MAX}"))
}

/// How long transfers may go on when the server ends.
pub(crate) fn grace(text: &str) -> Result<Duration, String> {
    seconds(text, GRACE_SECONDS_MAX).ok_or_else(|| {
        format!("give whole seconds from 0 (at once) to {GRACE_SECONDS_MAX} (a day)")
    })
}

/// `FROM-TO`, or one port.
pub(crate) fn ports(text: &str) -> Result<PortRange, String> {
    text.parse()
        .map_err(|error: PortRangeError| error.to_string())
}

/// As many ports as `inner` has: those that the router forwards from.
pub(crate) fn outer_ports(text: &str, inner: PortRange) -> Result<PortRange, String> {
    let outer = ports(text)?;
    if outer.count() == inner.count() {
        return Ok(outer);
    }
    let last = u32::from(outer.first()) + u32::from(inner.count() - 1);
    let wanted = match u16::try_from(last) {
        Ok(last) => format!("give {}-{last}", outer.first()),
        Err(_) => "give a range that begins lower".to_owned(),
    };
    Err(format!(
        "holds {}, and --passive-ports {}: each leads to one; {wanted}",
        outer.count(),
        inner.count()
    ))
}

/// The control port as the router has it.
pub(crate) fn outer_port(text: &str) -> Result<u16, String> {
    digits(text)
        .filter(|&port| port > 0)
        .ok_or_else(|| "give the router's port number, from 1 to 65535".to_owned())
}

/// How often a host name is looked up again.
pub(crate) fn refresh(text: &str) -> Result<Duration, String> {
    seconds(text, REFRESH_SECONDS_MAX)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("give whole seconds from 1 to {REFRESH_SECONDS_MAX} (a day)"))
}

/// A gateway from which connections of clients may come.
pub(crate) fn gateway(text: &str) -> Result<IpAddr, String> {
    let address = text.parse::<IpAddr>().map(|address| address.to_canonical());
    address
        .ok()
        .filter(|address| !address.is_unspecified() && !address.is_multicast())
        .ok_or_else(|| "give the address that connections come from, such as 172.17.0.1".to_owned())
}

/// The address for PASV replies, or the name that leads to it.
pub(crate) fn masquerade_address(text: &str) -> Result<AddressSource, String> {
    const WANTED: &str = "give the router's public IPv4 address or its host name";
    let problem = match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => match unusable(address) {
            Some(problem) => problem,
            None => return Ok(AddressSource::Address(address)),
        },
        Ok(IpAddr::V6(_)) => "an IPv6 address cannot stand in a PASV reply",
        Err(_)
            if text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.') =>
        {
            "not an IPv4 address, which has four numbers from 0 to 255"
        }
        Err(_) if is_host_name(text) => {
            let name = text.trim_end_matches('.').to_ascii_lowercase();
            return Ok(AddressSource::Name(name));
        }
        Err(_) => "neither an IPv4 address nor a host name",
    };
    Err(format!("{problem}; {WANTED}"))
}

/// One `PRIVATE=PUBLIC` of the map.
pub(crate) fn map_entry(text: &str) -> Result<(Ipv4Addr, AddressSource), String> {
    let (private, public) = text
        .split_once('=')
        .ok_or("the \"=\" is missing; give PRIVATE=PUBLIC, such as 192.168.1.10=198.51.100.7")?;
    let key = match private
        .parse::<IpAddr>()
        .map(|address| address.to_canonical())
    {
        Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => {
            return Err("0.0.0.0 is no local address of a connection; \
                        --masquerade-address is for all of them"
                .to_owned());
        }
        Ok(IpAddr::V4(address)) => address,
        Ok(IpAddr::V6(_)) => {
            return Err(
                "IPv6 needs no masquerade; give an IPv4 address before the \"=\"".to_owned(),
            );
        }
        Err(_) => {
            return Err("give this machine's IPv4 address before the \"=\", \
                        such as 192.168.1.10=198.51.100.7"
                .to_owned());
        }
    };
    Ok((key, masquerade_address(public)?))
}

/// One `NET=ADDR` or `NET=local`.
pub(crate) fn client_rule(text: &str) -> Result<(IpNet, ClientAddress), String> {
    let (network, told) = text
        .split_once('=')
        .ok_or("the \"=\" is missing; give NET=ADDR or NET=local, such as 10.8.0.0/24=local")?;
    let network = self::network(network)?;
    if matches!(network, IpNet::V6(_)) {
        return Err("IPv6 clients need no masquerade; give an IPv4 network".to_owned());
    }
    let told = match told {
        "local" => ClientAddress::Local,
        word if word.eq_ignore_ascii_case("local") => {
            return Err("write \"local\" in small letters".to_owned());
        }
        address => match masquerade_address(address) {
            Ok(address) => ClientAddress::Public(address),
            Err(problem) => return Err(format!("{problem}, or \"local\"")),
        },
    };
    Ok((network, told))
}

/// A network, or a single address as a network of one. Host bits are cut off.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text
            .parse::<IpNet>()
            .map_err(|_| "not a network; give ADDRESS/BITS, such as 192.168.1.0/24")?,
    };
    Ok(match network {
        IpNet::V6(mapped) => match mapped.addr().to_ipv4_mapped() {
            // The last 32 bits of `::ffff:192.168.1.0/120` are the IPv4 network.
            Some(address) if mapped.prefix_len() >= MAPPED_BITS => {
                Ipv4Net::new(address, mapped.prefix_len() - MAPPED_BITS)
                    .map_or(network, IpNet::V4)
                    .trunc()
            }
            _ => network.trunc(),
        },
        IpNet::V4(_) => network.trunc(),
    })
}

/// A name for the one user.
pub(crate) fn username(text: &str) -> Result<String, String> {
    if is_anonymous(text.as_bytes()) {
        return Err(
            "the name of anonymous, who needs no password; leave --username out, or \
                    choose another name"
                .to_owned(),
        );
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err(
            "control characters and blanks at the ends are not part of a name; leave them out"
                .to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// The greeting. Line feeds stay: they make it a reply of several lines.
pub(crate) fn banner(text: &str) -> Result<String, String> {
    if text
        .chars()
        .any(|character| character.is_control() && character != '\n')
    {
        return Err(
            "control characters other than line feeds cannot be sent; leave them out".to_owned(),
        );
    }
    if text.len() > BANNER_BYTES_MAX {
        return Err(format!("too long; give at most {BANNER_BYTES_MAX} bytes"));
    }
    Ok(text.trim_end_matches('\n').to_owned())
}

/// How much is logged.
pub(crate) fn log_level(text: &str) -> Result<LevelFilter, String> {
    match text {
        "error" => Ok(LevelFilter::Error),
        "warn" => Ok(LevelFilter::Warn),
        "info" => Ok(LevelFilter::Info),
        "debug" => Ok(LevelFilter::Debug),
        "trace" => Ok(LevelFilter::Trace),
        _ => Err("give error, warn, info, debug or trace".to_owned()),
    }
}

/// What keeps bytes from being a password that a client can send.
pub(crate) fn password_problem(password: &[u8]) -> Option<&'static str> {
    if password.is_empty() {
        return Some("the password is empty");
    }
    if password.iter().any(|byte| b"\r\n\0".contains(byte)) {
        return Some("the password holds a line break or a NUL, which no client can send");
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Some("the password is longer than 1000 bytes");
    }
    None
}

fn seconds(text: &str, max: u64) -> Option<Duration> {
    let seconds = digits(text).filter(|&seconds| seconds <= max)?;
    Some(Duration::from_secs(seconds))
}

fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
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
    name.len() <= HOST_NAME_BYTES_MAX && name.split('.').all(is_label) && !is_number
}

/// `Instant` arithmetic must not overflow on any platform.
const TIMEOUT_SECONDS_MAX: u64 = 365 * 24 * 60 * 60;
const DELAY_SECONDS_MAX: u64 = 60;
const GRACE_SECONDS_MAX: u64 = 24 * 60 * 60;
const RATE_MAX: u64 = 1 << 40;
const REFRESH_SECONDS_MAX: u64 = 24 * 60 * 60;
const HOST_NAME_BYTES_MAX: usize = 253;
const BANNER_BYTES_MAX: usize = 2000;
/// Well inside a command line.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1000;
/// The prefix length of `::ffff:0:0/96`.
const MAPPED_BITS: u8 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_canonical() {
        for (text, canonical) in [
            ("10.8.0.0/24", "10.8.0.0/24"),
            ("10.8.0.7/24", "10.8.0.0/24"),
            ("10.8.0.7", "10.8.0.7/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::ffff:10.8.0.7", "10.8.0.7/32"),
            ("::ffff:10.8.0.7/120", "10.8.0.0/24"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("2001:db8::7/64", "2001:db8::/64"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(network(text).unwrap().to_string(), canonical, "{text}");
        }
        for bad in [
            "10.8.0.0/33",
            "10.8.0/24",
            "10.8.0.0/",
            "/24",
            "lan",
            " 10.8.0.0/24",
            "::/129",
        ] {
            assert!(network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn edges_of_numbers() {
        assert_eq!(port("0"), Ok(0));
        assert_eq!(port("65535"), Ok(65535));
        for bad in [
            "65536",
            "-1",
            "+1",
            " 1",
            "1 ",
            "0x10",
            "1.0",
            "",
            "99999999999999999999",
        ] {
            assert!(port(bad).is_err(), "{bad}");
        }
        assert_eq!(timeout("0"), Ok(None));
        assert_eq!(
            timeout("31536000"),
            Ok(Some(Duration::from_secs(31_536_000)))
        );
        assert!(timeout("31536001").is_err());
        assert_eq!(delay("0"), Ok(Duration::ZERO));
        assert_eq!(delay("60"), Ok(Duration::from_secs(60)));
        assert!(delay("61").is_err());
        assert_eq!(grace("0"), Ok(Duration::ZERO));
        assert_eq!(grace("86400"), Ok(Duration::from_secs(86400)));
        assert!(grace("86401").is_err());
        assert_eq!(number("1", 1..=9), Ok(1));
        assert_eq!(number("9", 1..=9), Ok(9));
        assert!(number("0", 1..=9).is_err() && number("10", 1..=9).is_err());
    }

    #[test]
    fn rates() {
        for (text, bytes) in [
            ("0", 0),
            ("0K", 0),
            ("1", 1),
            ("500", 500),
            ("500K", 512_000),
            ("2m", 2 << 20),
            ("1G", 1 << 30),
            ("1024G", 1 << 40),
        ] {
            assert_eq!(rate(text), Ok(NonZeroU64::new(bytes)), "{text}");
        }
        for bad in [
            "",
            "K",
            "-1",
            "1.5M",
            "1 K",
            "1KB",
            "1T",
            "1025G",
            "18446744073709551616",
            "é",
        ] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mapped_masquerade_address_is_ipv4() {
        assert_eq!(
            masquerade_address("::ffff:203.0.113.1"),
            Ok(AddressSource::Address(Ipv4Addr::new(203, 0, 113, 1)))
        );
    }

    #[test]
    fn host_names() {
        let longest = format!("{}.org", ["a".repeat(61).as_str(); 4].join("."));
        for (text, name) in [
            ("ftp.home.example", "ftp.home.example"),
            ("NAS", "nas"),
            ("Ftp.Home.Example.", "ftp.home.example"),
            ("1.2.3.example", "1.2.3.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("my_nas.lan", "my_nas.lan"),
            (longest.as_str(), longest.as_str()),
        ] {
            let expected = AddressSource::Name(name.to_owned());
            assert_eq!(masquerade_address(text), Ok(expected));
        }
        let label = "a".repeat(64);
        for bad in [
            "203.0.113.1.5",
            "203.0.113.256",
            "a..b",
            ".a",
            "a..",
            "-a.b",
            "a-.b",
            "a b",
            "a:b",
            "a/b",
            "bücher.example",
            "example.42",
            label.as_str(),
            &format!("a{longest}.org"),
        ] {
            assert!(masquerade_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn as_many_outer_ports_as_inner_ones() {
        let range = |text: &str| text.parse::<PortRange>().unwrap();
        let inner = range("60000-60009");
        assert_eq!(outer_ports("50000-50009", inner), Ok(range("50000-50009")));
        assert_eq!(outer_ports("65526-65535", inner), Ok(range("65526-65535")));
        let problem = outer_ports("50000-50010", inner).unwrap_err();
        assert!(problem.ends_with("give 50000-50009"), "{problem}");
        let problem = outer_ports("65530-65535", inner).unwrap_err();
        assert!(problem.ends_with("begins lower"), "{problem}");
        assert!(outer_ports("50009-50000", inner).is_err());
        assert_eq!(
            outer_ports("1-65535", range("1-65535")),
            Ok(range("1-65535"))
        );
    }

    #[test]
    fn password_edges() {
        assert_eq!(password_problem(&[b'x'; PASSWORD_BYTES_MAX]), None);
        assert!(password_problem(&[b'x'; PASSWORD_BYTES_MAX + 1]).is_some());
        for bad in [&b""[..], b"a\nb", b"a\r", b"\0"] {
            assert!(password_problem(bad).is_some(), "{bad:?}");
        }
    }
}
