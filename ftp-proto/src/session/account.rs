//! The account of a session that changes while its user is logged in.

use alloc::sync::Arc;

use super::{Phase, Session};
use crate::account::Account;
use crate::reply::Reply;

impl Session {
    /// Replaces the account of the user who has logged in: its rights hold from the next command
    /// on. The current directory stays. Before a login it has no effect.
    pub fn handle_account(&mut self, account: Account) {
        if let Phase::Ready(ready) = &mut self.phase {
            ready.account = Arc::new(account);
        }
    }

    /// The account of the user who has logged in is no longer valid: the session replies 421,
    /// aborts its transfer and closes. One that is valid and has other rights is for
    /// [`handle_account`](Self::handle_account).
    pub fn handle_account_withdrawn(&mut self) {
        self.close(Some(Reply::account_withdrawn()));
    }
}
