//! What is probed, and as which user.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::settings::is_mistyped_address;

/// An FTP server to look at, and how to log in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRequest {
    /// Where the server is.
    pub target: ProbeTarget,
    /// Name and password; without them, anonymous logs in.
    pub login: Option<ProbeLogin>,
    /// Whether control and data connections are protected: by AUTH TLS, on port 990 from the start.
    pub tls: bool,
    /// Whether a small file is stored and removed.
    pub write_test: bool,
}

/// A host with a port, such as `ftp.example.org`, `203.0.113.1:2121` or `[2001:db8::1]:21`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    pub(super) host: String,
    pub(super) port: u16,
}

/// The user of a probe. `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProbeLogin {
    pub(crate) name: String,
    pub(crate) password: Vec<u8>,
}

impl ProbeTarget {
    /// The port of control connections (RFC 959, section 5.2).
    const PORT_DEFAULT: u16 = 21;
}

/// Whether a text can be a name in the DNS, or in the table of this machine.
fn is_host_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_length = (1..=HOST_BYTES_MAX).contains(&text.len());
    is_length && text.bytes().all(is_part) && !is_mistyped_address(text)
}

impl FromStr for ProbeTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            "give a host or an address, with a port if it is not 21, such as ftp.example.org, \
             203.0.113.1:2121 or [2001:db8::1]:2121"
                .to_owned()
        };
        let without_scheme = text.strip_prefix("ftp://").or(text.strip_prefix("ftps://"));
        if let Some(rest) = without_scheme {
            let host = rest.split('/').next().unwrap_or_default();
            return Err(format!("not a URL; give {host}"));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            let (host, port) = (address.to_canonical().to_string(), Self::PORT_DEFAULT);
            return Ok(Self { host, port });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, digits)) if !text.ends_with(']') => {
                let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
                let port = digits.parse().ok().filter(|&port| is_decimal && port > 0);
                (host, port.ok_or_else(refuse)?)
            }
            _ => (text, Self::PORT_DEFAULT),
        };
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let host = match bracketed {
            Some(address) => match address.parse::<IpAddr>() {
                Ok(IpAddr::V6(address)) => address.to_canonical().to_string(),
                _ => return Err(refuse()),
            },
            None => host.to_owned(),
        };
        let is_address = host.parse::<IpAddr>().is_ok();
        if bracketed.is_some() || (is_address && !host.contains(':')) || is_host_name(&host) {
            return Ok(Self { host, port });
        }
        Err(refuse())
    }
}

impl fmt::Debug for ProbeLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProbeLogin({})", self.name)
    }
}

/// The longest name in the DNS, with the dot at its end.
const HOST_BYTES_MAX: usize = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (text, host, port) in [
            ("ftp.example.org", "ftp.example.org", 21),
            ("nas", "nas", 21),
            ("ftp.example.org:2121", "ftp.example.org", 2121),
            ("203.0.113.1", "203.0.113.1", 21),
            ("203.0.113.1:65535", "203.0.113.1", 65535),
            ("2001:db8::1", "2001:db8::1", 21),
            ("[2001:db8::1]", "2001:db8::1", 21),
            ("[2001:db8::1]:2121", "2001:db8::1", 2121),
            ("::ffff:203.0.113.1", "203.0.113.1", 21),
        ] {
            let target: ProbeTarget = text.parse().expect(text);
            assert_eq!((target.host.as_str(), target.port), (host, port), "{text}");
        }
        for text in [
            "",
            ":21",
            "a:",
            "a:0",
            "a:+1",
            "a:65536",
            "a b",
            "a/b",
            "[::1",
            "[1.2.3.4]:21",
            "203.0.113.256",
            "203.0.113.1x:21",
            "[]:21",
            "2001:db8::1:99999",
            "user@host",
            "ftp://host/",
        ] {
            assert!(text.parse::<ProbeTarget>().is_err(), "{text}");
        }
    }
}
