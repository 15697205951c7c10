//! RFC 2640, Internationalization of FTP.

use crate::support::client::Client;
use crate::support::server::TestServer;

#[test]
fn rfc2640_4_1_lang() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    for (line, code) in [
        ("LANG", 200),
        ("LANG en", 200),
        ("lang EN-us", 200),
        ("LANG fr", 504),
        ("LANG f_r", 501),
    ] {
        client.command(line, code);
    }
}
