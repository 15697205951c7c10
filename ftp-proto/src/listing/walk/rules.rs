//! What a listing shows, and which names it never shows.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use super::scope::is_dots;
use super::sort_memory::SortMemory;
use crate::listing::request::ListRequest;
use crate::listing::selection::Selection;
use crate::path::FtpPath;

/// What the client selected, and what is hidden from it.
pub(super) struct Rules {
    pub(super) request: ListRequest,
    pub(super) is_hidden: Option<HidePredicate>,
    pub(super) sort_memory: Option<Arc<SortMemory>>,
}

pub(super) type HidePredicate = Box<dyn Fn(&FtpPath, &[u8]) -> bool + Send>;

impl Rules {
    pub(super) fn selection(&self) -> &Selection {
        &self.request.selection
    }

    /// Whether a name in a directory is never shown.
    pub(super) fn hides(&self, directory: &FtpPath, name: &[u8]) -> bool {
        let is_hidden = self.is_hidden.as_ref();
        is_hidden.is_some_and(|is_hidden| !is_dots(name) && is_hidden(directory, name))
    }

    /// Whether a component of a path is never shown.
    pub(super) fn hides_path(&self, path: &FtpPath) -> bool {
        if self.is_hidden.is_none() {
            return false;
        }
        let mut directory = FtpPath::root();
        for name in path.as_bytes().split(|&byte| byte == b'/') {
            if name.is_empty() {
                continue;
            }
            if self.hides(&directory, name) {
                return true;
            }
            match directory.child(name) {
                Some(child) => directory = child,
                None => return false,
            }
        }
        false
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
