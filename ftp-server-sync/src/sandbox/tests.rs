//! The rules, and a thread that they restrict.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use super::*;

/// A directory with `share`, `neighbour` and `outside/secret`.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    for name in ["around/share", "around/neighbour", "outside", "keys"] {
        fs::create_dir_all(place.path().join(name)).unwrap();
    }
    for name in ["around/share/file", "outside/secret", "keys/key.pem"] {
        fs::write(place.path().join(name), "text").unwrap();
    }
    place
}

fn needed(path: PathBuf, access: AllowedAccess, with_parent: bool) -> NeededPath {
    NeededPath {
        name: "it",
        path,
        access,
        with_parent,
    }
}

/// The paths of the rules, those for changes with a plus.
fn shown(rules: &SandboxRules, place: &Path) -> Vec<String> {
    let show = |rule: &SandboxRule| {
        let path = rule.path.strip_prefix(place).unwrap_or(&rule.path);
        let mark = match rule.access {
            AllowedAccess::List => "list ",
            AllowedAccess::Read => "",
            AllowedAccess::Change => "+",
        };
        format!("{mark}{}", path.display())
    };
    rules.rules.iter().map(show).collect()
}

#[test]
fn rules_are_for_the_directories_around() {
    let place = place();
    let path = |name: &str| place.path().join(name);
    symlink("around/share", path("link")).unwrap();
    fs::create_dir(path("live")).unwrap();
    symlink("../keys/key.pem", path("live/key.pem")).unwrap();
    let check = |wanted: &[NeededPath], expected: &[&str]| {
        let rules = SandboxRules::new(wanted, &WidePlaces::default());
        assert_eq!(shown(&rules, place.path()), expected);
        assert_eq!(rules.first_refused(wanted), None);
    };
    let share = |access| needed(path("around/share"), access, true);
    let read = share(AllowedAccess::Read);
    let change = share(AllowedAccess::Change);
    check(&[], &[]);
    check(std::slice::from_ref(&read), &["around"]);
    check(std::slice::from_ref(&change), &["+around"]);
    check(&[read.clone(), change.clone()], &["+around"]);
    check(&[change.clone(), read.clone()], &["+around"]);
    // A link in the path of a share is followed at the start.
    let link = needed(path("link"), AllowedAccess::Change, true);
    check(std::slice::from_ref(&link), &["+around"]);
    // A renewed certificate may be another link, or a file in its place.
    let key = needed(path("live/key.pem"), AllowedAccess::Read, true);
    check(&[read.clone(), key], &["around", "keys", "live"]);
    let state = needed(path("keys"), AllowedAccess::Change, false);
    check(&[read.clone(), state], &["around", "+keys"]);
    let missing = needed(path("nowhere/at/all"), AllowedAccess::Read, true);
    check(&[missing], &[]);

    let rules = SandboxRules::new(std::slice::from_ref(&read), &WidePlaces::default());
    assert_eq!(
        rules.first_refused(std::slice::from_ref(&change)),
        Some(&change)
    );
    let outside = needed(path("outside/secret"), AllowedAccess::Read, true);
    assert_eq!(
        rules.first_refused(&[read, outside.clone()]),
        Some(&outside)
    );
}

#[test]
fn what_is_in_a_wide_directory_has_a_rule_of_its_own() {
    let rule = |path: &str, access| {
        let wanted = [needed(path.into(), access, true)];
        SandboxRules::new(&wanted, &WidePlaces::default())
    };
    let file = rule("/etc/passwd", AllowedAccess::Read);
    assert_eq!(shown(&file, Path::new("/nowhere")), ["/etc/passwd"]);
    assert_eq!(file.irreplaceable, [Path::new("/etc/passwd")]);
    let share = rule("/usr", AllowedAccess::Change);
    assert_eq!(shown(&share, Path::new("/nowhere")), ["+/usr"]);
    assert_eq!(share.irreplaceable, [Path::new("/usr")]);
    let root = rule("/", AllowedAccess::Read);
    assert_eq!(shown(&root, Path::new("/nowhere")), ["/"]);
}

#[test]
fn the_systems_files_have_no_secrets() {
    let rules = SandboxRules {
        rules: system_files::rules(),
        irreplaceable: Vec::new(),
        sockets: Vec::new(),
    };
    for path in ["/etc/passwd", "/etc/hosts", "/proc/self", "/usr/lib"] {
        let real = Path::new(path).canonicalize().unwrap();
        assert!(rules.allow(&real, AllowedAccess::Read), "{path}");
    }
    for path in [
        "/etc",
        "/etc/shadow",
        "/root",
        "/home",
        "/proc/1",
        "/dev",
        "/tmp",
        "/run",
    ] {
        assert!(!rules.allow(Path::new(path), AllowedAccess::Read), "{path}");
    }
    assert!(!rules.allow(Path::new("/usr/lib"), AllowedAccess::Change));
}

