//! Which users of the system may log in.

use std::fs;

use super::*;
use crate::accounts::password_hash::counter;

/// Some day of 2026.
const TODAY: i64 = 20_500;

struct System {
    _directory: tempfile::TempDir,
    files: SystemFiles,
    entry: PasswdEntry,
}

impl System {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let files = SystemFiles {
            passwd: path("passwd"),
            shadow: path("shadow"),
            shells: path("shells"),
            ftpusers: path("ftpusers"),
            login_defs: path("login.defs"),
        };
        let entry = PasswdEntry {
            name: "anna".to_owned(),
            hash: b"x".to_vec(),
            uid: 1000,
            gid: 1001,
            groups: vec![1001, 50, 1001],
            home: "/home/anna".into(),
            shell: "/bin/sh".into(),
        };
        let system = Self {
            _directory: directory,
            files,
            entry,
        };
        system.set_shadow(&format!(
            "root:{HASH}:1::::::\nanna:{HASH}:20000:0:99999:7:::\n"
        ));
        system
    }

    fn set_shadow(&self, text: &str) {
        fs::write(&self.files.shadow, text).unwrap();
    }

    fn decide(&self, group: Option<u32>) -> SystemCandidate {
        let group = group.map(|number| SystemGroup {
            text: "sftp".to_owned(),
            number,
        });
        self.decide_as(Ok(self.entry.clone()), group)
    }

    fn decide_as(
        &self,
        entry: Result<PasswdEntry, Unfit>,
        group: Option<SystemGroup>,
    ) -> SystemCandidate {
        let shadow = self.files.shadow();
        SystemUsers::new(group, false).decide(entry, &self.files, &shadow, TODAY)
    }

    #[track_caller]
    fn check(&self, expected: Result<(), Unfit>) {
        let candidate = self.decide(None);
        assert_eq!(candidate.user.map(drop), expected);
    }
}

/// Of the password "secret".
const HASH: &str = "$2b$04$....................../dCAsp4PpJoDgv6BeaLP6BKrXlBV1oi";

#[test]
fn a_fit_user_has_all_groups_once() {
    let user = System::new().decide(None).user.unwrap();
    let expected = SystemUser {
        name: "anna".to_owned(),
        uid: 1000,
        gid: 1001,
        groups: vec![50, 1001],
        home: "/home/anna".into(),
    };
    assert_eq!(user, expected);
    let account = SystemUsers::new(None, true).account();
    assert_eq!(
        account,
        Account::new(Rights::READ_WRITE).with_no_other_login()
    );
}

#[test]
fn numbers_and_groups() {
    let mut system = System::new();
    for (uid, expected) in [
        (999, Err(Unfit::NoPerson)),
        (0, Err(Unfit::NoPerson)),
        (65_534, Err(Unfit::NoPerson)),
        (65_533, Ok(())),
        (u32::MAX, Err(Unfit::NoPerson)),
    ] {
        system.entry.uid = uid;
        system.check(expected);
    }
    fs::write(&system.files.login_defs, "UID_MIN 0\n").unwrap();
    system.entry.uid = 0;
    system.check(Err(Unfit::NoPerson));
    system.entry.uid = 1;
    system.check(Ok(()));
    system.entry.gid = u32::MAX;
    system.check(Err(Unfit::NoPerson));
    system.entry.gid = 1001;
    for (group, is_fit) in [(50, true), (1001, true), (51, false)] {
        assert_eq!(system.decide(Some(group)).user.is_ok(), is_fit, "{group}");
    }
    // Only the primary one.
    system.entry.groups.clear();
    assert!(system.decide(Some(1001)).user.is_ok());
    assert!(system.decide(Some(50)).user.is_err());
}

#[test]
fn what_other_files_say() {
    let mut system = System::new();
    system.entry.shell = "/usr/sbin/nologin".into();
    system.check(Err(Unfit::Shell("/usr/sbin/nologin".to_owned())));
    system.entry.shell = "".into();
    system.check(Ok(()));
    fs::write(&system.files.ftpusers, "anna\n").unwrap();
    system.check(Err(Unfit::Denied));
    fs::write(&system.files.ftpusers, "root\n").unwrap();
    system.check(Ok(()));
    for home in ["", "home/anna", "/home/../root"] {
        system.entry.home = home.into();
        system.check(Err(Unfit::NoHome));
    }
}

#[test]
fn what_shadow_says() {
    let mut system = System::new();
    for (line, expected) in [
        ("anna::20000::::::", Unfit::NoPassword),
        ("anna:!:20000::::::", Unfit::NeverSet),
        ("anna:!!:20000::::::", Unfit::NeverSet),
        ("anna:*:20000::::::", Unfit::NeverSet),
        ("anna:!HASH:20000::::::", Unfit::Locked),
        ("anna:*LK*:20000::::::", Unfit::Locked),
        ("eve:HASH:20000::::::", Unfit::NoShadow),
        ("anna:HASH:0::::::", Unfit::MustChange),
        ("anna:HASH:20000:::::20500:", Unfit::Expired),
        ("anna:HASH:20000:0:10:7:::", Unfit::PasswordExpired),
        ("anna:HASH:x::::::", Unfit::Malformed),
    ] {
        system.set_shadow(&line.replace("HASH", HASH));
        system.check(Err(expected));
    }
    for hash in ["$1$salt$hash", "ab0123456789a", "!$6$x", "x"] {
        system.set_shadow(&format!("anna:{hash}:20000::::::\n"));
        let candidate = system.decide(None);
        assert!(!candidate.is_own_hash && candidate.user.is_err(), "{hash}");
    }
    fs::remove_file(&system.files.shadow).unwrap();
    system.check(Err(Unfit::NoShadow));
    // An old system.
    system.entry.hash = HASH.into();
    system.check(Ok(()));
    for (hash, expected) in [
        ("", Unfit::NoPassword),
        ("*", Unfit::NeverSet),
        ("!x", Unfit::Locked),
    ] {
        system.entry.hash = hash.into();
        system.check(Err(expected));
    }
    fs::create_dir(&system.files.shadow).unwrap();
    system.entry.hash = HASH.into();
    assert!(matches!(
        system.decide(None).user,
        Err(Unfit::Unreadable(_))
    ));
}

