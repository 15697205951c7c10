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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::settings;

    #[track_caller]
    fn check(flags: &str, severity: Severity, start: &str) {
        let found = findings(&settings(&format!("-d / {flags}")));
        let [finding] = &found[..] else {
            panic!("{flags}: {found:?}");
        };
        assert_eq!(finding.severity, severity, "{flags}");
        assert!(finding.text.starts_with(start), "{}", finding.text);
    }

    #[test]
    fn balancers_are_named() {
        assert_eq!(findings(&settings("-d /")), []);
        check(
            "--proxy-protocol 192.0.2.5,fd00::/64",
            Severity::Note,
            "--proxy-protocol 192.0.2.5,fd00::/64: connections from there must begin with a PROXY",
        );
    }

    #[test]
    fn a_network_of_all_addresses_is_a_risk() {
        for network in ["0.0.0.0/0", "::/0"] {
            check(
                &format!("--proxy-protocol 192.0.2.5 --proxy-protocol {network}"),
                Severity::Risk,
                &format!("--proxy-protocol {network} trusts every address"),
            );
        }
    }
}
