//! RFC 959, File Transfer Protocol.

use std::fs;
use std::io::Write;

use crate::support::client::Client;
use crate::support::data::{connect, read_all, wait_until_closed};
use crate::support::server::{PASSWORD, TestServer, USER};

#[test]
fn rfc959_3_1_1_unknown_types_and_formats_are_refused() {
    let server = TestServer::black_box();
    let mut client = server.client();
    for (line, code) in [
        ("TYPE A T", 504),
        ("TYPE A C", 504),
        ("TYPE E", 504),
        ("TYPE E N", 504),
        ("TYPE L 36", 504),
        ("TYPE X", 501),
        ("TYPE A X", 501),
        ("TYPE L", 501),
        ("STRU R", 504),
        ("STRU P", 504),
        ("STRU X", 501),
        ("MODE B", 504),
        ("MODE C", 504),
        ("MODE X", 501),
        ("STRU F", 200),
        ("MODE S", 200),
    ] {
        client.command(line, code);
    }
}

#[test]
fn rfc959_4_1_1_user_begins_a_new_login_at_any_time() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("directory")).expect("a directory");
    let mut client = server.client();
    client.command("CWD directory", 250);
    client.command(format!("USER {USER}"), 331);
    client.command("PWD", 530);
    client.command(format!("PASS {PASSWORD}"), 230);
    assert!(
        client
            .command("PWD", 257)
            .one_line()
            .starts_with("257 \"/\"")
    );
}

#[test]
fn rfc959_4_1_1_cdup_is_cwd_to_the_parent() {
    let server = TestServer::black_box();
    fs::create_dir_all(server.path("one/two")).expect("directories");
    let mut client = server.client();
    client.command("CWD one/two", 250);
    client.command("CDUP", 250);
    assert!(
        client
            .command("PWD", 257)
            .one_line()
            .starts_with("257 \"/one\"")
    );
    client.command("XCUP", 250);
    client.command("CDUP", 250);
    assert!(
        client
            .command("PWD", 257)
            .one_line()
            .starts_with("257 \"/\"")
    );
}

#[test]
fn rfc959_4_1_1_rein_resets_all_but_a_running_transfer() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    let mut data = client.data();
    client.send_bytes("RETR file\r\nREIN\r\nPWD\r\n");
    assert_eq!(read_all(&mut data), b"text");
    client.expect_all(&[150, 226, 220, 530]);
}

#[test]
fn rfc959_4_1_2_a_new_port_replaces_the_old() {
    let server = TestServer::black_box();
    server.write("file", "text");
    let mut client = server.client();
    let old = client.passive();
    let mut data = connect(client.passive());
    client.command("RETR file", 150);
    assert_eq!(read_all(&mut data), b"text");
    client.expect(226);
    wait_until_closed(old);
}

#[test]
fn rfc959_4_1_3_allo_may_be_superfluous() {
    let server = TestServer::black_box();
    let mut client = server.client();
    for (line, code) in [
        ("ALLO 1000", 200),
        ("ALLO 1000 R 80", 200),
        ("ALLO x", 501),
        ("ALLO", 501),
    ] {
        client.command(line, code);
    }
}

#[test]
fn rfc959_4_1_3_rnto_must_follow_rnfr_at_once() {
    let server = TestServer::black_box();
    server.write("old", "text");
    let mut client = server.client();
    client.command("RNTO new", 503);
    for between in [
        ("NOOP", 200),
        ("PWD x", 501),
        ("NOSUCH", 500),
        ("RNTO", 501),
    ] {
        client.command("RNFR old", 350);
        client.command(between.0, between.1);
        client.command("RNTO new", 503);
    }
    client.command("RNFR old", 350);
    client.command("RNTO new", 250);
    assert_eq!(server.read("new"), b"text");
}

#[test]
fn rfc959_4_1_3_list_and_nlst_show_the_working_directory_by_default() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("directory")).expect("a directory");
    server.write("directory/file", "text");
    let mut client = server.client();
    client.command("CWD directory", 250);
    assert_eq!(client.fetch("NLST"), b"file\r\n");
    assert!(client.fetch("LIST").ends_with(b" file\r\n"));
}

#[test]
fn rfc959_4_1_3_syst_names_a_registered_system() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    assert!(
        client
            .command("SYST", 215)
            .one_line()
            .starts_with("215 UNIX ")
    );
}

#[test]
fn rfc959_4_1_3_help_works_before_a_login_and_for_each_command() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    let names = client.command("HELP", 214).one_line();
    let names = names
        .split_whitespace()
        .filter(|word| word.len() <= 4 && word.bytes().all(|byte| byte.is_ascii_uppercase()));
    let mut count = 0;
    for name in names {
        count += 1;
        let text = client.command(format!("HELP {name}"), 214).one_line();
        assert!(text.contains(name), "{text}");
    }
    assert!(count > 40, "{count}");
}

#[test]
fn rfc959_4_1_3_noop_changes_nothing() {
    let server = TestServer::black_box();
    server.write("file", "0123");
    let mut client = server.client();
    client.command("REST 2", 350);
    client.command("NOOP", 200);
    let mut data = client.data();
    client.command("NOOP", 200);
    client.command("RETR file", 150);
    assert_eq!(read_all(&mut data), b"23");
    client.expect(226);
}

#[test]
fn rfc959_5_2_no_data_before_150_and_no_226_before_the_end() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let mut data = client.data();
    client.command("STOR file", 150);
    data.write_all(b"text").expect("sending data");
    client.command("STAT", 211);
    drop(data);
    client.expect(226);
    assert_eq!(server.read("file"), b"text");
}

#[test]
fn rfc959_5_3_commands_may_be_in_any_case() {
    let server = TestServer::black_box();
    let mut client = Client::greeted(server.address);
    client.command(format!("user {USER}"), 331);
    client.command(format!("pAsS {PASSWORD}"), 230);
    client.command("type i", 200);
    client.command("Pwd", 257);
}

#[test]
fn rfc959_5_4_unknown_commands_are_500_and_unimplemented_ones_502() {
    let server = TestServer::black_box();
    let mut client = server.client();
    client.command("NOSUCH", 500);
    // An empty line is no command, and has no reply.
    client.send("");
    client.command("NOSUCH", 500);
    for name in [
        "SMNT /", "ADAT x", "CONF x", "ENC x", "MIC x", "LPRT x", "LPSV",
    ] {
        client.command(name, 502);
    }
}

#[test]
fn rfc959_appendix_2_quotes_in_paths_are_doubled() {
    let server = TestServer::black_box();
    let mut client = server.client();
    let text = client.command("MKD say \"hi\"", 257).one_line();
    assert!(text.starts_with("257 \"/say \"\"hi\"\"\" "), "{text}");
    client.command("XCWD say \"hi\"", 250);
    let text = client.command("XPWD", 257).one_line();
    assert!(text.starts_with("257 \"/say \"\"hi\"\"\" "), "{text}");
    client.command("XMKD /other", 257);
    client.command("XRMD /other", 250);
}
