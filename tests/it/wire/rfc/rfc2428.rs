//! RFC 2428, FTP Extensions for IPv6 and NATs.

use std::net::TcpListener;

use crate::support::data::{connect, read_all};
use crate::support::server::Setup;

#[test]
fn rfc2428_2_eprt_over_both_families_and_with_any_delimiter() {
    for (host, family) in [("127.0.0.1", 1), ("::1", 2)] {
        let server = Setup::new().host(host).in_process();
        server.write("file", "text");
        let mut client = server.client();
        for delimiter in ['|', '!', '~', '#'] {
            let listener = TcpListener::bind((host, 0)).expect("a listener");
            let port = listener.local_addr().expect("its address").port();
            let fields = [family.to_string(), host.to_owned(), port.to_string()];
            let argument = fields.map(|field| format!("{delimiter}{field}")).concat();
            client.command(format!("EPRT {argument}{delimiter}"), 200);
            client.command("RETR file", 150);
            let (mut data, _) = listener.accept().expect("the server");
            assert_eq!(read_all(&mut data), b"text");
            client.expect(226);
        }
    }
}

#[test]
fn rfc2428_2_another_protocol_is_522_with_those_that_would_do() {
    for (host, other, told) in [
        ("127.0.0.1", "|2|::1|2000|", "(1)"),
        ("::1", "|1|127.0.0.1|2000|", "(2)"),
    ] {
        let server = Setup::new().host(host).in_process();
        let mut client = server.client();
        for line in [
            format!("EPRT {other}"),
            "EPRT |3|x|2000|".into(),
            "EPSV 3".into(),
        ] {
            let text = client.command(&line, 522).text();
            assert!(text.ends_with(told), "{line}: {text}");
        }
        for line in [
            "EPRT",
            "EPRT x",
            "EPRT |1|127.0.0.1|",
            "EPRT |1|127.0.0.1|x|",
            "EPSV x",
        ] {
            client.command(line, 501);
        }
    }
}

#[test]
fn rfc2428_3_epsv_tells_the_port_alone() {
    for (host, family) in [("127.0.0.1", "1"), ("::1", "2")] {
        let server = Setup::new().host(host).in_process();
        server.write("file", "text");
        let mut client = server.client();
        let reply = client.command(format!("EPSV {family}"), 229);
        let text = reply.text();
        assert!(text.contains("(|||") && text.ends_with("|)"), "{text}");
        let mut data = connect(client.announced(&reply));
        client.command("RETR file", 150);
        assert_eq!(read_all(&mut data), b"text");
        client.expect(226);
    }
}
