//! An upload that has not begun: what it will do is known, and nothing is changed yet.

use std::fs::File;
use std::io;

use ftp_proto::{Kept, Refusal, UploadStart};
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;

use super::in_place::InPlace;
use super::quota::UploadQuota;
use super::receiving::{Place, Receiving};
use super::staged::Staged;
use super::target::{Target, lock_file};
use super::temporary::NEW_FILE_MODE;
use crate::fs::attributes::apply_umask;
use crate::fs::root::refusal;
use crate::fs::upload_limits::UploadLimits;
use crate::fs::upload_rules::UploadRules;

/// An upload until its first byte, or its end, has come: a connection that is lost before that was
/// none.
#[derive(Debug)]
pub(super) struct Prepared {
    plan: Plan,
    options: UploadOptions,
    limits: UploadLimits,
    quota: UploadQuota,
}

/// How an upload is stored.
#[derive(Debug)]
pub(super) struct UploadOptions {
    pub(super) start: UploadStart,
    /// The client's, for a new file.
    pub(super) umask: Option<u32>,
    pub(super) rules: UploadRules,
}

/// What the beginning of an upload does.
#[derive(Debug)]
enum Plan {
    /// A temporary becomes a new file.
    New(Target),
    /// A temporary replaces this file.
    Replace {
        target: Target,
        old: File,
        stat: Stat,
    },
    /// A file is created, and written under its name: nothing is lost with it.
    NewInPlace(Target),
    /// This file is locked, and written from its start, its end or the middle.
    InPlace(InPlace),
    /// The file of a STOU, which exists because its name has been announced.
    Unique(UniqueFile),
}

/// An empty file. It is removed again unless the upload begins.
#[derive(Debug)]
struct UniqueFile(Option<InPlace>);

impl Prepared {
    /// Plans an upload to the target, which has these attributes if it exists.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::OffsetTooLarge`] for an offset behind the end;
    /// [`Refusal::Exists`] if a file exists that may not be replaced; [`Refusal::Busy`] if another
    /// server is writing to it; [`Refusal::FileTooLarge`] and [`Refusal::SpaceReserved`] by the
    /// limits.
    pub(super) fn new(
        target: Target,
        existing: Option<Stat>,
        options: UploadOptions,
    ) -> Result<Self, Refusal> {
        let limits = UploadLimits::new(&options.rules);
        limits.check_free(&target)?;
        match (options.start, &existing) {
            (UploadStart::At { offset, .. }, _) => limits.check_size(offset.get())?,
            (UploadStart::End, Some(stat)) => {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                limits.check_size(size)?;
            }
            _ => {}
        }
        let mut quota = UploadQuota::new(&target);
        quota.check_begin(existing.is_none())?;
        let plan = match existing {
            Some(stat) => plan_existing(target, stat, options.start)?,
            None => plan_new(target, options.start)?,
        };
        Ok(Self {
            plan,
            options,
            limits,
            quota,
        })
    }

    /// Plans an upload to a file of its own, if the name is free; `None` if it is not.
    ///
    /// # Errors
    ///
    /// The file system's refusal.
    pub(super) fn unique(target: Target, options: UploadOptions) -> Result<Option<Self>, Refusal> {
        let limits = UploadLimits::new(&options.rules);
        limits.check_free(&target)?;
        let mut quota = UploadQuota::new(&target);
        quota.check_begin(true)?;
        let file = match quota.create(|| target.open(CREATE_NEW, NEW_FILE_MODE)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            opened => opened.map_err(|error| refusal(&error))?,
        };
        lock_file(&file)?;
        let mut file = InPlace::new(target, file, true);
        let begun = quota.begin_in_place(&mut file, |_| Ok(()));
        begun.map_err(|error| refusal(&error))?;
        Ok(Some(Self {
            plan: Plan::Unique(UniqueFile(Some(file))),
            options,
            limits,
            quota,
        }))
    }

    /// Whether the file gets nothing but what comes.
    pub(super) fn is_from_start(&self) -> bool {
        let continues = matches!(
            self.options.start,
            UploadStart::At { .. } | UploadStart::End
        );
        !continues || !matches!(self.plan, Plan::InPlace(_))
    }

    /// What is left if the upload does not begin.
    pub(super) fn kept(&self) -> Kept {
        match &self.plan {
            Plan::New(_) | Plan::NewInPlace(_) | Plan::Unique(_) => Kept::Nothing,
            Plan::Replace { .. } => Kept::OldFile,
            Plan::InPlace(_) if self.is_from_start() => Kept::OldFile,
            Plan::InPlace(file) => file.kept(),
        }
    }

