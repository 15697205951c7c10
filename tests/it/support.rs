//! What the tests share: servers, clients, certificates, the lab of network namespaces, other
//! programs.

pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod client_program;
pub(crate) mod data;
pub(crate) mod fault;
pub(crate) mod figures;
pub(crate) mod file_contents;
pub(crate) mod filezilla;
pub(crate) mod forwarder;
pub(crate) mod garbage;
pub(crate) mod lab;
pub(crate) mod log;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod server;
pub(crate) mod status_client;
pub(crate) mod strategies;
pub(crate) mod thread_status;
pub(crate) mod wait;
