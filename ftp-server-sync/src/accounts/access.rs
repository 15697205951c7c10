//! The networks whose clients are served.

use std::net::IpAddr;

use ipnet::IpNet;

/// Which addresses are served, IPv4 networks as such. The longest prefix that contains an address
/// decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// If there is any, an address that is in no network of either list is refused.
    pub allowed: Vec<IpNet>,
    /// Refused, unless a longer prefix allows the address.
    pub denied: Vec<IpNet>,
}

/// Why an address is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessRefusal {
    /// It is in this network.
    Denied(IpNet),
    /// It is in none of the networks that are allowed.
    NotAllowed,
}

impl AccessRules {
    /// Whether clients at this address are served.
    ///
    /// # Errors
    ///
    /// The reason why they are not.
    pub fn check(&self, address: IpAddr) -> Result<(), AccessRefusal> {
        let address = address.to_canonical();
        let allowed = longest(&self.allowed, address);
        match (longest(&self.denied, address), allowed) {
            (Some(denied), Some(allowed)) if allowed.prefix_len() > denied.prefix_len() => Ok(()),
            (Some(denied), _) => Err(AccessRefusal::Denied(denied)),
            (None, None) if !self.allowed.is_empty() => Err(AccessRefusal::NotAllowed),
            (None, _) => Ok(()),
        }
    }
}

fn longest(networks: &[IpNet], address: IpAddr) -> Option<IpNet> {
    let containing = networks.iter().filter(|network| network.contains(&address));
    containing
        .max_by_key(|network| network.prefix_len())
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Vec<IpNet> {
        let words = text.split_whitespace();
        words.map(|word| word.parse().expect(word)).collect()
    }

    #[track_caller]
    fn check(allowed: &str, denied: &str, address: &str, expected: Result<(), AccessRefusal>) {
        let rules = AccessRules {
            allowed: networks(allowed),
            denied: networks(denied),
        };
        let found = rules.check(address.parse().expect("an address"));
        assert_eq!(found, expected, "allow {allowed}, deny {denied}: {address}");
    }

    fn denied(network: &str) -> Result<(), AccessRefusal> {
        Err(AccessRefusal::Denied(network.parse().expect("a network")))
    }

    #[test]
    fn without_rules_all_addresses_are_served() {
        check("", "", "198.51.100.7", Ok(()));
        check("", "", "2001:db8::1", Ok(()));
    }

    #[test]
    fn a_denied_network_is_refused() {
        let net = "198.51.100.0/24";
        check("", net, "198.51.100.7", denied(net));
        check("", net, "::ffff:198.51.100.7", denied(net));
        check("", net, "198.51.101.7", Ok(()));
        check("", net, "2001:db8::1", Ok(()));
        check("", "0.0.0.0/0", "2001:db8::1", Ok(()));
        check("", "::/0", "2001:db8::1", denied("::/0"));
    }

    #[test]
    fn others_than_the_allowed_are_refused() {
        let nets = "192.168.0.0/16 fd00::/8";
        check(nets, "", "192.168.1.2", Ok(()));
        check(nets, "", "fd00::1", Ok(()));
        check(nets, "", "198.51.100.7", Err(AccessRefusal::NotAllowed));
        check(nets, "", "2001:db8::1", Err(AccessRefusal::NotAllowed));
    }

    #[test]
    fn the_longest_prefix_decides() {
        let (wide, narrow, one) = ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32");
        check(narrow, wide, "10.1.0.9", Ok(()));
        check(narrow, wide, "10.2.0.9", denied(wide));
        check(wide, narrow, "10.1.0.9", denied(narrow));
        check(wide, narrow, "10.2.0.9", Ok(()));
        let outer = format!("{wide} {one}");
        check(&outer, narrow, "10.1.2.3", Ok(()));
        check(&outer, narrow, "10.1.2.4", denied(narrow));
        // Equally long: refused.
        check(wide, wide, "10.1.2.3", denied(wide));
    }
}
