//! What replacing a file must not lose: its links, mode, owner, attributes; and files that cannot
//! be replaced, which are written in place.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::{begin, expect_bytes, expect_no_leftovers, leftovers, other_noise, upload};
use crate::support::fault::KernelTrace;
use crate::support::file_contents::noise;
use crate::support::process;
use crate::support::server::{Program, Setup, TestServer};

#[test]
fn the_longest_names_can_be_stored() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    for name in ["x".repeat(255), "ä".repeat(127)] {
        for bytes in [noise(100_000), other_noise(50_000)] {
            client.store(format!("STOR {name}"), &bytes);
            expect_bytes(&server.read(&name), &bytes, "the longest name");
        }
        client.store(format!("APPE {name}"), "end");
        assert_eq!(server.read(&name).len(), 50_003);
    }
    client.extended_passive();
    client.command(format!("STOR {}", "x".repeat(256)), 553);
    expect_no_leftovers(&server.root());
    server.finish();
}

/// A file with several links is written in place: all its names show the new bytes.
#[test]
fn hard_links_stay_links() {
    let server = TestServer::program(&[]);
    fs::create_dir(server.path("d")).expect("a directory");
    server.write("file", noise(200_000));
    fs::hard_link(server.path("file"), server.path("d/link")).expect("a link");
    let mut client = server.client();
    let sizes = [300_000, 1000];
    for (name, size) in [("file", sizes[0]), ("d/link", sizes[1])] {
        let new = other_noise(size);
        client.store(format!("STOR {name}"), &new);
        for name in ["file", "d/link"] {
            expect_bytes(&server.read(name), &new, name);
            assert_eq!(fs::metadata(server.path(name)).expect(name).nlink(), 2);
        }
    }
    // In place, but not without the lock.
    let data = begin(&mut client, "STOR file", b"new");
    let mut second = server.client();
    second.extended_passive();
    for name in ["file", "d/link"] {
        second.command(format!("STOR {name}"), 450);
        second.command(format!("APPE {name}"), 450);
    }
    drop(data);
    client.expect(226);
    assert_eq!(server.read("d/link"), b"new");
    expect_no_leftovers(&server.root());
    server.finish();
}

#[test]
fn mode_and_owner_are_kept() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    for mode in [0o640, 0o600, 0o755, 0o444, 0o660] {
        server.write("file", noise(1000));
        server.set_mode("file", mode);
        chown(server.path("file"), Some(1234), Some(4321)).expect("another owner: run as root");
        client.store("STOR file", other_noise(2000));
        expect_bytes(&server.read("file"), &other_noise(2000), "the new file");
        let metadata = fs::metadata(server.path("file")).expect("the file");
        assert_eq!(server.mode("file"), mode, "{mode:o}");
        assert_eq!((metadata.uid(), metadata.gid()), (1234, 4321), "{mode:o}");
        fs::remove_file(server.path("file")).expect("no file");
    }
    expect_no_leftovers(&server.root());
    server.finish();
}

/// The temporary file's mode is not that of the new one.
#[test]
fn a_new_file_has_the_usual_mode() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    client.store("STOR file", "text");
    client.store("APPE other", "text");
    assert_eq!(server.mode("file"), server.mode("other"));
    client.command("SITE UMASK 077", 200);
    client.store("STOR new", "text");
    assert_eq!(server.mode("new"), 0o600);
    // It is for new files: an old one keeps its own.
    client.store("STOR file", "new text");
    assert_eq!(server.mode("file"), server.mode("other"));
    server.finish();
}

#[test]
fn attributes_and_access_lists_are_kept() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    server.write("file", noise(1000));
    server.set_mode("file", 0o640);
    let file = server.path("file");
    let attributes = [
        ("user.x", b"a value".to_vec()),
        ("user.empty", Vec::new()),
        ("system.posix_acl_access", access_list()),
    ];
    for (name, value) in &attributes {
        let set = setxattr(&file, *name, value, XattrFlags::empty());
        set.unwrap_or_else(|error| panic!("{name}: {error}; use another file system"));
    }
    let mode = server.mode("file");
    client.store("STOR file", other_noise(2000));
    expect_bytes(&server.read("file"), &other_noise(2000), "the new file");
    for (name, value) in &attributes {
        let mut found = vec![0; 1000];
        let length = getxattr(&file, *name, &mut found[..]);
        let length = length.unwrap_or_else(|error| panic!("{name} is lost: {error}"));
        assert_eq!(&found[..length], value, "{name}");
    }
    assert_eq!(server.mode("file"), mode);
    server.finish();
}

