//! The two ends of a control connection, and the address arguments of PORT, EPRT and EPSV. The
//! parsers of those are public as [`argument`](crate::argument).
//!
//! Addresses are values here, never text: [`Endpoints::new`] turns an IPv4-mapped IPv6 address into
//! IPv4, so that no rule has to compare `::ffff:192.0.2.1` with `192.0.2.1`.

use core::error::Error;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::{self, FromStr};

/// The local and the remote end of a control connection, in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    local: SocketAddr,
    peer: SocketAddr,
}

impl Endpoints {
    /// Takes the addresses as the socket reports them; IPv4-mapped ones become IPv4.
    #[must_use]
    pub fn new(local: SocketAddr, peer: SocketAddr) -> Self {
        Self {
            local: canonical(local),
            peer: canonical(peer),
        }
    }

    /// The address that the client connected to.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The client's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address family of the control connection; IPv4 also on a dual-stack socket.
    #[must_use]
    pub fn family(&self) -> AddressFamily {
        AddressFamily::of(self.local.ip())
    }
}

/// `address` with an IPv4-mapped IPv6 address turned into IPv4.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V4(ip), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// An address family, with its number in EPRT and EPSV (RFC 2428, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressFamily {
    /// Number 1.
    Ipv4,
    /// Number 2.
    Ipv6,
}

impl AddressFamily {
    /// The family of an address in canonical form.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The number of this family in EPRT and EPSV.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Ipv4 => 1,
            Self::Ipv6 => 2,
        }
    }
}

/// Why the argument of PORT, EPRT or EPSV cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// Not in the form that the RFC defines. A server replies 501.
    Syntax,
    /// A well-formed argument that names a family other than IPv4 and IPv6. A server replies 522
    /// (RFC 2428, section 2).
    UnknownFamily,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "the argument does not have the form of the RFC",
            Self::UnknownFamily => "the address family is neither IPv4 nor IPv6",
        })
    }
}

impl Error for AddressError {}

/// Reads the argument of PORT: `h1,h2,h3,h4,p1,p2` (RFC 959, section 5.3.2, `<host-port>`), without
/// spaces around it. The address is an IPv4 address. The port may be 0, which no client can listen
/// on.
///
/// ```
/// # use ftp_proto::argument::parse_port;
/// assert_eq!(parse_port(b"192,0,2,7,4,1"), Ok("192.0.2.7:1025".parse()?));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
///
/// # Errors
///
/// [`AddressError::Syntax`] where it has another form.
pub fn parse_port(argument: &[u8]) -> Result<SocketAddr, AddressError> {
    let mut numbers = [0u8; 6];
    let mut fields = argument.split(|&byte| byte == b',');
    for number in &mut numbers {
        let field = fields.next().ok_or(AddressError::Syntax)?;
        *number = parse_decimal(field).ok_or(AddressError::Syntax)?;
    }
    if fields.next().is_some() {
        return Err(AddressError::Syntax);
    }
    let [a, b, c, d, high, low] = numbers;
    Ok(SocketAddr::new(
        IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        u16::from_be_bytes([high, low]),
    ))
}

/// Reads the argument of EPRT: `|family|address|port|`, with any printable character as the
/// delimiter (RFC 2428, section 2), without spaces around it. An IPv4-mapped IPv6 address becomes
/// IPv4. The port may be 0, which no client can listen on.
///
/// ```
/// # use ftp_proto::argument::parse_eprt;
/// assert_eq!(parse_eprt(b"|2|2001:db8::7|1025|"), Ok("[2001:db8::7]:1025".parse()?));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
///
/// # Errors
///
/// [`AddressError::Syntax`] where it has another form, [`AddressError::UnknownFamily`] where the
/// family is unknown.
pub fn parse_eprt(argument: &[u8]) -> Result<SocketAddr, AddressError> {
    let (&delimiter, rest) = argument.split_first().ok_or(AddressError::Syntax)?;
    if !(33..=126).contains(&delimiter) {
        return Err(AddressError::Syntax);
    }
    let mut fields = rest.split(|&byte| byte == delimiter);
    let mut field = || fields.next().ok_or(AddressError::Syntax);
    let (family, address, port, end) = (field()?, field()?, field()?, field()?);
    if !end.is_empty() || fields.next().is_some() {
        return Err(AddressError::Syntax);
    }
    let family: u16 = parse_decimal(family).ok_or(AddressError::Syntax)?;
    let ip = match family {
        1 => IpAddr::V4(parse_text::<Ipv4Addr>(address)?),
        2 => IpAddr::V6(parse_text::<Ipv6Addr>(address)?),
        _ => return Err(AddressError::UnknownFamily),
    };
    let port = parse_decimal(port).ok_or(AddressError::Syntax)?;
    Ok(canonical(SocketAddr::new(ip, port)))
}

/// What the argument of EPSV asks for (RFC 2428, sections 3 and 4). There are no other forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpsvArgument {
    /// No argument: the family of the control connection.
    Any,
    /// A family by its number.
    Family(AddressFamily),
    /// From now on EPSV is the only way to set up data connections.
    All,
}

