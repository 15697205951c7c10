//! What is stored in one home, as far as quotas count it.
//!
//! `used` is what is found under names in the home. `pending` is what uploads have received, or
//! will create, that has no name yet. Both together are compared with a quota, and each upload adds
//! to them before it writes: so parallel uploads together never exceed the quota.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use ftp_proto::ExceededQuota;
use rustix::fs::{Mode, OFlags};

use crate::accounts::quota::Quota;
use crate::locks::lock;

/// A number of bytes, and of files and directories. It may be a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) bytes: i64,
    pub(crate) files: i64,
}

/// The count of one home.
#[derive(Debug, Default)]
pub(crate) struct HomeUsage {
    state: Mutex<UsageState>,
    /// Held while a file gets or loses a name, and what the name counted before is looked up. Two
    /// sessions that remove one file would count it twice otherwise. Not held while bytes move,
    /// which may take long: other sessions in this home would wait.
    names: Mutex<()>,
}

#[derive(Debug, Default)]
struct UsageState {
    /// Some user with this home has a quota.
    is_tracked: bool,
    /// `used` comes from a count of the home, and from all changes since.
    is_counted: bool,
    used: Amount,
    pending: Amount,
    /// The files, by device and inode, that uploads are writing under their names.
    written: HashMap<(u64, u64), WrittenBytes>,
    /// Changes of the home that have begun and not ended.
    changing: u32,
    /// How many changes have ended.
    changes: u64,
}

/// The bytes that `used` has of a file that is being written.
#[derive(Clone, Copy, Debug)]
struct WrittenBytes {
    /// Of each of its names but one: what was there when the upload began.
    before: i64,
    /// Of that one name.
    now: i64,
}

/// What a name leads to.
#[derive(Debug)]
pub(crate) struct NamedFile {
    /// Device and inode.
    pub(crate) identity: (u64, u64),
    /// What the name counts.
    pub(crate) amount: Amount,
    /// The file, where an upload writes it: whether it has other names is seen when this one is
    /// gone.
    pub(crate) written: Option<OwnedFd>,
}

/// A change of files that goes on. A count that was made meanwhile may have seen it or not.
#[derive(Debug)]
struct Changing<'a>(&'a HomeUsage);

/// The same for a change of what names count: there is one at a time, where that matters.
#[derive(Debug)]
pub(crate) struct NameChange<'a> {
    changing: Changing<'a>,
    /// Some user has a quota. A count that was begun later sees that this change goes on.
    is_tracked: bool,
    /// `None`: no user has a quota, or others may change names meanwhile.
    names: Option<MutexGuard<'a, ()>>,
}

/// When a count began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountStart {
    changes: u64,
    is_quiet: bool,
}

impl Amount {
    /// One more file, or directory, without a byte.
    pub(crate) const FILE: Self = Self { bytes: 0, files: 1 };

    pub(crate) fn bytes(bytes: u64) -> Self {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        Self { bytes, files: 0 }
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            files: self.files.saturating_add(other.files),
        }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            files: self.files.saturating_sub(other.files),
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl HomeUsage {
    /// From now on, some user has a quota here. False if that is known.
    pub(crate) fn track(&self) -> bool {
        let mut state = lock(&self.state);
        !std::mem::replace(&mut state.is_tracked, true)
    }

    /// Takes a count of an earlier process. `is_complete`: it is known to hold still; otherwise it
    /// serves until the home has been counted.
    pub(crate) fn set_stored(&self, used: Amount, is_complete: bool) {
        let mut state = lock(&self.state);
        state.used += used;
        state.is_counted |= is_complete;
    }

    /// What is stored; `None`: it has not been counted yet.
    pub(crate) fn counted(&self) -> Option<Amount> {
        let state = lock(&self.state);
        state.is_counted.then_some(state.used)
    }

    /// What uploads have taken of a quota, with what they have not stored yet. False: what is there
    /// from before has not been counted.
    pub(crate) fn taken(&self) -> (Amount, bool) {
        let state = lock(&self.state);
        (state.used + state.pending, state.is_counted)
    }

    /// How many bytes a quota leaves; `None`: it does not limit them.
    pub(crate) fn bytes_left(&self, quota: Quota) -> Option<u64> {
        let (taken, _) = self.taken();
        let max = quota.bytes_max?;
        Some(max.saturating_sub(clamped(taken.bytes)))
    }

    /// Whether nothing is changing or waits for its name.
    pub(crate) fn is_at_rest(&self) -> bool {
        let state = lock(&self.state);
        state.changing == 0 && state.pending == Amount::default() && state.written.is_empty()
    }

    /// A change of names begins, when no other one goes on.
    pub(crate) fn name_change(&self) -> NameChange<'_> {
        let change = self.change();
        NameChange {
            names: change.is_tracked.then(|| lock(&self.names)),
            ..change
        }
    }

