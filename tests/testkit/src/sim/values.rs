//! Checks of single values in actions and replies.

use ftp_proto::listing::ListRequest;
use ftp_proto::{
    Bound, FileAnswer, FileRequest, FtpPath, HashRequest, Masquerade, PortNumber, Right,
    TransferKind, UploadStart,
};

/// The router's number for a port, computed by other code than that of the core.
pub(super) fn translated(rules: &Masquerade, number: PortNumber, bound: Bound) -> u16 {
    let own = bound.outer.filter(|_| number == PortNumber::Outer);
    let bound = bound.port.get();
    if let Some(outer) = own {
        return outer.get();
    }
    let Some(ports) = rules.outer_ports.filter(|_| number == PortNumber::Outer) else {
        return bound;
    };
    let inner = (ports.inner_first()..).take(ports.count().into());
    let outer = ports.outer_first()..;
    inner
        .zip(outer)
        .find_map(|(inner, outer)| (inner == bound).then_some(outer))
        .unwrap_or(bound)
}

pub(super) fn file_paths(request: &FileRequest) -> Vec<&FtpPath> {
    match request {
        FileRequest::Rename { from, to, .. } => vec![from, to],
        FileRequest::ChangeDirectory(path)
        | FileRequest::MakeDirectory { path, .. }
        | FileRequest::ChangeMode { path, .. }
        | FileRequest::SetModified { path, .. }
        | FileRequest::RemoveDirectory(path)
        | FileRequest::DeleteFile(path)
        | FileRequest::RenameFrom(path)
        | FileRequest::Size { path, .. }
        | FileRequest::ModifiedTime(path)
        | FileRequest::Facts(path)
        | FileRequest::Space(path) => vec![path],
        FileRequest::Hash(HashRequest { path, .. }) => vec![path],
        FileRequest::Status(ListRequest { selection, .. }) => vec![&selection.path],
        FileRequest::Quota => Vec::new(),
    }
}

/// The right that the user needs for each path of a request.
pub(super) fn right_of_request(request: &FileRequest) -> Right {
    match request {
        FileRequest::ChangeDirectory(_) => Right::ChangeDirectory,
        FileRequest::MakeDirectory { .. } => Right::MakeDirectory,
        FileRequest::ChangeMode { .. } => Right::ChangeMode,
        FileRequest::SetModified { .. } => Right::ChangeTime,
        FileRequest::RemoveDirectory(_) | FileRequest::DeleteFile(_) => Right::Delete,
        FileRequest::RenameFrom(_) | FileRequest::Rename { .. } => Right::Rename,
        FileRequest::Hash(_) => Right::Read,
        // One without a path needs none.
        FileRequest::Space(_) | FileRequest::Quota => Right::Store,
        FileRequest::Size { .. }
        | FileRequest::ModifiedTime(_)
        | FileRequest::Facts(_)
        | FileRequest::Status(_) => Right::List,
    }
}

/// The rights that the user needs for the path of a transfer.
pub(super) fn rights_of_transfer(kind: &TransferKind) -> Vec<Right> {
    match kind {
        TransferKind::Retrieve { .. } => vec![Right::Read],
        TransferKind::List(_) => vec![Right::List],
        TransferKind::Store { start, .. } => match start {
            UploadStart::Create | UploadStart::Unique => vec![Right::Store],
            UploadStart::Replace | UploadStart::At { replace: true, .. } => {
                vec![Right::Store, Right::Overwrite]
            }
            UploadStart::At { replace: false, .. } | UploadStart::End => vec![Right::Append],
        },
    }
}

/// A path in an action is absolute and normalised: a driver can open it beneath a root as it is.
pub(super) fn check_path(path: &FtpPath) {
    let bytes = path.as_bytes();
    assert!(!bytes.iter().any(|byte| b"\0\n".contains(byte)), "{path}");
    assert!(bytes.len() <= ftp_proto::limits::PATH_BYTES_MAX);
    let Some(below_root) = bytes.strip_prefix(b"/") else {
        panic!("not absolute: {path}");
    };
    if below_root.is_empty() {
        return;
    }
    let components: Vec<&[u8]> = below_root.split(|&byte| byte == b'/').collect();
    assert!(components.len() <= ftp_proto::limits::PATH_DEPTH_MAX);
    for component in components {
        assert!(!matches!(component, b"" | b"." | b".."), "{path}");
    }
}

/// Whether an answer has the right kind for a request.
pub(super) fn is_answer_to(answer: &FileAnswer, request: &FileRequest) -> bool {
    match request {
        FileRequest::Size { .. } => matches!(answer, FileAnswer::Size(_)),
        FileRequest::ModifiedTime(_) => matches!(answer, FileAnswer::Modified(_)),
        FileRequest::Facts(_) => matches!(answer, FileAnswer::Entry(_)),
        FileRequest::Status(_) => matches!(answer, FileAnswer::Entries(_)),
        FileRequest::Hash(_) => matches!(answer, FileAnswer::Digest(_)),
        FileRequest::Space(_) => matches!(answer, FileAnswer::Space(_)),
        FileRequest::Quota => matches!(answer, FileAnswer::Quota(_)),
        _ => matches!(answer, FileAnswer::Done),
    }
}
