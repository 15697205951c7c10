//! The checks of `ftp-proto-testkit`, which are there for servers that are built on `ftp-proto`.

use ftp_proto_testkit::black_box::BlackBox;

use crate::support::server::{PASSWORD, TestServer, USER};

/// Those that wait for nothing.
#[test]
fn the_test_kit_finds_nothing() {
    let server = TestServer::black_box();
    let report = kit(&server)
        .only("every command is answered")
        .only("strangers on the data port")
        .only("the old file stays")
        .only("ends with its data")
        .only("active mode")
        .only("ABOR acts")
        .only("an upload outlives")
        .only("a reset ends")
        .only("a killed client")
        .run();
    report.assert_passed();
    assert_eq!(report.passed().len(), 11, "{:?}", report.passed());
}

/// The transcripts too, some of which try wrong passwords.
#[test]
fn long_the_test_kit_finds_nothing() {
    kit(&TestServer::black_box()).run().assert_passed();
}

fn kit<B>(server: &TestServer<B>) -> BlackBox {
    BlackBox::new(server.address).user(USER).password(PASSWORD)
}
