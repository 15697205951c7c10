//! The tree as one session uses it: a share that is gone is missed only where it is needed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use ftp_proto::listing::ListRequest;
use ftp_proto::{FileRequest, FtpPath, Refusal};

use super::{MountedRoot, Tree, below};
use crate::fs::download::Download;
use crate::fs::share::{SessionShare, Share};
use crate::fs::share_rules::ShareRules;
use crate::net::order;

/// The shares of a session, and where each is seen.
#[derive(Debug)]
pub(crate) struct SessionTree {
    home: SessionShare,
    /// The longest path comes first.
    mounts: Vec<SessionMount>,
}

#[derive(Debug)]
struct SessionMount {
    seen: FtpPath,
    share: SessionShare,
}

/// Which directory a share is, as far as a session knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShareState {
    /// The index of the mount; `None`: the home.
    mount: Option<usize>,
    changes: u64,
}

impl SessionTree {
    /// One share. Nothing is opened yet.
    pub(crate) fn new(home: Share) -> Self {
        Self::with_mounts(home, Vec::new())
    }

    /// A share, and others at these paths in it.
    pub(crate) fn with_mounts(home: Share, mounts: Vec<(FtpPath, Share)>) -> Self {
        let mounts = mounts.into_iter().map(|(seen, share)| SessionMount {
            seen,
            share: SessionShare::new(share),
        });
        let mut mounts: Vec<SessionMount> = mounts.collect();
        order::sort_by_key(&mut mounts, |mount| {
            std::cmp::Reverse(mount.seen.as_bytes().len())
        });
        Self {
            home: SessionShare::new(home),
            mounts,
        }
    }

    /// Serves each share by these rules, which depend on where it is seen.
    pub(crate) fn update_rules(&mut self, rules: impl Fn(&FtpPath) -> Arc<ShareRules>) {
        self.home.update_rules(rules(&FtpPath::root()));
        for mount in &mut self.mounts {
            mount.share.update_rules(rules(&mount.seen));
        }
    }

    /// Looks up the share of the login itself.
    ///
    /// # Errors
    ///
    /// [`Refusal::ShareUnavailable`].
    pub(crate) fn check_home(&mut self) -> Result<(), Refusal> {
        self.home.root().map(drop)
    }

    /// The tree for a request. Mounts that it does not need are not looked up: one that does not
    /// answer, as on a network, holds nothing else up.
    ///
    /// # Errors
    ///
    /// [`Refusal::ShareUnavailable`] if the share of the login itself is not available.
    pub(crate) fn for_request(&mut self, request: &FileRequest) -> Result<Tree, Refusal> {
        match request {
            FileRequest::Status(listing) => self.for_listing(listing),
            // The size of the largest counts.
            FileRequest::Space(_) => self.look_up(|_, _| true),
            _ => self.for_paths(&request.paths().collect::<Vec<_>>()),
        }
    }

    /// The tree for what has this path.
    ///
    /// # Errors
    ///
    /// As for [`for_request`](Self::for_request).
    pub(crate) fn for_path(&mut self, path: &FtpPath) -> Result<Tree, Refusal> {
        self.for_paths(&[path])
    }

    /// Opens a file to send.
    ///
    /// # Errors
    ///
    /// The file system's refusal; [`Refusal::ShareUnavailable`].
    pub(crate) fn download(
        &mut self,
        path: &FtpPath,
        offset: u64,
        end: Option<u64>,
    ) -> Result<Download, Refusal> {
        if self.mounts.is_empty()
            && let Some(download) = self.home.download(path, offset, end)
        {
            return Ok(download);
        }
        self.for_path(path)?.download(path, offset, end)
    }

    /// The tree for a listing, which may lead into every mount below its path.
    ///
    /// # Errors
    ///
    /// As for [`for_request`](Self::for_request).
    pub(crate) fn for_listing(&mut self, listing: &ListRequest) -> Result<Tree, Refusal> {
        let selection = &listing.selection;
        let glob = selection.glob.as_ref().map(|glob| &glob.base);
        let bases: Vec<&FtpPath> = [&selection.path].into_iter().chain(glob).collect();
        self.look_up(|_, seen| {
            let mut bases = bases.iter();
            bases.any(|base| seen.is_within(base) || base.is_within(seen))
        })
    }

    /// Which directory the share of this path is now.
    pub(crate) fn state(&self, path: &FtpPath) -> ShareState {
        let mount = self.mount_of(path);
        let share = match mount.and_then(|index| self.mounts.get(index)) {
            Some(mount) => &mount.share,
            None => &self.home,
        };
        ShareState {
            mount,
            changes: share.changes(),
        }
    }

    /// Where something with this path is on the disk, as the paths of the shares name it.
    pub(crate) fn disk_path(&self, path: &FtpPath) -> PathBuf {
        let mount = self.mount_of(path).and_then(|index| self.mounts.get(index));
        let share = mount.map_or(&self.home, |mount| &mount.share);
        let inner = mount.and_then(|mount| below(path, &mount.seen).ok());
        let relative = inner.as_ref().unwrap_or(path).relative();
        share.path().join(OsStr::from_bytes(relative))
    }

    /// Looks whether the share is still the directory that it was. Otherwise a file that was opened
    /// then is not in the share now.
    pub(crate) fn is_unchanged(&mut self, state: ShareState) -> bool {
        let share = match state.mount.and_then(|index| self.mounts.get_mut(index)) {
            Some(mount) => &mut mount.share,
            None => &mut self.home,
        };
        share.is_unchanged(state.changes)
    }

    fn for_paths(&mut self, paths: &[&FtpPath]) -> Result<Tree, Refusal> {
        let needed: Vec<Option<usize>> = paths.iter().map(|path| self.mount_of(path)).collect();
        self.look_up(|index, _| needed.contains(&Some(index)))
    }

    fn look_up(&mut self, is_needed: impl Fn(usize, &FtpPath) -> bool) -> Result<Tree, Refusal> {
        let home = self.home.root()?;
        if self.mounts.is_empty() {
            return Ok(home.into());
        }
        let mounts = self.mounts.iter_mut().enumerate().map(|(index, mount)| {
            let is_needed = is_needed(index, &mount.seen);
            let share = Some(&mut mount.share).filter(|_| is_needed);
            MountedRoot {
                seen: mount.seen.clone(),
                root: share.and_then(|share| share.root().ok()),
            }
        });
        let mounts = mounts.collect();
        Ok(Tree { home, mounts })
    }

    fn mount_of(&self, path: &FtpPath) -> Option<usize> {
        let mut mounts = self.mounts.iter();
        mounts.position(|mount| path.is_within(&mount.seen))
    }
}
