//! Lines that a session has once, however often their reason comes.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use log::{Level, info, log, warn};

use super::SessionLog;
use crate::logging::repeated::Event;
use crate::logging::session_name::LogContext;

impl SessionLog {
    /// A data connection did not resume the TLS session of its control connection. Once in a
    /// session.
    pub(in crate::session) fn not_resumed(&mut self) {
        if !std::mem::replace(&mut self.is_not_resumed_logged, true) {
            info!(
                "{} the client's data connections do not resume the TLS session of its control \
                 connection: nothing proves that they are its own",
                self.context.name
            );
        }
    }

    /// The client named this private address for active mode, and the address of its control
    /// connection is used. Once in a session.
    pub(in crate::session) fn active_address_replaced(&mut self, named: IpAddr, used: IpAddr) {
        if !std::mem::replace(&mut self.is_one_to_one_nat_logged, true) {
            info!(
                "{} active mode: the client named {named}; connecting to {used} instead",
                self.context.name
            );
        }
    }

    /// A login in clear text was refused. `name` is quoted. Once in a session.
    pub(in crate::session) fn login_without_tls(&mut self, peer: IpAddr, name: &dyn fmt::Display) {
        if !std::mem::replace(&mut self.is_login_without_tls_logged, true) {
            let LogContext {
                name: session,
                events,
            } = &self.context;
            let event = Event::new(WITHOUT_TLS, Level::Info).by(peer);
            let line = format_args!(
                "{session} login refused from {peer} as {name}: TLS is required \
                 (--tls-control-required); choose explicit TLS in the client"
            );
            events.on_event(event, Instant::now(), line);
        }
    }

    /// An upload in type A looks like binary data, and is damaged if so. Once in a session.
    pub(in crate::session) fn binary_text(&mut self, name: &str) {
        if !std::mem::replace(&mut self.is_binary_text_logged, true) {
            warn!(
                "{} {name} in type A holds NUL or bare CR bytes: binary data loses bytes in type \
                 A; let the client send TYPE I, or give --ascii never",
                self.context.name
            );
        }
    }

    /// An upload ended without close_notify. At level `info` once in a session.
    pub(in crate::session) fn bare_end(&mut self) {
        let level = if std::mem::replace(&mut self.is_bare_end_logged, true) {
            Level::Debug
        } else {
            Level::Info
        };
        log!(
            level,
            "{} the client ended an upload without close_notify; it counts as complete",
            self.context.name
        );
    }
}

/// The kind of logins in clear text where TLS is required.
const WITHOUT_TLS: &str = "logins refused for lack of TLS";
