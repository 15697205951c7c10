//! The addresses of strangers that came to a passive port: one of them may be another address of
//! the client.

use std::net::IpAddr;

/// The addresses of strangers, without duplicates, at most [`STRANGERS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Strangers {
    addresses: Vec<IpAddr>,
}

impl Strangers {
    /// Records a connection from this address.
    pub(super) fn on_rejected(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        if self.addresses.len() < STRANGERS_MAX && !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
    }

    /// In the order in which they came.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

/// A port scan has more, and says nothing about the client.
const STRANGERS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn they_are_bounded_and_distinct() {
        let mut strangers = Strangers::default();
        for last in 0..100 {
            for _ in 0..2 {
                strangers.on_rejected(Ipv4Addr::new(192, 0, 2, last).into());
            }
        }
        strangers.on_rejected("::ffff:192.0.2.1".parse().unwrap());
        let expected: Vec<IpAddr> = (0..8)
            .map(|last| Ipv4Addr::new(192, 0, 2, last).into())
            .collect();
        assert_eq!(strangers.addresses(), expected);
    }
}
