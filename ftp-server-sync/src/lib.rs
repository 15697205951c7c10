//! An FTP server for small machines behind a NAT router, with one thread per session.
//!
//! [`cli`] makes [`Settings`] from the command line, the environment and the configuration file.
//! [`Server`] opens the sockets that they name, and serves until its [`Handle`] or a signal shuts
//! it down. [`check`] and [`rules`] serve nothing: they print what clients would get, and the rules
//! for the router; [`probe`] looks at any FTP server as its clients do. The protocol is that of
//! [`ftp_proto`]; this crate gives it sockets, files and clocks.
//!
//! # Code map
//!
//! A module uses only modules further down in this table.
//!
//! | place | concern |
//! |---|---|
//! | `main` | start, exit code |
//! | [`cli`] | from command line, environment and file to settings |
//! | `cli/flags` | every flag, with its help text |
//! | `cli/environment`, `cli/config_file` | flags as environment variables; flags as lines of a file |
//! | `cli/expand`, `cli/values`, `cli/resolve` | how flags are written; what one value means; what all of them mean |
//! | `cli/error` | errors about flags |
//! | [`Server`] (`server`) | the main thread: accepting, signals, shutdown |
//! | `server/sessions`, `server/limits`, `server/listeners` | the running sessions; who is let in; control sockets |
//! | `server/session_threads` | the threads of sessions: new ones, and those that wait for another session |
//! | `server/reload`, `server/certificate` | what changes while the server runs |
//! | `server/changed_files`, `server/file_looks` | when files are looked at that may change; the thread that does it |
//! | `server/rights` | from root to another user |
//! | `server/users` | the users file, when it changes |
//! | `server/service_manager`, `server/service_state` | messages to systemd: readiness, status, watchdog |
//! | `server/single_client` | the one client of a server that inetd has started |
//! | `server/hooks` | the operator's programs: their processes, output and end |
//! | `session` | the thread of one session: one poll, one loop |
//! | `session/connection` | the core with its sockets and files; runs until it has to wait |
//! | `session/actions` | how each action of the core is performed |
//! | `session/control`, `session/timers`, `session/tls` | the control socket; the core's timers; TLS on it |
//! | `session/log` | the log lines of a session |
//! | `session/user` | home, rights and limits of a user of the file |
//! | `session/hooks` | what a session reports to the operator's programs |
//! | `session/server_state` | what all sessions share |
//! | [`check`], [`rules`] (`nat`) | everything about the way outside: `--check`, `--rules`, findings, where public addresses come from |
//! | [`probe`] | `--probe`: a look at a server from the client's side |
//! | `data` | one data connection, and the bytes of its transfer |
//! | `passive` | the pool of passive ports: leases, the queue for them, which peer is accepted |
//! | `fs` | the shared directory, and files beneath it: opening, writing, attributes, listings |
//! | `tls` | certificates, TLS sessions and streams; without the feature `tls`, `tls/disabled` takes its place |
//! | `privileges` | the rights of this process, and how it gives them up; the limits of the system |
//! | [`status`] | what the server is doing: its sessions and counts at one moment |
//! | `status/client`, `status/metrics` | `--who` and orders; metrics over HTTP |
//! | [`settings`] | what the operator has set |
//! | `accounts` | who may log in and do what; `accounts/users_file` reads the users file |
//! | `accounts/similar` | "did you mean": the name that a wrong one probably stands for |
//! | `net` | this machine: its networks, sockets, ports |
//! | `sandbox` | the files that the process keeps the right to open: `--sandbox` |
//! | `logging` | the threads that write the log and its files; how a line is laid out; the wall clock |
//! | `locks` | locks that stay usable after a panic |
//!
//! # What holds everywhere
//!
//! - The core never fails on what a client sends. It knows no file, socket, clock or log.
//! - Replies and actions share one queue, because FTP's correctness is the order of its replies.
//! - The final reply to a transfer comes from its end alone.
//! - A session's thread waits in one place only, in `mio::Poll::poll`.
//! - No port outside the range is ever bound. The pool's lock is never held across a system call.
//! - There is no `unsafe` code.
//!
//! What is trusted, and why, is in `docs/security.md`; how to change things in
//! `.github/CONTRIBUTING.md`; the manual for operators is `README.md` with `ftp-server-sync/docs/`.
//!
//! [`Settings`]: settings::Settings

mod accounts;
pub mod cli;
mod data;
mod fs;
mod locks;
mod logging;
mod nat;
mod net;
mod passive;
mod privileges;
pub mod probe;
mod sandbox;
mod server;
mod session;
pub mod settings;
pub mod status;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls/disabled.rs"]
mod tls;

pub use fs::quota::recount::{RecountReport, recount};
pub use logging::StderrWriter;
pub use nat::{check, rules};
pub use net::inetd::refuse_inetd_client;
pub use net::passed_sockets::PassedSockets;
#[doc(hidden)]
pub use passive::LeaseBench;
pub use server::{
    Handle, HookHelpers, Server, ServiceManager, enter_sandbox, is_hook_helper, run_hook_helper,
    start_hook_helpers,
};
