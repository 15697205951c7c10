//! Another router behind the first one, which a STUN server on the Internet sees.

use std::net::Ipv4Addr;

use log::Level;

use crate::nat::address_source::LogLine;
use crate::settings::{AddressSource, KnownAddresses, Settings};

/// What the log says about it by now.
#[derive(Debug, Default)]
pub(crate) struct DoubleNat {
    logged: Option<String>,
}

impl DoubleNat {
    /// Takes the addresses that are known; returns a line if there is something new to say.
    /// `router` is the public address that the router has answered.
    pub(crate) fn update(
        &mut self,
        settings: &Settings,
        known: &KnownAddresses,
        router: Option<Ipv4Addr>,
    ) -> Option<LogLine> {
        let found = router.and_then(|router| another_router(settings, known, router));
        let is_new = found != self.logged;
        self.logged.clone_from(&found);
        let text = found.filter(|_| is_new)?;
        let level = Level::Warn;
        Some(LogLine { level, text })
    }

    /// For SIGUSR1.
    pub(crate) fn report(&self) -> Option<&str> {
        self.logged.as_deref()
    }
}

/// That a STUN server sees another address than the router calls its own, and what to do.
pub(crate) fn another_router(
    settings: &Settings,
    known: &KnownAddresses,
    router: Ipv4Addr,
) -> Option<String> {
    let source = settings.masquerade_address.as_ref();
    let stun = source.filter(|source| matches!(source, AddressSource::Stun { .. }))?;
    let seen = stun.known(known)?;
    (seen != router).then(|| {
        format!(
            "{stun} answers {seen}, and the router says that its public address is {router}: another \
             router is in between, which has to forward the same ports to {router}; without one, leave \
             out --masquerade-address"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden::settings;

    #[test]
    fn a_change_is_logged_once() {
        let settings = settings("--port-mapping auto -n stun:192.0.2.1");
        let source = settings.masquerade_address.clone().unwrap();
        let known = |last: u8| {
            let address = Ipv4Addr::new(203, 0, 113, last);
            KnownAddresses::from([(source.clone(), address)])
        };
        let router = |last: u8| Some(Ipv4Addr::new(198, 51, 100, last));
        let mut state = DoubleNat::default();
        let mut check = |known: &KnownAddresses, router: Option<Ipv4Addr>, expected: &str| {
            let line = state.update(&settings, known, router);
            let text = line.map(|line| line.text).unwrap_or_default();
            assert!(text.starts_with(expected), "{text}");
            assert_eq!(text.is_empty(), expected.is_empty(), "{text}");
        };
        check(&KnownAddresses::new(), router(1), "");
        check(&known(1), None, "");
        let first = "stun:192.0.2.1 answers 203.0.113.1, and the router says that its public address is \
                     198.51.100.1: another router is in between";
        check(&known(1), router(1), first);
        check(&known(1), router(1), "");
        check(
            &known(2),
            router(1),
            "stun:192.0.2.1 answers 203.0.113.2, and ",
        );
        check(
            &known(2),
            router(2),
            "stun:192.0.2.1 answers 203.0.113.2, and ",
        );
        check(&known(2), Some(Ipv4Addr::new(203, 0, 113, 2)), "");
        check(
            &known(2),
            router(2),
            "stun:192.0.2.1 answers 203.0.113.2, and ",
        );
    }

    #[test]
    fn an_address_of_the_operator_is_not_compared() {
        let settings = settings("--port-mapping auto -n 203.0.113.1");
        let router = Some(Ipv4Addr::new(198, 51, 100, 1));
        let line = DoubleNat::default().update(&settings, &KnownAddresses::new(), router);
        assert_eq!(line, None);
    }
}
