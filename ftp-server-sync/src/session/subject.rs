//! What log lines are about: a command and its whole path.

use ftp_proto::{FileRequest, FtpPath, RefusedRequest, TransferKind, TransferRequest, UploadStart};

use crate::logging::fields::Subject;

/// A transfer as log lines name it.
pub(super) fn transfer_request(request: &TransferRequest) -> String {
    let (command, path) = (request.kind.command(), shown(request.kind.path()));
    let offset = match &request.kind {
        TransferKind::Retrieve { offset, .. } => *offset,
        TransferKind::Store {
            start: UploadStart::At { offset, .. },
            ..
        } => offset.get(),
        TransferKind::Store { .. } | TransferKind::List(_) => 0,
    };
    let start = match offset {
        0 => format!("{command} {path}"),
        _ => format!("{command} {path} from {offset}"),
    };
    match &request.kind {
        TransferKind::Retrieve { end: Some(end), .. } => format!("{start} to before {end}"),
        _ => start,
    }
}

/// An upload with STOU as log lines name it: the name that was chosen, in the directory of the one
/// that was suggested.
pub(super) fn unique_file(suggested: &FtpPath, name: &[u8]) -> String {
    let path = suggested.parent().child(name);
    path.map_or_else(
        || format!("STOU {}", Subject(name)),
        |path| format!("STOU {}", shown(&path)),
    )
}

/// A request that the core has refused, as log lines name it.
pub(super) fn refused_request(request: &RefusedRequest) -> String {
    format!("{} {}", request.command, shown(&request.path))
}

fn shown(path: &FtpPath) -> Subject<'_> {
    Subject(path.as_bytes())
}

/// A file command as log lines name it. `command`: the client's, as several set a time.
pub(super) fn file_request(request: &FileRequest, command: Option<&str>) -> String {
    let with = |command: &str, path: &FtpPath| format!("{command} {}", shown(path));
    match request {
        FileRequest::ChangeDirectory(path) => with("CWD", path),
        FileRequest::MakeDirectory { path, .. } => with("MKD", path),
        FileRequest::RemoveDirectory(path) => with("RMD", path),
        FileRequest::DeleteFile(path) => with("DELE", path),
        FileRequest::RenameFrom(path) => with("RNFR", path),
        FileRequest::Rename { from, to, .. } => {
            format!("RNTO {} to {}", shown(from), shown(to))
        }
        FileRequest::Size { path, .. } => with("SIZE", path),
        FileRequest::ModifiedTime(path) => with("MDTM", path),
        FileRequest::ChangeMode { path, mode } => {
            format!("SITE CHMOD {mode:04o} {}", shown(path))
        }
        FileRequest::SetModified { path, .. } => with(command.unwrap_or("MFMT"), path),
        FileRequest::Facts(path) => with("MLST", path),
        FileRequest::Hash(request) => {
            format!("{} of {}", request.algorithm.name(), shown(&request.path))
        }
        FileRequest::Space(path) => with("AVBL", path),
        FileRequest::Quota => "SITE QUOTA".to_owned(),
        FileRequest::Status(listing) => with("STAT", &listing.selection.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_stou_has_its_directory() {
        let path = |text: &[u8]| FtpPath::parse(text).unwrap();
        let name = unique_file(&path(b"/in/report"), b"report.1");
        assert_eq!(name, "STOU /in/report.1");
        assert_eq!(unique_file(&path(b"/upload"), b"upload"), "STOU /upload");
    }
}
