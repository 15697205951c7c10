//! The server's main thread: control sockets, the table of sessions, signals, and the shutdown.

mod accept;
mod accept_failures;
mod admission;
mod awaited_headers;
mod certificate;
mod changed_files;
mod file_looks;
mod findings;
mod fresh_settings;
mod fresh_users;
mod handle;
mod hooks;
mod listeners;
mod mapper;
mod metrics;
mod port_mapping;
mod reading;
mod refusals;
mod reload;
mod report;
mod rights;
mod sandbox;
mod service_manager;
mod service_state;
mod session_threads;
mod sessions;
mod shares;
mod shown;
mod shutdown;
mod signals;
mod single_client;
mod status;
mod system_check;
mod system_users;
mod transfer_log;
mod users;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use log::{error, info};
use mio::{Events, Poll, Token, Waker};

use crate::fs::attributes::ProcessUmask;
use crate::fs::quota::keeper::QuotaKeeper;
use crate::logging::repeated::RepeatedEvents;
use crate::logging::session_name::SessionName;
use crate::nat::address_source::AddressResolver;
use crate::nat::address_source::file::AddressFiles;
use crate::net::inetd;
use crate::net::interfaces::Interfaces;
use crate::net::passed_sockets::PassedSockets;
use crate::net::watch::{Debounce, InterfaceWatch};
use crate::passive::PassivePool;
use crate::privileges::{self, SystemLimits};
use crate::session::{Current, ServerState};
use crate::settings::watched_files::WatchedFiles;
use crate::settings::{Settings, SocketSource};
use crate::tls::Identity;

pub use handle::Handle;
pub use hooks::{HookHelpers, is_hook_helper, run_hook_helper, start_hook_helpers};
pub use sandbox::enter_sandbox;
pub use service_manager::ServiceManager;

use accept_failures::AcceptFailures;
use admission::LoginDelays;
use awaited_headers::{AwaitedHeaders, FailureLog};
use file_looks::FileLooks;
use handle::Message;
use hooks::ServerHooks;
use listeners::Listeners;
use mapper::ServerMapper;
use reading::{Reload, SettingsReader};
use sessions::Sessions;
use shown::ServerShown;
use signals::{Request, Signals};
use single_client::SingleClient;
use system_check::SystemUsersCheck;

/// A server that listens already, and serves once it [`run`](Self::run)s.
///
/// ```no_run
/// use ftp_server_sync::Server;
/// use ftp_server_sync::cli::{self, Invocation};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let arguments = ["--directory", "/srv/ftp"].map(Into::into);
/// if let Invocation::Serve(settings) = cli::parse(arguments, |_| None)? {
///     Server::bind(*settings)?.with_signals()?.run()?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct Server {
    poll: Poll,
    events: Events,
    listeners: Listeners,
    headers: AwaitedHeaders,
    state: Arc<ServerState>,
    sessions: Sessions,
    messages: Receiver<Message>,
    handle: Handle,
    addresses: AddressResolver,
    address_files: AddressFiles,
    /// `None` where the kernel reports no changes: networks are then read at a reload only.
    watch: Option<InterfaceWatch>,
    debounce: Debounce,
    certificate: WatchedFiles,
    users_file: WatchedFiles,
    looks: FileLooks,
    umask: ProcessUmask,
    limits: SystemLimits,
    signals: Signals,
    reader: SettingsReader,
    system_users: SystemUsersCheck,
    delays: LoginDelays,
    accept_failures: AcceptFailures,
    mapper: ServerMapper,
    hooks: ServerHooks,
    quotas: QuotaKeeper,
    service_manager: ServiceManager,
    /// `None` for a server that listens.
    single_client: Option<SingleClient>,
    shown: ServerShown,
    shutdown: Shutdown,
}

/// How far the shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    No,
    /// No new session is accepted. Those that run go on until they end.
    Draining,
    /// Transfers may go on until then.
    Grace(Instant),
    /// Every session has been asked to end; those that have not by then are left behind.
    Now(Instant),
    /// The time of the sessions is over: hooks, and the thread that has the router forward the
    /// ports, are waited for. They have deadlines of their own.
    Helpers,
}

impl Server {
    /// Opens the shared directory and the control sockets.
    ///
    /// # Errors
    ///
    /// What the system says, with the directory or the address, or what is wrong with the
    /// certificate. Or that the settings ask for a sandbox that this process is not in.
    pub fn bind(settings: Settings) -> io::Result<Self> {
        Self::with_listeners(settings, Listeners::default())
    }

