//! EPSV through the router: 229 names a port only, so masquerade does not matter, but the range does.

use super::announced::{assert_announced, assert_not_connected};
use super::home::{FORWARDED, INSIDE, OUTER, OUTSIDE, ROUTED};
use super::matrix::scenario;
use super::site::{SIZE, Site};
use crate::clients::SECONDS_MAX;
use crate::support::file_contents::noise;
use crate::support::process;

#[test]
fn epsv() {
    scenario("extended::epsv", || {
        let site = Site::new(&ROUTED);
        for (host, to) in [
            ("client", OUTSIDE),
            ("guest", OUTSIDE),
            ("neighbour", INSIDE),
        ] {
            let mut client = site.client(host, to);
            for argument in ["", "1"] {
                let announced = client.epsv(argument);
                assert!(FORWARDED.contains(&announced.port()), "{announced}");
                let data = client.connect(announced);
                let bytes = client.download_over(data, "from-server.bin");
                assert!(bytes == noise(SIZE), "{} bytes", bytes.len());
            }
            let refusal = client.expect("EPSV 2", "522");
            assert!(refusal.contains("(1)"), "{refusal}");
            client.expect("EPSV 3", "522");
            client.expect("EPSV one", "501");
            client.expect("QUIT", "221");
        }
        let prefer = "set ftp:prefer-epsv true; ";
        let url = site.lftp_url(OUTSIDE);
        let script = format!("{prefer} cat {url}/from-server.bin");
        let story = process::run(&mut site.lftp_command("client", &script), SECONDS_MAX);
        let story = story.expect_success();
        assert!(story.stdout == noise(SIZE), "{} bytes", story.stdout.len());
        site.finish();
        "served, served, 522"
    });
}

#[test]
fn without_the_forwarded_range() {
    let site = Site::new(&["-n", "203.0.113.1", "-r", "61000-61009"]);
    let list = ["--max-time", "5", &format!("ftp://{OUTSIDE}/")];
    // curl would turn to PASV after this.
    let mut command = site.curl_command("client", &[], &list);
    let story = process::run(&mut command, SECONDS_MAX).expect_failure();
    assert_not_connected(&story);
    site.finish();
}

/// RFC 2428, section 4: such a client promises a router that it need not read any further.
#[test]
fn epsv_all() {
    scenario("extended::epsv_all", || {
        let site = Site::new(&ROUTED);
        let mut client = site.client("client", OUTSIDE);
        assert!(client.download("from-server.bin") == noise(SIZE));
        client.expect("EPSV ALL", "200");
        for _ in 0..2 {
            client.expect("PASV", "5");
            client.expect("PORT 203,0,113,9,200,10", "5");
            client.expect("EPRT |1|203.0.113.9|51210|", "5");
            client.expect("RETR no-such-file", "550");
            client.expect("ABOR", "226");
            let announced = client.epsv("");
            let data = client.connect(announced);
            assert!(client.download_over(data, "from-server.bin") == noise(SIZE));
        }
        let story = site.curl("client", OUTSIDE, &["-Q", "EPSV ALL"]);
        story
            .iter()
            .for_each(|story| assert_announced(story, "229", OUTER));
        site.finish();
        "EPSV served; PASV, PORT, EPRT refused"
    });
}
