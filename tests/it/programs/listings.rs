//! Wildcards and flags of real clients: what they fetch is exactly what matches.

use std::fs;

use super::dialogue::Dialogue;
use super::{LOOPBACK, start, tree};
use crate::support::client_program::{SECONDS_MAX, path, sorted_lines};
use crate::support::process;
use crate::support::server::{PASSWORD, Program, TestServer, USER};

#[test]
fn tnftp_fetches_what_matches() {
    check_ftp("tnftp");
}

#[test]
fn inetutils_fetches_what_matches() {
    check_ftp("inetutils-ftp");
}

/// `mget` asks with NLST, and takes each line as a name.
fn check_ftp(program: &str) {
    let server = planted();
    for directory in ["dir1", "dir2"] {
        fs::create_dir(server.work(directory)).expect("a directory");
    }
    let typed = format!(
        "user {USER} {PASSWORD}\nbinary\npassive on\nprompt\nmget *.txt\nmget dir*/x?\nmget [ab]?\n\
         ls \"-la dir1\"\nquit\n"
    );
    let arguments = ["-n", "-v", &server.host(), &server.port()];
    let mut command = server.client_program(program);
    let finished = process::run_typing(command.args(arguments), &typed, SECONDS_MAX);
    let text = finished.text();
    expect_fetched(
        &server,
        &["a.txt", "b.txt", "bb", "dir1/x1", "dir2/x1", "ä.txt"],
        &text,
    );
    assert!(text.contains(".hidden"), "{text}");
    let dialogue = Dialogue::finish(server);
    dialogue
        .assert_sent("NLST *.txt")
        .assert_sent("NLST dir*/x?");
    dialogue.assert_smooth_but(&[]);
}

/// It matches wildcards itself, against listings of either form.
#[test]
fn lftp_fetches_what_matches() {
    for settings in ["", "set ftp:use-mlsd false", "set ftp:list-options -a"] {
        let server = planted();
        let script = format!(
            "set cmd:fail-exit true; set net:max-retries 2; set ftp:ssl-allow false; {settings}; \
             open -u {USER},{PASSWORD} ftp://{}; mget *.txt; mget -d dir*/x?; mkdir -p made; \
             cls -1 --sort=name; mirror dir2 mirrored; nlist dir1; ls -R dir1",
            server.address
        );
        let finished = server
            .run_client("lftp", &["--norc", "-c", &script])
            .expect_success();
        let text = finished.text();
        expect_fetched(
            &server,
            &[
                "a.txt",
                "b.txt",
                "dir1/x1",
                "dir2/x1",
                "mirrored/.hidden",
                "mirrored/x1",
                "mirrored/x22",
                "mirrored/y.txt",
                "ä.txt",
            ],
            &text,
        );
        assert!(text.contains("dir1:"), "{text}");
        Dialogue::finish(server).assert_smooth_but(&[]);
    }
}

#[test]
fn ncftp_fetches_what_matches() {
    let server = planted();
    let (host, port) = (server.host(), server.port());
    let login = ["-u", USER, "-p", PASSWORD, "-P", &port, "-r", "1"];
    let mut text = String::new();
    for pattern in ["/*.txt", "/dir1/x?"] {
        let arguments = [&login[..], &[&host, ".", pattern]].concat();
        text += &server
            .run_client("ncftpget", &arguments)
            .expect_success()
            .text();
    }
    expect_fetched(&server, &["a.txt", "b.txt", "x1", "ä.txt"], &text);
    let names = server.run_client(
        "ncftpls",
        &[&login[..], &["-1", &server.url("/dir1/")]].concat(),
    );
    let names = names.expect_success();
    assert_eq!(
        sorted_lines(&names),
        [".hidden", "x1", "x22", "y.txt"],
        "{}",
        names.text()
    );
    // It asks for what the server has not; nothing that concerns listings.
    Dialogue::finish(server).assert_smooth_but(&["500", "502", "550"]);
}

/// It fetches a listing and matches itself.
#[test]
fn wget_fetches_what_matches() {
    let server = planted();
    let login = [format!("--user={USER}"), format!("--password={PASSWORD}")];
    let url = format!("ftp://{}", server.address);
    let urls = [format!("{url}/*.txt"), format!("{url}/dir1/x[12]")];
    let arguments = [
        "--no-config",
        "--no-proxy",
        "-nv",
        "-t2",
        &login[0],
        &login[1],
        &urls[0],
        &urls[1],
    ];
    let finished = server.run_client("wget", &arguments).expect_success();
    // To it a star matches a dot in front as well.
    let expected = [".txt", "a.txt", "b.txt", "x1", "ä.txt"];
    expect_fetched(&server, &expected, &finished.text());
    Dialogue::finish(server).assert_smooth_but(&[]);
}

