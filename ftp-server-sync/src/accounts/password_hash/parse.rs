//! The texts of password hashes: PHC strings and those of crypt(3).
//!
//! Whatever the text is, the numbers that come out of it are so small that the hash takes no more
//! than about 64 MiB of memory, and no more than some seconds.

use std::ops::RangeInclusive;

use base64ct::{Base64Bcrypt, Base64ShaCrypt, Base64Unpadded, Encoding};

use super::function::{HashFunction, HashScheme};
use super::problem::{HashProblem, Problem};

/// The parts of a hash.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct HashParts {
    pub(super) function: HashFunction,
    pub(super) salt: Vec<u8>,
    pub(super) digest: Vec<u8>,
}

/// Reads the text of a hash.
pub(super) fn parse(text: &str) -> Result<HashParts, HashProblem> {
    let parts = match prefix(text) {
        Some(("argon2id", rest)) => argon2id(rest),
        Some(("2a" | "2b" | "2y", rest)) => bcrypt(rest),
        Some(("6", rest)) => sha_crypt(HashScheme::Sha512Crypt, rest),
        Some(("5", rest)) => sha_crypt(HashScheme::Sha256Crypt, rest),
        Some(("y", rest)) => yescrypt(rest),
        Some((name, _)) => Err(refused(name)),
        None => Err(no_scheme(text)),
    };
    parts.map_err(HashProblem)
}

/// The name of the scheme and what follows.
fn prefix(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('$')?;
    Some(rest.split_once('$').unwrap_or((rest, "")))
}

fn refused(name: &str) -> Problem {
    match name {
        "1" => Problem::Refused("MD5 crypt ($1$)"),
        "apr1" => Problem::Refused("Apache's MD5 ($apr1$)"),
        "2x" | "2" => Problem::Refused("bcrypt of a faulty version ($2$, $2x$)"),
        "argon2i" | "argon2d" => Problem::Refused("argon2i or argon2d"),
        "7" | "scrypt" => Problem::Refused("scrypt"),
        "gy" => Problem::Refused("gost-yescrypt ($gy$)"),
        "3" => Problem::Refused("the hash of Windows NT ($3$)"),
        "md5" | "sha1" => Problem::Refused("this scheme of crypt(3)"),
        _ => Problem::Unknown,
    }
}

fn no_scheme(text: &str) -> Problem {
    let is_of_crypt = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
    match text.as_bytes() {
        [] => Problem::Empty,
        [b'!' | b'*', ..] => Problem::Locked,
        [b'{', ..] => Problem::Refused("a hash with its scheme in braces"),
        bytes if bytes.len() == 13 && bytes.iter().copied().all(is_of_crypt) => {
            Problem::Refused("DES crypt")
        }
        _ => Problem::Unknown,
    }
}

/// `v=19$m=8192,t=3,p=1$SALT$DIGEST`.
fn argon2id(rest: &str) -> Result<HashParts, Problem> {
    let scheme = HashScheme::Argon2id;
    let [version, rest] = fields(scheme, rest, ["version", "list of numbers"])?;
    if version != "v=19" {
        return Err(malformed(scheme, "version (19 is possible)"));
    }
    let [numbers, salt, digest] = fields(scheme, rest, ["list of numbers", SALT, HASH])?;
    let mut numbers = numbers.split(',');
    let mut number = |name: &str| {
        let value = numbers.next()?.strip_prefix(name)?;
        decimal(value.strip_prefix('=')?)
    };
    let found = (number("m"), number("t"), number("p"));
    let (Some(memory), Some(passes), Some(lanes)) = found else {
        return Err(malformed(scheme, "list of numbers (m, t, p)"));
    };
    if numbers.next().is_some() {
        return Err(malformed(scheme, "list of numbers (m, t, p)"));
    }
    let lanes = bounded(scheme, "p =", lanes, 1..=ARGON2_LANES_MAX, "")?;
    let least = 8 * u64::from(lanes);
    let memory_kib = bounded(scheme, "m =", memory, least..=MEMORY_KIB_MAX, " KiB")?;
    let passes = bounded(scheme, "t =", passes, 1..=ARGON2_WORK_MAX, "")?;
    if u64::from(memory_kib) * u64::from(passes) > ARGON2_WORK_MAX {
        return Err(Problem::TooLong(scheme.name()));
    }
    let function = HashFunction::Argon2id {
        memory_kib,
        passes,
        lanes,
    };
    Ok(HashParts {
        function,
        salt: base64::<Base64Unpadded>(scheme, SALT, salt, 8..=64)?,
        digest: argon2id_digest(digest)?,
    })
}

