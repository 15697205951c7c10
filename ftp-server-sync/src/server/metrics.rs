//! The socket of `--metrics`, as the main thread sees it.

use std::sync::Arc;

use log::{info, warn};

use super::Server;
use crate::logging::system_text::SystemText;
use crate::settings::Settings;
use crate::status::snapshot::SnapshotSource;

impl Server {
    pub(super) fn start_metrics(&mut self, source: Arc<dyn SnapshotSource>) {
        let Some(metrics) = &mut self.shown.metrics else {
            return;
        };
        let address = metrics.address();
        match metrics.start(source) {
            Ok(()) => info!("metrics at http://{address}/metrics"),
            Err(error) => warn!(
                "--metrics {address} is not served: {}; restart the server when others use less",
                SystemText(&error)
            ),
        }
        if !address.ip().to_canonical().is_loopback() {
            info!(
                "note: --metrics {address}: everyone who reaches this address can read how much \
                 this server does, though no name; give a port alone for 127.0.0.1"
            );
        }
    }

    /// The socket stays where it is.
    pub(super) fn with_current_metrics(&self, mut settings: Settings) -> Settings {
        let address = self.state.current().settings.metrics;
        if settings.metrics != address {
            warn!("--metrics has changed: restart the server, whose metrics stay until then");
            settings.metrics = address;
        }
        settings
    }
}
