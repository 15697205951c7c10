//! What the operator gives up by naming balancers, and which clients they keep out.

use super::gateways::as_in_flag;
use crate::nat::finding::{Finding, Severity};
use crate::settings::Settings;

pub(super) fn findings(settings: &Settings) -> Vec<Finding> {
    let balancers = &settings.proxy_protocol;
    if balancers.is_empty() {
        return Vec::new();
    }
    let mut every = balancers.iter().filter(|network| network.prefix_len() == 0);
    if let Some(all) = every.next() {
        return vec![Finding::new(
            Severity::Risk,
            format!(
                "--proxy-protocol {all} trusts every address: anyone who reaches the port can send \
                 a PROXY header with any address, so that no address in the log, in --allow or in \
                 --deny proves anything; give only the addresses of balancers"
            ),
        )];
    }
    vec![Finding::note(format!(
        "--proxy-protocol {}: connections from there must begin with a PROXY header, also those to \
         passive ports, and are closed without it; clients elsewhere need none",
        as_in_flag(balancers)
    ))]
}
