//! The XML of UPnP: a router's description of itself, requests and answers (SOAP).
//!
//! Documents with a DTD are refused: there are no entities that grow. Pure, and self-contained: a
//! fuzz target compiles this file too.

use roxmltree::{Document, Node, ParsingOptions};

use super::url::HttpUrl;

/// A request to a service.
#[derive(Debug)]
pub(super) struct SoapCall<'a> {
    pub(super) service: &'a str,
    pub(super) action: &'a str,
    /// In the order of the specification. The values need no escapes.
    pub(super) arguments: &'a [(&'a str, &'a str)],
}

/// The values in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SoapAnswer(Vec<(String, String)>);

impl SoapCall<'_> {
    /// The value of the header that names the action.
    pub(super) fn header(&self) -> String {
        format!("{}#{}", self.service, self.action)
    }

    pub(super) fn body(&self) -> String {
        let arguments = self.arguments.iter();
        let arguments: String = arguments
            .map(|(name, value)| format!("<{name}>{value}</{name}>"))
            .collect();
        let (action, service) = (self.action, self.service);
        format!(
            "<?xml version=\"1.0\"?>\r\n<s:Envelope \
             xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:{action} \
             xmlns:u=\"{service}\">{arguments}</u:{action}></s:Body></s:Envelope>\r\n"
        )
    }
}

impl SoapAnswer {
    /// The values of a document; `None` if it is none.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let document = parse(text)?;
        if document.root_element().tag_name().name() != "Envelope" {
            return None;
        }
        let values = document.descendants().filter(Node::is_element);
        let values = values.filter_map(|node| Some((node.tag_name().name(), node.text()?.trim())));
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Self(values.collect()))
    }

    pub(super) fn value(&self, name: &str) -> Option<String> {
        let mut values = self.0.iter();
        let found = values.find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone())
    }

    /// The code of an error.
    pub(super) fn error(&self) -> Option<u16> {
        self.value("errorCode")?.parse().ok()
    }
}

/// The services of these types, the best one first: the type of each, and where it is asked.
pub(super) fn services(
    description: &[u8],
    location: &HttpUrl,
    kinds: &[&str],
) -> Vec<(String, HttpUrl)> {
    let text = std::str::from_utf8(description).ok();
    let Some(document) = text.and_then(parse) else {
        return Vec::new();
    };
    let base = child(document.root_element(), "URLBase").and_then(|base| location.join(base));
    let base = base.unwrap_or_else(|| location.clone());
    let services = document.descendants();
    let services = services.filter(|node| node.tag_name().name() == "service");
    let found = services.filter_map(|service| {
        let kind = child(service, "serviceType").filter(|kind| kinds.contains(kind))?;
        let control = base.join(child(service, "controlURL")?)?;
        Some((kind.to_owned(), control))
    });
    let found: Vec<(String, HttpUrl)> = found.collect();
    let of_kind = |kind| found.iter().filter(move |(found, _)| found == kind);
    kinds.iter().flat_map(of_kind).cloned().collect()
}

fn child<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let mut children = node.children();
    let child = children.find(|child| child.tag_name().name() == name)?;
    Some(child.text()?.trim())
}

fn parse(text: &str) -> Option<Document<'_>> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    // Some routers have a line before the document.
    Document::parse_with_options(text.trim(), options).ok()
}

