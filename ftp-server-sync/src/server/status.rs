//! What the server shows of itself, and what clients of the status socket order.

use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ftp_proto::text::printable_word;
use log::{info, warn};

use super::shown::{Orders, ServerFacts};
use super::{Server, Shutdown};
use crate::logging::counted::counted;
use crate::logging::system_text::SystemText;
use crate::privileges;
use crate::settings::{Settings, StatusSocketPlace};
use crate::status::reply::StatusOrder;
use crate::status::service::{PendingAnswer, StatusService};
use crate::status::snapshot::ServerPhase;
use crate::status::socket::{StatusSocket, is_directory_of_root};

impl Server {
    /// Makes the status socket that the settings name. A server whose socket cannot be made serves
    /// all the same, and logs why. To be called before [`with_run_as`](Self::with_run_as): only
    /// root may make files in some directories.
    #[must_use]
    pub fn with_status_socket(mut self) -> Self {
        let current = self.state.current();
        let settings = &current.settings;
        let Some(path) = self.status_socket_path(settings) else {
            return self;
        };
        if let StatusSocketPlace::Directory(directory) = &settings.status_socket {
            match &settings.run_as {
                // If it fails, the server may still make a socket there, and not remove it.
                Some(run_as) => {
                    let _ = privileges::hand_over(directory, &settings.state_files(), run_as);
                }
                None => {
                    // If it fails, making the socket fails too.
                    let mut builder = DirBuilder::new();
                    let _ = builder.recursive(true).mode(0o700).create(directory);
                }
            }
        }
        self.shown.opens_as_user = settings.run_as.is_some() && !is_directory_of_root(&path);
        if !self.shown.opens_as_user {
            self.open_status_socket(settings, path);
        }
        self
    }

    /// The rights of root are given up.
    pub(super) fn open_socket_as_user(&mut self) {
        let current = self.state.current();
        if std::mem::take(&mut self.shown.opens_as_user)
            && let Some(path) = self.status_socket_path(&current.settings)
        {
            self.open_status_socket(&current.settings, path);
        }
    }

    fn status_socket_path(&self, settings: &Settings) -> Option<PathBuf> {
        let bound = self.listeners.bound();
        let mut control = bound.iter().filter(|(_, listen)| !listen.implicit_tls);
        let port = control.next().map_or(0, |(address, _)| address.port());
        settings.status_socket.file(port)
    }

    fn open_status_socket(&mut self, settings: &Settings, path: PathBuf) {
        let error = match bind(settings, &path) {
            Ok(socket) => return self.shown.socket = Some(socket),
            Err(error) => error,
        };
        let later = if error.kind() == ErrorKind::AddrInUse {
            self.shown.try_socket_again(Instant::now());
            "; this server takes it when the other one has ended"
        } else {
            ""
        };
        let problem = format!(
            "no status socket at {}: {}; give another path with --status-socket, or off{later}",
            printable_word(path.as_os_str().as_bytes()),
            SystemText(&error)
        );
        match settings.status_socket {
            StatusSocketPlace::File(_) => warn!("{problem}"),
            _ => info!("note: {problem}"),
        }
    }

    /// Another server had the socket: one that drained, perhaps, when this one was started.
    pub(super) fn take_socket_over(&mut self, now: Instant) {
        let current = self.state.current();
        if !self.shown.is_socket_due(now) || self.shutdown != Shutdown::No {
            return;
        }
        let Some(path) = self.status_socket_path(&current.settings) else {
            return;
        };
        let name = printable_word(path.as_os_str().as_bytes());
        match bind(&current.settings, &path) {
            Ok(socket) => {
                info!("status socket at {name}: the other server has ended");
                self.shown.socket = Some(socket);
                self.serve_socket();
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                self.shown.try_socket_again(now);
            }
            Err(error) => warn!(
                "no status socket at {name}: {}; restart the server",
                SystemText(&error)
            ),
        }
    }

    /// Starts what shows the server's state to others.
    pub(super) fn start_showing(&mut self) {
        self.update_facts();
        let source = self.shown.source(self.state.clone());
        self.start_metrics(source);
        self.serve_socket();
    }

    fn serve_socket(&mut self) {
        let source = self.shown.source(self.state.clone());
        if let Some(socket) = self.shown.socket.take() {
            let orders = Box::new(Orders(self.handle.clone()));
            match StatusService::start(socket, source, orders) {
                Ok(service) => self.shown.service = Some(service),
                Err(error) => warn!(
                    "the status socket is not served: {}; restart the server when others use less",
                    SystemText(&error)
                ),
            }
        }
    }

    /// Something has changed that only the main thread knows.
    pub(super) fn update_facts(&self) {
        self.shown.set_facts(ServerFacts {
            phase: match self.shutdown {
                Shutdown::No => ServerPhase::Serving,
                Shutdown::Draining => ServerPhase::Draining,
                Shutdown::Grace(_) | Shutdown::Now(_) | Shutdown::Helpers => {
                    ServerPhase::ShuttingDown
                }
            },
            listen: self.addresses(),
            sessions_max: self.sessions_max().into(),
        });
    }

    /// The socket stays where it is.
    pub(super) fn with_current_socket(&self, mut settings: Settings) -> Settings {
        let place = &self.state.current().settings.status_socket;
        if settings.status_socket != *place {
            warn!("--status-socket has changed: restart the server, whose socket stays until then");
            settings.status_socket.clone_from(place);
        }
        settings
    }

    /// A client of the status socket has ordered something.
    pub(super) fn on_order(&mut self, order: StatusOrder, answer: PendingAnswer) {
        match order {
            StatusOrder::Kick(number) => self.kick(number, answer),
            StatusOrder::Reload => {
                info!("reloading: {WHO} asks for it");
                self.shown.await_reload(answer);
                self.reload_settings();
            }
            StatusOrder::Drain => match self.drain(WHO) {
                Ok(running) => answer.done(format!(
                    "the server ends after its last session; {} left",
                    counted(running as u64, "session")
                )),
                Err(problem) => answer.error(problem),
            },
            StatusOrder::Stop => {
                match self.shutdown {
                    Shutdown::No | Shutdown::Draining => {
                        info!("shutting down: {WHO} asks for it");
                        self.end_gracefully();
                    }
                    _ => {
                        info!("shutting down at once: {WHO} asks for it");
                        self.end_now();
                    }
                }
                answer.done("the server shuts down");
            }
        }
    }

    fn kick(&mut self, number: u64, answer: PendingAnswer) {
        let Some(client) = self.sessions.client(number) else {
            return answer.error(format!("no session has the number {number}"));
        };
        info!("ending session {number}, of {client}: {WHO} asks for it");
        self.sessions.kick(number);
        self.shown.await_end(number, answer);
    }
}

/// The socket of a server with these settings.
fn bind(settings: &Settings, path: &Path) -> io::Result<StatusSocket> {
    let socket = StatusSocket::bind(path)?;
    if let Some(user) = &settings.run_as {
        socket.give_to(user.user, user.group)?;
    }
    Ok(socket)
}

/// In the log.
const WHO: &str = "a client of the status socket";
