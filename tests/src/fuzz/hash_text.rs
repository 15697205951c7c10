//! Texts that an operator, or another program, may have written as a password hash.

use ftp_server_sync::settings::{HashScheme, PasswordHash};

/// Reading any text neither panics nor takes long: nothing is hashed. What is no hash has a problem
/// that shows nothing of it; what is one has the scheme of its prefix, and each of its characters
/// counts.
///
/// The first byte chooses a prefix; the rest follows it.
pub fn hash_text(data: &[u8]) {
    let Some((style, rest)) = data.split_first() else {
        return;
    };
    let prefix = PREFIXES[usize::from(*style) % PREFIXES.len()];
    let text = format!("{prefix}{}", String::from_utf8_lossy(rest));
    let hash = match PasswordHash::parse(&text) {
        Ok(hash) => hash,
        Err(problem) => {
            let problem = problem.to_string();
            assert!(!problem.is_empty() && !problem.contains(char::is_control));
            return;
        }
    };
    let expected = match text.split('$').nth(1) {
        Some("argon2id") => HashScheme::Argon2id,
        Some("2a" | "2b" | "2y") => HashScheme::Bcrypt,
        Some("5") => HashScheme::Sha256Crypt,
        Some("6") => HashScheme::Sha512Crypt,
        Some("y") => HashScheme::Yescrypt,
        other => panic!("{other:?} is no scheme"),
    };
    assert_eq!(hash.scheme(), expected, "{text}");
    assert_eq!(format!("{hash:?}"), format!("PasswordHash({expected})"));
    if let Some(weakness) = hash.weakness() {
        assert!(weakness.to_string().contains(&expected.to_string()));
    }
    assert!(text.is_ascii() && text.len() < 400, "{text}");
    for more in ["$", ".", "\n", " "] {
        assert_ne!(
            PasswordHash::parse(&format!("{text}{more}")),
            Ok(hash.clone())
        );
    }
    let shorter = PasswordHash::parse(&text[..text.len() - 1]);
    assert_ne!(shorter, Ok(hash), "{text}");
}

const PREFIXES: [&str; 8] = [
    "",
    "$argon2id$v=19$m=",
    "$2b$",
    "$6$",
    "$5$rounds=",
    "$y$j",
    "$y$",
    "$",
];
