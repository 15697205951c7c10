use super::*;

fn limits(wanted: u32, limits: &[Limit]) -> SystemLimits {
    SystemLimits {
        wanted,
        limits: limits.to_vec(),
        backlog_max: None,
    }
}

fn needed(sessions: u64) -> u64 {
    sessions * DESCRIPTORS_OF_SESSION + DESCRIPTORS_OF_SERVER
}

#[test]
fn connections_that_await_their_headers_take_none_of_the_sessions() {
    assert_eq!(Limit::of_open_files(needed(512) + 256, 256).sessions, 512);
    assert!(Limit::of_open_files(needed(512), 256).sessions < 512);
}

#[test]
fn each_session_has_its_descriptors() {
    let sessions_max = |value| limits(512, &[Limit::of_open_files(value, 0)]).sessions_max();
    assert_eq!(sessions_max(needed(512)), 512);
    assert_eq!(sessions_max(needed(512) - 1), 511);
    assert_eq!(sessions_max(0), 1);
    assert_eq!(sessions_max(u64::MAX), u32::MAX);
    assert_eq!(limits(512, &[]).sessions_max(), u32::MAX);
}

/// A thread that gets only a part of its maps would end the server.
#[test]
fn no_session_is_admitted_without_its_maps() {
    let usual = Limit::of_maps(MAPS_USUAL);
    assert_eq!(limits(512, &[usual]).sessions_max(), 16_000);
    let both = [Limit::of_open_files(needed(20_000), 0), usual];
    assert_eq!(limits(20_000, &both).sessions_max(), 16_000);
}

/// There is no harm in trying.
#[test]
fn threads_refuse_no_session_beforehand() {
    let few = Limit::of_threads(Kind::ThreadsOfCgroup, 40);
    assert_eq!(limits(512, &[few]).sessions_max(), u32::MAX);
}

#[test]
fn a_limit_that_is_too_low_is_a_warning() {
    let enough = [
        Limit::of_open_files(needed(8), 0),
        Limit::of_maps(MAPS_OF_SERVER + 32),
        Limit::of_threads(Kind::Threads, 40),
    ];
    assert_eq!(limits(8, &enough).warnings(), [""; 0]);
    let low = [
        (
            Limit::of_open_files(needed(8) - 1, 0),
            "95 open files is enough for 7 clients, not for --max-cons 8; more are refused: raise it \
             (ulimit -n) or lower --max-cons",
        ),
        (
            Limit::of_maps(MAPS_OF_SERVER + 31),
            "1561 maps of memory (vm.max_map_count) is enough for 7 clients, not for --max-cons 8; \
             more are refused: raise it (sysctl) or lower --max-cons",
        ),
        (
            Limit::of_threads(Kind::ThreadsOfCgroup, 39),
            "39 processes and threads (pids.max of the cgroup) is enough for 7 clients, not for \
             --max-cons 8; more are refused: raise it (TasksMax= of a systemd unit, --pids-limit of \
             docker) or lower --max-cons",
        ),
    ];
    for (limit, text) in low {
        let warnings = limits(8, &[limit]).warnings();
        assert_eq!(warnings, [format!("the limit of {text}")]);
    }
}

#[test]
fn the_lowest_limit_of_threads_is_named() {
    let of_threads = [
        Limit::of_open_files(10, 0),
        Limit::of_threads(Kind::Threads, 9000),
        Limit::of_threads(Kind::ProcessesOfUser, 100),
    ];
    assert_eq!(
        limits(512, &of_threads).thread_advice(),
        "the system has no thread for it, or no memory for one; the lowest limit of threads is that \
         of 100 processes and threads of the server's user: raise it (ulimit -u, LimitNPROC= of a \
         systemd unit), or lower --max-cons"
    );
    let advice = limits(512, &[]).thread_advice();
    assert!(advice.ends_with("; raise the limit, or lower --max-cons"));
}

#[test]
fn a_short_queue_is_a_note() {
    let note = |wanted, backlog_max| {
        let limits = SystemLimits {
            backlog_max: Some(backlog_max),
            ..limits(wanted, &[])
        };
        limits.note()
    };
    assert_eq!(note(512, 512), None);
    assert_eq!(note(10_000, 1024), None);
    let text = note(512, 128).expect("a note");
    assert!(text.starts_with("net.core.somaxconn is 128: "), "{text}");
    assert!(note(10_000, 512).is_some());
}

#[test]
fn the_least_limit_of_the_cgroups_holds() {
    let root = tempfile::tempdir().expect("a directory");
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        fs::write(path, text).expect("a file");
    };
    let found = || cgroup::threads_max(root.path());
    assert_eq!(found(), None);
    write("proc/self/cgroup", "0::/system.slice/ftp.service\n");
    assert_eq!(found(), None);
    write("sys/fs/cgroup/system.slice/ftp.service/pids.max", "max\n");
    assert_eq!(found(), None);
    write("sys/fs/cgroup/system.slice/ftp.service/pids.max", "4915\n");
    assert_eq!(found(), Some(4915));
    write("sys/fs/cgroup/system.slice/pids.max", "100\n");
    assert_eq!(found(), Some(100));
    // A container of the first version, which has its own at the top.
    write("proc/self/cgroup", "8:cpu,pids:/docker/1f\n7:memory:/\n");
    write("sys/fs/cgroup/pids/pids.max", "64\n");
    assert_eq!(found(), Some(64));
}
