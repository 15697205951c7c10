//! The secret from which the nonces of PCP follow, so that the server knows its mappings again
//! after a crash.
//!
//! A router gives a mapping only to the owner of its nonce. Without the file, the mappings of a
//! server that has crashed stay closed to the next one until they end.

use std::io;
use std::net::IpAddr;
use std::path::Path;

use log::info;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest, Sha256};

use super::pcp::MappingNonce;
use super::record::store;
use crate::settings::file::{load, reason};

/// What the nonces follow from.
#[derive(Clone, Debug)]
pub(super) struct NonceSecret([u8; SECRET_BYTES]);

impl NonceSecret {
    /// Reads it from the file, or makes it and stores it there.
    ///
    /// # Errors
    ///
    /// If there are no random bytes.
    pub(super) fn load(file: &Path) -> io::Result<Self> {
        let stored = load(file, SECRET_BYTES as u64, "the file that the server made");
        if let Ok(bytes) = stored
            && let Ok(secret) = bytes.try_into()
        {
            return Ok(Self(secret));
        }
        let secret = Self::random()?;
        if let Err(error) = store(file, &secret.0) {
            let file = file.display();
            let reason = reason(&error);
            info!(
                "{file} cannot be written: {reason}; after a crash, the server will not know its \
                 port mappings (PCP) again until they end"
            );
        }
        Ok(secret)
    }

    /// One that is stored nowhere.
    ///
    /// # Errors
    ///
    /// If there are no random bytes.
    pub(super) fn random() -> io::Result<Self> {
        let mut secret = [0; SECRET_BYTES];
        // So few bytes come at once, or not at all.
        getrandom(&mut secret, GetRandomFlags::empty())?;
        Ok(Self(secret))
    }

    /// That for one router: no router learns that of another (RFC 6887, section 11.2).
    pub(super) fn nonce_for(&self, router: IpAddr) -> MappingNonce {
        let mut digest = Sha256::new();
        digest.update(self.0);
        match router {
            IpAddr::V4(router) => digest.update(router.octets()),
            IpAddr::V6(router) => digest.update(router.octets()),
        }
        let mut nonce = MappingNonce::default();
        let length = nonce.len();
        nonce.copy_from_slice(&digest.finalize()[..length]);
        nonce
    }
}

const SECRET_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::Ipv4Addr;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_nonce_of_a_router_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("state/nonce");
        let [one, other] =
            [[192, 168, 77, 1], [10, 0, 0, 1]].map(|address| Ipv4Addr::from(address).into());
        let first = NonceSecret::load(&file).unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = NonceSecret::load(&file).unwrap();
        assert_eq!(first.nonce_for(one), again.nonce_for(one));
        assert_ne!(first.nonce_for(one), first.nonce_for(other));
        // A file that was cut is replaced.
        fs::write(&file, "short").unwrap();
        let new = NonceSecret::load(&file).unwrap();
        assert_ne!(first.nonce_for(one), new.nonce_for(one));
        assert_eq!(
            new.nonce_for(one),
            NonceSecret::load(&file).unwrap().nonce_for(one)
        );
    }

    #[test]
    fn without_a_place_for_the_file_there_is_a_nonce() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("state"), "").unwrap();
        let file = directory.path().join("state/nonce");
        assert!(NonceSecret::load(&file).is_ok());
        assert!(!file.exists());
    }
}
