//! What each session is doing, as its thread notes it.
//!
//! A reader never waits for a session: one that hangs on a disk which does not answer is shown with
//! what it does. So the lock of a record is never held across a system call, and what may hang is
//! noted before it begins.

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ftp_proto::PassiveOffer;
use ftp_proto::text::printable;

use super::snapshot::{Activity, Announced, Direction, SessionStatus, TransferStatus};
use super::unsent::{DataEnds, UnsentBytes};
use crate::locks::lock;

/// The records of all sessions that run.
#[derive(Debug, Default)]
pub(crate) struct SessionRecords(Mutex<BTreeMap<u64, Arc<SessionRecord>>>);

/// The record of a session, until it is dropped.
#[derive(Debug)]
pub(crate) struct RecordEntry {
    record: Arc<SessionRecord>,
    all: Arc<SessionRecords>,
}

/// What one session is doing. Its thread writes, all others read.
#[derive(Debug)]
pub(crate) struct SessionRecord {
    number: u64,
    client: SocketAddr,
    local: SocketAddr,
    started: Instant,
    /// Milliseconds from the start to the last command.
    last_command: AtomicU64,
    /// The bytes that the transfer has moved.
    bytes: AtomicU64,
    state: Mutex<RecordState>,
}

/// What changes between commands, and not with each block of a transfer.
#[derive(Clone, Debug, Default)]
struct RecordState {
    /// As the client sent it.
    user: Option<Box<[u8]>>,
    /// The version of TLS.
    tls: Option<String>,
    doing: Doing,
    transfer: Option<TransferRecord>,
    /// The command that is being performed, and may take long.
    working: Option<String>,
    /// What the last PASV or EPSV has announced, and whether a connection came.
    announced: Option<(PassiveOffer, Option<bool>)>,
}

/// What a session without a transfer waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Doing {
    /// A command.
    #[default]
    Nothing,
    /// A passive port.
    Queued { since: Instant },
    /// A connection to this passive port.
    Listening { port: u16 },
    /// The command of a transfer, whose data connection is open.
    Connected,
}

/// A transfer, as far as it is known from its beginning on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransferRecord {
    pub(crate) command: &'static str,
    pub(crate) path: Vec<u8>,
    pub(crate) direction: Direction,
    pub(crate) is_protected: bool,
    /// `None` in active mode.
    pub(crate) passive_port: Option<u16>,
    pub(crate) offset: u64,
    pub(crate) size: Option<u64>,
    /// When its data connection was established, and with whom.
    pub(crate) connected: Option<(Instant, Option<SocketAddr>)>,
}

/// A record at one moment.
#[derive(Debug)]
struct RecordCopy {
    record: Arc<SessionRecord>,
    state: RecordState,
    bytes: u64,
}

impl SessionRecords {
    /// Begins the record of a session.
    pub(crate) fn add(
        self: &Arc<Self>,
        number: u64,
        client: SocketAddr,
        local: SocketAddr,
        now: Instant,
    ) -> RecordEntry {
        let record = Arc::new(SessionRecord {
            number,
            client,
            local,
            started: now,
            last_command: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            state: Mutex::default(),
        });
        lock(&self.0).insert(number, record.clone());
        RecordEntry {
            record,
            all: self.clone(),
        }
    }

    /// What all sessions do, in the order of their numbers.
    pub(crate) fn read(&self) -> Vec<SessionStatus> {
        let copies = self.copies();
        // After the bytes: so none counts that the kernel has not sent.
        let peers: HashSet<_> = copies.iter().filter_map(RecordCopy::receiver).collect();
        let unsent = UnsentBytes::read(&peers);
        let now = Instant::now();
        copies
            .iter()
            .map(|copy| copy.status(&unsent, now))
            .collect()
    }

    /// The same without what the kernel still has to send: with many connections, its table is most
    /// of the work.
    pub(crate) fn activities(&self) -> Vec<Activity> {
        let unsent = UnsentBytes::default();
        let now = Instant::now();
        let copies = self.copies();
        copies
            .iter()
            .map(|copy| copy.activity(&unsent, now))
            .collect()
    }

    fn copies(&self) -> Vec<RecordCopy> {
        let records: Vec<_> = lock(&self.0).values().cloned().collect();
        records.into_iter().map(RecordCopy::of).collect()
    }
}

impl std::ops::Deref for RecordEntry {
    type Target = SessionRecord;

    fn deref(&self) -> &SessionRecord {
        &self.record
    }
}

impl Drop for RecordEntry {
    fn drop(&mut self) {
        lock(&self.all.0).remove(&self.record.number);
    }
}

impl SessionRecord {
    /// The client has sent a command.
    pub(crate) fn on_command(&self, now: Instant) {
        let since = now.saturating_duration_since(self.started);
        let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        self.last_command.store(milliseconds, Ordering::Relaxed);
    }

    /// The user who is logged in, as the client sent it.
    pub(crate) fn set_user(&self, user: Option<&[u8]>) {
        let mut state = lock(&self.state);
        if state.user.as_deref() != user {
            state.user = user.map(Box::from);
        }
    }

    /// TLS is established on the control connection.
    pub(crate) fn set_tls(&self, version: &str) {
        lock(&self.state).tls = Some(version.to_owned());
    }

    /// The turn of the session is over, and it waits for this.
    pub(crate) fn set_doing(&self, doing: Doing) {
        let mut state = lock(&self.state);
        state.doing = doing;
        state.working = None;
    }