    /// A change begins that other ones do not disturb: bytes move, or a name that no other session
    /// can change gets another file.
    pub(crate) fn change(&self) -> NameChange<'_> {
        let mut state = lock(&self.state);
        state.changing += 1;
        NameChange {
            changing: Changing(self),
            is_tracked: state.is_tracked,
            names: None,
        }
    }

    /// Adds to what waits for its name, unless that exceeds the quota. `own`: what the caller has
    /// added before, which will not count against it in the error.
    ///
    /// # Errors
    ///
    /// The limit that is exceeded; nothing is added then.
    pub(crate) fn reserve(
        &self,
        amount: Amount,
        own: Amount,
        quota: Quota,
    ) -> Result<(), ExceededQuota> {
        let mut state = lock(&self.state);
        state.check(amount, own, quota)?;
        state.pending += amount;
        Ok(())
    }

    /// What was reserved is not needed.
    pub(crate) fn release(&self, amount: Amount) {
        lock(&self.state).pending -= amount;
    }

    /// Whether anything can be stored.
    ///
    /// # Errors
    ///
    /// The limit that is reached.
    pub(crate) fn check_room(&self, quota: Quota) -> Result<(), ExceededQuota> {
        lock(&self.state).check(Amount::bytes(1), Amount::default(), quota)
    }

    /// An upload begins to write this file, which has `bytes` by now, under its name. False if
    /// another one does that. To be called within a change of names.
    pub(crate) fn begin_to_write(&self, file: (u64, u64), bytes: i64) -> bool {
        match lock(&self.state).written.entry(file) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(WrittenBytes {
                    before: bytes,
                    now: bytes,
                });
                true
            }
        }
    }

    /// The upload writes no more. Not within a change of names: one that has looked at the file
    /// before its last bytes came still needs to know its size.
    pub(crate) fn end_to_write(&self, file: (u64, u64)) {
        let _names = lock(&self.names);
        lock(&self.state).written.remove(&file);
    }

    /// The file that an upload writes under its name gets other bytes; `file`: `None` if the
    /// upload has never had the file for itself. What is written to a file that has lost its name
    /// counts as pending: that is returned.
    ///
    /// # Errors
    ///
    /// The limit that is exceeded; nothing is counted then.
    pub(crate) fn resize(
        &self,
        file: Option<(u64, u64)>,
        difference: i64,
        quota: Quota,
    ) -> Result<Amount, ExceededQuota> {
        let mut state = lock(&self.state);
        let amount = Amount {
            bytes: difference,
            files: 0,
        };
        if difference > 0 {
            state.check(amount, Amount::default(), quota)?;
        }
        if let Some(counted) = file.and_then(|file| state.written.get_mut(&file)) {
            counted.now = counted.now.saturating_add(difference);
            state.used += amount;
            return Ok(Amount::default());
        }
        // The file may have been cut before it lost its name: that has been counted.
        if difference <= 0 {
            return Ok(Amount::default());
        }
        state.pending += amount;
        Ok(amount)
    }

    /// A count of the home begins.
    pub(crate) fn begin_count(&self) -> CountStart {
        let state = lock(&self.state);
        CountStart {
            changes: state.changes,
            is_quiet: state.changing == 0,
        }
    }

    /// A count of the home has found this. It is taken if nothing has changed meanwhile, and also
    /// if there was no count before. False: it is not exact.
    pub(crate) fn end_count(&self, start: CountStart, found: Amount) -> bool {
        let mut state = lock(&self.state);
        let is_exact = start.is_quiet && state.changing == 0 && start.changes == state.changes;
        if is_exact || !state.is_counted {
            state.used = found;
            state.is_counted = true;
        }
        is_exact
    }
}

impl UsageState {
    fn check(&self, amount: Amount, own: Amount, quota: Quota) -> Result<(), ExceededQuota> {
        let taken = self.used + self.pending;
        if let Some(max) = quota.files_max
            && amount.files > 0
            && clamped(taken.files.saturating_add(amount.files)) > max
        {
            return Err(ExceededQuota::Files { quota: max });
        }
        if let Some(max) = quota.bytes_max
            && amount.bytes > 0
            && clamped(taken.bytes.saturating_add(amount.bytes)) > max
        {
            let others = clamped(taken.bytes.saturating_sub(own.bytes));
            let left = max.saturating_sub(others);
            return Err(ExceededQuota::Bytes { quota: max, left });
        }
        Ok(())
    }
}

impl NameChange<'_> {
    /// Whether what changes has to be looked up.
    pub(crate) fn is_tracked(&self) -> bool {
        self.is_tracked
    }

    /// Other sessions may change names while this change goes on.
    pub(crate) fn release_names(&mut self) {
        self.names = None;
    }

    /// This file has lost this name. Where that was its last one, what an upload still writes to it
    /// is not found in the home. Returns what the name did count: an upload may have written to the
    /// file since it was looked at.
    pub(crate) fn forget_file(&self, lost: NamedFile) -> Amount {
        let stat = lost.written.map(rustix::fs::fstat);
        let has_other_names = matches!(stat, Some(Ok(stat)) if stat.st_nlink > 0);
        let written = &mut lock(&self.changing.0.state).written;
        let counted = if has_other_names {
            written.get(&lost.identity).map(|written| written.before)
        } else {
            written.remove(&lost.identity).map(|written| written.now)
        };
        Amount {
            bytes: counted.unwrap_or(lost.amount.bytes),
            ..lost.amount
        }
    }

    /// What a name in this directory leads to, and counts.
    pub(crate) fn named_file(
        &self,
        directory: impl AsFd,
        name: &Path,
        (identity, amount): ((u64, u64), Amount),
    ) -> NamedFile {
        let open = || {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(directory, name, flags, Mode::empty()).ok()
        };
        NamedFile {
            identity,
            amount,
            written: self.is_written(identity).then(open).flatten(),
        }
    }

    /// Whether an upload writes to this file under its name, and counts what it changes.
    pub(crate) fn is_written(&self, file: (u64, u64)) -> bool {
        lock(&self.changing.0.state).written.contains_key(&file)
    }

    /// The change has been made. `stored`: what the home has more now, and `named`: what of that
    /// was pending.
    pub(crate) fn finish(self, stored: Amount, named: Amount) {
        let mut state = lock(&self.changing.0.state);
        state.used += stored;
        state.pending -= named;
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.changing -= 1;
        state.changes += 1;
    }
}

/// Differences can be negative while a home has not been counted.
fn clamped(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests;
