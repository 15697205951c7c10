//! Places at a router. Pure, and self-contained: a fuzz target compiles this file too.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A place at the router's own address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpUrl {
    /// Where it is asked.
    host: SocketAddr,
    /// The address that the router has named. Over IPv6 it may be another one of the router's.
    named: IpAddr,
    /// It begins with a slash.
    path: String,
}

impl HttpUrl {
    /// Reads an absolute one; `None` if it leads anywhere else than to the router, whose port does
    /// not matter here.
    ///
    /// A router has several IPv6 addresses, and this machine knows one. Whichever address the URL
    /// has, the router is asked at that one, so that it leads nowhere else.
    pub(super) fn read(text: &str, router: SocketAddr) -> Option<Self> {
        let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
        let rest = Some(rest).filter(|_| scheme.eq_ignore_ascii_case(SCHEME))?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (named, port) = host_and_port(host)?;
        let is_router = match named {
            IpAddr::V4(_) => named == router.ip(),
            IpAddr::V6(named) => router.is_ipv6() && named.to_ipv4_mapped().is_none(),
        };
        let is_part = |byte: u8| byte.is_ascii_graphic();
        let is_good = is_router && port != 0 && path.bytes().all(is_part);
        let mut host = router;
        host.set_port(port);
        is_good.then(|| Self {
            host,
            named,
            path: if path.is_empty() { "/" } else { path }.to_owned(),
        })
    }

    /// What a link in a document at this place leads to; `None` if that is anywhere else.
    pub(super) fn join(&self, link: &str) -> Option<Self> {
        let is_absolute = !link.starts_with('/') && link.contains("://");
        if is_absolute {
            return Self::read(link, self.host);
        }
        let base = if link.starts_with('/') {
            ""
        } else {
            &self.path[..=self.path.rfind('/')?]
        };
        let host = self.host_header();
        Self::read(&format!("{SCHEME}{host}{base}{link}"), self.host)
    }

    /// Where it is asked.
    pub(super) fn host(&self) -> SocketAddr {
        self.host
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The value of the header `Host`.
    pub(super) fn host_header(&self) -> String {
        SocketAddr::new(self.named, self.host.port()).to_string()
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.host_header(), self.path)
    }
}

/// Literal addresses only: a name would have to be resolved.
fn host_and_port(text: &str) -> Option<(IpAddr, u16)> {
    let Some(rest) = text.strip_prefix('[') else {
        let (address, port) = text.split_once(':').unwrap_or((text, PORT));
        let address: IpAddr = address.parse().ok()?;
        return Some((address, number(port)?));
    };
    let (address, rest) = rest.split_once(']')?;
    // The name that the router has for its interface means nothing here.
    let address = address.split('%').next().unwrap_or_default();
    let address: Ipv6Addr = address.parse().ok()?;
    let port = match rest {
        "" => PORT,
        rest => rest.strip_prefix(':')?,
    };
    Some((address.into(), number(port)?))
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

const SCHEME: &str = "http://";
/// HTTP's own.
const PORT: &str = "80";

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> SocketAddr {
        "192.168.77.1:1900".parse().unwrap()
    }

    #[test]
    fn only_places_at_the_router_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            let found = HttpUrl::read(text, router()).map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check(
            "http://192.168.77.1:5000/a/b?c",
            Some("http://192.168.77.1:5000/a/b?c"),
        );
        check("HTTP://192.168.77.1", Some("http://192.168.77.1:80/"));
        for wrong in [
            "",
            "http:/",
            "https://192.168.77.1/",
            "http://192.168.77.2/",
            "http://router/",
            "http://192.168.77.1@192.168.77.2/",
            "http://192.168.77.1:0/",
            "http://192.168.77.1:65536/",
            "http://192.168.77.1/a b",
            "http://192.168.77.1/a\r\nX: y",
            "http://[::ffff:192.168.77.1]/",
            "http://[fe80::1]/",
            "http://[192.168.77.1]/",
            "http://192.168.77.1:+80/",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn links_stay_at_the_router() {
        let base = HttpUrl::read("http://192.168.77.1:5000/igd/root.xml", router()).unwrap();
        let check = |link: &str, expected: Option<&str>| {
            let found = base.join(link).map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{link}");
        };
        check("/ctl/IPConn", Some("http://192.168.77.1:5000/ctl/IPConn"));
        check("IPConn", Some("http://192.168.77.1:5000/igd/IPConn"));
        check(
            "http://192.168.77.1:49152/x",
            Some("http://192.168.77.1:49152/x"),
        );
        check("http://10.0.0.1/x", None);
        check("/a b", None);
    }

    #[test]
    fn over_ipv6_every_place_is_at_the_router() {
        let router: SocketAddr = "[fe80::1%7]:1900".parse().unwrap();
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let found = HttpUrl::read(text, router);
            let found = found.map(|url| (url.host().to_string(), url.to_string()));
            let expected = expected.map(|(host, url)| (host.to_owned(), url.to_owned()));
            assert_eq!(found, expected, "{text}");
        };
        let asked = "[fe80::1%7]:5000";
        let global = "http://[2001:db8:77::1]:5000/root.xml";
        check(global, Some((asked, global)));
        let link_local = "http://[fe80::1]:5000/root.xml";
        check(link_local, Some((asked, link_local)));
        check(
            "http://[fe80::1%25eth0]:5000/root.xml",
            Some((asked, link_local)),
        );
        check(
            "http://[fe80::1]",
            Some(("[fe80::1%7]:80", "http://[fe80::1]:80/")),
        );
        for wrong in [
            "http://192.168.77.1/",
            "http://[fe80::1/",
            "http://[fe80::1]5000/",
            "http://fe80::1/",
            "http://[]/",
            "http://[::ffff:10.0.0.1]/",
        ] {
            check(wrong, None);
        }
        let base = HttpUrl::read(global, router).unwrap();
        let joined = base.join("ctl").unwrap();
        assert_eq!(joined.host().to_string(), asked);
        assert_eq!(joined.to_string(), "http://[2001:db8:77::1]:5000/ctl");
    }
}
