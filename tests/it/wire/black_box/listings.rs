//! LIST, NLST and STAT on the wire: what a line shows, flags of `ls`, wildcards, and missing files.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, SystemTime};

use ftp_tests::listing_parser::{self, Listed, Size};

use crate::support::client::{Client, sorted_names};
use crate::support::process;
use crate::support::server::{BlackBox, TestServer};

#[test]
fn a_line_shows_all_attributes() {
    let server = TestServer::black_box();
    server.write("  file", "text");
    fs::hard_link(server.path("  file"), server.path("again")).expect("a second name");
    server.set_mode("again", 0o640);
    server.write("setuid", "");
    server.set_mode("setuid", 0o4755);
    server.write("setgid", "");
    server.set_mode("setgid", 0o2644);
    fs::create_dir(server.path("sticky")).expect("a directory");
    server.set_mode("sticky", 0o1777);
    symlink("no/where -> else", server.path("link")).expect("a link");
    let _socket = UnixListener::bind(server.path("socket")).expect("a socket");
    let fifo = server.path("fifo");
    let made = process::run(Command::new("mkfifo").arg("-m600").arg(&fifo), 10);
    made.expect_success();

    let mut client = server.client();
    let lines = list(&mut client, "LIST");
    assert_eq!(lines.len(), 8);
    let check = |name: &str, mode: &str, links| {
        let line = line_of(&lines, name);
        assert_eq!((&line.mode[..], line.links), (mode, links), "{name}");
    };
    check("  file", "-rw-r-----", 2);
    check("again", "-rw-r-----", 2);
    check("setuid", "-rwsr-xr-x", 1);
    check("setgid", "-rw-r-Sr--", 1);
    check("sticky", "drwxrwxrwt", 2);
    check("link", "lrwxrwxrwx", 1);
    check("fifo", "prw-------", 1);
    assert_eq!(line_of(&lines, "socket").mode.as_bytes()[0], b's');
    assert_eq!(line_of(&lines, "  file").size, Size::Bytes(4));
    let target = line_of(&lines, "link").target.as_deref();
    assert_eq!(target, Some(&b"no/where -> else"[..]));
    // The user who runs the tests has created them; the system knows the name.
    let name = |what: &str| {
        let known = process::run(Command::new("id").arg(what), 10).expect_success();
        String::from_utf8(known.stdout)
            .expect("a name")
            .trim()
            .to_owned()
    };
    let line = line_of(&lines, "again");
    assert_eq!((&line.owner, &line.group), (&name("-un"), &name("-gn")));
}

#[test]
fn a_line_shows_the_time_or_the_year() {
    let server = TestServer::black_box();
    let now = SystemTime::now();
    const DAY: Duration = Duration::from_secs(86_400);
    for (name, modified) in [
        ("now", now),
        ("recent", now - 170 * DAY),
        ("old", now - 190 * DAY),
        ("very-old", SystemTime::UNIX_EPOCH + 20 * 365 * DAY),
        ("soon", now + Duration::from_secs(3600)),
        ("late", now + 400 * DAY),
    ] {
        server.write(name, "");
        set_modified(&server, name, modified);
    }
    let lines = list(&mut server.client(), "LIST");
    for (name, has_time) in [
        ("now", true),
        ("recent", true),
        ("old", false),
        ("very-old", false),
        ("soon", false),
        ("late", false),
    ] {
        let date = &line_of(&lines, name).date;
        assert_eq!(date.contains(':'), has_time, "{name}: {date}");
    }
    assert_eq!(line_of(&lines, "very-old").date, "Dec 27  1989");
}

/// One rule: every entry is shown, and -a adds the two that are none.
#[test]
fn hidden_files_are_listed() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("d")).expect("a directory");
    for name in ["d/.hidden", "d/plain", "d/-a"] {
        server.write(name, "");
    }
    let mut client = server.client();
    for command in [
        "LIST d",
        "LIST -l d",
        "LIST -A d",
        "LIST -lh --color=never d",
    ] {
        assert_eq!(
            names(&mut client, command),
            ["-a", ".hidden", "plain"],
            "{command}"
        );
    }
    for command in ["LIST -a d", "LIST -la d", "LIST -l -a d", "LIST -1a d"] {
        let expected = ["-a", ".", "..", ".hidden", "plain"];
        assert_eq!(names(&mut client, command), expected, "{command}");
    }
    let nlst = |client: &mut Client, command: &str| sorted_names(client.fetch(command));
    assert_eq!(
        nlst(&mut client, "NLST d"),
        ["d/-a", "d/.hidden", "d/plain"]
    );
    assert_eq!(nlst(&mut client, "NLST -a d").len(), 5);
    client.command("CWD d", 250);
    assert_eq!(names(&mut client, "LIST -a").len(), 5);
    // A file that is called like a flag does not get into the way of flags.
    assert_eq!(names(&mut client, "LIST ./-a"), ["-a"]);
    assert_eq!(names(&mut client, "LIST -- -a"), ["-a"]);
    assert_eq!(client.fetch("NLST -- -a"), b"-a\r\n");
}