    /// The same with control sockets that were passed at the start; the settings come from a
    /// command line that [knows them](crate::cli::CommandLine::with_sockets). A client that inetd
    /// has passed is sent away if this fails.
    ///
    /// # Errors
    ///
    /// As for [`bind`](Self::bind).
    pub fn bind_passed(settings: Settings, sockets: PassedSockets) -> io::Result<Self> {
        let listeners = Listeners::new(sockets.listeners);
        match (
            Self::with_listeners(settings, listeners),
            sockets.connection,
        ) {
            (Ok(server), connection) => Ok(Self {
                single_client: connection.map(SingleClient::new),
                ..server
            }),
            (Err(error), connection) => {
                if let Some(connection) = connection {
                    inetd::refuse(connection);
                }
                Err(error)
            }
        }
    }

    fn with_listeners(settings: Settings, mut listeners: Listeners) -> io::Result<Self> {
        privileges::check_start(&settings)?;
        sandbox::check_entered(&settings)?;
        let share = shares::open_share(&settings)?;
        let now = Instant::now();
        let certificate = WatchedFiles::new(settings.certificate_files(), now);
        let users_file = shares::watch(&settings, now);
        let poll = Poll::new()?;
        // Before the interfaces are read, so that no change is missed.
        let watch = InterfaceWatch::open(poll.registry(), INTERFACES);
        let interfaces = Interfaces::read()?;
        // Otherwise a finding says why.
        if !interfaces.without_netlink {
            let _ = watch.as_ref().map_err(Self::log_unwatched);
        }
        let identity = match Self::certificate_of_user(&settings) {
            Some(_) => None,
            None => Identity::load(&settings, &interfaces).map_err(io::Error::other)?,
        };
        if settings.socket_source != SocketSource::Inetd {
            listeners.update(&settings.listen, settings.passive_ports, poll.registry())?;
        }
        let transfer_log = transfer_log::open(&settings)?;
        let shown = ServerShown::new(&settings, now)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let events = RepeatedEvents::new(Some(waker.clone()));
        let (handle, messages) = Handle::with_messages(waker);
        let pool = PassivePool::new(settings.passive_ports);
        let mut addresses = AddressResolver::default();
        addresses.update_settings(&settings, now);
        let mut address_files = AddressFiles::default();
        for result in address_files.update_settings(&settings, now) {
            Self::log_lines(addresses.on_result(result, now));
        }
        let mut umask = ProcessUmask::default();
        umask.set(settings.umask);
        let limits = SystemLimits::raise(&settings);
        let current = Current::new(settings, share, interfaces, addresses.known(), identity);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            listeners,
            headers: AwaitedHeaders::default(),
            state: ServerState::new(pool, current, events.into(), transfer_log).into(),
            sessions: Sessions::new(handle.clone()),
            messages,
            handle,
            addresses,
            address_files,
            watch: watch.ok(),
            debounce: Debounce::default(),
            certificate,
            users_file,
            looks: FileLooks::default(),
            umask,
            limits,
            signals: Signals::default(),
            reader: SettingsReader::default(),
            system_users: SystemUsersCheck::default(),
            delays: LoginDelays::default(),
            accept_failures: AcceptFailures::default(),
            mapper: ServerMapper::default(),
            hooks: ServerHooks::default(),
            quotas: QuotaKeeper::default(),
            service_manager: ServiceManager::default(),
            single_client: None,
            shown,
            shutdown: Shutdown::No,
        })
    }

    /// Makes SIGTERM and SIGINT shut this server down, SIGHUP reload its settings, SIGUSR1 log its
    /// sessions, and SIGUSR2 end it when its last session has ended. Signals are a matter of the
    /// whole process: a library should not call it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn with_signals(mut self) -> io::Result<Self> {
        self.signals = Signals::register(self.poll.registry(), SIGNALS)?;
        Ok(self)
    }

    /// Makes SIGHUP and [`Handle::reload`] take the settings that `read` returns. Its error is a
    /// text for the log; the old settings then stay in force.
    #[must_use]
    pub fn with_reload(
        mut self,
        read: impl FnMut() -> Result<Settings, String> + Send + 'static,
    ) -> Self {
        let read: Reload = Box::new(read);
        self.reader.reload = Some(Arc::new(read.into()));
        self
    }

    /// Lets these processes start the hooks, where this one enters a sandbox: see
    /// [`start_hook_helpers`].
    #[must_use]
    pub fn with_hook_helpers(mut self, helpers: HookHelpers) -> Self {
        self.hooks.helpers = helpers;
        self
    }

    /// Keeps the service manager informed that has started this process.
    #[must_use]
    pub fn with_service_manager(mut self, service_manager: ServiceManager) -> Self {
        self.service_manager = service_manager;
        self
    }

    /// The addresses that it listens on. A port that was given as 0 is the real one here.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let bound = self.listeners.bound().into_iter();
        bound.map(|(address, _)| address).collect()
    }

    /// Shuts the server down, or reloads its settings, from another thread.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Logs what is served, then serves until the server is shut down and its last session has
    /// ended.
    ///
    /// # Errors
    ///
    /// If the poll itself fails. The sessions have then been asked to end.
    pub fn run(mut self) -> io::Result<()> {
        self.start_transfer_log();
        self.log_start();
        self.update_port_mapping();
        self.hooks.start(&self.state, &self.handle);
        self.update_quotas();
        self.service_manager.ready();
        self.start_showing();
        loop {
            self.read_messages();
            self.update_headers(Instant::now());
            self.serve_single_client(Instant::now());
            self.inform_service_manager(Instant::now());
            if self.is_over() {
                return Ok(());
            }
            self.update();
            self.accept_all();
            self.state.events.write_due(Instant::now());
            let timeout = self.next_timeout();
            let awaits_ends = self.awaits_ends();
            if self.handle.await_all(awaits_ends) {
                continue;
            }
            match self.poll.poll(&mut self.events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.end_now();
                    return Err(error);
                }
                Ok(()) => self.on_events(),
            }
        }
    }

    /// Whether something waits for sessions to end. Otherwise their ends wake no one: they are seen
    /// when the next client comes.
    fn awaits_ends(&self) -> bool {
        self.shutdown != Shutdown::No
            || self.single_client.is_some()
            || self.shown.awaits_ends()
            || self.service_manager.is_informed()
    }

    fn next_timeout(&self) -> Option<Duration> {
        let shutdown = match self.shutdown {
            Shutdown::No | Shutdown::Draining | Shutdown::Helpers => None,
            Shutdown::Grace(deadline) | Shutdown::Now(deadline) => Some(deadline),
        };
        let due = [
            shutdown,
            self.accept_failures.pause_end(),
            self.headers.due(),
            self.state.events.due(),
            self.addresses.next_wake(),
            self.debounce.next_look(),
            self.files_due(),
            self.mapper.removal_deadline(),
            self.hooks.deadline(),
            self.reading_due(),
            self.system_users_due(),
            self.service_manager.due(),
            self.single_client.as_ref().and_then(SingleClient::due),
            self.shown.due(),
        ];
        let due = due.into_iter().flatten().min();
        due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn on_events(&mut self) {
        let (mut signalled, mut interfaces_changed) = (false, false);
        for event in &self.events {
            match event.token() {
                WAKER => {}
                SIGNALS => signalled = true,
                INTERFACES => interfaces_changed = true,
                token if AwaitedHeaders::is_own(token) => {
                    let log = FailureLog {
                        events: &self.state.events,
                        now: Instant::now(),
                    };
                    self.headers.on_event(event, self.poll.registry(), &log);
                }
                token => self.listeners.on_event(token),
            }
        }
        if interfaces_changed {
            self.on_interfaces_changed();
        }
        if signalled {
            // A report has no sessions that have ended.
            self.read_messages();
            for request in self.signals.take() {
                self.on_signal(request);
            }
        }
    }

    fn on_signal(&mut self, request: Request) {
        match (request, self.shutdown) {
            (Request::End(signal), Shutdown::No | Shutdown::Draining) => {
                info!("shutting down: {signal} asks for it");
                self.end_gracefully();
            }
            (Request::End(signal), _) => {
                info!("shutting down at once: a second signal, {signal}, asks for it");
                self.end_now();
            }
            (Request::Reload, _) => self.reload_settings(),
            (Request::Report, _) => self.log_report(),
            (Request::Drain, _) => {
                let _ = self.drain("SIGUSR2");
            }
        }
    }

    fn read_messages(&mut self) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::ShutDown => self.end_now(),
                Message::Reload => self.reload_settings(),
                Message::Resolved(answer) => self.on_resolved(answer),
                Message::PortMapping(event) => self.on_port_mapping(event),
                Message::SettingsRead => self.take_fresh_settings(Duration::ZERO),
                Message::FilesSeen => self.on_files_seen(),
                Message::SystemUsersChecked => self.on_system_users_checked(),
                Message::HookThreadEnded => self.hooks.on_thread_ended(),
                Message::Ordered(order, answer) => self.on_order(order, answer),
                Message::Ended {
                    number,
                    has_panicked,
                } => {
                    self.shown.on_session_ended(number);
                    if let Some(client) = self.sessions.remove(number)
                        && has_panicked
                    {
                        let name = SessionName::new(number, client);
                        error!("{name} the session ended by a fault of the server");
                    }
                }
            }
        }
    }
}

const WAKER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);
const INTERFACES: Token = Token(usize::MAX - 2);

const EVENTS_MAX: usize = 64;
