//! The functions behind the schemes of password hashes, with their numbers.

use std::fmt;

use argon2::{Algorithm, Argon2, Version};
use zeroize::Zeroizing;

/// How a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashScheme {
    /// RFC 9106.
    Argon2id,
    /// OpenBSD's, with the prefixes `$2a$`, `$2b$` and `$2y$`.
    Bcrypt,
    /// `$6$` of crypt(3).
    Sha512Crypt,
    /// `$5$` of crypt(3).
    Sha256Crypt,
    /// `$y$` of crypt(3).
    Yescrypt,
}

/// Why a hash should be replaced: its password can be guessed faster than is usual today by those
/// who have the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashWeakness {
    scheme: HashScheme,
    number: &'static str,
    found: u64,
    least: u64,
}

/// A scheme and the numbers that say how much work it is. All of them are within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HashFunction {
    Argon2id {
        memory_kib: u32,
        passes: u32,
        lanes: u32,
    },
    /// 2 to the power of `cost` rounds.
    Bcrypt {
        cost: u32,
    },
    Sha512Crypt {
        rounds: u32,
    },
    Sha256Crypt {
        rounds: u32,
    },
    Yescrypt(yescrypt::Params),
}

impl HashFunction {
    /// What new hashes are made with: two at once fit into a small machine.
    pub(super) const NEW: Self = Self::Argon2id {
        memory_kib: 8192,
        passes: 3,
        lanes: 1,
    };

    pub(super) fn scheme(self) -> HashScheme {
        match self {
            Self::Argon2id { .. } => HashScheme::Argon2id,
            Self::Bcrypt { .. } => HashScheme::Bcrypt,
            Self::Sha512Crypt { .. } => HashScheme::Sha512Crypt,
            Self::Sha256Crypt { .. } => HashScheme::Sha256Crypt,
            Self::Yescrypt(_) => HashScheme::Yescrypt,
        }
    }

    /// Hashes a password without NUL. `None`: there is no memory for it, or the numbers are not
    /// possible.
    pub(super) fn digest(
        self,
        password: &[u8],
        salt: &[u8],
        length: usize,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut digest = Zeroizing::new(vec![0; length]);
        match self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                let params = argon2::Params::new(memory_kib, passes, lanes, Some(length)).ok()?;
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                argon2
                    .hash_password_into(password, salt, &mut digest)
                    .ok()?;
            }
            Self::Bcrypt { cost } => {
                let found = bcrypt(cost, salt.try_into().ok()?, password);
                digest.copy_from_slice(found.get(..length)?);
            }
            Self::Sha512Crypt { rounds } => {
                let params = sha_crypt::Params::new(rounds).ok()?;
                let found = Zeroizing::new(sha_crypt::sha512_crypt(password, salt, params));
                reorder(&found[..], &SHA512_ORDER, &mut digest);
            }
            Self::Sha256Crypt { rounds } => {
                let params = sha_crypt::Params::new(rounds).ok()?;
                let found = Zeroizing::new(sha_crypt::sha256_crypt(password, salt, params));
                reorder(&found[..], &SHA256_ORDER, &mut digest);
            }
            Self::Yescrypt(params) => {
                yescrypt::yescrypt(password, salt, &params, &mut digest).ok()?;
            }
        }
        Some(digest)
    }

    /// About how many microseconds it takes on a PC.
    pub(super) fn work(self) -> u64 {
        match self {
            Self::Argon2id {
                memory_kib, passes, ..
            } => u64::from(memory_kib) * u64::from(passes),
            Self::Bcrypt { cost } => 60 << cost,
            Self::Sha512Crypt { rounds } | Self::Sha256Crypt { rounds } => rounds.into(),
            Self::Yescrypt(params) => params.n() * u64::from(params.r()) / 4,
        }
    }

    pub(super) fn weakness(self) -> Option<HashWeakness> {
        let (number, found, least) = match self {
            Self::Argon2id {
                memory_kib, passes, ..
            } => (
                "KiB of memory times passes:",
                u64::from(memory_kib) * u64::from(passes),
                ARGON2_WORK_LEAST,
            ),
            Self::Bcrypt { cost } => ("cost", cost.into(), BCRYPT_COST_LEAST),
            Self::Sha512Crypt { rounds } | Self::Sha256Crypt { rounds } => {
                ("rounds", rounds.into(), SHA_ROUNDS_LEAST)
            }
            Self::Yescrypt(params) => (
                "KiB of memory:",
                params.n() * u64::from(params.r()) / 8,
                YESCRYPT_KIB_LEAST,
            ),
        };
        (found < least).then_some(HashWeakness {
            scheme: self.scheme(),
            number,
            found,
            least,
        })
    }
}

impl fmt::Display for HashScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl HashScheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Argon2id => "argon2id",
            Self::Bcrypt => "bcrypt",
            Self::Sha512Crypt => "sha512-crypt",
            Self::Sha256Crypt => "sha256-crypt",
            Self::Yescrypt => "yescrypt",
        }
    }
}

impl fmt::Display for HashWeakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            number,
            found,
            least,
        } = self;
        write!(
            f,
            "the {scheme} hash is weak ({number} {found}, usual: {least} or more); --hash-password \
             makes a better one"
        )
    }
}

/// As all programs have it that make such hashes: the password ends in NUL, and what is beyond 72
/// bytes does not count.
fn bcrypt(cost: u32, salt: [u8; 16], password: &[u8]) -> [u8; 24] {
    let mut key = Zeroizing::new([0; BCRYPT_KEY_BYTES]);
    let used = password.len().min(BCRYPT_KEY_BYTES);
    key[..used].copy_from_slice(&password[..used]);
    bcrypt::bcrypt(cost, salt, &key[..BCRYPT_KEY_BYTES.min(used + 1)])
}

/// The order in which crypt(3) writes the bytes of a digest.
fn reorder(digest: &[u8], order: &[u8], text: &mut [u8]) {
    for (byte, &index) in text.iter_mut().zip(order) {
        *byte = digest[usize::from(index)];
    }
}

/// The longest password, as for crypt(3). The work of some schemes grows with its length.
pub(super) const PASSWORD_BYTES_MAX: usize = 512;

const BCRYPT_KEY_BYTES: usize = 72;

const SHA512_ORDER: [u8; 64] = [
    42, 21, 0, 1, 43, 22, 23, 2, 44, 45, 24, 3, 4, 46, 25, 26, 5, 47, 48, 27, 6, 7, 49, 28, 29, 8,
    50, 51, 30, 9, 10, 52, 31, 32, 11, 53, 54, 33, 12, 13, 55, 34, 35, 14, 56, 57, 36, 15, 16, 58,
    37, 38, 17, 59, 60, 39, 18, 19, 61, 40, 41, 20, 62, 63,
];

const SHA256_ORDER: [u8; 32] = [
    20, 10, 0, 11, 1, 21, 2, 22, 12, 23, 13, 3, 14, 4, 24, 5, 25, 15, 26, 16, 6, 17, 7, 27, 8, 28,
    18, 29, 19, 9, 30, 31,
];

/// 8 MiB with two passes.
const ARGON2_WORK_LEAST: u64 = 2 * 8192;

/// PHP's for many years.
const BCRYPT_COST_LEAST: u64 = 10;

/// What crypt(3) takes where a hash does not say it.
const SHA_ROUNDS_LEAST: u64 = 5000;

/// A quarter of what Debian's system accounts have.
const YESCRYPT_KIB_LEAST: u64 = 4096;
