//! How other threads reach the server's main thread.

use std::sync::Arc;

use crossbeam_channel::Sender;
use mio::Waker;

use crate::nat::address_source::answer::LookupResult;
use crate::nat::port_mapping::update::MapperEvent;
use crate::status::reply::StatusOrder;
use crate::status::service::PendingAnswer;

/// Shuts a server down from another thread, or has it read its settings again.
#[derive(Clone, Debug)]
pub struct Handle {
    sender: Sender<Message>,
    waker: Arc<Waker>,
}

/// A message to the server's main thread.
#[derive(Debug)]
pub(super) enum Message {
    ShutDown,
    Reload,
    /// A lookup of an address has returned.
    Resolved(LookupResult),
    /// The router has answered, or its mappings are removed.
    PortMapping(MapperEvent),
    /// The thread that reads settings again has ended.
    SettingsRead,
    /// Files have been looked at.
    FilesSeen,
    /// The users of the system who are logged in have been looked up again.
    SystemUsersChecked,
    /// A thread that runs hooks has ended.
    HookThreadEnded,
    /// A client of the status socket has ordered something.
    Ordered(StatusOrder, PendingAnswer),
    /// The thread of the session with this number is about to end.
    Ended(u64),
}

impl Handle {
    pub(super) fn new(sender: Sender<Message>, waker: Arc<Waker>) -> Self {
        Self { sender, waker }
    }

    /// Shuts the server down: running transfers are aborted, and clients get a 421.
    pub fn shutdown(&self) {
        self.send(Message::ShutDown);
    }

    /// Has the server read its settings again, as SIGHUP does.
    pub fn reload(&self) {
        self.send(Message::Reload);
    }

    pub(super) fn send(&self, message: Message) {
        // Both fail only when the server has ended.
        let _ = self.sender.send(message);
        let _ = self.waker.wake();
    }
}
