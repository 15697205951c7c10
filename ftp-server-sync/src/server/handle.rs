//! How other threads reach the server's main thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use crossbeam_channel::{Receiver, Sender, unbounded};
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
    /// The main thread waits for messages that would not wake it otherwise.
    is_awaited: Arc<AtomicBool>,
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
    /// The session with this number has ended.
    Ended {
        number: u64,
        /// By a fault of the server.
        has_panicked: bool,
    },
}

impl Handle {
    /// A handle, and what it sends.
    pub(super) fn with_messages(waker: Arc<Waker>) -> (Self, Receiver<Message>) {
        let (sender, messages) = unbounded();
        let handle = Self {
            sender,
            waker,
            is_awaited: Arc::default(),
        };
        (handle, messages)
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
        self.wake();
    }

    /// Sends a message for which the main thread need not wake up, unless it
    /// [waits](Self::await_all) for it. It is taken before the next client or order is.
    pub(super) fn send_for_later(&self, message: Message) {
        let _ = self.sender.send(message);
        // Either this thread sees that the main one waits, or that one sees the message.
        fence(Ordering::SeqCst);
        if self.is_awaited.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Whether all messages wake the main thread from now on. True if that is new: then it has to
    /// look once more for those that came before.
    pub(super) fn await_all(&self, is_awaited: bool) -> bool {
        let was_awaited = self.is_awaited.swap(is_awaited, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        is_awaited && !was_awaited
    }

    pub(super) fn wake(&self) {
        let _ = self.waker.wake();
    }
}