/// Descriptions of real routers have some hundred.
const NODES_MAX: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [&str; 3] = [
        "urn:schemas-upnp-org:service:WANIPConnection:2",
        "urn:schemas-upnp-org:service:WANIPConnection:1",
        "urn:schemas-upnp-org:service:WANPPPConnection:1",
    ];

    fn location() -> HttpUrl {
        let router = "192.168.77.1:1900".parse().unwrap();
        HttpUrl::read("http://192.168.77.1:5000/root.xml", router).unwrap()
    }

    fn description(base: &str, services: &[(&str, &str)]) -> String {
        let services: String = services
            .iter()
            .map(|(kind, control)| {
                format!(
                    "<service><serviceType>urn:schemas-upnp-org:service:{kind}</serviceType>\
                     <controlURL>{control}</controlURL></service>"
                )
            })
            .collect();
        format!(
            "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\">{base}<device>\
             <deviceList><device><serviceList>{services}</serviceList></device></deviceList></device>\
             </root>"
        )
    }

    #[track_caller]
    fn check(description: &str, expected: Option<&str>) {
        let found = services(description.as_bytes(), &location(), &KINDS);
        let found = found.into_iter().next().map(|(kind, control)| {
            let kind = kind.rsplit("service:").next().unwrap_or_default();
            format!("{kind} {control}")
        });
        assert_eq!(found.as_deref(), expected, "{description}");
    }

    #[test]
    fn the_best_service_is_found() {
        let both = [
            ("WANPPPConnection:1", "/ppp"),
            ("WANIPConnection:1", "/ip1"),
            ("WANIPConnection:2", "/ip2"),
        ];
        check(
            &description("", &both),
            Some("WANIPConnection:2 http://192.168.77.1:5000/ip2"),
        );
        let all = services(description("", &both).as_bytes(), &location(), &KINDS);
        let places: Vec<&str> = all.iter().map(|(_, control)| control.path()).collect();
        assert_eq!(places, ["/ip2", "/ip1", "/ppp"]);
        check(
            &description("", &both[..2]),
            Some("WANIPConnection:1 http://192.168.77.1:5000/ip1"),
        );
        let base = "<URLBase>http://192.168.77.1:49152/</URLBase>";
        check(
            &description(base, &[("WANPPPConnection:1", "ppp")]),
            Some("WANPPPConnection:1 http://192.168.77.1:49152/ppp"),
        );
    }

    #[test]
    fn other_descriptions_have_no_service() {
        check("", None);
        check("garbage", None);
        check(&description("", &[("Layer3Forwarding:1", "/l3")]), None);
        check(
            &description("", &[("WANIPConnection:1", "http://10.0.0.1/ctl")]),
            None,
        );
        let bomb = "<!DOCTYPE root [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>";
        let with_dtd = description("", &[("WANIPConnection:1", "/ip1")]);
        check(&with_dtd.replace("<root", &format!("{bomb}<root")), None);
        check(&"<a>".repeat(20_000), None);
        let many = "<a/>".repeat(20_000);
        check(
            &with_dtd.replace("<device>", &format!("{many}<device>")),
            None,
        );
    }

    /// In a thread of the server, which has a small stack.
    #[test]
    fn depth_needs_no_stack() {
        let run = || {
            let deep = "<a>".repeat(9_000) + &"</a>".repeat(9_000);
            assert!(parse(&deep).is_some());
            assert!(parse(&"<a>".repeat(40_000)).is_none());
        };
        let thread = std::thread::Builder::new().stack_size(128 * 1024);
        thread.spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn answers_have_values_or_an_error() {
        let call = SoapCall {
            service: "urn:x",
            action: "Act",
            arguments: &[("NewPort", "1"), ("NewHost", "")],
        };
        assert_eq!(call.header(), "urn:x#Act");
        // What is sent can be read.
        let read = SoapAnswer::read(call.body().as_bytes()).unwrap();
        assert_eq!(read.value("NewPort").as_deref(), Some("1"));
        assert_eq!((read.value("NewHost"), read.error()), (None, None));
        let fault = "<s:Envelope xmlns:s=\"e\"><s:Body><s:Fault><detail><UPnPError>\
                     <errorCode> 718 </errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>";
        assert_eq!(
            SoapAnswer::read(fault.as_bytes()).unwrap().error(),
            Some(718)
        );
        for wrong in ["", "<html></html>", "<s:Envelope>", "\u{0}"] {
            assert_eq!(SoapAnswer::read(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(SoapAnswer::read(b"\xff"), None);
    }
}
