//! What changes while the server runs: its settings, what their host names lead to, and this machine's
//! networks.
//!
//! The acceptor's thread is the only one that replaces what is in force, so a change never meets another
//! one halfway. Nothing in this file waits.

use std::fmt::Display;
use std::io;
use std::time::Instant;

use ftp_proto::Masquerade;
use log::{error, info, log, warn};

use super::fd_limit;
use super::{Message, Server, certificate};
use crate::fs::root::Root;
use crate::nat::address_source::{Answer, Line, look_up};
use crate::nat::diagnose::{Finding, Seen, Severity, findings};
use crate::nat::summary::summary;
use crate::net::interfaces::Interfaces;
use crate::net::port_probe::{self, HeldPorts};
use crate::session::server_state::Current;
use crate::settings::Settings;
use crate::tls::Identity;

impl Server {
    /// Logs what is served, and a warning for each thing that will not work. To be called before
    /// [`run`](Self::run): leased ports of our own would look like another program's.
    pub fn log_start(&self) {
        let current = self.shared.current();
        let addresses = current.settings.local_addresses(&current.interfaces);
        self.log_current(match &current.settings.passive_ports {
            Some(range) => port_probe::held_ports(*range, &addresses),
            None => HeldPorts::default(),
        });
    }

    fn log_current(&self, held: HeldPorts) {
        let current = self.shared.current();
        let settings = &current.settings;
        for line in summary(settings, &current.names, &self.listeners.bound()) {
            info!("{line}");
        }
        self.log_certificate();
        if let Some(warning) = fd_limit::raise_limit(settings.limits.connections_max) {
            warn!("{warning}");
        }
        let seen = Seen {
            held,
            ..seen(&current)
        };
        log_findings(findings(settings, &seen));
    }

    /// Takes new settings as a whole, or none of them.
    pub(super) fn reload_settings(&mut self) {
        let Some(reload) = &mut self.reload else {
            return warn!("not reloading: there is nothing to read settings from");
        };
        let applied =
            reload().and_then(|settings| self.apply(settings).map_err(|error| error.to_string()));
        match applied {
            Ok(()) => info!("reloaded the settings"),
            Err(error) => error!("not reloading, the old settings stay: {error}"),
        }
    }

    fn apply(&mut self, settings: Settings) -> io::Result<()> {
        // What can fail comes first.
        let storage = Root::open(&settings.directory)?;
        let certificate = certificate::watch(&settings);
        let interfaces = Interfaces::read()?;
        let identity = Identity::load(&settings, &interfaces).map_err(io::Error::other)?;
        let passive_ports = settings.passive_ports;
        let registry = self.poll.registry();
        self.listeners
            .follow(&settings.listen, passive_ports, registry)?;
        log::set_max_level(settings.log_level);
        let now = Instant::now();
        let old = self.shared.current();
        if old.settings.directory != settings.directory {
            info!(
                "sessions that run now stay in {}, new ones begin in {}",
                old.settings.directory.display(),
                settings.directory.display()
            );
        }
        self.shared.pool.set_range(settings.passive_ports, now);
        self.names.follow(&settings, now);
        let names = self.names.known();
        self.shared
            .replace(Current::new(settings, storage, interfaces, names, identity));
        self.certificate = certificate;
        self.shared.missed.forget();
        // Ports are not tried: sessions may have leased some of them.
        self.log_current(HeldPorts::default());
        Ok(())
    }

    /// Does what is due by now: looks names up, looks at the certificate's files, and
    /// at the machine once its changes have settled.
    pub(super) fn keep_current(&mut self) {
        let now = Instant::now();
        for name in self.names.due(now) {
            let handle = self.handle.clone();
            let tell = move |answer| handle.send(Message::Resolved(answer));
            if let Err(error) = look_up(name.clone(), tell) {
                let found = Err(error.to_string());
                self.take_answer(Answer { name, found });
            }
        }
        log_lines(self.names.overdue(now));
        self.follow_certificate(now);
        if self.settling.is_over(now) {
            match Interfaces::read() {
                Ok(interfaces) => self.update_interfaces(interfaces),
                Err(error) => {
                    warn!("cannot look at this machine's networks, trying again: {error}");
                    self.settling.begin_again(now);
                }
            }
        }
    }

