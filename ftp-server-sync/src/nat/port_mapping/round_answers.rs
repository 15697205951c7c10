//! What comes of a round, and what is reported within it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::RouterClient;
use super::public_address::PublicSide;

/// What the router has answered about all ports.
#[derive(Clone, Debug)]
pub(super) struct PassResult {
    pub(super) public: PublicSide,
    /// The router's number for each port that it forwards.
    pub(super) granted: BTreeMap<u16, u16>,
    /// Why it does not forward the others.
    pub(super) refused: BTreeMap<u16, String>,
    /// The shortest time that it forwards one for.
    pub(super) lease: Duration,
    /// It has forgotten the mappings of the round before.
    pub(super) restarted: bool,
    /// The answers are not complete: it is asked again soon.
    pub(super) is_partial: bool,
}

/// What happens before the round is over.
pub(super) trait RoundObserver {
    /// The router is about to be asked for what the client intends.
    fn before_request(&mut self, client: &RouterClient);
    /// These answers have arrived, and others are to come.
    fn on_answers(&mut self, client: &RouterClient, result: PassResult);
}
