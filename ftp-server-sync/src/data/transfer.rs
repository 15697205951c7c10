//! A transfer: what is transferred, and the pump that moves its bytes.

use std::time::{Duration, Instant};

use ftp_proto::listing::WalkNotice;
use ftp_proto::{TransferError, TransferId, TransferRequest};
use mio::Registry;

use super::candidates::FirstSender;
use super::data_stream::DataStream;
use super::pump::{Pump, PumpStep};
use super::step_budget::StepBudget;
use crate::fs::upload::{Upload, UploadEnd};

/// A transfer, from the core's action `OpenTransfer` to the outcome `TransferEnded`.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) request: TransferRequest,
    /// The name that STOU chose.
    pub(crate) unique_name: Option<Vec<u8>>,
    /// When its data connection was established, with TLS if that is on.
    pub(crate) connected: Option<Instant>,
    /// The bytes of an upload that had arrived when the control connection ended without QUIT.
    bytes_at_end: Option<u64>,
    /// When the data of an upload had ended.
    all_received: Option<Instant>,
    /// The core's action `StartTransfer` has been performed.
    pub(crate) is_started: bool,
    /// The connection that it used was lost, and another one may take its place.
    pub(crate) must_restart: bool,
    pump: Pump,
}

impl Transfer {
    pub(crate) fn new(request: TransferRequest, pump: Pump, unique_name: Option<Vec<u8>>) -> Self {
        Self {
            request,
            unique_name,
            connected: None,
            bytes_at_end: None,
            all_received: None,
            is_started: false,
            must_restart: false,
            pump,
        }
    }

    pub(crate) fn id(&self) -> TransferId {
        self.request.id
    }

    pub(crate) fn is_upload(&self) -> bool {
        self.request.kind.is_upload()
    }

    /// Who sends first on its data connection.
    pub(crate) fn first_sender(&self, is_protected: bool) -> FirstSender {
        if is_protected {
            FirstSender::TlsClient
        } else if self.is_upload() {
            FirstSender::Client
        } else {
            FirstSender::Server
        }
    }

    /// What a listing has noticed since the last call, for the log.
    pub(crate) fn take_notices(&mut self) -> Vec<WalkNotice> {
        self.pump.take_notices()
    }

    /// Whether a whole upload in type A looks like binary data.
    pub(crate) fn is_binary_text(&self) -> bool {
        self.pump.is_binary_text()
    }

    /// How many entries a listing has shown so far; `None` for files.
    pub(crate) fn entries(&self) -> Option<u64> {
        self.pump.entries()
    }

    /// Whether it is a listing that has failed because nothing matches.
    pub(crate) fn found_nothing(&self) -> bool {
        self.pump.found_nothing()
    }

    /// Ends it early, for this reason.
    pub(crate) fn fail(&mut self, error: TransferError) {
        self.pump.fail(error);
    }

    /// Its connection was lost, and it will start again.
    pub(crate) fn discard(&mut self) {
        self.pump.discard();
    }

    /// How an upload has failed, if it has.
    pub(crate) fn upload_end(&self) -> Option<&UploadEnd> {
        self.pump.received()?.end()
    }

    /// Whether another session of the same login has taken the name of this upload over.
    pub(crate) fn gave_way(&self) -> bool {
        self.pump.received().is_some_and(Upload::gave_way)
    }

    /// The client has sent QUIT.
    pub(crate) fn set_quit(&self) {
        if let Some(upload) = self.pump.received() {
            upload.set_quit();
        }
    }

    /// Bytes moved so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.pump.bytes()
    }

    /// Starts again from its beginning, with this pump.
    pub(crate) fn restart(&mut self, pump: Pump) {
        self.pump = pump;
        self.must_restart = false;
    }

    /// Moves bytes over the connection, as many as the budget allows.
    pub(crate) fn step(
        &mut self,
        stream: &mut DataStream,
        registry: &Registry,
        budget: &mut StepBudget,
    ) -> PumpStep {
        if !stream.ready {
            return PumpStep::Blocked;
        }
        let step = self.pump.step(stream.stream(), budget);
        if step == PumpStep::Blocked {
            stream.ready = false;
            if stream.register(registry).is_err() {
                return PumpStep::Done(Err(TransferError::ConnectionLost));
            }
        }
        step
    }

    /// Stores a whole upload.
    pub(crate) fn finish(&mut self, stream: &mut DataStream) -> Result<(), TransferError> {
        self.pump.finish(stream.stream())
    }

    /// The control connection has ended without QUIT: stores what has arrived of an upload.
    pub(crate) fn take_arrived(&mut self, stream: Option<&mut DataStream>) -> PumpStep {
        let step = match stream {
            Some(stream) => {
                let (bytes, ends) = (ARRIVED_BYTES_MAX, Instant::now() + ARRIVED_TIME_MAX);
                let mut budget = StepBudget::new(bytes, bytes, ends);
                self.pump.step(stream.stream(), &mut budget)
            }
            None => PumpStep::Blocked,
        };
        self.bytes_at_end = Some(self.bytes());
        step
    }

    /// The data of the upload has ended, and nothing is left to read.
    pub(crate) fn set_all_received(&mut self, now: Instant) {
        self.all_received.get_or_insert(now);
    }

    /// When an upload is complete whose data has ended, unless the control connection ends before.
    ///
    /// The system of a client that is killed closes both connections, in either order. The second
    /// end comes within milliseconds, and mostly after this server has seen the first one. Short
    /// uploads do not wait for it, and no other takes noticeably longer because of that.
    pub(crate) fn complete_at(&self) -> Option<Instant> {
        let received = self.all_received?;
        let moving = self
            .connected
            .map_or(Duration::ZERO, |since| received - since);
        let wait = (moving / KILL_WAIT_PART).min(KILL_WAIT_MAX);
        Some(
            received
                + if wait < KILL_WAIT_MIN {
                    Duration::ZERO
                } else {
                    wait
                },
        )
    }

    /// Whether an upload has received nothing since the control connection ended.
    pub(crate) fn is_silent_since_end(&self) -> bool {
        self.bytes_at_end == Some(self.bytes())
    }
}

/// What part of an upload's time is waited for the end of the control connection.
const KILL_WAIT_PART: u32 = 20;

/// A shorter wait would only cost a small upload more than its own time.
const KILL_WAIT_MIN: Duration = Duration::from_millis(2);

/// More than the ends of two connections of one client differ, unless packets are lost.
const KILL_WAIT_MAX: Duration = Duration::from_millis(50);

/// More than a socket's receive buffer holds.
const ARRIVED_BYTES_MAX: usize = 64 << 20;

/// Long enough to store so much on any disk, unless that fails.
const ARRIVED_TIME_MAX: Duration = Duration::from_secs(10);