/// Nothing above the shared directory is shown.
#[test]
fn above_the_root_is_the_root() {
    let server = TestServer::black_box();
    set_modified(&server, "..", SystemTime::UNIX_EPOCH);
    let lines = list(&mut server.client(), "LIST -a");
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].date, lines[1].date);
    // Nor does the order show its time: of equal times the names decide.
    set_modified(&server, "..", SystemTime::now() + Duration::from_secs(1000));
    let lines = list(&mut server.client(), "LIST -at");
    let names: Vec<_> = lines.iter().map(|line| &line.name[..]).collect();
    assert_eq!(names, [&b"."[..], b".."]);
}

#[test]
fn flags_set_the_order() {
    let server = TestServer::black_box();
    let begin = SystemTime::now() - Duration::from_secs(10_000);
    for (name, size, age) in [("b", 5, 3), ("a", 70, 2), ("d", 5, 1), ("c", 600, 4)] {
        server.write(name, vec![0; size]);
        set_modified(&server, name, begin - Duration::from_secs(age));
    }
    let mut client = server.client();
    for (flags, expected) in [
        ("-t", "dabc"),
        ("-tr", "cbad"),
        ("-S", "cabd"),
        ("-Sr", "dbac"),
        ("-r -S", "dbac"),
        ("-r", "dcba"),
        ("-tS", "cabd"),
        ("-lSt", "dabc"),
    ] {
        let lines = list(&mut client, &format!("LIST {flags}"));
        let found: String = lines.iter().map(Listed::shown).collect();
        assert_eq!(found, expected, "LIST {flags}");
        let found = client.fetch(format!("NLST {flags}"));
        let expected: String = expected.chars().map(|name| format!("{name}\r\n")).collect();
        assert_eq!(found, expected.as_bytes(), "NLST {flags}");
        let reply = client.command(format!("STAT {flags} ."), 213);
        assert_eq!(reply.lines.len(), 6, "STAT {flags}");
    }
    let lines = list(&mut client, "LIST -t [a-c]");
    let found: String = lines.iter().map(Listed::shown).collect();
    assert_eq!(found, "abc");
}

#[test]
fn flag_d_lists_the_directory_itself() {
    let server = TestServer::black_box();
    fs::create_dir_all(server.path("d/e")).expect("a directory");
    server.write("d/file", "text");
    let mut client = server.client();
    assert_eq!(names(&mut client, "LIST -d d"), ["d"]);
    assert_eq!(list(&mut client, "LIST -ld d")[0].mode.as_bytes()[0], b'd');
    assert_eq!(names(&mut client, "LIST -d"), ["."]);
    assert_eq!(names(&mut client, "LIST -d /"), ["/"]);
    assert_eq!(client.fetch("NLST -d d"), b"d\r\n");
    assert_eq!(client.fetch("NLST -d"), b".\r\n");
    client.command("CWD d", 250);
    assert_eq!(names(&mut client, "LIST -d"), ["."]);
    assert_eq!(names(&mut client, "LIST -d e/"), ["e"]);
    missing(&mut client, "LIST -d nothing");
}

#[test]
fn flag_f_marks_the_kinds_of_files() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("d")).expect("a directory");
    server.write("file", "");
    server.write("program", "");
    server.set_mode("program", 0o755);
    symlink("file", server.path("link")).expect("a link");
    let mut client = server.client();
    assert_eq!(
        names(&mut client, "LIST -F"),
        ["d/", "file", "link", "program*"]
    );
    // The names of NLST are there to be used.
    assert_eq!(
        sorted_names(client.fetch("NLST -F")),
        ["d", "file", "link", "program"]
    );
}