#[test]
fn curl_shows_what_matches() {
    let server = planted();
    let user = format!("{USER}:{PASSWORD}");
    let show = |command: &str, flags: &[&str]| {
        let url = server.url("/");
        let common = ["-q", "-sS", "-u", &user, "-X", command, &url];
        sorted_lines(
            &server
                .run_client("curl", &[&common[..], flags].concat())
                .expect_success(),
        )
    };
    let names = show("NLST dir*/x?", &["--list-only"]);
    assert_eq!(names, ["dir1/x1", "dir2/x1"]);
    let lines = show("LIST -d dir?", &[]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let url = server.url("/");
    let refused = [
        "-q",
        "-sS",
        "-u",
        &user,
        "-X",
        "NLST nothing*",
        "--list-only",
        &url,
    ];
    server.run_client("curl", &refused).expect_failure();
    Dialogue::finish(server).assert_smooth_but(&["550"]);
}

#[test]
fn python_shows_what_matches() {
    let server = planted();
    let script = "import ftplib, sys\n\
        host, port, user, password = sys.argv[1:]\n\
        ftp = ftplib.FTP()\n\
        ftp.connect(host, int(port)); ftp.login(user, password)\n\
        print(*sorted(ftp.nlst('*.txt')), sep='\\n')\n\
        print(*sorted(ftp.nlst('dir*/x?')), sep='\\n')\n\
        print(*ftp.nlst('-t', 'dir1/x*'), sep='\\n')\n\
        lines = []; ftp.dir('-la', 'dir1', lines.append)\n\
        print(*sorted(line.split(None, 8)[8] for line in lines), sep='\\n')\n\
        print(*sorted(name for name, _ in ftp.mlsd('dir1')), sep='\\n')\n\
        print(*ftp.nlst('empty'), 'end', sep='\\n')\n\
        try: ftp.nlst('*.nothing')\n\
        except ftplib.error_perm as error: print(str(error)[:3])\n\
        ftp.quit()\n";
    expect_shown(
        &server,
        "python3",
        script,
        "a.txt b.txt ä.txt dir1/x1 dir2/x1 dir1/x22 dir1/x1 . .. .hidden x1 x22 y.txt \
         . .. .hidden x1 x22 y.txt end 550",
    );
    Dialogue::finish(server).assert_smooth_but(&["550"]);
}

#[test]
fn perl_shows_what_matches() {
    let server = planted();
    let script = "use Net::FTP;\n\
        my ($host, $port, $user, $password) = @ARGV;\n\
        my $ftp = Net::FTP->new($host, Port => $port, Timeout => 20) or die $@;\n\
        $ftp->login($user, $password) or die $ftp->message;\n\
        print \"$_\\n\" for sort $ftp->ls('*.txt'), $ftp->ls('dir*/x?');\n\
        my @lines = $ftp->dir('-a dir1');\n\
        print \"$_\\n\" for sort map { (split ' ', $_, 9)[8] } @lines;\n\
        my @none = $ftp->ls('*.nothing');\n\
        print $ftp->code, \"\\n\";\n\
        $ftp->quit;\n";
    expect_shown(
        &server,
        "perl",
        script,
        "a.txt b.txt dir1/x1 dir2/x1 ä.txt . .. .hidden x1 x22 y.txt 550",
    );
    Dialogue::finish(server).assert_smooth_but(&["550"]);
}

/// Files to be matched, and some that must not be.
fn planted() -> TestServer<Program> {
    let server = start(LOOPBACK);
    for directory in ["dir1", "dir2", "empty"] {
        fs::create_dir(server.path(directory)).expect("a directory");
    }
    for file in [
        "a.txt",
        "b.txt",
        "ä.txt",
        "bb",
        "z",
        "dir.tx",
        ".txt",
        "dir1/x1",
        "dir1/x22",
        "dir1/y.txt",
        "dir1/.hidden",
        "dir2/x1",
        "dir2/x22",
        "dir2/y.txt",
        "dir2/.hidden",
    ] {
        fs::write(server.path(file), file).expect("a file");
    }
    let old = std::time::SystemTime::UNIX_EPOCH;
    let file = fs::File::open(server.path("dir1/x1")).expect("a file");
    file.set_modified(old).expect("its time");
    server
}

/// These files are in the client's directory, and no others; each holds the end of its name.
#[track_caller]
fn expect_fetched(server: &TestServer<Program>, expected: &[&str], text: &str) {
    let found = tree(&server.work(""));
    let files = found
        .iter()
        .filter_map(|(name, content)| Some((name, content.as_ref()?)));
    let ours = files.filter(|(name, _)| !name.starts_with(".lftp") && !name.starts_with(".local"));
    let mut names = Vec::new();
    for (name, content) in ours {
        let name = path(name).to_owned();
        let last = name.rsplit('/').next().unwrap_or_default();
        assert!(
            content.ends_with(last.as_bytes()),
            "{name} is another file: {text}"
        );
        names.push(name);
    }
    assert_eq!(names, expected, "{text}");
}

/// Runs a script for this server, and compares the words that it prints.
#[track_caller]
fn expect_shown(server: &TestServer<Program>, program: &str, script: &str, expected: &str) {
    let flag = if program == "perl" { "-e" } else { "-c" };
    let (host, port) = (server.host(), server.port());
    let arguments = [flag, script, &host, &port, USER, PASSWORD];
    let finished = server.run_client(program, &arguments).expect_success();
    let text = String::from_utf8_lossy(&finished.stdout);
    let words: Vec<_> = text.lines().collect();
    assert_eq!(words.join(" "), expected, "{}", finished.text());
}
