//! Listings of the limit: one pass over the directory, in its own order.

use std::ffi::CStr;
use std::io::{self, Write};

use ftp_proto::date::{list_date, time_val};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, RawDirEntry, Stat, fstat, openat, statat,
};

use super::session::Session;

/// Which command asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Long,
    Names,
    Facts,
}

impl Session {
    pub(super) fn list(&mut self, style: Style) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, self.path("."), flags, Mode::empty())?;
        let mut data = self.begin()?;
        let now = fstat(&directory)?.st_mtime;
        let mut names = Vec::with_capacity(NAMES_BYTES);
        let mut entries = RawDir::new(&directory, names.spare_capacity_mut());
        let mut lines = Vec::with_capacity(LINES_BYTES);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = name(&entry);
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            match style {
                Style::Names => lines.extend_from_slice(name.to_bytes()),
                Style::Long | Style::Facts => {
                    let stat = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                    push(style, &stat, now, &mut lines)?;
                    lines.extend_from_slice(name.to_bytes());
                }
            }
            lines.extend_from_slice(b"\r\n");
            if lines.len() > LINES_BYTES - LINE_BYTES_MAX {
                data.write_all(&lines)?;
                lines.clear();
            }
        }
        data.write_all(&lines)?;
        data.end()?;
        self.reply("226 done");
        Ok(())
    }
}

fn name<'a>(entry: &'a RawDirEntry<'_>) -> &'a CStr {
    entry.file_name()
}

/// What stands before the name.
fn push(style: Style, stat: &Stat, now: i64, lines: &mut Vec<u8>) -> io::Result<()> {
    let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let (size, modified) = (stat.st_size, stat.st_mtime);
    if style == Style::Long {
        let kind = if is_directory { 'd' } else { '-' };
        let (links, uid, gid) = (stat.st_nlink, stat.st_uid, stat.st_gid);
        write!(
            lines,
            "{kind}rw-r--r-- {links:3} {uid:<8} {gid:<8} {size:8} "
        )?;
        lines.extend_from_slice(&list_date(modified, now));
        lines.push(b' ');
    } else {
        let kind = if is_directory { "dir" } else { "file" };
        let (device, inode) = (stat.st_dev, stat.st_ino);
        lines.extend_from_slice(b"modify=");
        lines.extend_from_slice(&time_val(modified));
        write!(
            lines,
            ";perm=r;size={size};type={kind};unique={device:x}g{inode:x}; "
        )?;
    }
    Ok(())
}

const NAMES_BYTES: usize = 32 << 10;
const LINES_BYTES: usize = 64 << 10;
const LINE_BYTES_MAX: usize = 512;
