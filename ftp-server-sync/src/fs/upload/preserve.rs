//! What a file keeps when an upload replaces it: its rights, its owner and its extended attributes,
//! access control lists among them.

use std::ffi::CStr;
use std::fs::File;
use std::io;

use rustix::fs::{Gid, Mode, Stat, Uid, XattrFlags};
use rustix::io::Errno;

use crate::fs::root::identity;

/// Gives `new`, which was created with the permission bits of `old`, all that `old` has.
///
/// # Errors
///
/// If it cannot be given something. Then `old` has to be written itself.
pub(super) fn preserve(old: &File, old_stat: &Stat, new: &File, stat: &Stat) -> io::Result<()> {
    if identity(stat).0 != identity(old_stat).0 {
        // A single file can be a mount point. Then it gets the bytes, and keeps the rest.
        return Ok(());
    }
    give_rights(old_stat, new, stat)?;
    copy_extended(old, new)
}

/// Gives `new` the owner and the permission bits of a file with these attributes.
///
/// # Errors
///
/// If it cannot be given them.
pub(super) fn preserve_rights(old: &Stat, new: &File) -> io::Result<()> {
    give_rights(old, new, &rustix::fs::fstat(new)?)
}

fn give_rights(old: &Stat, new: &File, stat: &Stat) -> io::Result<()> {
    if (stat.st_uid, stat.st_gid) != (old.st_uid, old.st_gid) {
        let owner = (stat.st_uid != old.st_uid).then(|| Uid::from_raw(old.st_uid));
        let group = (stat.st_gid != old.st_gid).then(|| Gid::from_raw(old.st_gid));
        rustix::fs::fchown(new, owner, group)?;
    }
    let mode = old.st_mode & PRESERVED_BITS;
    if stat.st_mode & PRESERVED_BITS != mode {
        // The umask has taken bits, or the directory's default list has set others.
        match rustix::fs::fremovexattr(new, ACCESS_LIST) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno.into()),
        }
        rustix::fs::fchmod(new, Mode::from_raw_mode(mode))?;
    }
    Ok(())
}

fn copy_extended(old: &File, new: &File) -> io::Result<()> {
    let names = match list(old) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        // Of no file of this file system: it has none, and says so in its own way (rclone: EIO).
        Err(errno) if list(new) == Err(errno) => return Ok(()),
        names => names?,
    };
    let names = names.split_inclusive(|&byte| byte == 0);
    for name in names.flat_map(CStr::from_bytes_with_nul) {
        // The system's policy gives each new file its own.
        if name.to_bytes().starts_with(b"security.") {
            continue;
        }
        let value = value(old, name)?;
        if self::value(new, name).as_ref() != Ok(&value) {
            rustix::fs::fsetxattr(new, name, &value, XattrFlags::empty())?;
        }
    }
    Ok(())
}

/// The names, each with a NUL at its end.
fn list(file: &File) -> Result<Vec<u8>, Errno> {
    read(|buffer| rustix::fs::flistxattr(file, buffer))
}

fn value(file: &File, name: &CStr) -> Result<Vec<u8>, Errno> {
    read(|buffer| rustix::fs::fgetxattr(file, name, buffer))
}

/// Calls `get` with a buffer that is large enough; mostly once.
fn read(get: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; USUAL_BYTES];
    let mut result = get(&mut buffer);
    if result == Err(Errno::RANGE) {
        buffer.resize(BYTES_MAX, 0);
        result = get(&mut buffer);
    }
    buffer.truncate(result?);
    Ok(buffer)
}

/// Not those that give a program rights.
const PRESERVED_BITS: u32 = 0o777;

const ACCESS_LIST: &CStr = c"system.posix_acl_access";

const USUAL_BYTES: usize = 256;

/// The system has no larger ones.
const BYTES_MAX: usize = 64 * 1024;
