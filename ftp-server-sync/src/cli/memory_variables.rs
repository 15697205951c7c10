//! Memory that is released returns to the system: variables that say to glibc where it allocates
//! what is large.
//!
//! Large blocks then have mappings of their own. By default glibc allocates them in its heaps after
//! the first one was released, and a heap returns nothing below its last block: after some sorted
//! listings at a time, tens of MiB stay. There is no safe call for these settings, only variables
//! that are read at start.
//!
//! The blocks that a thread has released stay in a cache of that thread, where no other one can use
//! them. A session that waits would keep what its handshake and its transfers needed.

use std::ffi::OsString;

/// The settings that the operator has not made; none where they have no effect.
pub(super) fn memory_variables(
    variable: impl Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, &'static str)> {
    let mut settings = SETTINGS.to_vec();
    settings.retain(|(name, _)| cfg!(target_env = "gnu") && variable(name).is_none());
    settings
}

/// In glibc's words. A threshold that is set stays as it is; by default it grows to 32 MiB. With
/// two heaps for all threads, less is left over in each. The caches of the threads have only small
/// blocks, which commands need again and again. Each thread has room on its stack for libraries in
/// four namespaces, of which the program has one.
const SETTINGS: [(&str, &str); 4] = [
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
    (
        "GLIBC_TUNABLES",
        "glibc.malloc.tcache_max=128:glibc.rtld.nns=1",
    ),
    ("MALLOC_ARENA_MAX", "2"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_settings_stay() {
        let names = |own: &str| {
            let found = memory_variables(|name| (name == own).then(OsString::new));
            found.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        if cfg!(target_env = "gnu") {
            let all = SETTINGS.map(|(name, _)| name);
            assert_eq!(names(""), all);
            assert_eq!(names("MALLOC_ARENA_MAX"), all[..3]);
        } else {
            assert_eq!(names(""), [""; 0]);
        }
    }
}
