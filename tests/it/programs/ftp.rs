//! The programs called ftp: tnftp (the one of the BSDs and macOS) and that of GNU inetutils, driven
//! as by a person who types.

use std::fs;

use super::dialogue::{Dialogue, Mode};
use super::{HALF, assert_sample, prepare, start};
use crate::support::client_program::{NAMES, SECONDS_MAX};
use crate::support::process;
use crate::support::server::{PASSWORD, USER};

#[test]
fn tnftp_by_default() {
    check("tnftp", "127.0.0.1", &[]).assert_mode(Mode::Epsv);
}

#[test]
fn tnftp_without_epsv() {
    check("tnftp", "127.0.0.1", &["epsv4 off"]).assert_mode(Mode::Pasv);
}

#[test]
fn tnftp_in_active_mode() {
    check("tnftp", "127.0.0.1", &["passive off"]).assert_mode(Mode::Eprt);
    check("tnftp", "127.0.0.1", &["passive off", "epsv4 off"]).assert_mode(Mode::Port);
}

#[test]
fn tnftp_on_ipv6() {
    check("tnftp", "::1", &[]).assert_mode(Mode::Epsv);
    check("tnftp", "::1", &["passive off"]).assert_mode(Mode::Eprt);
}

#[test]
fn inetutils_passive() {
    // This one has `epsv4` off at first, and the command alone turns it on.
    check("inetutils-ftp", "127.0.0.1", &["passive"]).assert_mode(Mode::Pasv);
    check("inetutils-ftp", "127.0.0.1", &["passive", "epsv4"]).assert_mode(Mode::Epsv);
}

#[test]
fn inetutils_active() {
    check("inetutils-ftp", "127.0.0.1", &[]).assert_mode(Mode::Port);
    check("inetutils-ftp", "127.0.0.1", &["epsv4"]).assert_mode(Mode::Eprt);
}

#[test]
fn inetutils_on_ipv6() {
    check("inetutils-ftp", "::1", &["passive"]).assert_mode(Mode::Epsv);
    check("inetutils-ftp", "::1", &[]).assert_mode(Mode::Eprt);
}

/// Everything that both programs can do, in one session.
fn check(program: &str, host: &str, settings: &[&str]) -> Dialogue {
    let server = start(host);
    prepare(&server);
    for name in NAMES {
        fs::write(server.work(name), name).expect("a file with an odd name");
    }
    let typed = typed(settings);
    let mut command = server.client_program(program);
    command.args(["-n", "-v", "-i", &server.host(), &server.port()]);
    let finished = process::run_typing(&mut command, &typed, SECONDS_MAX).expect_success();
    let text = finished.text();
    let samples = [
        server.work("copy"),
        server.work("part"),
        server.path("part"),
        server.path("appended"),
        server.path("moved"),
    ];
    for sample in samples {
        assert!(sample.exists(), "{} is missing:\n{text}", sample.display());
        assert_sample(&sample);
    }
    for name in NAMES {
        for copy in [
            server.path("odd").join(name),
            server.work("back").join(name),
        ] {
            let found = fs::read_to_string(&copy);
            assert_eq!(
                found.ok().as_deref(),
                Some(name),
                "{}:\n{text}",
                copy.display()
            );
        }
        assert!(
            text.lines().any(|line| line == name),
            "no {name} in:\n{text}"
        );
    }
    for gone in ["sample", "a directory"] {
        assert!(
            !server.path(gone).exists(),
            "{gone} is still there:\n{text}"
        );
    }
    let dialogue = Dialogue::finish(server);
    let resumed = dialogue
        .commands()
        .filter(|line| *line == format!("REST {HALF}"));
    assert_eq!(
        resumed.count(),
        2,
        "a download and an upload that went on:\n{text}"
    );
    dialogue.assert_used(&["APPE", "SIZE", "MDTM", "LIST", "NLST", "RNTO"]);
    dialogue.assert_smooth_but(&[]);
    dialogue
}

/// Everything that is typed into the program, after these settings.
fn typed(settings: &[&str]) -> String {
    let mut typed = format!("user {USER} {PASSWORD}\nbinary\nglob off\n");
    for line in settings {
        typed += &format!("{line}\n");
    }
    typed += &format!(
        "put sample\nget sample copy\nreget sample part\nrestart {HALF}\nput sample part\n\
         append rest appended\nsize sample\nmodtime sample\nls sample\n\
         mkdir \"a directory\"\ncd \"a directory\"\npwd\nput sample other\nrename other moved\ncd ..\n\
         rename \"a directory/moved\" moved\nrmdir \"a directory\"\ndelete sample\nmkdir odd\n"
    );
    for name in NAMES.map(typed_name) {
        typed += &format!("put {name} odd/{name}\nget odd/{name} back/{name}\n");
    }
    typed + "cd odd\nnlist\nquit\n"
}

/// A name as one word; both programs take what follows a backslash as it is.
fn typed_name(name: &str) -> String {
    let mut word = String::new();
    for letter in name.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() {
            word.push('\\');
        }
        word.push(letter);
    }
    word
}