/// Any length is possible; these are usual, and others are of a text that was cut.
fn argon2id_digest(text: &str) -> Result<Vec<u8>, Problem> {
    let scheme = HashScheme::Argon2id;
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if !text.bytes().all(is_valid) {
        return Err(malformed(scheme, HASH));
    }
    match text.len() * 3 / 4 {
        length @ (16 | 32 | 64..) => {
            let length = length.min(64);
            base64::<Base64Unpadded>(scheme, HASH, text, length..=length)
        }
        _ => Err(Problem::Truncated(scheme.name(), "end")),
    }
}

/// `12$` and 22 characters of salt before 31 of the hash.
fn bcrypt(rest: &str) -> Result<HashParts, Problem> {
    let scheme = HashScheme::Bcrypt;
    let [cost, text] = fields(scheme, rest, ["cost", HASH])?;
    let cost = match cost.len() {
        2 => decimal(cost).ok_or(malformed(scheme, "cost"))?,
        _ => return Err(malformed(scheme, "cost")),
    };
    let cost = bounded(scheme, "the cost", cost, 4..=BCRYPT_COST_MAX, "")?;
    if text.len() < BCRYPT_SALT_CHARACTERS + BCRYPT_DIGEST_CHARACTERS {
        return Err(Problem::Truncated(scheme.name(), "end"));
    }
    let Some((salt, digest)) = text.split_at_checked(BCRYPT_SALT_CHARACTERS) else {
        return Err(malformed(scheme, SALT));
    };
    Ok(HashParts {
        function: HashFunction::Bcrypt { cost },
        salt: base64::<Base64Bcrypt>(scheme, SALT, salt, 16..=16)?,
        digest: base64::<Base64Bcrypt>(scheme, HASH, digest, 23..=23)?,
    })
}

/// `SALT$DIGEST`, perhaps with `rounds=5000$` in front. The salt is text.
fn sha_crypt(scheme: HashScheme, rest: &str) -> Result<HashParts, Problem> {
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        None => (SHA_ROUNDS_DEFAULT, rest),
        Some(numbered) => {
            let [rounds, rest] = fields(scheme, numbered, ["rounds", SALT])?;
            let rounds = decimal(rounds).ok_or(malformed(scheme, "number of rounds"))?;
            (rounds, rest)
        }
    };
    let rounds = bounded(scheme, "rounds =", rounds, SHA_ROUNDS, "")?;
    let [salt, digest] = fields(scheme, rest, [SALT, HASH])?;
    if salt.len() > 16 || salt.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(malformed(scheme, SALT));
    }
    let (function, length) = match scheme {
        HashScheme::Sha512Crypt => (HashFunction::Sha512Crypt { rounds }, 64),
        _ => (HashFunction::Sha256Crypt { rounds }, 32),
    };
    Ok(HashParts {
        function,
        salt: salt.as_bytes().to_vec(),
        digest: base64::<Base64ShaCrypt>(scheme, HASH, digest, length..=length)?,
    })
}

