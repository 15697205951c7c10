//! Values that flags and the users file share: from text to checked types. Every error says what to
//! give instead.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::str::FromStr;

use ftp_proto::listing::Pattern;
use ipnet::{IpNet, Ipv4Net};

/// A pattern for names that are not served.
pub(crate) fn hide(text: &str) -> Result<Pattern, String> {
    if text.contains('/') || text == "." || text == ".." {
        let remedy = "give one name, such as @eaDir, or a pattern for names, such as '.Trash*'";
        return Err(format!("not a name; {remedy}"));
    }
    let is_open = |open: usize| !text[open + 1..].contains(']');
    if text.rfind('[').is_some_and(is_open) {
        let problem = "the [ has no ]; close it, or write [[] for the character [";
        return Err(problem.to_owned());
    }
    Ok(Pattern::new(text.as_bytes()))
}

/// Bytes per second; 0 is no limit.
pub(crate) fn rate(text: &str) -> Result<Option<NonZeroU64>, String> {
    let rate = byte_count(text).filter(|&rate| rate <= RATE_MAX).ok_or(
        "give bytes per second, such as 500000, 500K or 2M (K is 1024), up to 1024G; 0 for no limit",
    )?;
    Ok(NonZeroU64::new(rate))
}

/// The size of a file, or of free space; 0 is none.
pub(crate) fn size(text: &str) -> Result<Option<u64>, String> {
    let size = byte_count(text).filter(|&size| size <= SIZE_MAX).ok_or(
        "give bytes, such as 500000, 500M or 20G (K is 1024), up to 1024T; 0 for no limit",
    )?;
    Ok((size > 0).then_some(size))
}

/// The permission bits that new files and directories do not get. Without its own, the server could
/// neither read nor resume what it has received.
pub(crate) fn umask(text: &str) -> Result<u32, String> {
    let is_octal = (1..=4).contains(&text.len()) && digits::<u32>(text).is_some();
    let umask = u32::from_str_radix(text, 8).ok().filter(|_| is_octal);
    let umask = umask.filter(|&umask| umask <= UMASK_MAX);
    Ok(umask.ok_or("give octal digits from 000 to 077, such as 022 or 027")?)
}

/// A network, or a single address as a network of one.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text
            .parse::<IpNet>()
            .map_err(|_| "not a network; give ADDRESS/BITS, such as 192.168.1.0/24")?,
    };
    if network.addr() != network.network() {
        return Err(format!(
            "an address in the network {}; give that network, or the address without bits",
            network.trunc()
        ));
    }
    let IpNet::V6(mapped) = network else {
        return Ok(network);
    };
    // The last 32 bits of `::ffff:192.168.1.0/120` are the IPv4 network.
    let bits = mapped.prefix_len().checked_sub(MAPPED_BITS);
    let ipv4 = bits.zip(mapped.addr().to_ipv4_mapped());
    let ipv4 = ipv4.and_then(|(bits, address)| Ipv4Net::new(address, bits).ok());
    Ok(ipv4.map_or(network, IpNet::V4))
}

/// A number of bytes, with a unit or without.
fn byte_count(text: &str) -> Option<u64> {
    let unit = match text.as_bytes().last().map(u8::to_ascii_uppercase) {
        Some(b'K') => 1 << 10,
        Some(b'M') => 1 << 20,
        Some(b'G') => 1 << 30,
        Some(b'T') => 1 << 40,
        _ => 1,
    };
    let number = &text[..text.len() - usize::from(unit > 1)];
    digits::<u64>(number)?.checked_mul(unit)
}

/// Digits only: `FromStr` of the numbers would also take a plus sign.
#[inline(never)]
pub(crate) fn digits<T: FromStr>(text: &str) -> Option<T> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

const RATE_MAX: u64 = 1 << 40;
/// More than any disk has, and less than the largest offset of a file.
const SIZE_MAX: u64 = 1 << 50;
const UMASK_MAX: u32 = 0o077;
/// The prefix length of `::ffff:0:0/96`.
const MAPPED_BITS: u8 = 96;