    /// The session begins with something that may take long.
    pub(crate) fn set_working(&self, command: String) {
        lock(&self.state).working = Some(command);
    }

    /// The passive port was announced.
    pub(crate) fn set_announced(&self, offer: PassiveOffer) {
        lock(&self.state).announced = Some((offer, None));
    }

    /// Whether a client came to the port that was announced. What is known first stays.
    pub(crate) fn set_reached(&self, is_connected: bool) {
        if let Some((_, reached)) = &mut lock(&self.state).announced {
            reached.get_or_insert(is_connected);
        }
    }

    /// A transfer begins.
    pub(crate) fn begin_transfer(&self, transfer: TransferRecord) {
        self.bytes.store(0, Ordering::Relaxed);
        let mut state = lock(&self.state);
        state.transfer = Some(transfer);
        state.working = None;
    }

    /// What was not known of the transfer when it began.
    pub(crate) fn update_transfer(&self, update: impl FnOnce(&mut TransferRecord)) {
        if let Some(transfer) = &mut lock(&self.state).transfer {
            update(transfer);
        }
    }

    /// The bytes that the transfer has moved.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// The transfer has ended.
    pub(crate) fn end_transfer(&self) {
        lock(&self.state).transfer = None;
    }
}

impl TransferRecord {
    /// Its data connection, if bytes go out on it.
    fn ends(&self) -> Option<DataEnds> {
        let (_, peer) = self.connected?;
        let is_outward = self.direction != Direction::Upload;
        let peer = peer.filter(|_| is_outward)?;
        Some(DataEnds {
            local_port: self.passive_port,
            // Without the interface of a link-local address, which the kernel's table has not.
            peer: SocketAddr::new(peer.ip(), peer.port()),
        })
    }

    fn status(&self, bytes: u64, now: Instant) -> TransferStatus {
        let since = self.connected.map(|(since, _)| since);
        let time = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let rate = rate(bytes, time);
        let left = self.size.map(|size| {
            let done = self.offset.saturating_add(bytes);
            size.saturating_sub(done)
        });
        TransferStatus {
            command: self.command.to_owned(),
            path: printable(&self.path).to_string(),
            direction: self.direction,
            is_connected: since.is_some(),
            is_protected: self.is_protected,
            passive_port: self.passive_port,
            offset: self.offset,
            bytes,
            size: self.size,
            seconds: seconds(time),
            rate,
            seconds_left: left.and_then(|left| seconds_left(left, rate)),
        }
    }
}

impl RecordCopy {
    fn of(record: Arc<SessionRecord>) -> Self {
        let state = lock(&record.state).clone();
        let bytes = record.bytes.load(Ordering::Relaxed);
        Self {
            record,
            state,
            bytes,
        }
    }

    /// The client's end of a connection on which bytes go out.
    fn receiver(&self) -> Option<SocketAddr> {
        let transfer = self.state.transfer.as_ref()?;
        Some(transfer.ends()?.peer)
    }

    fn status(&self, unsent: &UnsentBytes, now: Instant) -> SessionStatus {
        let Self { record, state, .. } = self;
        let last = Duration::from_millis(record.last_command.load(Ordering::Relaxed));
        let age = now.saturating_duration_since(record.started);
        let user = state.user.as_deref();
        SessionStatus {
            number: record.number,
            client: record.client,
            local: record.local,
            user: user.map(|user| printable(user).to_string()),
            tls: state.tls.clone(),
            age_seconds: seconds(age),
            quiet_seconds: seconds(age.saturating_sub(last)),
            activity: self.activity(unsent, now),
            announced: state.announced.as_ref().map(|(offer, reached)| {
                // The core hears of an early connection only when the command of a transfer comes.
                let is_here = state.transfer.is_none() && state.doing == Doing::Connected;
                announced(offer, reached.or(is_here.then_some(true)))
            }),
        }
    }

    fn activity(&self, unsent: &UnsentBytes, now: Instant) -> Activity {
        let state = &self.state;
        if let Some(transfer) = &state.transfer {
            let unsent = transfer.ends().map_or(0, |ends| unsent.of(ends));
            return Activity::Transfer(transfer.status(self.bytes.saturating_sub(unsent), now));
        }
        if let Some(command) = &state.working {
            let command = command.clone();
            return Activity::Working { command };
        }
        match state.doing {
            Doing::Nothing if state.user.is_none() => Activity::Login,
            Doing::Nothing => Activity::Idle,
            Doing::Queued { since } => Activity::WaitingForPort {
                seconds: seconds(now.saturating_duration_since(since)),
            },
            Doing::Listening { port } => Activity::WaitingForConnection { port },
            Doing::Connected => Activity::Connected,
        }
    }
}

fn announced(offer: &PassiveOffer, is_connected: Option<bool>) -> Announced {
    let address: IpAddr = offer.announcement.address;
    Announced {
        address,
        port: offer.port,
        rule: offer.announcement.reason.to_string(),
        is_connected,
    }
}

/// In thousandths: more digits mean nothing, and make the text long.
fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}

/// Bytes per second.
fn rate(bytes: u64, time: Duration) -> f64 {
    if time.is_zero() {
        return 0.0;
    }
    (bytes as f64 / time.as_secs_f64()).round()
}

fn seconds_left(bytes: u64, rate: f64) -> Option<f64> {
    match bytes {
        0 => Some(0.0),
        _ if rate <= 0.0 => None,
        _ => Some((bytes as f64 / rate * 1000.0).round() / 1000.0),
    }
}

#[cfg(test)]
mod tests;