/// `j9T$SALT$DIGEST`.
fn yescrypt(rest: &str) -> Result<HashParts, Problem> {
    let scheme = HashScheme::Yescrypt;
    let [numbers, salt, digest] = fields(scheme, rest, ["numbers", SALT, HASH])?;
    let params: yescrypt::Params = numbers.parse().map_err(|_| malformed(scheme, "numbers"))?;
    // The library does not look at what follows the last number.
    if params.to_string() != numbers {
        return Err(malformed(scheme, "numbers"));
    }
    // What crypt(3) never makes: other kinds of the function, and more time for the same memory.
    let usual = yescrypt::Params::new(Default::default(), params.n(), params.r(), params.p());
    if usual != Ok(params) {
        return Err(malformed(scheme, "kind"));
    }
    let memory = u128::from(params.n()) * u128::from(params.r()) / 8;
    let memory = u64::try_from(memory).unwrap_or(u64::MAX);
    bounded(scheme, "a memory of", memory, 1..=MEMORY_KIB_MAX, " KiB")?;
    bounded(scheme, "p =", params.p().into(), 1..=1, "")?;
    Ok(HashParts {
        function: HashFunction::Yescrypt(params),
        salt: base64::<Base64ShaCrypt>(scheme, SALT, salt, 1..=64)?,
        digest: base64::<Base64ShaCrypt>(scheme, HASH, digest, 32..=32)?,
    })
}

/// The parts between the dollar signs; the last one is the rest.
fn fields<'a, const N: usize>(
    scheme: HashScheme,
    text: &'a str,
    names: [&'static str; N],
) -> Result<[&'a str; N], Problem> {
    let mut parts = text.splitn(N, '$');
    let mut found = [""; N];
    for (field, name) in found.iter_mut().zip(names) {
        *field = parts
            .next()
            .filter(|part| !part.is_empty() || name == SALT)
            .ok_or(Problem::Truncated(scheme.name(), name))?;
    }
    Ok(found)
}

/// Digits only.
fn decimal(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Also zeros have an end.
    let is_short = text.len() <= 20;
    is_number.then(|| text.parse().ok().filter(|_| is_short).unwrap_or(u64::MAX))
}

fn bounded(
    scheme: HashScheme,
    number: &'static str,
    found: u64,
    bounds: RangeInclusive<u64>,
    unit: &'static str,
) -> Result<u32, Problem> {
    let problem = Problem::OutOfBounds {
        scheme: scheme.name(),
        number,
        found,
        least: *bounds.start(),
        most: *bounds.end(),
        unit,
    };
    u32::try_from(found)
        .ok()
        .filter(|_| bounds.contains(&found))
        .ok_or(problem)
}

fn base64<E: Encoding>(
    scheme: HashScheme,
    part: &'static str,
    text: &str,
    lengths: RangeInclusive<usize>,
) -> Result<Vec<u8>, Problem> {
    // 4 characters are 3 bytes.
    let length = text.len() * 3 / 4;
    if length < *lengths.start() {
        return Err(Problem::Truncated(scheme.name(), "end"));
    }
    let mut bytes = vec![0; *lengths.end()];
    match E::decode(text, &mut bytes).map(<[u8]>::len) {
        Ok(length) if lengths.contains(&length) => {
            bytes.truncate(length);
            Ok(bytes)
        }
        _ => Err(malformed(scheme, part)),
    }
}

fn malformed(scheme: HashScheme, part: &'static str) -> Problem {
    Problem::Malformed(scheme.name(), part)
}

const SALT: &str = "salt";
const HASH: &str = "hash";

/// Of one hash. At most two are computed at once.
const MEMORY_KIB_MAX: u64 = 64 * 1024;

/// KiB of memory times passes: half a second on a PC, some seconds on a small machine.
const ARGON2_WORK_MAX: u64 = 8 * MEMORY_KIB_MAX;

/// They are computed one after another.
const ARGON2_LANES_MAX: u64 = 16;

/// Two seconds on a PC.
const BCRYPT_COST_MAX: u64 = 15;

/// Less than 1000 does not exist. Some libraries make 656,000 by default.
const SHA_ROUNDS: RangeInclusive<u64> = 1000..=1_000_000;

const SHA_ROUNDS_DEFAULT: u64 = 5000;

const BCRYPT_SALT_CHARACTERS: usize = 22;
const BCRYPT_DIGEST_CHARACTERS: usize = 31;
