//! What a router, or who would like to be one, may send in UPnP: answers to the search for it, HTTP
//! responses, descriptions and SOAP answers.

use std::net::SocketAddr;

#[path = "../../../ftp-server-sync/src/nat/port_mapping/upnp/message.rs"]
mod message;
#[path = "../../../ftp-server-sync/src/nat/port_mapping/upnp/response.rs"]
mod response;
#[path = "../../../ftp-server-sync/src/nat/port_mapping/upnp/ssdp.rs"]
mod ssdp;
#[path = "../../../ftp-server-sync/src/nat/port_mapping/upnp/url.rs"]
mod url;

use message::{SoapAnswer, SoapCall, services};
use response::{HEAD_BYTES_MAX, RESPONSE_BYTES_MAX, response};
use ssdp::{location, search};
use url::HttpUrl;

/// Nothing leads to another host than the router, nothing is longer than what was received, and a
/// response is the same however it arrives.
///
/// The first byte chooses what is read and how, the second one where a response is cut; the rest is
/// what was received, unchanged or mapped to words of HTTP and XML.
pub fn upnp(data: &[u8]) {
    let Some(([style, cut], rest)) = data.split_first_chunk() else {
        return;
    };
    let words;
    let received = if style & 8 == 0 {
        rest
    } else {
        words = to_words(rest);
        &words
    };
    let router: SocketAddr = if style & 4 == 0 {
        "192.168.77.1:1900"
    } else {
        "[fe80::1%7]:1900"
    }
    .parse()
    .expect("an address and a port");
    match style & 3 {
        0 => check_location(received, router),
        1 => check_response(received, *cut, router),
        2 => check_service(received, router),
        _ => check_answer(received),
    }
}

fn check_location(received: &[u8], router: SocketAddr) {
    if let Some(url) = location(received, router) {
        check_url(&url, router);
    }
    let text = String::from_utf8_lossy(received);
    if let Some(url) = HttpUrl::read(&text, router) {
        check_url(&url, router);
        assert!(url.path().len() <= received.len() + 1);
    }
    assert!(location(search("x", &text).as_bytes(), router).is_none());
}

/// It is at the router, and can be read again.
fn check_url(url: &HttpUrl, router: SocketAddr) {
    let mut host = url.host();
    assert_ne!(host.port(), 0);
    host.set_port(router.port());
    assert_eq!(host, router);
    assert!(url.path().starts_with('/'), "{url}");
    let header = url.host_header();
    for text in [&header, url.path()] {
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    }
    assert_eq!(HttpUrl::read(&url.to_string(), router).as_ref(), Some(url));
    assert_eq!(url.join(url.path()).as_ref(), Some(url));
    for link in ["", "x", "http://10.0.0.1/", "http://[::1]/"] {
        if let Some(joined) = url.join(link) {
            assert_eq!(joined.host().ip(), router.ip(), "{link}");
        }
    }
}

fn check_response(received: &[u8], cut: u8, router: SocketAddr) {
    let whole = response(received, false);
    let cut = received.len() * usize::from(cut) / 256;
    let early = response(&received[..cut], false);
    if let (Ok(Some(early)), true) = (&early, received.len() <= RESPONSE_BYTES_MAX) {
        assert_eq!(whole.as_ref().ok(), Some(&Some(early.clone())), "{cut}");
    }
    let ended = response(received, true);
    if let Ok(Some(found)) = &whole {
        assert_eq!(ended.as_ref().ok(), Some(&Some(found.clone())));
    }
    // At its end, it is a response or none.
    assert!(!matches!(ended, Ok(None)));
    let head = received.windows(4).position(|window| window == b"\r\n\r\n");
    if received.len() > RESPONSE_BYTES_MAX || head.unwrap_or(received.len()) > HEAD_BYTES_MAX {
        assert!(ended.is_err());
    }
    if let Ok(Some((_, body))) = ended {
        assert!(body.len() <= received.len());
        check_service(&body, router);
        check_answer(&body);
    }
}

fn check_service(received: &[u8], router: SocketAddr) {
    let place = match router {
        SocketAddr::V4(_) => "http://192.168.77.1:5000/root.xml",
        SocketAddr::V6(_) => "http://[fe80::1]:5000/root.xml",
    };
    let place = HttpUrl::read(place, router).expect("a place at the router");
    for (kind, control) in services(received, &place, &KINDS) {
        assert!(KINDS.contains(&&*kind));
        check_url(&control, router);
    }
}

fn check_answer(received: &[u8]) {
    let Some(answer) = SoapAnswer::read(received) else {
        return;
    };
    for name in ["errorCode", "NewExternalIPAddress", "UniqueID"] {
        let value = answer.value(name).unwrap_or_default();
        assert!(value.len() <= received.len());
        assert_eq!(value.trim(), value);
    }
    if let Some(code) = answer.error() {
        let value = answer.value("errorCode").unwrap_or_default();
        assert_eq!(value.parse(), Ok(code));
    }
    // What is sent can be read, and is not confused with what was received.
    let call = SoapCall {
        service: KINDS[0],
        action: "Act",
        arguments: &[("UniqueID", "1")],
    };
    assert_eq!(call.header(), format!("{}#Act", KINDS[0]));
    let sent = SoapAnswer::read(call.body().as_bytes()).expect("a call");
    assert_eq!(sent.value("UniqueID").as_deref(), Some("1"));
    assert_eq!(sent.error(), None);
}

/// Maps each byte to a word.
fn to_words(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for byte in data {
        let word = WORDS.get(usize::from(*byte) % (WORDS.len() + 1));
        bytes.extend_from_slice(word.map_or(&[*byte][..], |word| word.as_bytes()));
    }
    bytes
}

const KINDS: [&str; 2] = [
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1",
];

const WORDS: [&str; 44] = [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 ",
    "\r\n",
    "\r\n\r\n",
    "Location: ",
    "Content-Length: ",
    "Transfer-Encoding: chunked\r\n",
    "http://",
    "192.168.77.1",
    "10.0.0.1",
    "[fe80::1]",
    "[2001:db8::1%25eth0]",
    ":5000",
    "/root.xml",
    "<?xml version=\"1.0\"?>",
    "<root xmlns=\"urn:schemas-upnp-org:device-1-0\">",
    "</root>",
    "<URLBase>",
    "</URLBase>",
    "<device>",
    "</device>",
    "<service>",
    "</service>",
    "<serviceType>",
    "</serviceType>",
    "<controlURL>",
    "</controlURL>",
    KINDS[0],
    KINDS[1],
    "<s:Envelope xmlns:s=\"e\">",
    "</s:Envelope>",
    "<errorCode>",
    "</errorCode>",
    "<NewExternalIPAddress>",
    "</NewExternalIPAddress>",
    "<UniqueID>",
    "</UniqueID>",
    "718",
    "0\r\n",
    "<!DOCTYPE a [<!ENTITY b \"c\">]>",
    "&lt;",
    "<![CDATA[",
    "]]>",
    "<a>",
];
