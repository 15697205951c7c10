//! What the reports of the thread change that has the router forward the ports.

use std::time::Instant;

use log::error;

use super::handle::Message;
use super::{Server, Shutdown};
use crate::nat::port_mapping::job::MappingJob;
use crate::nat::port_mapping::update::{MapperEvent, MappingUpdate};
use crate::nat::port_mapping::worker::PortMapper;

impl Server {
    /// Has the router forward what the settings in force say. A server that ends asks for nothing
    /// more: no one would remove it.
    pub(super) fn update_port_mapping(&mut self) {
        if self.shutdown != Shutdown::No {
            return;
        }
        let current = self.state.current();
        let job = MappingJob::new(&current.settings, &self.listeners.bound());
        let mapping = &current.settings.port_mapping;
        if self.mapper.thread.is_none() {
            // Without the flag, an earlier run may have left something.
            let is_start = !std::mem::replace(&mut self.mapper.has_looked, true);
            if job.is_none() && !(is_start && mapping.record_file().exists()) {
                return;
            }
            let handle = self.handle.clone();
            let send = move |event| handle.send(Message::PortMapping(event));
            match PortMapper::start(mapping, job, send) {
                Ok(thread) => self.mapper.thread = Some(thread),
                Err(error) => error!("--port-mapping: cannot start: {error}"),
            }
        } else if let Some(thread) = &self.mapper.thread {
            thread.set_job(job);
            // The settings may have another range.
            let last = std::mem::take(&mut self.mapper.last);
            let lines = Vec::new();
            self.on_mappings(MappingUpdate { lines, ..last });
        }
    }

    pub(super) fn on_port_mapping(&mut self, event: MapperEvent) {
        match event {
            MapperEvent::Changed(update) => self.on_mappings(update),
            MapperEvent::Ended => self.mapper.on_ended(),
        }
    }

    fn on_mappings(&mut self, mut update: MappingUpdate) {
        let lines = std::mem::take(&mut update.lines);
        let old = self.state.current();
        if update.mappings != *old.mappings {
            let new = old.with_mappings(update.mappings.clone().into());
            self.state.replace(new);
        }
        let left_out = update.mappings.left_out.clone();
        self.state.pool.set_left_out(left_out, Instant::now());
        self.mapper.last = update;
        // After the replacement: what the log says is then in force.
        Self::log_lines(lines);
        self.check_double_nat();
    }

    /// Compares the router's address with that of a STUN server, after one of them has changed.
    pub(super) fn check_double_nat(&mut self) {
        let current = self.state.current();
        let router = current.mappings.public;
        let double_nat = &mut self.mapper.double_nat;
        let line = double_nat.update(&current.settings, &current.known, router);
        Self::log_lines(line.into_iter().collect());
    }
}
