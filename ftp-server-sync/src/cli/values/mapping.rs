//! How the router is asked to forward ports.

use crate::settings::MappingProtocol;

/// The protocols in which the router is asked to forward ports; none for `off`.
pub(in crate::cli) fn port_mapping(text: &str) -> Result<Box<[MappingProtocol]>, String> {
    match text {
        "auto" => Ok(MappingProtocol::ALL.into()),
        "pcp" => Ok([MappingProtocol::Pcp].into()),
        "nat-pmp" => Ok([MappingProtocol::NatPmp].into()),
        "upnp" => Ok([MappingProtocol::Upnp].into()),
        "off" => Ok(Box::default()),
        _ => Err("give auto, pcp, nat-pmp, upnp or off".to_owned()),
    }
}

/// The name of a network interface. It need not exist yet.
pub(in crate::cli) fn interface_name(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.len() < INTERFACE_BYTES_MAX;
    let is_part = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    if is_name && text.bytes().all(is_part) {
        Ok(text.to_owned())
    } else {
        Err("give the name of a network interface, such as eth0".to_owned())
    }
}

/// Linux, `IFNAMSIZ`.
const INTERFACE_BYTES_MAX: usize = 16;
