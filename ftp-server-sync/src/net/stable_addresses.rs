//! The IPv6 addresses that this machine keeps, as the kernel's table shows them.
//!
//! For outgoing connections, machines change their address every day (RFC 8981). Clients that
//! connect to such an address would lose the server, so that these are left out here.

use std::io;
use std::net::Ipv6Addr;

use ftp_proto::Reach;

use super::order;
use super::routes::read_table;

/// An address that hosts on the Internet can use, and its interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StableAddress {
    pub(crate) address: Ipv6Addr,
    pub(crate) interface: String,
    /// The kernel's number of the interface.
    pub(crate) index: u32,
}

/// Reads them; those that were set by hand come first, then in their numerical order.
///
/// # Errors
///
/// What the system says.
pub(crate) fn stable_addresses() -> io::Result<Vec<StableAddress>> {
    Ok(from_table(&read_table("/proc/net/if_inet6")?))
}

/// From the text of `/proc/net/if_inet6`.
fn from_table(table: &str) -> Vec<StableAddress> {
    let mut found: Vec<(bool, StableAddress)> = table.lines().filter_map(stable_address).collect();
    order::sort_by_key(&mut found, |(is_permanent, found)| {
        (!is_permanent, found.address)
    });
    found.into_iter().map(|(_, found)| found).collect()
}

/// Fields: address, number of the interface, prefix length, scope, flags, interface. Also whether
/// the address was set by hand.
fn stable_address(line: &str) -> Option<(bool, StableAddress)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [address, index, _, _, flags, interface] = fields[..] else {
        return None;
    };
    let number = u128::from_str_radix(address, 16).ok();
    let address = Ipv6Addr::from(number.filter(|_| address.len() == 32)?);
    let index = u32::from_str_radix(index, 16).ok()?;
    let flags = u32::from_str_radix(flags, 16).ok()?;
    let is_good = flags & UNSTABLE == 0 && Reach::of(address.into()) == Reach::Public;
    let found = StableAddress {
        address,
        interface: interface.to_owned(),
        index,
    };
    is_good.then_some((flags & PERMANENT != 0, found))
}

/// Linux, `include/uapi/linux/if_addr.h`: `IFA_F_TEMPORARY`, `IFA_F_DADFAILED`, `IFA_F_DEPRECATED`,
/// `IFA_F_TENTATIVE`.
const UNSTABLE: u32 = 0x01 | 0x08 | 0x20 | 0x40;
/// `IFA_F_PERMANENT`.
const PERMANENT: u32 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_stay_count() {
        let line = |address: &str, flags: &str| {
            let address: Ipv6Addr = address.parse().unwrap();
            format!("{:032x} 1f 40 00 {flags}     eth0\n", u128::from(address))
        };
        let table = [
            // Temporary, deprecated, tentative, and a duplicate.
            line("2001:db8::1", "01"),
            line("2001:db8::2", "20"),
            line("2001:db8::3", "40"),
            line("2001:db8::4", "88"),
            // Of the site, of the link, and of this machine.
            line("fd00::1", "80"),
            line("fe80::1", "80"),
            line("::1", "80"),
            line("2001:db8::7", "00"),
            line("2001:db8::6", "00"),
            line("2001:db8::8", "80"),
            "2001 1f 40 00 80 eth0\n\nfour fields are few\n".to_owned(),
        ];
        let found = from_table(&table.concat());
        assert!(
            found
                .iter()
                .all(|found| found.index == 31 && found.interface == "eth0")
        );
        let addresses: Vec<String> = found
            .iter()
            .map(|found| found.address.to_string())
            .collect();
        assert_eq!(addresses, ["2001:db8::8", "2001:db8::6", "2001:db8::7"]);
    }
}
