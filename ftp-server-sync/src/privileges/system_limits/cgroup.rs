//! How many threads the cgroup of this process may have.

use std::fs;
use std::path::Path;

/// The least `pids.max` of the cgroup and of all above it, in both versions of cgroups, as far as
/// this process sees them. `root`: of the file system.
pub(super) fn threads_max(root: &Path) -> Option<u64> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let limits = own.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = fields.next().zip(fields.next())?;
        let top = match controllers {
            "" => "sys/fs/cgroup",
            _ if controllers.split(',').any(|name| name == "pids") => "sys/fs/cgroup/pids",
            _ => return None,
        };
        least(&root.join(top), path)
    });
    limits.min()
}

/// A container may see its own cgroup as the top one, and not its path.
fn least(top: &Path, path: &str) -> Option<u64> {
    let path = Path::new(path.trim_start_matches('/'));
    let limits = path.ancestors().filter_map(|path| {
        let text = fs::read_to_string(top.join(path).join("pids.max")).ok()?;
        // Without a limit it is `max`.
        text.trim().parse().ok()
    });
    limits.min()
}
