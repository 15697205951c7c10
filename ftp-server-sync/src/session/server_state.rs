//! What all sessions of a server share.
//!
//! A change replaces [`Current`] as a whole. A session that holds an older one has a consistent set
//! of settings until it takes the new one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ftp_proto::listing::SortMemory;
use ftp_proto::{Config, Endpoints};

use super::hook_queue::HookQueues;
use super::transfer_log::TransferLog;
use super::user_sessions::UserSessions;
use crate::accounts::comparisons::Comparisons;
use crate::accounts::login_throttle::LoginThrottle;
use crate::fs::attributes::process_umask;
use crate::fs::file_hash::HashSlots;
use crate::fs::homes::Homes;
use crate::fs::share::Share;
use crate::fs::upload::Uploads;
use crate::locks::lock;
use crate::logging::file_log::FileLog;
use crate::logging::repeated::RepeatedEvents;
use crate::nat::never_connected_log::NeverConnectedLog;
use crate::nat::port_mapping::update::PortMappings;
use crate::nat::reached_ports::ReachedPorts;
use crate::nat::returning_strangers::ReturningStrangers;
use crate::net::interfaces::Interfaces;
use crate::passive::{ListenAddresses, PassivePool};
use crate::settings::{KnownAddresses, Settings, Users};
use crate::status::counts::ServerCounts;
use crate::status::record::SessionRecords;
use crate::tls::{Identity, TicketRegistry};

/// The passive ports, the TLS tickets, the uploads and the digests of all sessions, the settings in
/// force, and counts for the log: data connections that clients did not open, and what strangers
/// cause.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) pool: PassivePool,
    pub(crate) never_connected: NeverConnectedLog,
    pub(crate) reached_ports: ReachedPorts,
    pub(crate) returning_strangers: ReturningStrangers,
    /// Which session each TLS ticket comes from.
    pub(crate) tickets: Arc<TicketRegistry>,
    pub(super) uploads: Arc<Uploads>,
    /// For the names of all listings.
    pub(super) sort_memory: Arc<SortMemory>,
    /// What strangers cause, for the log.
    pub(crate) events: Arc<RepeatedEvents>,
    /// The failed logins of all addresses.
    pub(crate) login_throttle: LoginThrottle,
    /// The passwords of all sessions that are compared with hashes.
    pub(super) comparisons: Comparisons,
    pub(super) hash_slots: Arc<HashSlots>,
    /// Those of each user of the file.
    pub(super) user_sessions: Arc<UserSessions>,
    /// Runs of the operator's programs that wait.
    pub(crate) hooks: Arc<HookQueues>,
    /// The file of `--xferlog`.
    pub(crate) transfer_log: FileLog,
    /// What each session is doing.
    pub(crate) records: Arc<SessionRecords>,
    pub(crate) counts: ServerCounts,
    current: Mutex<Arc<Current>>,
    /// Counts replacements: a session sees without the lock that there was none.
    generation: AtomicU64,
}

/// One set of settings, the state of this machine that they are applied to, and what follows from
/// both.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) settings: Arc<Settings>,
    pub(crate) share: Share,
    /// The homes of the users of the file.
    pub(crate) homes: Homes,
    pub(crate) interfaces: Interfaces,
    /// The public addresses that the settings do not contain themselves.
    pub(crate) known: KnownAddresses,
    /// What the router forwards because the server has asked for it.
    pub(crate) mappings: Arc<PortMappings>,
    /// `None` without TLS.
    pub(crate) identity: Option<Identity>,
    pub(crate) config: Arc<Config>,
    /// The addresses of this machine that some clients are given although they connect to another.
    announced_own: Vec<Ipv4Addr>,
}

impl Current {
    pub(crate) fn new(
        settings: Settings,
        share: Share,
        interfaces: Interfaces,
        known: KnownAddresses,
        identity: Option<Identity>,
    ) -> Self {
        Self {
            config: config(&settings, &interfaces, &known, &PortMappings::default()),
            announced_own: settings.announced_own_addresses(&interfaces, &known),
            homes: Homes::default().updated(settings.users.directories(), &share),
            settings: settings.into(),
            share,
            interfaces,
            known,
            mappings: Arc::default(),
            identity,
        }
    }

    /// The same settings after this machine's networks have changed.
    pub(crate) fn with_interfaces(&self, interfaces: Interfaces) -> Self {
        Self {
            config: config(&self.settings, &interfaces, &self.known, &self.mappings),
            announced_own: self
                .settings
                .announced_own_addresses(&interfaces, &self.known),
            interfaces,
            ..self.clone()
        }
    }

