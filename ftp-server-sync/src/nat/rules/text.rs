//! The text of the rules.
//!
//! Rules are built from numbers and addresses only, never from other text of the operator.

use std::net::Ipv4Addr;

use super::forward::{ForwardedAddress, ForwardedPorts};

/// A file for `nft -f -`. It has a table of its own, which replaces that of an earlier file. The
/// table is declared first, because nft cannot delete a table that does not exist.
pub(super) fn nft(forwards: &[ForwardedAddress], ports: &ForwardedPorts) -> String {
    let mut text = format!(
        "# For the router: nft -f FILE. Loading it again replaces its table.\n\
         table ip {TABLE}\n\
         delete table ip {TABLE}\n\
         table ip {TABLE} {{\n\
         \x20   chain prerouting {{\n\
         \x20       type nat hook prerouting priority dstnat;\n"
    );
    for forward in forwards {
        let private = forward.private;
        let to = match forward.public {
            Some(public) => format!("ip daddr {public}"),
            None => "fib daddr type local".to_owned(),
        };
        let control = format!("{to} tcp dport {} dnat to {private}", ports.control_outer);
        let passive = ports.outer;
        let passive = format!("{to} tcp dport {passive} dnat to {private}");
        text.push_str(&format!("{NFT_INDENT}{control}:{}\n", ports.control_inner));
        if let Some(port) = ports.implicit_tls {
            let line = format!("{NFT_INDENT}{to} tcp dport {port} dnat to {private}\n");
            text.push_str(&line);
        }
        if ports.outer == ports.inner {
            text.push_str(&format!("{NFT_INDENT}{passive}\n"));
        } else {
            let map = nft_map(ports);
            text.push_str(&format!("{NFT_INDENT}{passive} : tcp dport map {{\n{map}"));
            text.push_str(&format!("{NFT_INDENT}}}\n"));
        }
    }
    text.push_str("    }\n}\n");
    text
}

/// Commands for `sh`.
pub(super) fn iptables(forwards: &[ForwardedAddress], ports: &ForwardedPorts) -> String {
    let mut text = String::new();
    for forward in forwards {
        let to = match forward.public {
            Some(public) => format!("-d {public}"),
            None => "-m addrtype --dst-type LOCAL".to_owned(),
        };
        let mut rule = |outer: &str, target: &str| {
            text.push_str(&format!(
                "iptables -t nat -A PREROUTING {to} -p tcp --dport {outer} -j DNAT \
                 --to-destination {target}\n"
            ));
        };
        let control = format!("{}:{}", forward.private, ports.control_inner);
        rule(&ports.control_outer.to_string(), &control);
        if let Some(port) = ports.implicit_tls {
            rule(&port.to_string(), &forward.private.to_string());
        }
        passive_iptables(forward.private, ports, &mut rule);
    }
    text
}

/// Arguments for `docker run`.
pub(super) fn docker(ports: &ForwardedPorts) -> String {
    let (outer, inner) = (ports.outer, ports.inner);
    let (control_outer, control_inner) = (ports.control_outer, ports.control_inner);
    let implicit = ports
        .implicit_tls
        .map_or(String::new(), |port| format!("--publish {port}:{port}\n"));
    format!("--publish {control_outer}:{control_inner}\n{implicit}--publish {outer}:{inner}\n")
}

/// Commands for the machine on which the server runs.
pub(super) fn ufw(addresses: &[String], ports: &ForwardedPorts) -> String {
    let mut numbers = vec![ports.control_inner.to_string()];
    numbers.extend(ports.implicit_tls.map(|port| port.to_string()));
    numbers.push(ports.inner.with_separator(':'));
    let all = |address: &String| -> String {
        let line = |port| format!("ufw allow proto tcp to {address} port {port}\n");
        numbers.iter().map(line).collect()
    };
    addresses.iter().map(all).collect()
}