/// Whether it fails because the sandbox forbids it.
#[track_caller]
fn is_refused<T>(what: &str, result: io::Result<T>) {
    let error = result.err().unwrap_or_else(|| panic!("{what} is possible"));
    let kinds = [ErrorKind::PermissionDenied, ErrorKind::CrossesDevices];
    assert!(kinds.contains(&error.kind()), "{what}: {error}");
}

/// Runs `work` in a thread in such a sandbox. The process itself stays as it is.
fn restricted(rules: SandboxRules, work: impl FnOnce() + Send + 'static) {
    let restricted = thread::spawn(move || {
        assert_eq!(
            restrict(&rules).unwrap(),
            [""; 0],
            "a newer kernel is needed"
        );
        work();
    });
    restricted.join().unwrap();
}

/// The rules for the share, and its place.
fn sandbox(access: AllowedAccess) -> (tempfile::TempDir, PathBuf, SandboxRules) {
    let place = place();
    let path = place.path().canonicalize().unwrap();
    let share = needed(path.join("around/share"), access, true);
    let rules = SandboxRules::new(&[share], &WidePlaces::read());
    (place, path, rules)
}

#[test]
fn nothing_else_can_be_read_by_any_way() {
    let (_place, place, rules) = sandbox(AllowedAccess::Change);
    let inside = File::open(place.join("around/share")).unwrap();
    let root = File::open("/").unwrap();
    restricted(rules, move || {
        let path = |name: &str| place.join(name);
        fs::read(path("around/share/file")).unwrap();
        let secret = path("outside/secret");
        // By its own path, in this thread and in a later one.
        is_refused("reading", fs::read(&secret));
        is_refused("listing", fs::read_dir(path("outside")));
        let later = secret.clone();
        thread::spawn(move || is_refused("a later thread", fs::read(later)))
            .join()
            .unwrap();
        for file in ["/etc/shadow", "/etc/shadow-", "/root", "/home", "/etc", "/"] {
            if Path::new(file).is_dir() {
                is_refused(file, fs::read_dir(file));
            } else if Path::new(file).exists() {
                is_refused(file, fs::read(file));
            }
        }
        // By the views of processes of their roots.
        for view in [
            "/proc/self/root",
            "/proc/self/cwd/../../../../../..",
            "/proc/1/root",
        ] {
            let secret = Path::new(view).join(secret.strip_prefix("/").unwrap());
            is_refused(view, fs::read(secret));
            is_refused(view, fs::read(Path::new(view).join("etc/shadow")));
        }
        is_refused("another process", fs::read("/proc/1/environ"));
        is_refused("another process", fs::read("/proc/1/cmdline"));
        // Relative to directories that were opened before.
        for (handle, way) in [(&inside, "../../outside/secret"), (&root, "etc/shadow")] {
            let flags = rustix::fs::OFlags::RDONLY;
            let opened = rustix::fs::openat(handle, way, flags, rustix::fs::Mode::empty());
            is_refused(way, opened.map_err(Into::into));
        }
        // By a link in the share, and by a handle that names the file.
        let (link, hard) = (path("around/share/link"), path("around/share/hard"));
        symlink(&secret, &link).unwrap();
        is_refused("a symbolic link", fs::read(&link));
        is_refused("a hard link", fs::hard_link(&secret, &hard));
        is_refused("a move", fs::rename(&secret, &hard));
        let flags = rustix::fs::OFlags::PATH;
        let named = rustix::fs::open(&secret, flags, rustix::fs::Mode::empty()).unwrap();
        let again = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&named));
        is_refused("a handle", fs::read(again));
        // By a mount in the share.
        let neighbour = path("around/neighbour");
        let mounted = rustix::mount::mount_bind(path("outside"), &neighbour);
        is_refused("a mount", mounted.map_err(Into::into));
    });
}

