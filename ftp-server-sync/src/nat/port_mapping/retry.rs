//! When a router is asked again.

use std::time::Duration;

use crate::settings::MappingProtocol;

/// The time until the next round. An outage is often short, so the first retry comes soon.
pub(super) fn retry_pause(failures: u32) -> Duration {
    crate::nat::retry::retry_pause(failures, PAUSE_MAX)
}

/// The time until mappings with this lease are renewed: half of it. A router that forwards for no
/// time must not be asked all the time.
pub(super) fn renewal_pause(protocol: MappingProtocol, lease: Duration) -> Duration {
    let least = match protocol {
        MappingProtocol::Pcp => PCP_RENEWAL_PAUSE_MIN,
        MappingProtocol::NatPmp | MappingProtocol::Upnp => RENEWAL_PAUSE_MIN,
    };
    (lease / 2).max(least)
}

/// Between two rounds without an answer.
const PAUSE_MAX: Duration = Duration::from_secs(300);
const RENEWAL_PAUSE_MIN: Duration = Duration::from_secs(1);
/// RFC 6887, section 11.2.1.
const PCP_RENEWAL_PAUSE_MIN: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_come_after_half_of_the_lease_and_not_too_often() {
        let check = |protocol, lease: u64, expected: u64| {
            let pause = renewal_pause(protocol, Duration::from_secs(lease));
            assert_eq!(pause, Duration::from_secs(expected), "{protocol} {lease}");
        };
        for protocol in MappingProtocol::ALL {
            check(protocol, 3600, 1800);
            check(protocol, 8, 4);
        }
        check(MappingProtocol::Pcp, 6, 4);
        check(MappingProtocol::Pcp, 0, 4);
        check(MappingProtocol::NatPmp, 6, 3);
        check(MappingProtocol::Upnp, 0, 1);
    }
}