/// What to enter in the forms of consumer routers, whose words differ.
pub(super) fn form(
    forwards: &[ForwardedAddress],
    ports: &ForwardedPorts,
    masquerades: bool,
) -> String {
    let mut text = String::new();
    for forward in forwards {
        let router = match forward.public {
            Some(public) => format!("the router's address {public}"),
            None => "the router".to_owned(),
        };
        text.push_str(&format!(
            "Port forwarding on {router}:\n\n{}",
            form_line(FORM_HEAD)
        ));
        let mut row = |name: &str, outer: String, inner: String| {
            let private = forward.private.to_string();
            text.push_str(&form_line([name, &outer, &private, &inner, "TCP"]));
        };
        let (outer, inner) = (ports.control_outer, ports.control_inner);
        row("FTP control", outer.to_string(), inner.to_string());
        if let Some(port) = ports.implicit_tls {
            row("FTP implicit TLS", port.to_string(), port.to_string());
        }
        row("FTP data", ports.outer.to_string(), ports.inner.to_string());
        text.push('\n');
    }
    let mut private: Vec<String> = forwards.iter().map(|one| one.private.to_string()).collect();
    private.dedup();
    let private = private.join(" and ");
    text.push_str(&format!(
        "Where the form wants the first and the last port, write one port twice.\n\
         Let the router always give this machine the same address, {private}.\n"
    ));
    if ports.outer != ports.inner {
        text.push_str(
            "If the form has no internal ports, leave out --outer-ports: the numbers are then the same.\n",
        );
    }
    if !masquerades {
        text.push_str("Give the server the router's public address with --masquerade-address.\n");
    }
    text
}

fn form_line(fields: [&str; 5]) -> String {
    let [name, outer, private, inner, protocol] = fields;
    format!("{name:<18}{outer:<16}{private:<18}{inner:<16}{protocol}\n")
}

/// Where the numbers of the two ranges differ, each port needs a rule of its own: the kernel would
/// forward a connection to any port of an inner range.
fn passive_iptables(private: Ipv4Addr, ports: &ForwardedPorts, rule: &mut impl FnMut(&str, &str)) {
    let outer = ports.outer.with_separator(':');
    if ports.outer == ports.inner {
        rule(&outer, &private.to_string());
    } else if ports.inner.count() <= SINGLE_RULES_MAX {
        for (outer, inner) in ports.outer.ports().zip(ports.inner.ports()) {
            rule(&outer.to_string(), &format!("{private}:{inner}"));
        }
    } else {
        // The number after the slash is the outer port that leads to the first inner one. Routers
        // from before 2018 (Linux 4.18, iptables 1.8) do not support it: for them there are
        // the single rules above.
        let inner = ports.inner;
        rule(
            &outer,
            &format!("{private}:{inner}/{}", ports.outer.first()),
        );
    }
}

fn nft_map(ports: &ForwardedPorts) -> String {
    let pairs: Vec<String> = ports
        .outer
        .ports()
        .zip(ports.inner.ports())
        .map(|(outer, inner)| format!("{outer} : {inner}"))
        .collect();
    let line = |pairs: &[String]| format!("{NFT_INDENT}    {}", pairs.join(", "));
    let lines: Vec<String> = pairs.chunks(PAIRS_PER_LINE).map(line).collect();
    format!("{}\n", lines.join(",\n"))
}

/// Before the form, with `--port-mapping`.
pub(super) const NOT_NEEDED: &str = "\
    The router needs none of this: the server asks it to forward the ports (--port-mapping).\n\
    If it does not, enter this, and leave out --port-mapping.\n\n";
const FORM_HEAD: [&str; 5] = [
    "name",
    "external ports",
    "internal address",
    "internal ports",
    "protocol",
];
const TABLE: &str = "ftp-server-sync";
const NFT_INDENT: &str = "        ";
const PAIRS_PER_LINE: usize = 5;
/// More single rules would be slow to load, because each is a command.
const SINGLE_RULES_MAX: u16 = 100;