/// Reads the argument of EPSV, which may be empty (RFC 2428, section 3), without spaces around it.
/// `ALL` may be written in upper and lower case.
///
/// ```
/// # use ftp_proto::argument::{EpsvArgument, parse_epsv};
/// assert_eq!(parse_epsv(b""), Ok(EpsvArgument::Any));
/// assert_eq!(parse_epsv(b"ALL"), Ok(EpsvArgument::All));
/// ```
///
/// # Errors
///
/// [`AddressError::Syntax`] where it is neither a number nor `ALL`, [`AddressError::UnknownFamily`]
/// where the family is unknown.
pub fn parse_epsv(argument: &[u8]) -> Result<EpsvArgument, AddressError> {
    if argument.is_empty() {
        return Ok(EpsvArgument::Any);
    }
    if argument.eq_ignore_ascii_case(b"ALL") {
        return Ok(EpsvArgument::All);
    }
    match parse_decimal::<u16>(argument).ok_or(AddressError::Syntax)? {
        1 => Ok(EpsvArgument::Family(AddressFamily::Ipv4)),
        2 => Ok(EpsvArgument::Family(AddressFamily::Ipv6)),
        _ => Err(AddressError::UnknownFamily),
    }
}

/// Whether this is a host name for HOST (RFC 7151, section 3): a domain name, an IPv4 address, or
/// an IPv6 address in brackets, without a port.
pub(crate) fn is_host(name: &[u8]) -> bool {
    if let Some(address) = name.strip_prefix(b"[") {
        let inner = address.strip_suffix(b"]");
        return inner.is_some_and(|inner| parse_text::<Ipv6Addr>(inner).is_ok());
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_label = |label: &[u8]| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        (1..=63).contains(&label.len())
            && label.iter().all(plain)
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
    };
    name.len() <= 253 && name.split(|&byte| byte == b'.').all(is_label)
}

/// Reads a number of digits only: `FromStr` alone would also accept a plus sign.
pub(crate) fn parse_decimal<T: FromStr>(field: &[u8]) -> Option<T> {
    if field.is_empty() || !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(field).ok()?.parse().ok()
}

fn parse_text<T: FromStr>(field: &[u8]) -> Result<T, AddressError> {
    str::from_utf8(field)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(AddressError::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn mapped_addresses_become_ipv4_once() {
        let ends = Endpoints::new(
            address("[::ffff:192.168.77.2]:21"),
            address("[2001:db8::1]:9"),
        );
        assert_eq!(ends.local(), address("192.168.77.2:21"));
        assert_eq!(ends.peer(), address("[2001:db8::1]:9"));
        assert_eq!(ends.family(), AddressFamily::Ipv4);
    }

    #[test]
    fn host_names() {
        for good in [
            "ftp.example",
            "ftp.example.",
            "localhost",
            "xn--bcher-kva.example",
            "192.0.2.1",
            "[::1]",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "ftp.example:21",
            "::1",
            "[::1",
            "[192.0.2.1]",
            "[::1]:21",
            "a b",
            "a/b",
            &long,
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn host_port() {
        assert_eq!(parse_port(b"10,0,0,7,4,1"), Ok(address("10.0.0.7:1025")));
        for bad in [
            &b"10,0,0,7,4"[..],
            b"10,0,0,7,4,1,2",
            b"10,0,0,256,4,1",
            b"10,0,0,+7,4,1",
            b"10,0,0,,4,1",
            b"",
            b"a,b,c,d,e,f",
            b"10,0,0,7,4,1 ",
        ] {
            assert_eq!(parse_port(bad), Err(AddressError::Syntax), "{bad:?}");
        }
    }

    #[test]
    fn extended_port() {
        assert_eq!(
            parse_eprt(b"|1|10.0.0.7|1025|"),
            Ok(address("10.0.0.7:1025"))
        );
        assert_eq!(parse_eprt(b"!2!::1!65535!"), Ok(address("[::1]:65535")));
        assert_eq!(
            parse_eprt(b"|2|::ffff:10.0.0.7|1|"),
            Ok(address("10.0.0.7:1"))
        );
        assert_eq!(parse_eprt(b"|3|x|1025|"), Err(AddressError::UnknownFamily));
        for bad in [
            &b""[..],
            b"|",
            b"|1|10.0.0.7|1025",
            b"|1|10.0.0.7|65536|",
            b"|1|::1|1025|",
            b"|2|10.0.0.7|1025|",
            b"|1|10.0.0.7|1025|x",
            b"|1|10.0.0.7|1025||",
            b" 1 10.0.0.7 1025 ",
        ] {
            assert_eq!(parse_eprt(bad), Err(AddressError::Syntax), "{bad:?}");
        }
    }

    #[test]
    fn extended_passive() {
        assert_eq!(parse_epsv(b""), Ok(EpsvArgument::Any));
        assert_eq!(parse_epsv(b"all"), Ok(EpsvArgument::All));
        assert_eq!(
            parse_epsv(b"1"),
            Ok(EpsvArgument::Family(AddressFamily::Ipv4))
        );
        assert_eq!(
            parse_epsv(b"2"),
            Ok(EpsvArgument::Family(AddressFamily::Ipv6))
        );
        assert_eq!(parse_epsv(b"3"), Err(AddressError::UnknownFamily));
        assert_eq!(parse_epsv(b"one"), Err(AddressError::Syntax));
    }
}