    /// The same settings after the known addresses have changed.
    pub(crate) fn with_addresses(&self, known: KnownAddresses) -> Self {
        Self {
            config: config(&self.settings, &self.interfaces, &known, &self.mappings),
            announced_own: self
                .settings
                .announced_own_addresses(&self.interfaces, &known),
            known,
            ..self.clone()
        }
    }

    /// The same settings with other users of the file.
    pub(crate) fn with_users(&self, users: Users) -> Self {
        let homes = self.homes.updated(users.directories(), &self.share);
        let settings = Settings {
            users,
            ..(*self.settings).clone()
        };
        Self {
            settings: settings.into(),
            homes,
            ..self.clone()
        }
    }

    /// The same with these users, whose directories are not looked at: those that were not known
    /// before are not open.
    pub(crate) fn with_users_of_known_homes(&self, users: Users) -> Self {
        let settings = Settings {
            users,
            ..(*self.settings).clone()
        };
        Self {
            settings: settings.into(),
            ..self.clone()
        }
    }

    /// The same with the users, and their homes, of other settings that differ in nothing else.
    pub(crate) fn with_users_of(&self, other: &Self) -> Self {
        Self {
            settings: other.settings.clone(),
            homes: other.homes.clone(),
            ..self.clone()
        }
    }

    /// The same, where what `before` has found out about homes stays known.
    #[must_use]
    pub(crate) fn with_homes_of(self, before: &Self) -> Self {
        let homes = before
            .homes
            .updated(self.settings.users.directories(), &self.share);
        Self { homes, ..self }
    }

    /// Where the session with these endpoints opens its passive port. `own`: the local address of
    /// its control connection, which is not the one that the client sees behind a balancer.
    pub(crate) fn listen_addresses(
        &self,
        own: SocketAddr,
        endpoints: &Endpoints,
    ) -> ListenAddresses {
        let addresses = ListenAddresses::from(own);
        if self.announced_own.is_empty() {
            return addresses;
        }
        let announced = match self.config.masquerade.lookup(endpoints).address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        };
        let own = announced.filter(|address| self.announced_own.contains(address));
        addresses.with_announced(own)
    }

    /// The same settings after the router has answered.
    pub(crate) fn with_mappings(&self, mappings: Arc<PortMappings>) -> Self {
        Self {
            config: config(&self.settings, &self.interfaces, &self.known, &mappings),
            mappings,
            ..self.clone()
        }
    }

    /// The same settings with another certificate.
    pub(crate) fn with_identity(&self, identity: Option<Identity>) -> Self {
        Self {
            identity,
            ..self.clone()
        }
    }
}

impl ServerState {
    pub(crate) fn new(
        pool: PassivePool,
        current: Current,
        events: Arc<RepeatedEvents>,
        transfer_log: FileLog,
    ) -> Self {
        Self {
            pool,
            never_connected: NeverConnectedLog::default(),
            reached_ports: ReachedPorts::default(),
            returning_strangers: ReturningStrangers::default(),
            tickets: Arc::default(),
            uploads: Arc::default(),
            sort_memory: SortMemory::new(SORT_BYTES_MAX).into(),
            events,
            login_throttle: LoginThrottle::default(),
            comparisons: Comparisons::default(),
            hash_slots: Arc::default(),
            user_sessions: Arc::default(),
            hooks: Arc::default(),
            transfer_log,
            records: Arc::default(),
            counts: ServerCounts::default(),
            current: Mutex::new(current.into()),
            generation: AtomicU64::new(0),
        }
    }

    /// Where a session that begins now writes its transfers to.
    pub(super) fn transfers(&self) -> TransferLog {
        let current = self.current();
        let settings = current.settings.transfer_log.as_ref();
        TransferLog {
            file: self.transfer_log.clone(),
            zone: settings.map(|settings| settings.zone.clone()),
        }
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        lock(&self.current).clone()
    }

    /// The number of the replacement in force. Read it before [`current`](Self::current): then a
    /// replacement between the two calls is seen at the next look.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn replace(&self, current: Current) {
        *lock(&self.current) = current.into();
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// The core's configuration, with the umask that the system applies to new files of this process.
fn config(
    settings: &Settings,
    interfaces: &Interfaces,
    known: &KnownAddresses,
    mappings: &PortMappings,
) -> Arc<Config> {
    let mut config = settings.config(interfaces, known);
    config.masquerade.learned = mappings.public;
    config.umask = process_umask().unwrap_or(config.umask);
    config.into()
}

/// Enough for some large directories at a time, on a small machine.
const SORT_BYTES_MAX: usize = 16 << 20;
