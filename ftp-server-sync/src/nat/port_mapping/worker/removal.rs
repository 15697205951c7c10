//! What routers forward and the server does not want: of an earlier run, of other settings, or at
//! the end.

use std::time::Instant;

use super::{REMOVAL_MAX, Worker};
use crate::nat::port_mapping::client::RouterClient;
use crate::nat::port_mapping::job::MappingJob;
use crate::nat::port_mapping::lease_clock::now;
use crate::nat::port_mapping::record::MadeMapping;
use crate::nat::port_mapping::router::Router;
use crate::nat::port_mapping::update::MapperEvent;
use crate::net::order;
use crate::net::port_probe::describe_ports;

impl<F: Fn(MapperEvent)> Worker<F> {
    /// Removes what the job does not want: ports, in other protocols than its own, at other
    /// routers, and everything if there is no job. A round would come to that only after a good
    /// answer. A silent router is asked again later.
    pub(super) fn remove_unwanted(&mut self) {
        let until = now() + REMOVAL_MAX;
        let job = self.job.as_ref();
        let find = |job: &MappingJob| Router::find(job.interface.as_deref(), &job.listen).ok();
        let router = job.and_then(find);
        let is_unwanted = |client: &RouterClient, inner| {
            let is_other = router.is_some_and(|router| router != client.router);
            let is_wanted =
                |job: &MappingJob| job.protocols.contains(&client.protocol) && job.wants(inner);
            is_other || !job.is_some_and(is_wanted)
        };
        let list = |client: &RouterClient| -> Vec<MadeMapping> {
            let recorded = client.recorded();
            recorded
                .filter(|made| is_unwanted(client, made.inner))
                .collect()
        };
        let clients = self.client.iter().chain(&self.abandoned);
        let mut before: Vec<MadeMapping> = clients.flat_map(list).collect();
        before.extend(self.pinholes.unwanted(job));
        for client in self.client.iter_mut().chain(&mut self.abandoned) {
            let unwanted = order::set_of(list(client).iter().map(|made| made.inner));
            if !unwanted.is_empty() && self.link.connect(client.router.ends()).is_ok() {
                client.unmap_made(&mut self.link, |inner, _| unwanted.contains(&inner), until);
            }
        }
        self.pinholes.close_unwanted(&mut self.link, job, until);
        let clients = self.client.iter().chain(&self.abandoned);
        let mut left: Vec<MadeMapping> = clients.flat_map(list).collect();
        left.extend(self.pinholes.unwanted(job));
        if let Some(router) = router {
            // Its announcements arrive again.
            let _ = self.link.connect(router.ends());
        }
        self.abandoned.retain(RouterClient::has_mappings);
        self.removal.on_attempt(!left.is_empty(), now());
        if self.removal.take_first() {
            self.log_removal(&before, &left);
        }
    }

    /// Once, about an earlier run.
    fn log_removal(&mut self, before: &[MadeMapping], left: &[MadeMapping]) {
        let Some(first) = before.first() else {
            return;
        };
        let ports = |made: &[MadeMapping]| {
            let numbers = order::set_of(made.iter().map(|made| made.outer));
            describe_ports(&numbers)
        };
        let router = first.router;
        if left.is_empty() {
            let ports = ports(before);
            self.ledger.inform(format!(
                "the router {router} had ports open for an earlier run of this server, and closes those \
                 that are not wanted any more: {ports}"
            ));
        } else {
            let ports = ports(left);
            self.ledger.note(format!(
                "the router {router} has ports open for an earlier run of this server, and does not \
                 confirm that it closes them: {ports}; it is asked again; close them in its settings \
                 if they lead anywhere after an hour"
            ));
        }
    }

    /// What another router forwards, or this one to another address of this machine, if it can
    /// still be asked; and what this one forwards in another protocol, as far as it is not wanted.
    pub(super) fn remove_elsewhere(&mut self, router: Router, job: &MappingJob, until: Instant) {
        for client in &mut self.abandoned {
            let is_elsewhere = client.router != router;
            if client.has_mappings() && self.link.connect(client.router.ends()).is_ok() {
                let is_unwanted = |inner, _| is_elsewhere || !job.wants(inner);
                client.unmap_made(&mut self.link, is_unwanted, until);
            }
        }
        // Its announcements arrive again.
        let _ = self.link.connect(router.ends());
    }

    /// Has the routers forward nothing any more. They may be gone.
    pub(super) fn remove_all(&mut self, until: Instant) {
        for client in self.client.iter_mut().chain(&mut self.abandoned) {
            if client.has_mappings() && self.link.connect(client.router.ends()).is_ok() {
                client.unmap_made(&mut self.link, |_, _| true, until);
            }
        }
        self.pinholes.close_all(&mut self.link, until);
    }
}
