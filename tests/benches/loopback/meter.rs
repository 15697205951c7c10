//! What a piece of work has taken of the server, and how long.

use std::io;
use std::time::Instant;

use crate::server::Server;

/// One number about a server, and for work the elapsed time in the same unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    pub(crate) value: f64,
    pub(crate) elapsed: Option<f64>,
}

/// How many units of work there are, and in which fraction of a second each is given.
#[derive(Clone, Copy)]
pub(crate) enum Units {
    /// Seconds for each GiB of these bytes.
    Bytes(u64),
    /// Microseconds for each.
    Microseconds(usize),
    /// Milliseconds for each.
    Milliseconds(usize),
}

impl Measurement {
    /// A number that is not about time.
    pub(crate) fn amount(value: f64) -> Self {
        Self {
            value,
            elapsed: None,
        }
    }

    /// The processors' time that the server takes for this work.
    pub(crate) fn of(
        server: &Server,
        units: Units,
        work: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Self> {
        server.settle()?;
        let (cpu, begin) = (server.cpu()?, Instant::now());
        work()?;
        let elapsed = begin.elapsed().as_secs_f64();
        server.settle()?;
        let cpu = server.cpu()? - cpu;
        Ok(Self {
            value: units.each(cpu),
            elapsed: Some(units.each(elapsed)),
        })
    }
}

impl Units {
    fn each(self, seconds: f64) -> f64 {
        match self {
            Self::Bytes(bytes) => seconds * GIB / bytes as f64,
            Self::Microseconds(count) => seconds * 1e6 / count as f64,
            Self::Milliseconds(count) => seconds * 1e3 / count as f64,
        }
    }
}

const GIB: f64 = 1_073_741_824.0;
