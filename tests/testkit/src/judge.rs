//! A session that also judges its driver.

mod ledger;
mod rules;
mod timing;
mod witness;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ftp_proto::{
    Account, AllowedPeers, Config, DataEvent, DataId, Endpoints, ForeignProtocol, Misuse,
    NeverConnected, Outcome, Output, PassiveOffer, PeerVerdict, Session, Timeout, WireNames,
};

use ledger::Ledger;
use timing::Timing;

pub use rules::Rule;
pub use witness::Witness;

/// A [`Session`] that panics when its driver makes a mistake.
///
/// It has the methods of a session, with the same results, so a driver can be compiled with it in
/// its tests:
///
/// ```
/// #[cfg(not(test))]
/// use ftp_proto::Session;
/// #[cfg(test)]
/// use ftp_proto_testkit::Judge as Session;
/// ```
///
/// A driver that is generic over a trait of its own implements the trait for both types.
///
/// Each panic names the [`Rule`] that was broken. Some rules need more than the driver's calls:
///
/// - Time: a test with a clock of its own calls [`time_passes`](Self::time_passes).
/// - Files and sockets: test doubles report what the driver does with them to the [`Witness`].
///
/// When it is dropped, it checks that nothing was left open, except after the end of the session,
/// and during a panic.
#[derive(Debug)]
pub struct Judge {
    session: Session,
    ledger: Ledger,
    timing: Timing,
    witness: Witness,
}

impl Judge {
    /// As [`Session::new`].
    pub fn new(config: Arc<Config>, endpoints: Endpoints) -> Self {
        Self::judging(Session::new(config, endpoints))
    }

    /// As [`Session::with_implicit_tls`].
    pub fn with_implicit_tls(config: Arc<Config>, endpoints: Endpoints) -> Self {
        Self::judging(Session::with_implicit_tls(config, endpoints))
    }

    /// Judges the driver of this session from now on. It must be new: its first output has not been
    /// polled.
    pub fn judging(session: Session) -> Self {
        Self {
            session,
            ledger: Ledger::default(),
            timing: Timing::default(),
            witness: Witness::default(),
        }
    }

    /// For the doubles of files and sockets that a test gives to the driver.
    pub fn witness(&self) -> Witness {
        self.witness.clone()
    }

    /// How much time an action may take; 60 s by default. There are two exceptions:
    /// [`OpenPassive`](ftp_proto::Action::OpenPassive) may wait for a port, and a digest
    /// ([`FileRequest::Hash`](ftp_proto::FileRequest::Hash)) may take as long as the file is large.
    pub fn set_answer_within(&mut self, time: Duration) {
        self.timing.answer_within = time;
    }

    /// This much time passes on the clock of the test. To be called where the driver waits; between
    /// two calls the driver's own clock must stand still, or the two disagree about when a
    /// timer has expired.
    ///
    /// # Panics
    ///
    /// If the driver has left something undone: an output, a timer that had expired already, an
    /// action, the report of bytes that it has moved.
    #[track_caller]
    pub fn time_passes(&mut self, time: Duration) {
        self.expect_drained("time passes");
        self.timing.check_before_wait(self.session.poll_timeout());
        self.witness.check_reported(self.ledger.progress());
        let wants_input = self.session.wants_input();
        self.ledger.check_no_command_left(wants_input);
        self.timing.advance(time);
        if !self.session.is_closed() {
            let limit = self.timing.answer_within;
            self.ledger.check_age(self.timing.now, limit);
        }
    }

    /// As [`Session::handle_input`].
    #[track_caller]
    pub fn handle_input(&mut self, input: &[u8]) -> usize {
        self.expect_drained("input");
        let was_closed = self.session.is_closed();
        if !was_closed {
            self.ledger.input(input);
        }
        let used = self.session.handle_input(input);
        self.ledger.used(&input[used..]);
        // An incomplete line changes nothing.
        if used > 0 || self.session.is_closed() != was_closed {
            self.begin();
        }
        used
    }

    /// As [`Session::handle_eof`].
    #[track_caller]
    pub fn handle_eof(&mut self) {
        self.begin();
        let wants_input = self.session.wants_input();
        self.ledger.check_no_command_lost(wants_input);
        self.session.handle_eof();
    }

    /// As [`Session::handle_connection_lost`].
    #[track_caller]
    pub fn handle_connection_lost(&mut self) {
        self.begin();
        self.session.handle_connection_lost();
    }

    /// As [`Session::handle_outcome`].
    ///
    /// # Errors
    ///
    /// None: an outcome that the session refuses is a panic.
    #[track_caller]
    pub fn handle_outcome(&mut self, outcome: Outcome) -> Result<(), Misuse> {
        self.begin();
        if !self.session.is_closed() {
            self.ledger.outcome(&outcome, self.timing.now);
            if let Outcome::TransferEnded { result: Ok(()), .. } = outcome {
                self.witness.check_success();
            }
        }
        self.witness.note_outcome(&outcome);
        let result = self.session.handle_outcome(outcome);
        if let Err(misuse) = result {
            Rule::OneOutcomeForEachAction.broken(misuse);
        }
        result
    }