#[test]
fn nothing_else_can_be_changed_executed_or_signalled() {
    let (_place, place, rules) = sandbox(AllowedAccess::Change);
    restricted(rules, move || {
        let path = |name: &str| place.join(name);
        let outside = path("outside/new");
        is_refused("a new file", fs::write(&outside, ""));
        is_refused("a new directory", fs::create_dir(&outside));
        is_refused("a new link", symlink("secret", &outside));
        let secret = path("outside/secret");
        is_refused("writing", File::options().append(true).open(&secret));
        let truncated = rustix::fs::openat(
            rustix::fs::CWD,
            &secret,
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::TRUNC,
            rustix::fs::Mode::empty(),
        );
        is_refused("truncating", truncated.map_err(Into::into));
        is_refused("removing", fs::remove_file(&secret));
        is_refused("removing", fs::remove_dir_all(path("keys")));
        let share = path("around/share");
        is_refused("moving out", fs::rename(share.join("file"), &outside));
        is_refused("linking out", fs::hard_link(share.join("file"), &outside));
        is_refused("temporary", fs::write("/tmp/of-the-sandbox", ""));

        let script = share.join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        is_refused("a script", std::process::Command::new(&script).status());
        for program in ["/bin/true", "/usr/bin/env", "/proc/self/exe"] {
            is_refused(program, std::process::Command::new(program).status());
        }
        let init = rustix::process::Pid::INIT;
        let signalled = rustix::process::test_kill_process(init);
        is_refused("a signal", signalled.map_err(Into::into));
    });
}

#[test]
fn a_share_is_changed_only_with_that_right() {
    let (_place, place, rules) = sandbox(AllowedAccess::Change);
    restricted(rules, move || {
        let share = place.join("around/share");
        let path = |name: &str| share.join(name);
        fs::create_dir(path("directory")).unwrap();
        fs::write(path("new"), "text").unwrap();
        fs::rename(path("new"), path("directory/moved")).unwrap();
        symlink("moved", path("directory/link")).unwrap();
        fs::rename(path("directory/link"), path("link")).unwrap();
        File::options()
            .write(true)
            .open(path("directory/moved"))
            .and_then(|file| file.set_len(1))
            .unwrap();
        fs::remove_dir_all(path("directory")).unwrap();
    });
    let (_place, place, rules) = sandbox(AllowedAccess::Read);
    restricted(rules, move || {
        let path = |name: &str| place.join("around/share").join(name);
        assert_eq!(fs::read(path("file")).unwrap(), b"text");
        assert_eq!(fs::read_dir(path("")).unwrap().count(), 1);
        is_refused("writing", fs::write(path("file"), ""));
        is_refused("a new file", fs::write(path("new"), ""));
        is_refused("a new directory", fs::create_dir(path("new")));
        is_refused("renaming", fs::rename(path("file"), path("new")));
        is_refused("removing", fs::remove_file(path("file")));
    });
}

/// What replaces a file beside it is reachable; in a wide directory it is not.
#[test]
fn files_can_be_replaced() {
    let place = place();
    let place = place.path().canonicalize().unwrap();
    let key = place.join("keys/key.pem");
    let alone = place.join("outside/secret");
    let wanted = [
        needed(key.clone(), AllowedAccess::Read, true),
        needed(alone.clone(), AllowedAccess::Read, false),
    ];
    let rules = SandboxRules::new(&wanted, &WidePlaces::default());
    let replace = |file: &Path| {
        fs::write(file.with_extension("new"), "new").unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
    };
    let (from_test, in_sandbox) = std::sync::mpsc::channel();
    let (done, restricted_now) = std::sync::mpsc::channel();
    let (read_key, read_alone) = (key.clone(), alone.clone());
    let other = thread::spawn(move || {
        restricted(rules, move || {
            fs::read(&read_alone).unwrap();
            done.send(()).unwrap();
            in_sandbox.recv().unwrap();
            assert_eq!(fs::read(&read_key).unwrap(), b"new");
            is_refused("the new file", fs::read(&read_alone));
        });
    });
    restricted_now.recv().unwrap();
    replace(&key);
    replace(&alone);
    from_test.send(()).unwrap();
    other.join().unwrap();
}

/// What the server needs of the system.
#[test]
fn names_and_networks_can_be_read() {
    let (_place, _, rules) = sandbox(AllowedAccess::Read);
    restricted(rules, || {
        use std::net::ToSocketAddrs;
        assert!(("localhost", 0).to_socket_addrs().unwrap().count() > 0);
        let root = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(0));
        assert_eq!(root.unwrap().unwrap().name, "root");
        for file in [
            "/proc/self/mountinfo",
            "/proc/net/route",
            "/proc/net/ipv6_route",
            "/proc/net/fib_trie",
            "/proc/net/if_inet6",
            "/proc/sys/net/ipv4/ip_local_port_range",
            "/proc/self/status",
            "/usr/share/zoneinfo/Europe/Berlin",
        ] {
            fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    });
}

/// The tests here say nothing about a kernel that refuses less.
#[test]
fn this_kernel_has_all_that_is_asked_for() {
    assert_eq!(gaps(), Ok(Vec::new()));
}
