//! EPSV through the router: 229 names a port only, so masquerade does not matter, but the range
//! does.

use super::announcements::{assert_announced, assert_not_connected};
use super::home_network::{FORWARDED, INSIDE, OUTER, OUTSIDE, ROUTED};
use super::home_server::{HomeServer, SIZE};
use super::matrix::scenario;
use crate::support::client_program::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::process;

#[test]
fn epsv_is_served() {
    scenario("extended_passive::epsv_is_served", || {
        let home = HomeServer::new(&ROUTED);
        for (host, to) in [
            ("client", OUTSIDE),
            ("guest", OUTSIDE),
            ("neighbour", INSIDE),
        ] {
            let mut client = home.client(host, to);
            for argument in ["", "1"] {
                let reply = client.command(format!("EPSV {argument}").trim_end(), 229);
                let announced = client.announced(&reply);
                assert!(FORWARDED.contains(&announced.port()), "{announced}");
                let data = client.connect_data(announced);
                let bytes = client.fetch_over(data, "RETR from-server.bin");
                assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
            }
            let refusal = client.command("EPSV 2", 522).text();
            assert!(refusal.contains("(1)"), "{refusal}");
            client.command("EPSV 3", 522);
            client.command("EPSV one", 501);
            client.command("QUIT", 221);
        }
        let prefer = "set ftp:prefer-epsv true; ";
        let url = home.lftp_url(OUTSIDE);
        let script = format!("{prefer} cat {url}/from-server.bin");
        let output = process::run(&mut home.lftp_command("client", &script), SECONDS_MAX);
        let output = output.expect_success();
        assert!(
            output.stdout == noise(SIZE),
            "{} bytes",
            output.stdout.len()
        );
        home.finish();
        "served, served, 522"
    });
}

#[test]
fn epsv_fails_without_the_forwarded_range() {
    let home = HomeServer::new(&["-n", "203.0.113.1", "-r", "61000-61009"]);
    let list = ["--max-time", "5", &format!("ftp://{OUTSIDE}/")];
    // curl would turn to PASV after this.
    let mut command = home.curl_command("client", &[], &list);
    let output = process::run(&mut command, SECONDS_MAX).expect_failure();
    assert_not_connected(&output);
    home.finish();
}

/// RFC 2428, section 4: such a client promises a router that it need not read any further.
#[test]
fn epsv_all_refuses_other_commands() {
    scenario("extended_passive::epsv_all_refuses_other_commands", || {
        let home = HomeServer::new(&ROUTED);
        let mut client = home.client("client", OUTSIDE);
        assert!(client.fetch_passive("RETR from-server.bin") == noise(SIZE));
        client.command("EPSV ALL", 200);
        for _ in 0..2 {
            client.command("PASV", 501);
            client.command("PORT 203,0,113,9,200,10", 501);
            client.command("EPRT |1|203.0.113.9|51210|", 501);
            client.command("RETR no-such-file", 550);
            client.command("ABOR", 226);
            let announced = client.extended_passive();
            let data = client.connect_data(announced);
            assert!(client.fetch_over(data, "RETR from-server.bin") == noise(SIZE));
        }
        let output = home.curl("client", OUTSIDE, &["-Q", "EPSV ALL"]);
        output
            .iter()
            .for_each(|output| assert_announced(output, 229, OUTER));
        home.finish();
        "EPSV served; PASV, PORT, EPRT refused"
    });
}
