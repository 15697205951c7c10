//! What a file request is for: which answer fits it, and which command asked.

use alloc::vec::Vec;

use crate::command::Verb;
use crate::outcome::FileAnswer;
use crate::path::FtpPath;

/// What the answer will be used for.
#[derive(Debug)]
pub(super) enum FileQuestion {
    ChangeDirectory(FtpPath),
    MakeDirectory(FtpPath),
    RemoveDirectory,
    DeleteFile,
    RenameFrom(FtpPath),
    Rename,
    Size,
    ModifiedTime,
    /// The time, and the name as the client wrote it.
    SetModified(i64, Vec<u8>),
    /// `reduced`: some of the bits that were asked for are not among them.
    ChangeMode {
        mode: u32,
        reduced: bool,
    },
    Facts(FtpPath),
    Status,
}

impl FileQuestion {
    /// Whether an answer is of the kind that was asked for.
    pub(super) fn accepts(&self, answer: &FileAnswer) -> bool {
        match self {
            Self::Size => matches!(answer, FileAnswer::Size(_)),
            Self::ModifiedTime => matches!(answer, FileAnswer::Modified(_)),
            Self::Facts(_) => matches!(answer, FileAnswer::Entry(_)),
            Self::Status => matches!(answer, FileAnswer::Lines(_)),
            _ => matches!(answer, FileAnswer::Done),
        }
    }

    /// The command that asked.
    pub(super) fn verb(&self) -> Verb {
        match self {
            Self::ChangeDirectory(_) => Verb::Cwd,
            Self::MakeDirectory(_) => Verb::Mkd,
            Self::RemoveDirectory => Verb::Rmd,
            Self::DeleteFile => Verb::Dele,
            Self::RenameFrom(_) => Verb::Rnfr,
            Self::Rename => Verb::Rnto,
            Self::Size => Verb::Size,
            Self::ModifiedTime => Verb::Mdtm,
            Self::SetModified(..) => Verb::Mfmt,
            Self::ChangeMode { .. } => Verb::Site,
            Self::Facts(_) => Verb::Mlst,
            Self::Status => Verb::Stat,
        }
    }
}
