//! What changes while the server runs: its settings, the public addresses that they do not contain
//! themselves, and this machine's networks.
//!
//! Only the main thread replaces the current settings, so two changes never interfere. Nothing in
//! this file waits, and what may is done in a [thread](super::reading) before.

use std::fmt::Display;
use std::io;
use std::time::Instant;

use ftp_proto::Masquerade;
use log::{Level, error, info, log, warn};

use super::findings::{log_findings, on_disk, with_networks};
use super::handle::Message;
use super::reading::Wanted;
use super::{Server, Shutdown, hooks, sandbox, shares};
use crate::logging::{self, system_text::SystemText};
use crate::nat::address_source::LogLine;
use crate::nat::address_source::answer::LookupResult;
use crate::nat::address_source::lookup::look_up;
use crate::nat::diagnose::diagnose;
use crate::nat::evidence::Evidence;
use crate::nat::summary::{LISTENING, summary};
use crate::net::interfaces::Interfaces;
use crate::net::port_probe::{self, UnavailablePorts};
use crate::privileges::{self, SystemLimits};
use crate::session::Current;
use crate::settings::watched_files::WatchedFiles;
use crate::settings::{Settings, SocketSource};
use crate::tls::Identity;

impl Server {
    /// Logs what is served, and a warning for each thing that will not work. To be called before
    /// the first session: its passive port would look like another program's.
    pub(super) fn log_start(&self) {
        // Trying the ports takes a while.
        if !log::log_enabled!(Level::Warn) {
            return;
        }
        let current = self.state.current();
        let addresses = current
            .settings
            .passive_addresses(&current.interfaces, &current.known);
        let unavailable_ports = match &current.settings.passive_ports {
            // Other clients have processes of their own, which use some of them.
            Some(_) if self.single_client.is_some() => UnavailablePorts::default(),
            Some(range) => port_probe::probe_ports(*range, &addresses),
            None => UnavailablePorts::default(),
        };
        self.log_current(Evidence {
            unavailable_ports,
            own_files_inside: current.share.own_files_inside(),
            ..on_disk(&current.settings)
        });
    }

    /// `others`: what was found out beside the networks.
    fn log_current(&self, others: Evidence) {
        let current = self.state.current();
        let settings = &current.settings;
        for line in summary(settings, &current.known, &self.listeners.bound()) {
            if line.starts_with(LISTENING) {
                info!(target: logging::ALSO_TO_STDERR, "{line}");
            } else {
                info!("{line}");
            }
        }
        self.log_certificate();
        for warning in self.limits.warnings() {
            warn!("{warning}");
        }
        if let Some(note) = self.limits.note() {
            info!("note: {note}");
        }
        log_findings(diagnose(settings, &with_networks(&current, others)));
    }

    /// Has the settings read again.
    pub(super) fn reload_settings(&mut self) {
        if self.shutdown != Shutdown::No {
            let problem = self.shutdown.why_not_reload();
            self.shown.on_reloaded(Err(problem));
            return info!("not reloading: {problem}");
        }
        self.service_manager.reloading();
        if self.reader.reload.is_none() {
            self.service_manager.ready();
            let problem = "there is nothing to read settings from";
            self.shown.on_reloaded(Err(problem));
            return warn!("not reloading: there is nothing to read settings from");
        }
        self.read_again(Wanted::Settings, Instant::now());
    }

    /// Takes settings that were read again, as a whole or not. `users_file`: as it was before.
    pub(super) fn take_settings(
        &mut self,
        users_file: WatchedFiles,
        read: Result<(Settings, Evidence), String>,
    ) {
        self.looks.set_outdated();
        let applied = read.and_then(|(settings, on_disk)| {
            self.apply(settings, on_disk)
                .map_err(|error| SystemText(&error).to_string())
        });
        match applied {
            Ok(()) => {
                self.reader.before = None;
                if users_file.is_of(&self.users_file) {
                    self.users_file = users_file;
                }
                self.quotas.recount();
                self.update_facts();
                self.shown.on_reloaded(Ok(()));
            }
            Err(error) => {
                for line in shares::lines(&error) {
                    // The file of the log may be why, or be gone with its directory.
                    let target = logging::ALSO_TO_STDERR;
                    error!(target: target, "not reloading, the old settings stay: {line}");
                }
                self.shown.on_reloaded(Err(&error));
            }
        }
        self.service_manager.ready();
    }

