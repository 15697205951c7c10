//! An FTP server for small boxes behind a NAT router.
