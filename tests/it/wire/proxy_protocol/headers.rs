//! The headers that balancers send.

use std::net::{IpAddr, SocketAddr};

/// The line of version 1.
pub(crate) fn v1(source: &str, destination: &str) -> Vec<u8> {
    let [source, destination] = addresses(source, destination);
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    let ports = (source.port(), destination.port());
    format!("PROXY {family} {from} {to} {} {}\r\n", ports.0, ports.1).into()
}

/// A header of version 2.
pub(crate) fn v2(source: &str, destination: &str) -> Vec<u8> {
    v2_with(source, destination, b"")
}

/// The same with bytes after the addresses.
pub(crate) fn v2_with(source: &str, destination: &str, more: &[u8]) -> Vec<u8> {
    let ends = addresses(source, destination);
    let family = if ends[0].is_ipv4() { 0x11 } else { 0x21 };
    let mut rest = Vec::new();
    for end in ends {
        match end.ip() {
            IpAddr::V4(address) => rest.extend(address.octets()),
            IpAddr::V6(address) => rest.extend(address.octets()),
        }
    }
    rest.extend(ends.iter().flat_map(|end| end.port().to_be_bytes()));
    rest.extend(more);
    binary(0x21, family, &rest)
}

/// That of a health check.
pub(crate) fn local() -> Vec<u8> {
    binary(0x20, 0, b"")
}

/// Of a client that is connected to a socket of the file system.
pub(crate) fn unix() -> Vec<u8> {
    binary(0x21, 0x31, &[0; 216])
}

fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("a short header");
    let length = length.to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n",
        &[command, family][..],
        &length,
        rest,
    ]
    .concat()
}

fn addresses(source: &str, destination: &str) -> [SocketAddr; 2] {
    [source, destination].map(|text| text.parse().expect("an address and a port"))
}
