//! Clients that use another protocol than FTP, for the log.
//!
//! Scanners and web pages can connect as often as they like. Of each protocol, the first client has
//! a line with the remedy, and the others are counted.

use std::fmt;
use std::time::Instant;

use ftp_proto::ForeignProtocol;
use log::Level;

use crate::logging::repeated::{Event, RepeatedEvents};
use crate::logging::session_name::SessionName;
use crate::settings::Settings;

/// A client that does not speak FTP. Displayed as a line of the log.
#[derive(Debug)]
pub(super) struct ForeignClient<'a> {
    pub(super) session: &'a SessionName,
    pub(super) protocol: ForeignProtocol,
    pub(super) settings: &'a Settings,
}

impl ForeignClient<'_> {
    /// Counts the client, or logs a line.
    pub(super) fn log(&self, events: &RepeatedEvents, now: Instant) {
        let event = Event::new(self.kind(), Level::Warn).by(self.session.client());
        events.on_event(event, now, format_args!("{self}"));
    }

    fn kind(&self) -> &'static str {
        match self.protocol {
            ForeignProtocol::Http => "clients that send HTTP",
            ForeignProtocol::Proxy => "clients that send a PROXY header",
            ForeignProtocol::Ssh => "clients that send SSH",
            ForeignProtocol::Tls => "clients that send TLS before AUTH TLS",
            _ => "clients that send another protocol than FTP",
        }
    }
}

impl fmt::Display for ForeignClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent ", self.session)?;
        match self.protocol {
            ForeignProtocol::Http => f.write_str(
                "an HTTP request and was disconnected; no command in it was executed: this port is \
                 for FTP, so use an FTP client instead of a web browser",
            ),
            ForeignProtocol::Proxy => write!(
                f,
                "a PROXY header and was disconnected: {} is not in --proxy-protocol; if a balancer \
                 of yours has this address, add it there, or switch the PROXY protocol \
                 (send-proxy) off in the balancer",
                self.session.client()
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
        }
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
        let client = ForeignClient {
            session: &SessionName::new(3, "198.51.100.7".parse().expect("an address")),
            protocol,
            settings: &settings(flags),
        };
        client.to_string()
    }

    #[test]
    fn a_line_names_client_and_remedy() {
        assert_eq!(
            line("-d /", ForeignProtocol::Ssh),
            "#3 -@198.51.100.7 sent the beginning of SSH and was disconnected: this server has no \
             SFTP; choose FTP instead of SFTP in the client"
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
             990"
        );
        assert_eq!(
            remedy("-d / --tls --tls-implicit 991"),
            "choose explicit TLS (AUTH TLS) in the client, or port 991 for implicit TLS"
        );
        assert!(remedy("-d / --tls --tls-implicit 0").contains("or the port of --tls-implicit"));
    }
}