    fn apply(&mut self, settings: Settings, on_disk: Evidence) -> io::Result<()> {
        let now = Instant::now();
        // Everything that can fail comes first.
        let settings = self.with_current_socket(self.with_current_user(settings)?);
        let settings = self.with_current_metrics(settings);
        if settings.run_as.is_none() {
            privileges::check_start(&settings)?;
        }
        let old = self.state.current();
        sandbox::check_change(&old.settings, &settings)?;
        hooks::check_change(&old.settings, &settings)?;
        let share = shares::updated_share(&old.share, &settings)?;
        let certificate = WatchedFiles::new(settings.certificate_files(), now);
        let users_file = shares::watch(&settings, now);
        let interfaces = Interfaces::read()?;
        let identity = match Identity::load(&settings, &interfaces) {
            Ok(identity) => identity,
            Err(error) => {
                if old.settings.certificate_files() == settings.certificate_files() {
                    // This error is reported: the watch has nothing to add.
                    self.certificate = certificate;
                }
                return Err(io::Error::other(error));
            }
        };
        let passive_ports = settings.passive_ports;
        let registry = self.poll.registry();
        if settings.socket_source != SocketSource::Inetd {
            let updated = self
                .listeners
                .update(&settings.listen, passive_ports, registry);
            updated.map_err(|error| Self::without_rights(&settings, error))?;
        }
        logging::reload(settings.log_level, &settings.log);
        self.reload_transfer_log(&settings);
        self.state.pool.set_range(settings.passive_ports, now);
        self.addresses.update_settings(&settings, now);
        let changed = self.address_files.update_settings(&settings, now);
        let results = changed.into_iter();
        let lines: Vec<_> = results
            .flat_map(|result| self.addresses.on_result(result, now))
            .collect();
        let known = self.addresses.known();
        self.umask.set(settings.umask);
        self.limits = SystemLimits::raise(&settings);
        let new = Current::new(settings, share, interfaces, known, identity);
        let moved = directory_line(&old.settings, &new.settings);
        self.replace_users(new.with_homes_of(&old));
        // It is in force, and what follows from it has its lines below this one.
        info!("reloaded the settings");
        moved.iter().for_each(|line| info!("{line}"));
        Self::log_lines(lines);
        self.users_file = users_file;
        self.update_port_mapping();
        self.hooks.start(&self.state, &self.handle);
        self.certificate = certificate;
        self.state.never_connected.clear();
        self.state.reached_ports.clear();
        self.state.returning_strangers.clear();
        self.lift_blocks(now);
        // Ports are not tried: sessions may have leased some of them.
        self.log_current(Evidence {
            own_files_inside: self.state.current().share.own_files_inside(),
            ..on_disk
        });
        self.check_system_users(now);
        Ok(())
    }

    /// Starts the thread that writes the file, with the rights that the process has now.
    pub(super) fn start_transfer_log(&self) {
        if let Err(error) = self.state.transfer_log.start() {
            let error = SystemText(&error);
            warn!("--xferlog is not written, as the system has no thread for it: {error}");
        }
    }

    pub(super) fn reload_transfer_log(&self, settings: &Settings) {
        let file = settings.transfer_log.as_ref().map(|log| log.file.clone());
        self.state.transfer_log.reopen(file);
        self.start_transfer_log();
    }

    /// Where no address is blocked any more, those that were must not come back with the next
    /// reload.
    fn lift_blocks(&self, now: Instant) {
        if self.state.current().settings.login_block.is_none() {
            match self.state.login_throttle.lift_blocks(now) {
                0 => {}
                1 => info!("--block-after 0 lifts the block of one address"),
                lifted => info!("--block-after 0 lifts the blocks of {lifted} addresses"),
            }
        }
    }

