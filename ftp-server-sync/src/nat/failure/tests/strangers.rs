//! Others came to the port.

use super::*;

#[test]
fn a_second_address_of_the_client() {
    let from = |strangers| Case {
        strangers,
        returned: strangers,
        ..Case::default()
    };
    from("203.0.113.28").cured_by("--trust-gateway 203.0.113.28");
    // A gateway on the data connection: a scanner beside it does not matter.
    from("192.168.77.1").cured_by("--trust-gateway 192.168.77.1");
    from("203.0.113.28 192.168.77.1").cured_by("--trust-gateway 192.168.77.1");
    // A pool of addresses, the client's own among them.
    from("198.51.100.9 198.51.100.12").cured_by("--trust-gateway 198.51.100.0/28");
    from("203.0.113.28 203.0.113.29").cured_by("--trust-gateway 203.0.113.28/31");
    from("198.51.100.9 203.0.113.28").cured_by("--trust-gateway 198.51.100.9");
    // No gateway has these.
    from("203.0.113.28 203.0.114.29").says(FORWARD);
    // Only the log may show another client's address.
    let hidden = from("203.0.113.28").cause().remedy().unwrap();
    assert!(!hidden.contains("203.0.113.28"), "{hidden}");
    let gateway = Case {
        peer: "192.168.77.1",
        ..from("203.0.113.28")
    };
    let hidden = gateway.cause().remedy().unwrap();
    assert!(!hidden.contains("203.0.113.28"), "{hidden}");
    let shown = from("192.168.77.1").cause().remedy().unwrap();
    assert!(shown.contains("192.168.77.1"), "{shown}");
    // The announced address is wrong in any case; a scanner is no second address.
    Case {
        strangers: "203.0.113.28",
        returned: "203.0.113.28",
        ..without_masquerade()
    }
    .cured_by("--masquerade-address");
    Case {
        strangers: "198.51.100.9",
        ..without_masquerade()
    }
    .cured_by("--trust-gateway 198.51.100.9");
    // A device with IPv6 has another address every day.
    Case {
        local: "2001:db8:77::2",
        peer: "2001:db8:1::9",
        with_address: false,
        strangers: "2001:db8:1::1234",
        ..Case::default()
    }
    .cured_by("--trust-gateway 2001:db8:1::/64");
}

/// Everyone may come to a port that is forwarded.
#[test]
fn a_port_scan_names_no_gateway() {
    let scanned = |peer, strangers| Case {
        peer,
        strangers,
        ..Case::default()
    };
    scanned(OUTSIDE, "203.0.113.28").says(FORWARD);
    scanned(OUTSIDE, "203.0.113.28 203.0.113.29").says(FORWARD);
    scanned("192.168.77.1", "203.0.113.28").says(FORWARD);
    let slow = scanned("192.168.77.50", "203.0.113.28").cause();
    assert!(!slow.advice().contains("--trust-gateway"), "{slow:?}");
    // One that is near the client does not need to return.
    scanned(OUTSIDE, "198.51.100.9 203.0.113.28").cured_by("--trust-gateway 198.51.100.9");
    // What may be the client itself is no gateway for certain.
    let repeated = Case {
        returned: "203.0.113.28",
        ..scanned("192.168.77.50", "203.0.113.28")
    };
    repeated.says(
        "203.0.113.28 came to the port; if 192.168.77.50 passes clients from outside on, and that \
         is the same client, add --trust-gateway 192.168.77.50",
    );
}

/// Of other addresses, a client reads the router's alone.
#[test]
fn a_client_reads_no_address_of_another_one() {
    let hidden = "another address came instead; the server's log has it, for --trust-gateway";
    for (peer, strangers) in [
        (OUTSIDE, "192.168.77.60"),
        (OUTSIDE, "192.168.77.60 192.168.77.61"),
        (OUTSIDE, "192.168.77.1 192.168.77.61"),
        ("192.168.77.50", "192.168.77.60"),
        ("192.168.77.2", "192.168.77.60"),
    ] {
        let case = Case {
            peer,
            strangers,
            ..Case::default()
        };
        assert_eq!(case.cause().remedy().unwrap(), hidden, "{strangers}");
    }
}

#[test]
fn a_gateway_on_the_control_connection() {
    for (peer, strangers) in [
        ("192.168.77.1", OUTSIDE),
        // A client inside that used the public address for its control connection only.
        ("192.168.77.1", "192.168.77.50"),
        ("192.168.77.9", OUTSIDE),
        ("192.168.77.2", OUTSIDE),
        ("10.42.0.1", "198.51.100.7 203.0.113.9"),
        ("127.0.0.1", "127.0.0.2"),
    ] {
        Case {
            peer,
            strangers,
            returned: strangers,
            ..Case::default()
        }
        .cured_by(&format!("--trust-gateway {peer}"));
    }
}
