//! A transfer: what is transferred, and the pump that moves its bytes.

use std::time::Instant;

use ftp_proto::listing::WalkNotice;
use ftp_proto::{TransferError, TransferId, TransferRequest};
use mio::Registry;

use super::announced_port::FirstSender;
use super::data_stream::DataStream;
use super::pump::{Pump, PumpStep};

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

    /// Bytes moved so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.pump.bytes()
    }

    /// Starts again from its beginning, with this pump.
    pub(crate) fn restart(&mut self, pump: Pump) {
        self.pump = pump;
        self.must_restart = false;
    }

    /// Moves up to about `budget` bytes over the connection.
    pub(crate) fn step(
        &mut self,
        stream: &mut DataStream,
        registry: &Registry,
        budget: usize,
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
            Some(stream) => self.pump.step(stream.stream(), ARRIVED_BYTES_MAX),
            None => PumpStep::Blocked,
        };
        self.bytes_at_end = Some(self.bytes());
        step
    }

    /// Whether an upload has received nothing since the control connection ended.
    pub(crate) fn is_silent_since_end(&self) -> bool {
        self.bytes_at_end == Some(self.bytes())
    }
}

/// More than a socket's receive buffer holds.
const ARRIVED_BYTES_MAX: usize = 64 << 20;
