//! RFC 2389, Feature negotiation mechanism.

use crate::support::client::Client;
use crate::support::server::TestServer;

#[test]
fn rfc2389_3_2_features_are_listed_before_a_login_one_to_a_line() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    let reply = client.command("FEAT", 211);
    let (first, rest) = reply.lines.split_first().expect("lines");
    let (last, features) = rest.split_last().expect("lines");
    assert!(first.starts_with(b"211-") && last.starts_with(b"211 "));
    for feature in features {
        // One blank, and no more.
        assert!(
            feature[0] == b' ' && feature[1].is_ascii_alphabetic(),
            "{}",
            reply.text()
        );
    }
    assert!(features.iter().all(|feature| !feature.contains(&b'\t')));
}

/// Listed features work, and those that need a flag are not listed without it.
#[test]
fn rfc2389_3_2_listed_features_work() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let features = client.command("FEAT", 211).text();
    for absent in ["AUTH", "PBSZ", "PROT", "MFF", "MFCT", "CSID", "MODE"] {
        assert!(!features.contains(&format!(" {absent}")), "{features}");
    }
    server.write("file", "text");
    for (feature, line, code) in [
        (" CLNT", "CLNT any", 200),
        (" EPRT", "EPRT |1|127.0.0.1|2000|", 200),
        (" EPSV", "EPSV", 229),
        (" LANG EN*", "LANG EN", 200),
        (" MDTM", "MDTM file", 213),
        (" MFMT", "MFMT 20251122130709 file", 213),
        (" MLST type*;", "MLST file", 250),
        (" REST STREAM", "REST 1", 350),
        (" SIZE", "SIZE file", 213),
        (" TVFS", "MLST /", 250),
        (" UTF8", "OPTS UTF8 ON", 200),
    ] {
        assert!(features.contains(feature), "{feature}: {features}");
        client.command(line, code);
    }
    assert!(features.contains(" HOST"), "{features}");
    Client::greeted(server.address).command("HOST ftp.example", 220);
}

#[test]
fn rfc2389_4_options_of_what_has_none_are_501() {
    let server = TestServer::black_box();
    let mut client = server.client();
    for line in ["OPTS", "OPTS RETR", "OPTS NOSUCH x"] {
        client.command(line, 501);
    }
    client.command("opts mlst size;", 200);
}