#[test]
fn flag_r_lists_everything_within() {
    let server = TestServer::black_box();
    fs::create_dir_all(server.path("top/a/deep")).expect("directories");
    fs::create_dir_all(server.path("top/b")).expect("directories");
    for name in ["top/1", "top/a/2", "top/a/deep/3", "top/b/.4"] {
        server.write(name, "");
    }
    symlink(".", server.path("top/b/circle")).expect("a link");
    symlink("/", server.path("top/b/out")).expect("a link");
    let mut client = server.client();
    let expected = [
        "top/1",
        "top/a",
        "top/a/2",
        "top/a/deep",
        "top/a/deep/3",
        "top/b",
        "top/b/.4",
        "top/b/circle",
        "top/b/out",
    ];
    assert_eq!(sorted_names(client.fetch("NLST -R top")), expected);
    assert_eq!(
        sections(&mut client, "LIST -R top"),
        [
            "top: 1 a b",
            "top/a: 2 deep",
            "top/a/deep: 3",
            "top/b: .4 circle out",
        ]
    );
    client.command("CWD top", 250);
    assert_eq!(
        sorted_names(client.fetch("NLST -R"))[1..4],
        ["a", "a/2", "a/deep"]
    );
    assert_eq!(
        sections(&mut client, "LIST -laR"),
        [
            ".: . .. 1 a b",
            "./a: . .. 2 deep",
            "./a/deep: . .. 3",
            "./b: . .. .4 circle out",
        ]
    );
    assert_eq!(
        sections(&mut client, "LIST -R /")[..2],
        ["/: top", "/top: 1 a b"]
    );
    assert_eq!(sections(&mut client, "LIST -R a/deep"), ["a/deep: 3"]);
    // Sorted within each directory, and directories in that order.
    assert_eq!(client.fetch("NLST -rR a"), b"a/deep\r\na/2\r\na/deep/3\r\n");
    assert!(client.command("STAT -R /top", 213).lines.len() > 12);
    client.command("DELE b/circle", 250);
}

#[test]
fn wildcards_match_names() {
    let server = TestServer::black_box();
    for directory in ["dir1", "dir2", "other", ".hidden-dir"] {
        fs::create_dir(server.path(directory)).expect("a directory");
        for name in ["x1", "x22", "y.txt", ".z.txt"] {
            server.write(&format!("{directory}/{name}"), "");
        }
    }
    for name in ["a.txt", "b.txt", "bb", "d?", "ä.txt"] {
        server.write(name, "");
    }
    let mut client = server.client();
    for (pattern, expected) in [
        ("*.txt", "a.txt b.txt ä.txt"),
        ("?.txt", "a.txt b.txt ä.txt"),
        ("[a-c]?", "bb"),
        ("[!a]*.txt", "b.txt ä.txt"),
        ("d*", "d? dir1 dir2"),
        ("dir*/x?", "dir1/x1 dir2/x1"),
        ("dir*/x1", "dir1/x1 dir2/x1"),
        ("*/y*", "dir1/y.txt dir2/y.txt other/y.txt"),
        (".*/.z*", ".hidden-dir/.z.txt"),
        ("dir1/*", "dir1/x1 dir1/x22 dir1/y.txt"),
        ("./dir1/.*", "./dir1/.z.txt"),
        ("/dir1/x*", "/dir1/x1 /dir1/x22"),
        ("dir1/../*.txt", "dir1/../a.txt dir1/../b.txt dir1/../ä.txt"),
        // An existing name is no pattern.
        ("d?", "d?"),
    ] {
        let expected: Vec<_> = expected.split(' ').collect();
        for command in [format!("NLST {pattern}"), format!("NLST -1 {pattern}")] {
            assert_eq!(sorted_names(client.fetch(&command)), expected, "{command}");
        }
        let found = client.command(format!("STAT {pattern}"), 213).lines.len() - 2;
        assert_eq!(found, expected.len(), "STAT {pattern}");
    }
    // LIST shows names as they are, and those of other directories with the way to them.
    assert_eq!(names(&mut client, "LIST dir1/x*"), ["x1", "x22"]);
    assert_eq!(names(&mut client, "LIST dir*/x?"), ["dir1/x1", "dir2/x1"]);
    assert_eq!(names(&mut client, "LIST -l d*"), ["d?", "dir1", "dir2"]);
    client.command("CWD dir1", 250);
    assert_eq!(
        sorted_names(client.fetch("NLST ../dir2/x*")),
        ["../dir2/x1", "../dir2/x22"]
    );
    client.expect_in_step();
}

#[test]
fn an_existing_name_is_no_pattern() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("[d]")).expect("a directory");
    server.write("[d]/*", "text");
    server.write("[x]", "text");
    server.write("x", "");
    server.write("d", "");
    let mut client = server.client();
    assert_eq!(client.fetch("NLST [x]"), b"[x]\r\n");
    assert_eq!(names(&mut client, "LIST [x]"), ["[x]"]);
    assert_eq!(client.fetch("NLST [d]"), b"[d]/*\r\n");
    assert_eq!(client.fetch("RETR [d]/*"), b"text");
    client.command("DELE [x]", 250);
    assert_eq!(client.fetch("NLST [x]"), b"x\r\n");
}