    /// As [`Session::handle_data`].
    #[track_caller]
    pub fn handle_data(&mut self, data: DataId, event: DataEvent) {
        self.begin();
        if !self.session.is_closed() {
            let judge = |peer| self.session.judge_peer(peer);
            self.ledger.data(data, event, judge);
            self.witness.note_event(event);
        }
        self.session.handle_data(data, event);
    }

    /// As [`Session::handle_timeout`].
    #[track_caller]
    pub fn handle_timeout(&mut self, timeout: Timeout) {
        self.begin();
        let current = self.session.poll_timeout();
        self.timing.check_expired(timeout, current);
        self.session.handle_timeout(timeout);
    }

    /// As [`Session::handle_shutdown`].
    #[track_caller]
    pub fn handle_shutdown(&mut self) {
        self.begin();
        self.session.handle_shutdown();
    }

    /// As [`Session::handle_kick`].
    #[track_caller]
    pub fn handle_kick(&mut self) {
        self.begin();
        self.session.handle_kick();
    }

    /// As [`Session::handle_eviction`].
    #[track_caller]
    pub fn handle_eviction(&mut self) {
        self.begin();
        self.session.handle_eviction();
    }

    /// As [`Session::handle_account`].
    #[track_caller]
    pub fn handle_account(&mut self, account: Account) {
        self.begin();
        self.session.handle_account(account);
    }

    /// As [`Session::handle_account_withdrawn`].
    #[track_caller]
    pub fn handle_account_withdrawn(&mut self) {
        self.begin();
        self.session.handle_account_withdrawn();
    }

    /// As [`Session::handle_config`].
    #[track_caller]
    pub fn handle_config(&mut self, config: Arc<Config>) {
        self.begin();
        self.session.handle_config(config);
    }

    /// As [`Session::poll_output`].
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.session.poll_output();
        match &output {
            Some(Output::Action(action)) => {
                self.ledger.action(action, self.timing.now);
                let is_connected = self.ledger.is_connected();
                self.witness.note_action(action, is_connected);
            }
            Some(Output::Reply(_)) => {}
            None => self.ledger.is_drained = true,
        }
        output
    }

    /// As [`Session::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<Timeout> {
        self.timing.note_look();
        self.session.poll_timeout()
    }

    /// As [`Session::judge_peer`].
    pub fn judge_peer(&self, address: IpAddr) -> PeerVerdict {
        self.ledger.note_judged();
        self.session.judge_peer(address)
    }

    /// As [`Session::allowed_peers`].
    pub fn allowed_peers(&self) -> &AllowedPeers {
        self.ledger.note_judged();
        self.session.allowed_peers()
    }

    /// As [`Session::wants_input`].
    pub fn wants_input(&self) -> bool {
        self.session.wants_input()
    }

    /// As [`Session::passive_offer`].
    pub fn passive_offer(&self) -> Option<&PassiveOffer> {
        self.session.passive_offer()
    }

    /// As [`Session::never_connected`].
    pub fn never_connected(&self) -> Option<&NeverConnected> {
        self.session.never_connected()
    }

    /// As [`Session::set_remedy`].
    pub fn set_remedy(&mut self, remedy: &str) {
        self.session.set_remedy(remedy);
    }

    /// As [`Session::names`].
    pub fn names(&self) -> &WireNames {
        self.session.names()
    }

    /// As [`Session::endpoints`].
    pub fn endpoints(&self) -> &Endpoints {
        self.session.endpoints()
    }

    /// As [`Session::user`].
    pub fn user(&self) -> Option<&[u8]> {
        self.session.user()
    }

    /// As [`Session::file_command`].
    pub fn file_command(&self) -> Option<&'static str> {
        self.session.file_command()
    }

    /// As [`Session::has_quit`].
    pub fn has_quit(&self) -> bool {
        self.session.has_quit()
    }

    /// As [`Session::is_closed`].
    pub fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// As [`Session::foreign_protocol`].
    pub fn foreign_protocol(&self) -> Option<ForeignProtocol> {
        self.session.foreign_protocol()
    }

    /// The session may have outputs. Except for a command, what is passed to it may come between
    /// two of them: a driver that performs actions on the spot answers each before it takes the
    /// next one.
    fn begin(&mut self) {
        self.ledger.is_drained = false;
        self.timing.changed();
    }

    #[track_caller]
    fn expect_drained(&self, input: &str) {
        if !self.ledger.is_drained {
            Rule::DrainAfterEachInput.broken(format_args!("{input} came before"));
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        if std::thread::panicking() || self.session.is_closed() {
            return;
        }
        self.expect_drained("the end of the driver");
        self.ledger.check_nothing_open();
        self.timing.check_looked();
    }
}
