//! Edges of single values.

use std::num::NonZeroU64;

use super::*;

#[test]
fn networks_are_canonical() {
    for (text, canonical) in [
        ("10.8.0.0/24", "10.8.0.0/24"),
        ("10.8.0.7", "10.8.0.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::ffff:10.8.0.7", "10.8.0.7/32"),
        ("::ffff:10.8.0.0/120", "10.8.0.0/24"),
        ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("::1", "::1/128"),
    ] {
        assert_eq!(network(text).unwrap().to_string(), canonical, "{text}");
    }
    for bad in [
        "10.8.0.7/24",
        "::ffff:10.8.0.7/120",
        "2001:db8::7/64",
        "10.8.0.0/33",
        "10.8.0/24",
        "10.8.0.0/",
        "/24",
        "lan",
        " 10.8.0.0/24",
        "::/129",
    ] {
        assert!(network(bad).is_err(), "{bad}");
    }
}

#[test]
fn edges_of_numbers() {
    assert_eq!(port("0"), Ok(0));
    assert_eq!(port("65535"), Ok(65535));
    for bad in [
        "65536",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x10",
        "1.0",
        "",
        "99999999999999999999",
    ] {
        assert!(port(bad).is_err(), "{bad}");
    }
    assert_eq!(timeout("0"), Ok(None));
    assert_eq!(
        timeout("31536000"),
        Ok(Some(Duration::from_secs(31_536_000)))
    );
    assert!(timeout("31536001").is_err());
    assert_eq!(delay("0"), Ok(Duration::ZERO));
    assert_eq!(delay("60"), Ok(Duration::from_secs(60)));
    assert!(delay("61").is_err());
    assert_eq!(grace("0"), Ok(Duration::ZERO));
    assert_eq!(grace("86400"), Ok(Duration::from_secs(86400)));
    assert!(grace("86401").is_err());
    assert_eq!(number::<1, 9>("1"), Ok(1));
    assert_eq!(number::<1, 9>("9"), Ok(9));
    assert!(number::<1, 9>("0").is_err() && number::<1, 9>("10").is_err());
}

#[test]
fn rates() {
    for (text, bytes) in [
        ("0", 0),
        ("0K", 0),
        ("1", 1),
        ("500", 500),
        ("500K", 512_000),
        ("2m", 2 << 20),
        ("1G", 1 << 30),
        ("1024G", 1 << 40),
        ("1T", 1 << 40),
    ] {
        assert_eq!(rate(text), Ok(NonZeroU64::new(bytes)), "{text}");
    }
    for bad in [
        "",
        "K",
        "-1",
        "1.5M",
        "1 K",
        "1KB",
        "2T",
        "1025G",
        "18446744073709551616",
        "é",
    ] {
        assert!(rate(bad).is_err(), "{bad}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("0", None),
        ("1", Some(1)),
        ("100k", Some(102_400)),
        ("2T", Some(2 << 40)),
        ("1024T", Some(1 << 50)),
    ] {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for bad in ["", "M", "-1", "1.5G", "1 G", "1GB", "1025T", "16777216T"] {
        assert!(size(bad).is_err(), "{bad}");
    }
}

#[test]
fn umasks() {
    for (text, mask) in [
        ("0", 0),
        ("000", 0),
        ("022", 0o22),
        ("27", 0o27),
        ("0077", 0o77),
    ] {
        assert_eq!(umask(text), Ok(mask), "{text}");
    }
    for bad in ["", "100", "777", "028", "+22", "0o22", "u=rw", "00022"] {
        assert!(umask(bad).is_err(), "{bad}");
    }
}

#[test]
fn sources_of_addresses() {
    let file = |file: &str| AddressSource::File(file.into());
    let stun = |host: &str, port| AddressSource::Stun {
        host: host.to_owned(),
        port,
    };
    for (text, source, shown) in [
        ("@/run/public-ip", file("/run/public-ip"), "@/run/public-ip"),
        ("@public ip", file("public ip"), "@public ip"),
        ("@./~", file("./~"), "@./~"),
        (
            "stun:stun.example",
            stun("stun.example", 3478),
            "stun:stun.example",
        ),
        (
            "Stun:Stun.Example.:3478",
            stun("stun.example", 3478),
            "stun:stun.example",
        ),
        (
            "stun:192.0.2.7:19302",
            stun("192.0.2.7", 19302),
            "stun:192.0.2.7:19302",
        ),
    ] {
        assert_eq!(source.to_string(), shown);
        assert_eq!(address(text), Ok(source), "{text}");
    }
    // Both are in the map and in the rules too.
    let (private, public) = map_entry("10.0.0.1=@/a=b").unwrap();
    assert_eq!((private, public), ([10, 0, 0, 1].into(), file("/a=b")));
    let (_, public) = client("10.8.0.0/24=stun:a.example").unwrap();
    assert_eq!(public, ClientAddress::Public(stun("a.example", 3478)));
}

#[test]
fn a_mapped_masquerade_address_is_ipv4() {
    assert_eq!(
        address("::ffff:203.0.113.1"),
        Ok(AddressSource::Address(Ipv4Addr::new(203, 0, 113, 1)))
    );
}

#[test]
fn host_names() {
    let longest = format!("{}.org", ["a".repeat(61).as_str(); 4].join("."));
    for (text, name) in [
        ("ftp.home.example", "ftp.home.example"),
        ("NAS", "nas"),
        ("Ftp.Home.Example.", "ftp.home.example"),
        ("1.2.3.example", "1.2.3.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("my_nas.lan", "my_nas.lan"),
        (longest.as_str(), longest.as_str()),
    ] {
        let expected = AddressSource::Name(name.to_owned());
        assert_eq!(address(text), Ok(expected));
    }
    let label = "a".repeat(64);
    for bad in [
        "203.0.113.1.5",
        "203.0.113.256",
        "a..b",
        ".a",
        "a..",
        "-a.b",
        "a-.b",
        "a b",
        "a:b",
        "a/b",
        "bücher.example",
        "example.42",
        label.as_str(),
        &format!("a{longest}.org"),
    ] {
        assert!(address(bad).is_err(), "{bad}");
    }
}

#[test]
fn bytes_survive_as_text() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(bytes(&text_of_bytes(&all)), Ok(OsString::from_vec(all)));
    assert!(bytes("\u{100}").is_err());
}

#[test]
fn edges_of_passwords() {
    let longest = vec![b'x'; PASSWORD_BYTES_MAX];
    assert_eq!(password(longest.clone()), Ok(longest.clone()));
    assert!(password([longest, vec![b'x']].concat()).is_err());
    for bad in [&b""[..], b"a\nb", b"a\r", b"\0"] {
        assert!(password(bad.to_vec()).is_err(), "{bad:?}");
    }
}
