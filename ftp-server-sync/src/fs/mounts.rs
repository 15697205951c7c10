//! What is mounted where, and what this machine's configuration says should be.
//!
//! A disk that is not mounted leaves an empty directory, which looks like a share without files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directories at which something is mounted, in the view of this process. One occurs as often
/// as file systems are mounted there, one over the other.
#[derive(Debug)]
pub(super) struct MountTable(Vec<PathBuf>);

/// Where the file system of a directory is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MountPoint {
    pub(super) path: PathBuf,
    /// How many file systems are mounted there, one over the other.
    count: usize,
}

/// A shared directory that seems to be a mount point without its file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnmountedShare {
    /// The directory at which something should be mounted: the shared one, or one that contains it.
    pub(crate) point: PathBuf,
    /// The file that says so; `None`: only its place does.
    pub(crate) listed_in: Option<PathBuf>,
    /// Whether the shared directory is empty.
    pub(crate) is_empty: bool,
}

impl MountTable {
    /// The mounts as they are now; none where the system does not list them.
    pub(super) fn read() -> Self {
        Self::parse(&fs::read(MOUNTS).unwrap_or_default())
    }

    /// Lines like `36 35 98:0 /root /mnt/disk rw - ext4 /dev/sda1 rw`.
    fn parse(text: &[u8]) -> Self {
        let lines = text.split(|&byte| byte == b'\n');
        Self(lines.filter_map(|line| path_in(line, 4)).collect())
    }

    /// Where the file system of `directory` is mounted: an absolute path without symbolic links.
    pub(super) fn mount_point(&self, directory: &Path) -> MountPoint {
        let mut above = directory.ancestors();
        let path = above.find(|path| self.count(path) > 0);
        let path = path.unwrap_or(Path::new("/"));
        MountPoint {
            path: path.to_owned(),
            count: self.count(path),
        }
    }

    fn count(&self, path: &Path) -> usize {
        self.0.iter().filter(|point| *point == path).count()
    }
}

impl MountPoint {
    /// A file system that should be mounted there.
    pub(super) fn expected(path: PathBuf) -> Self {
        Self { path, count: 1 }
    }

    /// Whether no file system that was mounted there is missing. Another one may have taken its
    /// place.
    pub(super) fn is_mounted(&self, mounts: &MountTable) -> bool {
        mounts.count(&self.path) >= self.count
    }
}

impl UnmountedShare {
    /// Looks at a shared directory. `None`: something is mounted where it should be, or nothing
    /// should be.
    pub(crate) fn find(directory: &Path) -> Option<Self> {
        let real = real_path(directory);
        Self::find_in(
            &real,
            &MountTable::read(),
            &fs::read(FSTAB).unwrap_or_default(),
            &UNIT_DIRECTORIES.map(Path::new),
        )
    }

    fn find_in(
        real: &Path,
        mounts: &MountTable,
        fstab: &[u8],
        unit_directories: &[&Path],
    ) -> Option<Self> {
        let mounted = mounts.mount_point(real).path;
        let is_empty = || fs::read_dir(real).is_ok_and(|mut entries| entries.next().is_none());
        let mut unmounted = real.ancestors().take_while(|path| **path != mounted);
        let listed = unmounted.find_map(|point| {
            let file = listing_file(point, fstab, unit_directories)?;
            Some((point.to_owned(), file))
        });
        if let Some((point, file)) = listed {
            return Some(Self {
                point,
                listed_in: Some(file),
                is_empty: is_empty(),
            });
        }
        let is_for_mounts =
            |above: &&str| real.starts_with(above) && !mounted.starts_with(above) && is_empty();
        MOUNT_PARENTS.iter().any(is_for_mounts).then(|| Self {
            point: real.to_owned(),
            listed_in: None,
            is_empty: true,
        })
    }

    /// Whether the directory is certainly not what is to be shared: it is empty, and a file system
    /// that should be mounted is missing.
    pub(crate) fn is_certain(&self) -> bool {
        self.listed_in.is_some() && self.is_empty
    }
}

/// The path without symbolic links, if it can be followed.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or(path.to_owned())
}

/// The file that says that something is mounted at `point`.
fn listing_file(point: &Path, fstab: &[u8], unit_directories: &[&Path]) -> Option<PathBuf> {
    let mut lines = fstab.split(|&byte| byte == b'\n');
    if lines.any(|line| path_in(line, 1).is_some_and(|listed| listed == point)) {
        return Some(FSTAB.into());
    }
    let name = unit_name(point);
    let mut units = unit_directories
        .iter()
        .map(|directory| directory.join(&name));
    // A unit that is switched off is a link to /dev/null.
    units.find(|unit| unit.is_file())
}

/// The absolute path in this column of a line, which begins with column 0. Spaces and some other
/// characters stand there as a backslash and three octal digits.
fn path_in(line: &[u8], column: usize) -> Option<PathBuf> {
    let columns = line.split(|byte| byte.is_ascii_whitespace());
    let mut columns = columns.filter(|column| !column.is_empty());
    if columns.clone().next()?.starts_with(b"#") {
        return None;
    }
    let written = columns.nth(column)?;
    if !written.starts_with(b"/") {
        return None;
    }
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    // Without a slash at the end, as other paths are.
    Some(Path::new(OsStr::from_bytes(&bytes)).components().collect())
}

