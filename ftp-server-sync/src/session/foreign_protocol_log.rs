//! Counts the clients that use another protocol than FTP, over all sessions, for the log.
//!
//! Scanners and web pages can connect as often as they like. Of each protocol, the first, the
//! tenth, the hundredth client and so on has a line with the remedy, so they cannot fill the log.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Mutex;

use ftp_proto::ForeignProtocol;
use log::log;

use crate::locks::lock;
use crate::logging::repeated::level;
use crate::settings::Settings;

/// How many clients used each protocol.
#[derive(Debug, Default)]
pub(super) struct ForeignProtocolLog {
    counts: Mutex<BTreeMap<ForeignProtocol, u64>>,
}

/// One line of the log, without the session's number.
struct Line<'a> {
    peer: SocketAddr,
    protocol: ForeignProtocol,
    settings: &'a Settings,
    count: u64,
}

impl ForeignProtocolLog {
    /// Counts the client of a session, and logs a line. `number`: the session's.
    pub(super) fn on_client(
        &self,
        number: u64,
        peer: SocketAddr,
        protocol: ForeignProtocol,
        settings: &Settings,
    ) {
        let line = Line {
            peer,
            protocol,
            settings,
            count: self.count(protocol),
        };
        log!(level(line.count), "#{number} {line}");
    }

    /// Counts a client, and returns how many there are with it.
    fn count(&self, protocol: ForeignProtocol) -> u64 {
        let mut counts = lock(&self.counts);
        let count = counts.entry(protocol).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent ", self.peer)?;
        match self.protocol {
            ForeignProtocol::Http => f.write_str(
                "an HTTP request and was disconnected; no command in it was executed: this port is \
                 for FTP, so use an FTP client instead of a web browser",
            ),
            ForeignProtocol::Proxy => f.write_str(
                "a PROXY header and was disconnected: this server does not read PROXY headers; \
                 switch the PROXY protocol (send-proxy) off in the load balancer",
            ),
            ForeignProtocol::Ssh => f.write_str(
                "the beginning of SSH and was disconnected: this server has no SFTP; choose FTP \
                 instead of SFTP in the client",
            ),
            ForeignProtocol::Tls => {
                f.write_str("the beginning of TLS before AUTH TLS and was disconnected: ")?;
                tls_remedy(self.settings, f)
            }
            _ => f.write_str("another protocol than FTP and was disconnected"),
        }?;
        write!(f, " ({} so far)", self.count)
    }
}

/// What the client, or the operator, can do when a client uses implicit TLS on the wrong port.
fn tls_remedy(settings: &Settings, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if settings.tls.is_none() {
        return f.write_str(
            "TLS is off; choose plain FTP in the client, or start the server with --tls for \
             explicit TLS, with --tls-implicit 990 for implicit TLS",
        );
    }
    f.write_str("choose explicit TLS (AUTH TLS) in the client, or ")?;
    match settings.implicit_port() {
        None => f.write_str("start the server with --tls-implicit 990"),
        Some(0) => f.write_str("the port of --tls-implicit"),
        Some(port) => write!(f, "port {port} for implicit TLS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::settings;

    fn line(flags: &str, protocol: ForeignProtocol) -> String {
        let line = Line {
            peer: "198.51.100.7:4711".parse().expect("an address"),
            protocol,
            settings: &settings(flags),
            count: 1,
        };
        line.to_string()
    }

    #[test]
    fn protocols_are_counted_apart() {
        let log = ForeignProtocolLog::default();
        assert_eq!(log.count(ForeignProtocol::Http), 1);
        assert_eq!(log.count(ForeignProtocol::Http), 2);
        assert_eq!(log.count(ForeignProtocol::Tls), 1);
    }

    #[test]
    fn a_line_names_client_and_remedy() {
        assert_eq!(
            line("-d /", ForeignProtocol::Ssh),
            "198.51.100.7:4711 sent the beginning of SSH and was disconnected: this server has no \
             SFTP; choose FTP instead of SFTP in the client (1 so far)"
        );
    }

    #[cfg(feature = "tls")]
    #[test]
    fn the_remedy_for_tls_depends_on_the_flags() {
        let remedy = |flags: &str| {
            let line = line(flags, ForeignProtocol::Tls);
            let (_, remedy) = line.split_once(": ").expect("a remedy");
            remedy.to_owned()
        };
        assert!(remedy("-d /").starts_with("TLS is off; choose plain FTP in the client"));
        assert_eq!(
            remedy("-d / --tls"),
            "choose explicit TLS (AUTH TLS) in the client, or start the server with --tls-implicit \
             990 (1 so far)"
        );
        assert_eq!(
            remedy("-d / --tls --tls-implicit 991"),
            "choose explicit TLS (AUTH TLS) in the client, or port 991 for implicit TLS (1 so far)"
        );
        assert!(remedy("-d / --tls --tls-implicit 0").contains("or the port of --tls-implicit"));
    }
}