/// No wildcard leads through a link, and no link out of the shared directory.
#[test]
fn wildcards_follow_no_links() {
    let server = TestServer::black_box();
    let outside = server.directory().join("outside");
    fs::create_dir(&outside).expect("a directory");
    fs::write(outside.join("secret"), "secret").expect("a file");
    fs::create_dir(server.path("inner")).expect("a directory");
    server.write("inner/file", "text");
    symlink("../outside", server.path("out")).expect("a link");
    symlink(&outside, server.path("absolute")).expect("a link");
    symlink("inner", server.path("in")).expect("a link");
    symlink(".", server.path("circle")).expect("a link");
    let mut client = server.client();
    // The way before the wildcard is any path, and goes where paths go.
    assert_eq!(client.fetch("NLST in/f*"), b"in/file\r\n");
    assert_eq!(client.fetch("NLST circle/in*/f*"), b"circle/inner/file\r\n");
    assert_eq!(sorted_names(client.fetch("NLST */*")), ["inner/file"]);
    assert_eq!(
        sorted_names(client.fetch("NLST *i*")),
        ["circle", "in", "inner"]
    );
    for pattern in [
        "out/*",
        "absolute/*",
        "../outside/*",
        "/../outside/s*",
        "o*/*",
        "out/s?cret",
        "circle/out/*",
        "*/secret",
        "../*/secret",
        "*/../../outside/*",
    ] {
        for verb in ["LIST", "NLST"] {
            missing(&mut client, &format!("{verb} {pattern}"));
        }
        client.command(format!("STAT {pattern}"), 550);
    }
    client.expect_in_step();
}

/// Never an empty 226 for what is not there, and never a refusal for what is only empty.
#[test]
fn missing_files_are_550_and_empty_directories_are_listed() {
    let server = TestServer::black_box();
    fs::create_dir(server.path("empty")).expect("a directory");
    server.write("file", "");
    let mut client = server.client();
    for command in [
        "LIST nothing",
        "NLST nothing",
        "MLSD nothing",
        "LIST -a nothing",
        "LIST *.nothing",
        "NLST *.nothing",
        "NLST nothing/*",
        "NLST empty/*",
        "NLST file/*",
        "LIST */*",
        "LIST [",
        "LIST dir -a",
    ] {
        missing(&mut client, command);
    }
    for command in ["STAT nothing", "STAT *.nothing"] {
        client.command(command, 550);
    }
    for command in ["LIST empty", "NLST empty", "NLST -R empty", "LIST -t empty"] {
        assert_eq!(client.fetch(command), b"", "{command}");
    }
    assert_eq!(client.fetch("LIST -R empty"), b"empty:\r\n");
    // A link that leads nowhere is there.
    symlink("nowhere", server.path("dangling")).expect("a link");
    assert_eq!(names(&mut client, "LIST dangling"), ["dangling"]);
    client.expect_in_step();
}

/// The path or pattern is refused before the transfer begins.
#[track_caller]
fn missing(client: &mut Client, command: &str) {
    client.extended_passive();
    client.command(command, 550);
}

#[track_caller]
fn list(client: &mut Client, command: &str) -> Vec<Listed> {
    listing_parser::parse_all(&client.fetch(command))
}

/// The names in lines of LIST, sorted.
#[track_caller]
fn names(client: &mut Client, command: &str) -> Vec<String> {
    let lines = list(client, command);
    let mut names: Vec<_> = lines.iter().map(Listed::shown).collect();
    names.sort();
    names
}

/// Each directory of LIST -R in a line of its own, with its sorted names; sorted.
#[track_caller]
fn sections(client: &mut Client, command: &str) -> Vec<String> {
    let text = String::from_utf8(client.fetch(command)).expect("names in UTF-8");
    let mut found: Vec<_> = text
        .split("\r\n\r\n")
        .map(|section| {
            let (heading, lines) = section.split_once("\r\n").unwrap_or((section, ""));
            let whole = |line: &str| format!("{line}\r\n");
            let lines = lines.lines().map(whole);
            let mut names: Vec<_> = lines
                .map(|line| listing_parser::parse(line.as_bytes()).expect(&line).shown())
                .collect();
            names.sort();
            (heading.to_owned(), names.join(" "))
        })
        .collect();
    found.sort_by_key(|(heading, _)| heading.trim_end_matches(':').to_owned());
    let lines = found.iter();
    lines
        .map(|(heading, names)| format!("{heading} {names}"))
        .collect()
}

#[track_caller]
fn line_of<'a>(lines: &'a [Listed], name: &str) -> &'a Listed {
    let mut found = lines.iter().filter(|line| line.name == name.as_bytes());
    found
        .next()
        .unwrap_or_else(|| panic!("no {name:?} in {lines:?}"))
}

fn set_modified(server: &TestServer<BlackBox>, name: &str, modified: SystemTime) {
    let file = File::open(server.path(name)).expect("a file");
    file.set_modified(modified).expect("its time");
}
