//! Clients that write names in a charset of their own, and a client in UTF-8 beside them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::dialogue::Dialogue;
use super::lftp::lftp;
use crate::support::client_program::{SECONDS_MAX, ftplib};
use crate::support::process;
use crate::support::server::{PASSWORD, Program, TestServer, USER};

/// A charset, its name in clients, and names that it has. The second bytes of some characters are
/// those of `\` and `|`.
const CHARSETS: [(&str, &str, [&str; 2]); 7] = [
    ("GBK", "gbk", ["中文文件", "誠乗 café"]),
    ("GB18030", "gb18030", ["中文文件", "𠀀 naïve"]),
    ("Big5", "big5", ["功許蓋", "文件 一"]),
    ("Shift_JIS", "shift_jis", ["表示ソート", "ポート 一"]),
    ("EUC-JP", "euc_jp", ["日本語", "ファイル"]),
    ("EUC-KR", "euc_kr", ["한글", "파일 하나"]),
    ("windows-1251", "cp1251", ["Музыка", "Ещё раз"]),
];

#[test]
fn ftplib_in_each_charset() {
    for (encoding, codec, names) in CHARSETS {
        for flag in [encoding, &format!("auto:{encoding}")] {
            let server = start(flag);
            check_ftplib(&server, codec, &names);
            server.finish();
        }
    }
}

/// A client that writes UTF-8 and does not say so.
#[test]
fn ftplib_in_utf8_where_others_have_a_charset() {
    let server = start("auto:GBK");
    check_ftplib(&server, "utf-8", &["中文文件", "Файл", "日本語 ソ"]);
    server.finish();
}

#[test]
fn lftp_with_a_charset() {
    for (encoding, charset) in [
        ("GBK", "gbk"),
        ("Shift_JIS", "shift_jis"),
        ("KOI8-R", "koi8-r"),
    ] {
        let names = match encoding {
            "KOI8-R" => ["Музыка", "Ъ и ты"],
            "GBK" => ["中文文件", "誠乗"],
            _ => ["表示ソート", "ポート"],
        };
        // lftp takes a reply to LANG for the permission to write UTF-8.
        let server =
            TestServer::program(&["--encoding", encoding, "--deny-commands", "LANG", "--debug"]);
        for name in names {
            fs::write(server.work(name), name).expect("a file");
        }
        let settings = format!("set ftp:charset {charset}\nset ftp:use-utf8 false\n");
        let [one, two] = names;
        let script = format!(
            "mkdir {one}\ncd {one}\nput \"{two}\"\ncls -1\nmv \"{two}\" \"{two} 2\"\n\
             cd /\nmirror {one} back\n"
        );
        let finished = lftp(&server, &settings, &script).expect_success();
        let on_disk = server.path(one).join(format!("{two} 2"));
        assert_eq!(fs::read_to_string(on_disk).expect("the upload"), two);
        let back = server.work("back").join(format!("{two} 2"));
        assert_eq!(fs::read_to_string(back).expect("the mirror"), two);
        let listed = String::from_utf8(finished.stdout.clone()).expect("UTF-8");
        assert_eq!(listed, format!("{two}\n"), "{}", finished.text());
        let dialogue = Dialogue::finish(server);
        assert!(
            !dialogue.log().contains("> OPTS UTF8"),
            "{}",
            dialogue.log()
        );
    }
}

/// lftp asks for UTF-8 by itself, whatever charset is set.
#[test]
fn lftp_in_utf8_where_others_have_a_charset() {
    for (settings, sent) in [
        ("", "OPTS UTF8 ON"),
        ("set ftp:charset gbk", "OPTS UTF8 ON"),
        ("set ftp:charset gbk\nset ftp:use-utf8 false", "LANG"),
    ] {
        let server = start("GBK");
        fs::write(server.work("中文"), "中文").expect("a file");
        let finished = lftp(&server, settings, "put 中文\ncls -1\n").expect_success();
        let on_disk = fs::read_to_string(server.path("中文")).expect("the upload");
        assert_eq!(on_disk, "中文");
        assert_eq!(finished.stdout, "中文\n".as_bytes(), "{}", finished.text());
        Dialogue::finish(server).assert_sent(sent);
    }
}

/// ncftp passes on the bytes of its arguments, but removes backslashes among them.
#[test]
fn ncftp_with_names_in_bytes() {
    for (encoding, wire, name) in [
        ("GBK", &b"\xd6\xd0\xce\xc4.txt"[..], "中文.txt"),
        ("Shift_JIS", b"\x8e\xa6\x8c\xa9.txt", "示見.txt"),
        ("EUC-KR", b"\xc7\xd1\xb1\xdb.txt", "한글.txt"),
        (
            "windows-1251",
            b"\xcc\xf3\xe7\xfb\xea\xe0.txt",
            "Музыка.txt",
        ),
    ] {
        let server = start(encoding);
        let wire = OsStr::from_bytes(wire);
        fs::write(server.work("").join(wire), name).expect("a file");
        let run = |program: &str, arguments: &[&OsStr]| {
            let mut command = server.client_program(program);
            command.args(["-u", USER, "-p", PASSWORD, "-P", &server.port(), "-r", "1"]);
            command.env("LC_ALL", "C").args(arguments);
            process::run(&mut command, SECONDS_MAX).expect_success()
        };
        let (host, root) = (server.host(), OsStr::new("/"));
        run("ncftpput", &[host.as_ref(), root, wire]);
        assert_eq!(
            fs::read_to_string(server.path(name)).expect("the upload"),
            name
        );
        fs::create_dir(server.work("down")).expect("a directory");
        let remote = [b"/", wire.as_bytes()].concat();
        run(
            "ncftpget",
            &[
                host.as_ref(),
                OsStr::new("down"),
                OsStr::from_bytes(&remote),
            ],
        );
        let down = server.work("down").join(wire);
        assert_eq!(fs::read_to_string(down).expect("the download"), name);
        let url = server.url("/");
        let listed = run("ncftpls", &[OsStr::new("-1"), url.as_ref()]);
        let lines = [wire.as_bytes(), b"\n"].concat();
        assert_eq!(listed.stdout, lines, "{}", listed.text());
        // A client beside it that asks for UTF-8.
        let beside = lftp(&server, "", "cls -1\n").expect_success();
        assert_eq!(
            beside.stdout,
            format!("{name}\n").as_bytes(),
            "{}",
            beside.text()
        );
        server.finish();
    }
}

fn start(encoding: &str) -> TestServer<Program> {
    TestServer::program(&["--encoding", encoding, "--debug"])
}

#[track_caller]
fn check_ftplib(server: &TestServer<Program>, codec: &str, names: &[&str]) {
    let mut command = ftplib(server.address, &server.root(), &server.work(""));
    command.args(["--encoding", codec]);
    for name in names {
        command.args(["--name", name]);
    }
    command.arg("names").env("LC_ALL", "C.UTF-8");
    process::run(&mut command, SECONDS_MAX).expect_success();
}