    /// Does what is due by now: looks addresses up, looks for changes of files, and reads the
    /// interfaces again after a change.
    pub(super) fn update(&mut self) {
        let now = Instant::now();
        for source in self.addresses.take_due(now) {
            let handle = self.handle.clone();
            let send = move |result| handle.send(Message::Resolved(result));
            if let Err(error) = look_up(source.clone(), send) {
                let answer = Err(SystemText(&error).to_string());
                self.on_resolved(LookupResult { source, answer });
            }
        }
        Self::log_lines(self.addresses.check_pending(now));
        self.look_at_files(now);
        self.warn_of_reading(now);
        self.warn_of_system_users(now);
        self.shown.answer_due(now);
        self.take_socket_over(now);
        if self.debounce.take_due(now) {
            match Interfaces::read() {
                Ok(interfaces) => self.update_interfaces(interfaces),
                Err(error) => {
                    warn!(
                        "cannot read this machine's networks, trying again: {}",
                        SystemText(&error)
                    );
                    self.debounce.retry_later(now);
                }
            }
        }
    }

    /// A lookup has returned, or a file has changed.
    pub(super) fn on_resolved(&mut self, result: LookupResult) {
        let lines = self.addresses.on_result(result, Instant::now());
        let old = self.state.current();
        let known = self.addresses.known();
        if known != old.known {
            self.state.replace(old.with_addresses(known));
        }
        // After the replacement: what the log says is then in force.
        Self::log_lines(lines);
        self.check_double_nat();
    }

    /// The kernel reports a change of this machine's networks.
    pub(super) fn on_interfaces_changed(&mut self) {
        self.debounce.on_event(Instant::now());
        if let Some(watch) = &self.watch
            && let Err(error) = watch.drain()
        {
            Self::log_unwatched(&error);
            self.watch = None;
        }
    }

    pub(super) fn log_lines(lines: Vec<LogLine>) {
        for LogLine { level, text } in lines {
            log!(level, "{text}");
        }
    }

    pub(super) fn log_unwatched(error: &io::Error) {
        warn!(
            "changes of this machine's networks will only be noticed at SIGHUP: {}",
            SystemText(error)
        );
    }

    fn update_interfaces(&mut self, interfaces: Interfaces) {
        let old = self.state.current();
        // Also if they look the same: a router that has restarted was away for a moment.
        self.mapper.retry();
        if interfaces == old.interfaces {
            return;
        }
        let new = old.with_interfaces(interfaces);
        let changes = changes_between(&old.config.masquerade, &new.config.masquerade);
        // Without a look at disks: one that does not answer would hold this thread, and networks
        // change nothing there.
        let known = diagnose(&old.settings, &with_networks(&old, Evidence::default()));
        let mut found = diagnose(&new.settings, &with_networks(&new, Evidence::default()));
        found.retain(|finding| !known.contains(finding));
        self.state.replace(new);
        for line in changes {
            info!("{line}");
        }
        log_findings(found);
    }
}

/// For running sessions, when another directory is shared.
fn directory_line(old: &Settings, new: &Settings) -> Option<String> {
    let is_other = new.users.use_directory() && old.directory != new.directory;
    is_other.then(|| {
        format!(
            "running sessions stay in {}, new ones start in {}",
            old.directory.display(),
            new.directory.display()
        )
    })
}

/// How the rules differ that follow from this machine's networks.
fn changes_between(old: &Masquerade, new: &Masquerade) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn masquerade(networks: &str, gateways: &str) -> Masquerade {
        let networks = networks.split_whitespace();
        let gateways = gateways.split_whitespace();
        let mut rules = Masquerade::default();
        rules.local_networks = networks.map(|network| network.parse().unwrap()).collect();
        rules.gateways = gateways.map(|gateway| gateway.parse().unwrap()).collect();
        rules
    }

    #[track_caller]
    fn check(old: (&str, &str), new: (&str, &str), expected: &[&str]) {
        let found = changes_between(&masquerade(old.0, old.1), &masquerade(new.0, new.1));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_changes_between() {
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