    /// The first byte, or the end, has come: from now on a file is written.
    ///
    /// # Errors
    ///
    /// Any of the system; what has the name is as it was before.
    pub(super) fn begin(self) -> io::Result<Receiving> {
        let UploadOptions {
            start,
            umask,
            rules,
        } = self.options;
        let mut quota = self.quota;
        let mut size = 0;
        let place = match self.plan {
            Plan::New(target) => {
                let mut staged = Staged::create(target)?;
                apply_umask(staged.file()?, umask)?;
                Place::Staged(staged)
            }
            Plan::Replace { target, old, stat } => {
                begin_to_replace(target, old, &stat, &mut quota)?
            }
            Plan::NewInPlace(target) => {
                let file = quota.create(|| target.open(CREATE_NEW, NEW_FILE_MODE))?;
                // First: it may be renamed at once, and another upload find it under that name.
                lock_file(&file).map_err(io::Error::other)?;
                let mut file = InPlace::new(target, file, true);
                quota.begin_in_place(&mut file, |_| Ok(()))?;
                apply_umask(file.file(), umask)?;
                Place::InPlace(file)
            }
            Plan::InPlace(mut file) => {
                size = quota.begin_in_place(&mut file, |file| go_to_start(file, start))?;
                Place::InPlace(file)
            }
            Plan::Unique(mut unique) => {
                let mut file = unique.0.take().ok_or(io::ErrorKind::NotFound)?;
                apply_umask(file.file(), umask)?;
                Place::InPlace(file)
            }
        };
        let is_exclusive = start == UploadStart::Create;
        Ok(Receiving::new(
            place,
            is_exclusive,
            rules,
            self.limits,
            quota,
            size,
        ))
    }
}

impl Drop for UniqueFile {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            file.remove();
        }
    }
}

fn plan_new(target: Target, start: UploadStart) -> Result<Plan, Refusal> {
    if let UploadStart::At { .. } = start {
        return Err(Refusal::OffsetTooLarge);
    }
    target.check_creatable()?;
    Ok(match start {
        UploadStart::End => Plan::NewInPlace(target),
        _ => Plan::New(target),
    })
}

fn plan_existing(target: Target, stat: Stat, start: UploadStart) -> Result<Plan, Refusal> {
    check_regular(&stat)?;
    let append = match start {
        UploadStart::Create => return Err(Refusal::Exists),
        UploadStart::End => OFlags::APPEND,
        _ => OFlags::empty(),
    };
    let opened = target.open(OFlags::WRONLY | append, 0);
    let old = opened.map_err(|error| refusal(&error))?;
    if start == UploadStart::Replace && stat.st_nlink == 1 {
        return Ok(Plan::Replace { target, old, stat });
    }
    lock_file(&old)?;
    let file = InPlace::new(target, old, false);
    if let UploadStart::At { offset, replace } = start {
        let size = file.size().map_err(|error| refusal(&error))?;
        check_offset(size, offset.get(), replace)?;
    }
    Ok(Plan::InPlace(file))
}

fn check_regular(stat: &Stat) -> Result<(), Refusal> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Refusal::IsADirectory),
        _ => Err(Refusal::NotARegularFile),
    }
}

/// Begins an upload that replaces a file: by a temporary if one can take its place.
fn begin_to_replace(
    target: Target,
    old: File,
    stat: &Stat,
    quota: &mut UploadQuota,
) -> io::Result<Place> {
    let (target, error) = match Staged::create_like(target, &old, stat) {
        Ok(staged) => return Ok(Place::Staged(staged)),
        Err(failed) => *failed,
    };
    if !must_be_in_place(&error) {
        return Err(error);
    }
    lock_file(&old).map_err(io::Error::other)?;
    let mut file = InPlace::new(target, old, false);
    quota.begin_in_place(&mut file, |file| file.cut(0))?;
    Ok(Place::InPlace(file))
}

/// Whether the file itself has to be written, because no other can take its place.
fn must_be_in_place(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::XDEV | Errno::OPNOTSUPP)
    )
}

/// Returns what is in front of the bytes that come.
fn go_to_start(file: &mut InPlace, start: UploadStart) -> io::Result<u64> {
    match start {
        UploadStart::At { offset, replace } => {
            // Checked again: a gap of zeros would be data loss that no client sees.
            check_offset(file.size()?, offset.get(), replace).map_err(io::Error::other)?;
            file.cut(offset.get())?;
            Ok(offset.get())
        }
        UploadStart::Replace => file.cut(0).map(|()| 0),
        UploadStart::End => file.size(),
        UploadStart::Create | UploadStart::Unique => Ok(0),
    }
}

/// Whether an upload may go on at this offset of a file. `replace`: bytes behind the offset may be
/// removed.
fn check_offset(size: u64, offset: u64, replace: bool) -> Result<(), Refusal> {
    if offset > size {
        return Err(Refusal::OffsetTooLarge);
    }
    if offset == size || replace {
        Ok(())
    } else {
        Err(Refusal::Exists)
    }
}

const CREATE_NEW: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL);
