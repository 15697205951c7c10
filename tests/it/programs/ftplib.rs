//! Python's ftplib, driven by `tests/clients/ftplib_session.py`.

use std::fs::{self, File};

use super::curl::large_file;
use crate::support::client_program::{SECONDS_MAX, ftplib};
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};

#[test]
fn ftplib_passive() {
    let server = TestServer::program(&[]);
    check(&server, &["full"]);
    server.finish();
}

#[test]
fn ftplib_active() {
    let server = TestServer::program(&[]);
    check(&server, &["--active", "full"]);
    server.finish();
}

#[test]
fn ftplib_goes_on_after_a_broken_upload() {
    let server = TestServer::program(&[]);
    check(&server, &["broken"]);
    server.finish();
}

#[test]
fn ftplib_on_ipv6() {
    let server = Setup::new().host("::1").program();
    check(&server, &["full"]);
    check(&server, &["--active", "full"]);
    server.finish();
}

#[test]
fn ftplib_lists_five_thousand_files() {
    let server = TestServer::program(&[]);
    let crowd = server.path("crowd");
    fs::create_dir(&crowd).expect("a directory");
    for number in 0..5000 {
        let name = format!("file number {number} 文.txt");
        File::create(crowd.join(name)).expect("a file");
    }
    check(&server, &["crowd"]);
    check(&server, &["--active", "crowd"]);
    server.finish();
}

#[test]
fn long_ftplib_moves_one_gibibyte() {
    let server = TestServer::program(&[]);
    large_file(server.root());
    check(&server, &["large"]);
    server.finish();
}

#[track_caller]
fn check(server: &TestServer<Program>, arguments: &[&str]) {
    let mut command = ftplib(server.address, &server.root(), &server.work(""));
    command.args(arguments);
    process::run(&mut command, SECONDS_MAX).expect_success();
}
