//! The search for a router's description (SSDP). Pure, and self-contained: a fuzz target compiles
//! this file too.

use std::net::SocketAddr;

use super::url::HttpUrl;

/// The datagram that searches for `target`; `group` is the value of the header `HOST`.
pub(super) fn search(group: &str, target: &str) -> String {
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {group}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: \
         {target}\r\n\r\n"
    )
}

/// The place in an answer to the search, if it is at the router's own address.
pub(super) fn location(datagram: &[u8], router: SocketAddr) -> Option<HttpUrl> {
    let text = std::str::from_utf8(datagram).ok()?;
    let mut lines = text.lines();
    let status = lines.next()?;
    if !status.starts_with("HTTP/1.") || status.split(' ').nth(1) != Some("200") {
        return None;
    }
    let mut locations = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then_some(value.trim())
    });
    HttpUrl::read(locations.next()?, router)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_at_the_router_count() {
        let router = "192.168.77.1:1900".parse().unwrap();
        let check = |answer: &str, expected: Option<&str>| {
            let found = location(answer.as_bytes(), router);
            assert_eq!(
                found.map(|url| url.to_string()).as_deref(),
                expected,
                "{answer}"
            );
        };
        let good = "http://192.168.77.1:5000/rootDesc.xml";
        check(
            &format!("HTTP/1.1 200 OK\r\nST: x\r\nLocation: {good}\r\n\r\n"),
            Some(good),
        );
        check(
            &format!("HTTP/1.1 404 No\r\nLocation: {good}\r\n\r\n"),
            None,
        );
        check(
            &format!("NOTIFY * HTTP/1.1\r\nLocation: {good}\r\n\r\n"),
            None,
        );
        check(
            "HTTP/1.1 200 OK\r\nLocation: http://192.168.77.3/\r\n\r\n",
            None,
        );
        check("HTTP/1.1 200 OK\r\n\r\n", None);
        check("", None);
        assert!(location(b"HTTP/1.1 200 OK\r\nLocation: \xff", router).is_none());
    }
}