/// Neither the time nor the work shows who may log in.
#[test]
fn each_name_costs_one_hash() {
    let mut system = System::new();
    let cost = |candidate: SystemCandidate, password: &str| {
        let before = counter::computed();
        let matches = candidate.matches(password.as_bytes());
        (matches, counter::computed() - before)
    };
    assert_eq!(cost(system.decide(None), "secret"), (true, 1));
    assert_eq!(cost(system.decide(None), "Secret"), (false, 1));
    // Whose hash it is compared with does not let them in.
    let unknown = system.decide_as(Err(Unfit::Unknown), None);
    assert!(unknown.user.is_err());
    assert_eq!(cost(unknown, "secret"), (false, 1));
    system.entry.uid = 1;
    assert_eq!(cost(system.decide(None), "secret"), (true, 1));
    assert!(system.decide(None).user.is_err());
    system.set_shadow(&format!("eve:{HASH}:1::::::\nanna:!:1::::::\n"));
    assert_eq!(cost(system.decide(None), "secret"), (false, 1));
    system.set_shadow("");
    assert_eq!(cost(system.decide(None), "secret"), (false, 1));
}

/// A look-up may take long, and the names come from clients. Root is in each system.
#[test]
fn only_names_with_a_hash_are_looked_up() {
    let system = System::new();
    let find = |name: &str| {
        let users = SystemUsers::new(None, false);
        let found = users.find(name.as_bytes(), &system.files, TODAY);
        found.user.map(drop)
    };
    let found = Err(Unfit::NoPerson);
    assert_eq!(find("root"), found);
    assert_eq!(find("anna"), Err(Unfit::Unknown));
    system.set_shadow(&format!("anna:{HASH}:20000::::::\n"));
    assert_eq!(find("root"), Err(Unfit::Unknown));
    for (line, expected) in [
        ("root:x:0:0::/root:/bin/sh\n", Err(Unfit::Unknown)),
        ("roots:HASH:0:0::/root:/bin/sh\n", Err(Unfit::Unknown)),
        ("root:HASH:0:0::/root:/bin/sh\n", found.clone()),
    ] {
        fs::write(&system.files.passwd, line.replace("HASH", HASH)).unwrap();
        assert_eq!(find("root"), expected, "{line}");
    }
    fs::remove_file(&system.files.shadow).unwrap();
    assert_eq!(find("root"), found);
    // What cannot be read says nothing about names.
    fs::create_dir(&system.files.shadow).unwrap();
    assert!(matches!(find("root"), Err(Unfit::Unreadable(_))));
}

/// That of root only where there is no other.
#[test]
fn the_usual_hash_is_the_costliest() {
    let with_cost = |cost: &str| HASH.replace("$04$", &format!("${cost}$"));
    let usual = |lines: &[(&str, &str)]| {
        let lines = lines.iter().map(|(name, cost)| {
            let hash = with_cost(cost);
            format!("{name}:{hash}:1::::::\n")
        });
        usual_hash(lines.collect::<String>().as_bytes()).unwrap()
    };
    let hash = |cost: &str| PasswordHash::parse(&with_cost(cost)).unwrap();
    let lines = [("root", "10"), ("anna", "04"), ("bob", "06"), ("eve", "05")];
    assert!(usual(&lines) == hash("06"));
    assert!(usual(&lines[..1]) == hash("10"));
    assert!(usual(&[]) == MADE_UP.clone().unwrap());
}

/// Whatever the thread of the session has, which cannot change any more.
#[test]
fn a_session_ends_when_its_user_changes() {
    let mut system = System::new();
    let user = system.decide(None).user.unwrap();
    assert!(user.check(&system.entry));
    // The same groups.
    system.entry.groups = vec![50];
    system.entry.shell = "/bin/csh".into();
    assert!(user.check(&system.entry));
    for change in [
        |entry: &mut PasswdEntry| entry.uid = 1001,
        |entry: &mut PasswdEntry| entry.gid = 50,
        |entry: &mut PasswdEntry| entry.groups.clear(),
        |entry: &mut PasswdEntry| entry.groups.push(51),
        |entry: &mut PasswdEntry| entry.home = "/home/bob".into(),
    ] {
        let mut entry = system.entry.clone();
        change(&mut entry);
        assert!(!user.check(&entry));
    }
}

#[test]
fn names_are_those_of_the_system() {
    let root = PasswdEntry::find(b"root").unwrap().unwrap();
    assert_eq!((root.uid, &*root.name), (0, "root"));
    for name in [
        &b""[..],
        b"no-such-user",
        b"root\0",
        b"roo\xff",
        &[b'x'; 200],
    ] {
        assert!(PasswdEntry::find(name).unwrap().is_none(), "{name:?}");
    }
    let list = SystemUsers::new(None, false).list(&SystemFiles::default(), TODAY);
    assert!(list.unwrap().iter().all(|(name, _)| name != "root"));
}