    /// Takes what a lookup has found out.
    pub(super) fn take_answer(&mut self, answer: Answer) {
        let lines = self.names.take(answer, Instant::now());
        let old = self.shared.current();
        let names = self.names.known();
        if names != old.names {
            self.shared.replace(old.with_addresses(names));
        }
        // Only now, so that what the log says is so.
        log_lines(lines);
    }

    /// The kernel says that something about this machine's networks has changed.
    pub(super) fn on_interfaces_changed(&mut self) {
        self.settling.begin(Instant::now());
        if let Some(watch) = &self.watch
            && let Err(error) = watch.drain()
        {
            warn!("{UNWATCHED}: {error}");
            self.watch = None;
        }
    }

    fn update_interfaces(&mut self, interfaces: Interfaces) {
        let old = self.shared.current();
        if interfaces == old.interfaces {
            return;
        }
        let new = old.with_interfaces(interfaces);
        let changes = came_and_went(&old.config.masquerade, &new.config.masquerade);
        let known = findings(&old.settings, &seen(&old));
        let mut found = findings(&new.settings, &seen(&new));
        found.retain(|finding| !known.contains(finding));
        self.shared.replace(new);
        for line in changes {
            info!("{line}");
        }
        log_findings(found);
    }
}

/// What is known by now; ports are not tried for it.
fn seen(current: &Current) -> Seen {
    Seen {
        interfaces: current.interfaces.clone(),
        names: current.names.clone(),
        ..Seen::default()
    }
}

pub(super) fn log_findings(found: Vec<Finding>) {
    for finding in found {
        match finding.severity {
            Severity::Failure | Severity::Risk => warn!("{finding}"),
            Severity::Note => info!("{finding}"),
        }
    }
}

fn log_lines(lines: Vec<Line>) {
    for Line { level, text } in lines {
        log!(level, "{text}");
    }
}

/// How the machine's part of the rules differs. Networks that the operator has given do not change.
fn came_and_went(old: &Masquerade, new: &Masquerade) -> Vec<String> {
    let networks = difference(&old.local_networks, &new.local_networks);
    let gateways = difference(&old.gateways, &new.gateways);
    [("local networks", networks), ("gateways", gateways)]
        .into_iter()
        .filter(|(_, changes)| !changes.is_empty())
        .map(|(what, changes)| format!("{what}: {}", changes.join(", ")))
        .collect()
}

fn difference<T: PartialEq + Display>(old: &[T], new: &[T]) -> Vec<String> {
    let come = new.iter().filter(|item| !old.contains(item));
    let gone = old.iter().filter(|item| !new.contains(item));
    let come = come.map(|item| format!("{item} is new"));
    come.chain(gone.map(|item| format!("{item} is gone")))
        .collect()
}

/// How the log begins to say that there is no [`Watch`](crate::net::watch::Watch).
pub(super) const UNWATCHED: &str =
    "changes of this machine's networks will only be noticed at SIGHUP";

#[cfg(test)]
mod tests {
    use super::*;

    fn masquerade(networks: &str, gateways: &str) -> Masquerade {
        let networks = networks.split_whitespace();
        let gateways = gateways.split_whitespace();
        Masquerade {
            local_networks: networks.map(|network| network.parse().unwrap()).collect(),
            gateways: gateways.map(|gateway| gateway.parse().unwrap()).collect(),
            ..Masquerade::default()
        }
    }

    #[track_caller]
    fn check(old: (&str, &str), new: (&str, &str), expected: &[&str]) {
        let found = came_and_went(&masquerade(old.0, old.1), &masquerade(new.0, new.1));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_came_and_went() {
        let home = ("127.0.0.0/8 192.168.77.0/24", "192.168.77.1");
        check(home, home, &[]);
        check(
            home,
            ("127.0.0.0/8 10.8.0.0/24 192.168.77.0/24", "192.168.77.1"),
            &["local networks: 10.8.0.0/24 is new"],
        );
        check(
            home,
            (
                "10.8.0.0/24 10.9.0.0/24 127.0.0.0/8",
                "192.168.77.254 fe80::1",
            ),
            &[
                "local networks: 10.8.0.0/24 is new, 10.9.0.0/24 is new, 192.168.77.0/24 is gone",
                "gateways: 192.168.77.254 is new, fe80::1 is new, 192.168.77.1 is gone",
            ],
        );
        check(home, (home.0, ""), &["gateways: 192.168.77.1 is gone"]);
    }
}
