//! What a driver needs of a session, for a driver that is tested with a judge and runs without one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ftp_proto::{
    Config, DataEvent, DataId, Endpoints, Misuse, Outcome, Output, PeerVerdict, Session, Timeout,
};
use ftp_proto_testkit::{Judge, Witness};

pub(crate) trait Machine: 'static {
    fn begin(config: Arc<Config>, endpoints: Endpoints) -> Self;
    fn handle_input(&mut self, input: &[u8]) -> usize;
    fn handle_eof(&mut self);
    fn handle_connection_lost(&mut self);
    fn has_quit(&self) -> bool;
    fn handle_outcome(&mut self, outcome: Outcome) -> Result<(), Misuse>;
    fn handle_data(&mut self, data: DataId, event: DataEvent);
    fn handle_timeout(&mut self, timeout: Timeout);
    fn judge_peer(&self, address: IpAddr) -> PeerVerdict;
    fn poll_output(&mut self) -> Option<Output>;
    fn poll_timeout(&self) -> Option<Timeout>;
    fn is_closed(&self) -> bool;

    /// For a judge: the driver has waited.
    fn time_passes(&mut self, time: Duration);
    /// For a judge: sees what the driver does with files and data connections.
    fn witness(&self) -> Witness;
}

macro_rules! machine {
    ($type:ty, $($own:item)*) => {
        impl Machine for $type {
            fn handle_input(&mut self, input: &[u8]) -> usize {
                self.handle_input(input)
            }

            fn handle_eof(&mut self) {
                self.handle_eof();
            }

            fn handle_connection_lost(&mut self) {
                self.handle_connection_lost();
            }

            fn has_quit(&self) -> bool {
                self.has_quit()
            }

            fn handle_outcome(&mut self, outcome: Outcome) -> Result<(), Misuse> {
                self.handle_outcome(outcome)
            }

            fn handle_data(&mut self, data: DataId, event: DataEvent) {
                self.handle_data(data, event);
            }

            fn handle_timeout(&mut self, timeout: Timeout) {
                self.handle_timeout(timeout);
            }

            fn judge_peer(&self, address: IpAddr) -> PeerVerdict {
                self.judge_peer(address)
            }

            fn poll_output(&mut self) -> Option<Output> {
                self.poll_output()
            }

            fn poll_timeout(&self) -> Option<Timeout> {
                self.poll_timeout()
            }

            fn is_closed(&self) -> bool {
                self.is_closed()
            }

            $($own)*
        }
    };
}

machine! {
    Session,
    fn begin(config: Arc<Config>, endpoints: Endpoints) -> Self {
        Self::new(config, endpoints)
    }
    fn time_passes(&mut self, _: Duration) {}
    fn witness(&self) -> Witness {
        Witness::default()
    }
}

machine! {
    Judge,
    fn begin(config: Arc<Config>, endpoints: Endpoints) -> Self {
        let mut judge = Self::new(config, endpoints);
        judge.set_answer_within(ANSWER_WITHIN);
        judge
    }
    fn time_passes(&mut self, time: Duration) {
        self.time_passes(time);
    }
    fn witness(&self) -> Witness {
        self.witness()
    }
}

/// Our driver answers at once.
const ANSWER_WITHIN: Duration = Duration::from_millis(300);