/// As `setfacl -m user:1234:rw` makes it: user::rw-, user:1234:rw-, group::r--, mask::rw-,
/// other::---.
fn access_list() -> Vec<u8> {
    let none = u32::MAX;
    let entries: [(u16, u16, u32); 5] = [
        (1, 6, none),
        (2, 6, 1234),
        (4, 4, none),
        (0x10, 6, none),
        (0x20, 0, none),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// Where no file can be made, or none of this owner, the old one is written in place: by a server
/// without root's rights.
#[test]
fn files_that_cannot_be_replaced_are_written_in_place() {
    // The directory's mode and owner, and the file's.
    let cases: [(&str, u32, u32, u32, u32); 4] = [
        ("a directory that may not be written", 0o555, 0, 0o644, 0),
        ("a sticky directory of others", 0o1777, 1234, 0o666, 4321),
        ("a file of another owner", 0o755, 0, 0o666, 4321),
        ("all of others", 0o755, 1234, 0o666, 4321),
    ];
    let setup = Setup::new();
    for (name, directory_mode, directory_owner, mode, owner) in cases {
        let directory = setup.root().join(name);
        fs::create_dir(&directory).expect("a directory");
        let file = directory.join("file");
        fs::write(&file, noise(200_000)).expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("its mode");
        chown(&file, Some(owner), Some(owner)).expect("another owner: run as root");
        chown(&directory, Some(directory_owner), None).expect("another owner");
        let rights = Permissions::from_mode(directory_mode);
        fs::set_permissions(&directory, rights).expect("its mode");
    }
    let server = without_rights(setup);
    let mut client = server.client();
    for (name, _, _, mode, owner) in cases {
        let file = format!("{name}/file");
        let inode = fs::metadata(server.path(&file)).expect(name).ino();
        for size in [300_000, 10] {
            client.store(format!("STOR {file}"), other_noise(size));
            expect_bytes(&server.read(&file), &other_noise(size), name);
        }
        client.store(format!("APPE {file}"), "end");
        assert_eq!(server.read(&file).len(), 13, "{name}");
        let metadata = fs::metadata(server.path(&file)).expect(name);
        assert_eq!(server.mode(&file), mode, "{name}");
        assert_eq!((metadata.uid(), metadata.gid()), (owner, owner), "{name}");
        assert_eq!(metadata.ino(), inode, "{name}");
        expect_no_leftovers(&server.path(name));
        // In place, but not without the lock.
        let data = begin(&mut client, &format!("STOR {file}"), b"new");
        let mut second = server.client();
        second.extended_passive();
        second.command(format!("STOR {file}"), 450);
        drop(data);
        client.expect(226);
        assert_eq!(server.read(&file), b"new", "{name}");
    }
    server.finish();
}

/// Replacing a file is writing it: a directory that may be written is not enough.
#[test]
fn read_only_files_are_not_replaced() {
    let setup = Setup::new();
    for (name, mode, owner) in [("own", 0o444, 0), ("other", 0o644, 4321)] {
        let file = setup.root().join(name);
        fs::write(&file, "old").expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("its mode");
        chown(&file, Some(owner), None).expect("another owner: run as root");
    }
    let server = without_rights(setup);
    let mut client = server.client();
    client.extended_passive();
    for name in ["own", "other"] {
        client.command(format!("STOR {name}"), 553);
        client.command(format!("APPE {name}"), 550);
        assert_eq!(server.read(name), b"old");
    }
    server.finish();
}

/// A file, or a directory, on which something is mounted: as containers have their configuration.
#[test]
fn mount_points_are_written_to() {
    let setup = Setup::new();
    let root = setup.root();
    let outer = setup.directory().join("outer");
    fs::write(&outer, "outer").expect("a file");
    fs::write(root.join("file"), "covered").expect("a file");
    fs::create_dir(root.join("d")).expect("a directory");
    let script = "mount --bind \"$0\" \"$1/file\" && mount -t tmpfs tmpfs \"$1/d\"";
    let server = setup.mounting(script, &[&outer, &root]).program();
    let seen = server.seen(&root);
    let mut client = server.client();
    for bytes in [noise(1000), other_noise(300)] {
        for name in ["file", "d/file"] {
            client.store(format!("STOR {name}"), &bytes);
            expect_bytes(&fs::read(seen.join(name)).expect(name), &bytes, name);
        }
        expect_bytes(
            &fs::read(&outer).expect("a file"),
            &bytes,
            "what is mounted",
        );
    }
    for directory in [seen.clone(), seen.join("d")] {
        expect_no_leftovers(&directory);
    }
    server.finish();
}

/// What is copied into a mounted file is on the disk before the reply, as what is renamed is. No
/// other server writes to it meanwhile.
#[test]
fn a_copy_into_a_mount_point_is_as_safe_as_a_rename() {
    let setup = Setup::new();
    let root = setup.root();
    let outer = setup.directory().join("outer");
    fs::write(&outer, "outer").expect("a file");
    for name in ["mounted", "plain"] {
        fs::write(root.join(name), "old").expect("a file");
    }
    let script = "mount --bind \"$0\" \"$1/mounted\"";
    let server = setup
        .flags(&["--sync"])
        .mounting(script, &[&outer, &root])
        .program();
    let mut client = server.client();
    let mut count = |name: &str| {
        let trace = KernelTrace::start(server.id(), "fsync,fdatasync");
        client.store(format!("STOR {name}"), "new");
        trace.end()
    };
    let (renamed, copied) = (count("plain"), count("mounted"));
    assert!(copied > renamed, "{copied} and {renamed} calls");

    let other = fs::File::options().append(true).open(&outer);
    let other = other.expect("the file");
    other.lock().expect("the lock");
    let reply = upload(&mut client, "STOR mounted", b"newer");
    assert_eq!(reply.code, 451, "{}", reply.text());
    assert_eq!(fs::read(&outer).expect("the file"), b"new");
    expect_no_leftovers(&root);
    drop(other);
    client.store("STOR mounted", "newer");
    assert_eq!(fs::read(&outer).expect("the file"), b"newer");
    server.finish();
}

/// One directory with two paths has one file of that name.
#[test]
fn a_directory_that_is_mounted_twice_is_one() {
    let setup = Setup::new();
    let root = setup.root();
    for name in ["one", "two"] {
        fs::create_dir(root.join(name)).expect("a directory");
    }
    let script = "mount --bind \"$0/one\" \"$0/two\"";
    let server = setup.mounting(script, &[&root]).program();
    let mut first = server.client();
    for bytes in [&b"first"[..], b"second"] {
        let data = begin(&mut first, "STOR one/file", bytes);
        let mut second = server.client();
        second.extended_passive();
        second.command("STOR two/file", 450);
        drop(data);
        first.expect(226);
        assert_eq!(second.fetch("RETR two/file"), bytes);
    }
    expect_no_leftovers(&server.path("one"));
    server.finish();
}

/// The last word about a mode counts, not that of the moment when the upload began.
#[test]
fn a_mode_that_changes_meanwhile_is_kept() {
    let server = TestServer::program(&[]);
    server.write("file", "old");
    server.set_mode("file", 0o644);
    let mut client = server.client();
    let data = begin(&mut client, "STOR file", b"new");
    server.client().command("SITE CHMOD 600 file", 200);
    drop(data);
    client.expect(226);
    assert_eq!(server.read("file"), b"new");
    assert_eq!(server.mode("file"), 0o600);
    server.finish();
}

/// Programs of other users of this machine must not read what is on its way into a private file.
#[test]
fn a_private_file_is_private_while_it_arrives() {
    let server = TestServer::program(&[]);
    let mut client = server.client();
    client.command("SITE UMASK 077", 200);
    for (name, mode) in [("new", 0o600), ("private", 0o600), ("group", 0o640)] {
        if name != "new" {
            server.write(name, "old");
            server.set_mode(name, mode);
        }
        let data = begin(&mut client, &format!("STOR {name}"), b"new");
        let [temporary] = &leftovers(&server.root())[..] else {
            panic!("{name}: no temporary file, or several");
        };
        let more = server.mode(temporary) & !mode;
        assert_eq!(more, 0, "{name}: {:o}", server.mode(temporary));
        drop(data);
        client.expect(226);
        assert_eq!(server.mode(name), mode, "{name}");
    }
    server.finish();
}

/// Root without the rights that root has over files of others.
fn without_rights(setup: Setup<'_>) -> TestServer<Program> {
    let without_rights = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let setup = setup.wrapped(move |serve| process::prefixed(&without_rights, &serve));
    setup.program()
}