/// The name that systemd requires of the unit for a mount: slashes as `-`, unusual characters in
/// hexadecimal.
fn unit_name(point: &Path) -> String {
    let path = point.as_os_str().as_bytes();
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let mut name = String::new();
    for (index, &byte) in path.iter().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if index == 0 => name.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => {
                name.push(char::from(byte));
            }
            _ => name.push_str(&format!("\\x{byte:02x}")),
        }
    }
    name + ".mount"
}

const MOUNTS: &str = "/proc/self/mountinfo";
const FSTAB: &str = "/etc/fstab";

/// The units of the operator and those that systemd makes. Others come with packages, and most
/// machines do not use them.
const UNIT_DIRECTORIES: [&str; 2] = ["/etc/systemd/system", "/run/systemd/generator"];

/// Directories that are for nothing but mounts (Filesystem Hierarchy Standard).
const MOUNT_PARENTS: [&str; 3] = ["/mnt", "/media", "/run/media"];

#[cfg(test)]
mod tests {
    use super::*;

    fn table(points: &[&str]) -> MountTable {
        let line = |point: &&str| format!("36 35 98:0 / {point} rw,noatime - ext4 /dev/sda1 rw\n");
        let text: String = points.iter().map(line).collect();
        MountTable::parse(text.as_bytes())
    }

    #[test]
    fn the_mount_point_is_the_nearest_one() {
        let mounts = table(&[
            "/",
            "/mnt/disk",
            "/mnt/disk/inner",
            "/mnt/disk",
            "/mnt/a\\040b",
        ]);
        for (directory, point, count) in [
            ("/srv/ftp", "/", 1),
            ("/mnt/disk/ftp", "/mnt/disk", 2),
            ("/mnt/disk", "/mnt/disk", 2),
            ("/mnt/diskette", "/", 1),
            ("/mnt/disk/inner", "/mnt/disk/inner", 1),
            ("/mnt/a b/c", "/mnt/a b", 1),
        ] {
            let found = mounts.mount_point(Path::new(directory));
            let path = point.into();
            assert_eq!(found, MountPoint { path, count }, "{directory}");
            assert!(found.is_mounted(&mounts));
        }
        let twice = mounts.mount_point(Path::new("/mnt/disk"));
        assert!(!twice.is_mounted(&table(&["/", "/mnt/disk"])));
        let unknown = table(&[]).mount_point(Path::new("/srv"));
        assert!(unknown.is_mounted(&table(&[])));
    }

    /// The mounts of this process begin with its root directory.
    #[test]
    fn the_system_lists_its_mounts() {
        assert!(MountTable::read().count(Path::new("/")) > 0);
    }

    #[test]
    fn units_have_the_names_that_systemd_requires() {
        for (point, name) in [
            ("/mnt/disk", "mnt-disk.mount"),
            ("/srv/my-files", "srv-my\\x2dfiles.mount"),
            ("/.a/b.c d", "\\x2ea-b.c\\x20d.mount"),
        ] {
            assert_eq!(unit_name(Path::new(point)), name);
        }
    }

    /// `None`: nothing is missing. Otherwise the point and the end of the file's name.
    #[track_caller]
    fn check(share: &Path, mounts: &[&str], fstab: &str, units: &Path, expected: Option<&str>) {
        let mounts = table(mounts);
        let found = UnmountedShare::find_in(share, &mounts, fstab.as_bytes(), &[units]);
        let shown = found.map(|found| {
            let file = found.listed_in.map(|file| file.display().to_string());
            let empty = if found.is_empty { "empty" } else { "used" };
            format!("{} {:?} {empty}", found.point.display(), file)
        });
        assert_eq!(shown.as_deref(), expected);
    }

    #[test]
    fn what_should_be_mounted() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().canonicalize().unwrap();
        let (share, units) = (real.join("disk/a b"), real.join("units"));
        fs::create_dir_all(&share).unwrap();
        fs::create_dir(&units).unwrap();
        let (disk, shown) = (real.join("disk"), share.display());
        let disk = disk.to_str().unwrap();
        let fstab =
            format!("# {disk}\nUUID=1  {disk}/  ext4 defaults 0 2\nnone none swap sw 0 0\n");
        let escaped = format!("/dev/sdb1\t{disk}/a\\040b\tvfat\tnoauto\n");
        let by_disk = format!("{disk} Some(\"/etc/fstab\") empty");
        let by_share = format!("{shown} Some(\"/etc/fstab\") empty");
        check(&share, &["/"], "", &units, None);
        check(
            &share,
            &["/"],
            "/dev/sda1 / ext4 defaults 0 1",
            &units,
            None,
        );
        check(&share, &["/"], &fstab, &units, Some(&by_disk));
        check(&share, &["/"], &escaped, &units, Some(&by_share));
        check(&share, &["/", disk], &fstab, &units, None);
        // What is mounted below hides what should be mounted above it.
        let point = share.to_str().unwrap().replace(' ', "\\040");
        check(&share, &["/", &point], &fstab, &units, None);

        let unit = units.join(unit_name(Path::new(disk)));
        std::os::unix::fs::symlink("/dev/null", &unit).unwrap();
        check(&share, &["/"], "", &units, None);
        fs::remove_file(&unit).unwrap();
        fs::write(&unit, "[Mount]").unwrap();
        let by_unit = format!("{disk} Some({:?}) empty", unit.display().to_string());
        check(&share, &["/"], "", &units, Some(&by_unit));

        fs::write(share.join("file"), "").unwrap();
        let used = by_disk.replace("empty", "used");
        check(&share, &["/"], &fstab, &units, Some(&used));
    }
}
