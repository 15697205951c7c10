use super::new_password::hash_with_salt;
use super::*;

/// Hashes that other programs have made, and their passwords. Those without a name of a program are
/// by libxcrypt 4.4.33.
const KNOWN: &[(&[u8], &str)] = &[
    // argon2 20171227 of the reference implementation.
    (
        b"secret",
        "$argon2id$v=19$m=8192,t=3,p=1$c2FsdHNhbHRzYWx0\
         $3Og61Xxj0nm8y7CwI3znnUJKlGmN13p8hnyTPJNR5sA",
    ),
    (
        b"gr\xfcn",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$nymTtdQjwVsnnyhuYcwsLft8FT32GtIdJM9x/eSvcUQ",
    ),
    (
        &[b'x'; 120],
        "$argon2id$v=19$m=256,t=2,p=4$c2FsdHNhbHRzYWx0$i45M/ls12PGStojXS7xokg",
    ),
    (
        b"secret",
        "$argon2id$v=19$m=128,t=2,p=2$c2FsdHNhbHQ\
         $gT+i1kBkHU/UxhJNoLLA8MQP0lvnQpx2cRDBk00/Ix8fsFmgSHvhnb8Nc5EsygMkhoaq529O6ZZXTWyeZCnzHg",
    ),
    // htpasswd of Apache 2.4: -nbB, and with -C 10.
    (
        b"secret",
        "$2y$05$SY8W7YRvnaxvf1s0AmgjkO/jsztx9sYsdgvURF4wTqhj.2PPkiWF2",
    ),
    (
        b"secret",
        "$2y$10$KG3MdgVToDOem6GDHB5.kuuRoX7YkFEAdrdjK7SJnqVGNBPsIKqqW",
    ),
    // mkpasswd of whois 5.5.17: -m bcrypt, and -m bcrypt-a.
    (
        b"secret",
        "$2b$05$jD2JS821iPZvtYGmngP2AOsnxpJnI7SH1KafO8cBOkuZUFzq/k8rm",
    ),
    (
        b"secret",
        "$2a$05$ZUSKrAWZsA7qvJEGKzQto.JeLtKOpYsbhWAL5gzz39bg98H8Mfy4u",
    ),
    (
        b"",
        "$2b$04$CCCCCCCCCCCCCCCCCCCCC.Cg0ly9t/KVBCBYYDfOmZKwry9JuXClC",
    ),
    (
        b"gr\xfcn",
        "$2y$04$abcdefghijklmnopqrstuuJrx7Bp9MgipF7Ypm3ztAYd.BiC5B0NO",
    ),
    (
        "gr\u{fc}n".as_bytes(),
        "$2a$04$abcdefghijklmnopqrstuuQYEk91mE9jD3s0Fa6l8hqSxfClgS2VO",
    ),
    (
        b"\xff\xff\xa3",
        "$2y$04$abcdefghijklmnopqrstuuMOaOTHB4gEm.rriBjXNwBNh.Oc4mKGG",
    ),
    (
        LONG.split_at(71).0,
        "$2b$04$abcdefghijklmnopqrstuukow.iL/GuIgNNTSpCKVqIJG617.YQsi",
    ),
    // From 72 bytes on, bcrypt ignores the rest.
    (
        LONG.split_at(72).0,
        "$2b$04$abcdefghijklmnopqrstuum2G75IXDN/xsgbNa/hCiPSKyIHQd70S",
    ),
    (
        LONG,
        "$2b$04$abcdefghijklmnopqrstuum2G75IXDN/xsgbNa/hCiPSKyIHQd70S",
    ),
    // Also by `openssl passwd -6`.
    (
        b"secret",
        "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq\
         .H91p5hVO1",
    ),
    // mkpasswd: -m sha512crypt, and with -R 20000.
    (
        b"secret",
        "$6$v9hW2CqVxDcc5F1S$nCq1Mwu4lFbp2/uCxNbGIxlu1LSK1nvqnz3VW0YvQ186Q7QHEmlENKMt13eUu5FAnU7x\
         CJj4/NPNVd3saC.PD/",
    ),
    (
        b"secret",
        "$6$rounds=20000$TtKEtOMUEfxGSWLk$D5nbTpUi0NUgXfQggi8a1rww.0Jm661uzTt.KuW48psiuxZUjdBk8Vz\
         Qf2une6MsbwaCKOd7sUKbMg8QOUr8g1",
    ),
    (
        b"",
        "$6$saltsalt$qkTgsCrWMTAS9gBGcf9W60sFfH.hU0oTCAOJjhbz5tSp/sU3/xXZK4OFwCtq8lIIdpJ6CatVdOTS\
         HKp97TPkt/",
    ),
    (
        "gr\u{fc}n".as_bytes(),
        "$6$rounds=10000$saltstringsaltst$apSLLezRBD6abQhSAkcT9J8jO9Vbex4fQ9NieIOESm5.dTjiky1uul3\
         7zc50hq3psTF046Lnx1Ja3tDnMUkoK0",
    ),
    (
        b"gr\xfcn",
        "$6$rounds=1000$a$vBtb1yD08BllrK3VuVqFl3iQXBjgnaLrjbUlZCmVufL3dSJghVs7hYEP/4jlpqWKjvJCq5C\
         zKh0bTfUhDiGIz0",
    ),
    (
        LONG,
        "$6$saltsalt$z4mO8GyZNS2W595m0uxskIKJnFmUq8Z/ueG2Y2j9qCr7xvCOh5IGHIsSaHNZ9Yx/Qsmw8yk3tR4u\
         9vvudH.491",
    ),
    (
        &[b'x'; 511],
        "$6$rounds=1000$saltsalt$nC35Rjw1qm7lwdxVgg3IU9qZMEaqucKnRYCtC7UyfTbgqAQUZjWQxjc2xeWwMzOT\
         jOEqyGG.T4MAGPm1ptmEK/",
    ),
    (
        b"secret",
        "$6$$2M9DchxW4txWyTYoZrH9D3VvAAQxBpEezYsLY6Cao.jwzEXpyL9xwip9hiUZX7GqTqe/E/z6iKvZqXUuqniQ\
         H.",
    ),
    // Also by `openssl passwd -5`.
    (
        b"secret",
        "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA",
    ),
    // mkpasswd -m sha256crypt.
    (
        b"secret",
        "$5$XntmSQVOvodZdCWM$GtegGXjyY/GsrxPnvTrxfbTWP0GIC/9EJtm8AgM1CZB",
    ),
    (
        b"",
        "$5$saltsalt$09agN5RZ2meWdEdnEusqsq5G7RwwghB8jCKoWWADxW/",
    ),
    (
        b"gr\xfcn",
        "$5$rounds=10000$saltstringsaltst$RpQ1om65k7IyYquGpvGv/90GGwA8QUq0mVNWDtqFJ87",
    ),
    (
        LONG,
        "$5$saltsalt$Y.JAxbuDN/tj6Px7XKNPo1FOe28XYmuVLjoWjha0Dz.",
    ),
    // mkpasswd -m yescrypt, as Debian's passwd makes them, and with -R 1 and -R 7.
    (
        b"secret",
        "$y$j9T$XyuT/xrwNJHOXjB1muKLE.$Ip3yAP6siqXro6FkyZCu5.rhdmCREO6kCXBTHZAgTU8",
    ),
    (
        b"secret",
        "$y$j75$Nmvn2HmpEW0rMBLQs3SOv/$O73XBxunGcGMhxmDpuFz.8UIOVFUosAGIYGyZ16uNc3",
    ),
    (
        b"secret",
        "$y$jBT$aSnrm6K3Kod7q3iOWVPAX.$E0gg7qbnZnfljDSx7ffIXZSZgX0Xr0kTRtn5McepcNB",
    ),
    (
        b"",
        "$y$j75$saltsalt..$GUJc.zw.G2iEk4.y3t5NeLN44xiscuF3D0hjdafmaF9",
    ),
    (
        b"gr\xfcn",
        "$y$j7T$saltsalt..$kEez/HTc6k1K2De6gZD7NTZPagC3IQUHEBRkSVllLWD",
    ),
    (
        LONG,
        "$y$j85$saltsalt..$bTzQmj8/XlGKV6BqYfwMeD4HpzpnZYfCbuvRAZjOJK.",
    ),
];

const LONG: &[u8] =
    b"01234567890123456789012345678901234567890123456789012345678901234567890123456789";

#[test]
fn hashes_of_other_programs() {
    for &(password, text) in KNOWN {
        let hash = PasswordHash::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        assert!(hash.matches(password), "{text}");
        let mut wrong = password.to_vec();
        // The last byte that bcrypt counts.
        match wrong.get_mut(71.min(password.len().wrapping_sub(1))) {
            Some(last) => *last ^= 1,
            None => wrong.push(b'x'),
        }
        assert!(!hash.matches(&wrong), "{text}");
        assert_eq!(PasswordHash::parse(text), Ok(hash));
    }
}

#[test]
fn a_password_that_cannot_have_a_hash_matches_none() {
    let empty = "$2b$04$CCCCCCCCCCCCCCCCCCCCC.Cg0ly9t/KVBCBYYDfOmZKwry9JuXClC";
    let empty = PasswordHash::parse(empty).unwrap();
    assert!(empty.matches(b""));
    // bcrypt repeats its key, so these two are the same to it.
    assert!(!empty.matches(b"\0"));
    let long = KNOWN.iter().find(|(password, _)| password.len() == 511);
    let long = PasswordHash::parse(long.unwrap().1).unwrap();
    for length in [510, 512, 513, 100_000] {
        assert!(!long.matches(&vec![b'x'; length]), "{length}");
    }
}

#[test]
fn each_bit_of_a_digest_counts() {
    for text in [
        KNOWN[1].1,
        KNOWN[8].1,
        KNOWN[20].1,
        KNOWN[27].1,
        KNOWN[31].1,
    ] {
        let hash = PasswordHash::parse(text).unwrap();
        for byte in 0..hash.0.digest.len() {
            let mut other = hash.clone();
            other.0.digest[byte] ^= 0x80;
            assert_ne!(other, hash);
        }
        let mut other = hash.clone();
        *other.0.digest.last_mut().unwrap() ^= 1;
        let password = KNOWN.iter().find(|known| known.1 == text).unwrap().0;
        assert!(hash.matches(password) && !other.matches(password), "{text}");
    }
}

#[test]
fn debug_shows_the_scheme_only() {
    for (text, shown) in [
        (KNOWN[0].1, "PasswordHash(argon2id)"),
        (KNOWN[4].1, "PasswordHash(bcrypt)"),
        (KNOWN[15].1, "PasswordHash(sha512-crypt)"),
        (KNOWN[24].1, "PasswordHash(sha256-crypt)"),
        (KNOWN[29].1, "PasswordHash(yescrypt)"),
    ] {
        let hash = PasswordHash::parse(text).unwrap();
        assert_eq!(format!("{hash:?}"), shown);
    }
}

#[test]
fn new_hashes() {
    let text = hash_with_salt(b"secret", b"saltsaltsalt").unwrap();
    assert_eq!(text, KNOWN[0].1);
    let [one, other] = [(); 2].map(|()| hash_password(b"gr\xfcn").unwrap());
    assert_ne!(one, other);
    for text in [one, other] {
        let hash = PasswordHash::parse(&text).unwrap();
        assert!(hash.matches(b"gr\xfcn") && !hash.matches(b"grun"), "{text}");
        assert_eq!(hash.weakness(), None);
    }
    for (password, problem) in [
        (&b""[..], "the password is empty"),
        (
            b"a\0",
            "the password contains a line break or a NUL byte, which no client can send",
        ),
        (
            b"a\rb",
            "the password contains a line break or a NUL byte, which no client can send",
        ),
        (&[b'x'; 513], "the password is longer than 512 bytes"),
    ] {
        assert_eq!(hash_password(password).unwrap_err().to_string(), problem);
    }
    assert!(hash_password(&[b'x'; 512]).is_ok());
}

#[track_caller]
fn refused(text: &str, problem: &str) {
    let found = PasswordHash::parse(text).expect_err(text).to_string();
    let found = found.replace(
        "accepted are argon2id ($argon2id$), bcrypt ($2b$, $2y$, $2a$), sha512-crypt ($6$), \
         sha256-crypt ($5$) and yescrypt ($y$)",
        "ACCEPTED",
    );
    assert_eq!(found, problem, "{text}");
}

#[test]
fn other_schemes_are_refused() {
    for (text, problem) in [
        ("", "the hash is empty; ACCEPTED"),
        ("!", "the password is locked: a hash does not begin so"),
        ("*", "the password is locked: a hash does not begin so"),
        (
            "!$6$a$b",
            "the password is locked: a hash does not begin so",
        ),
        ("secret", "this is no hash of a known scheme; ACCEPTED"),
        ("$", "this is no hash of a known scheme; ACCEPTED"),
        ("$$", "this is no hash of a known scheme; ACCEPTED"),
        ("$8$a$b", "this is no hash of a known scheme; ACCEPTED"),
        ("6$a$b", "this is no hash of a known scheme; ACCEPTED"),
        (" $6$a$b", "this is no hash of a known scheme; ACCEPTED"),
        (
            "$2$",
            "bcrypt of a faulty version ($2$, $2x$) is not accepted; ACCEPTED",
        ),
        (
            "$2x$05$",
            "bcrypt of a faulty version ($2$, $2x$) is not accepted; ACCEPTED",
        ),
        ("abJnggxhB/yWI", "DES crypt is not accepted; ACCEPTED"),
        ("$1$abc$xyz", "MD5 crypt ($1$) is not accepted; ACCEPTED"),
        (
            "$apr1$abc$xyz",
            "Apache's MD5 ($apr1$) is not accepted; ACCEPTED",
        ),
        ("$7$CU", "scrypt is not accepted; ACCEPTED"),
        (
            "$3$$8846",
            "the hash of Windows NT ($3$) is not accepted; ACCEPTED",
        ),
        (
            "$gy$j9T$a$b",
            "gost-yescrypt ($gy$) is not accepted; ACCEPTED",
        ),
        (
            "$md5$a",
            "this scheme of crypt(3) is not accepted; ACCEPTED",
        ),
        (
            "{SHA}a",
            "a hash with its scheme in braces is not accepted; ACCEPTED",
        ),
        (
            "$argon2i$v=19$m=8,t=1,p=1$a$b",
            "argon2i or argon2d is not accepted; ACCEPTED",
        ),
    ] {
        refused(text, problem);
    }
}

#[test]
fn argon2id_beyond_its_bounds_is_refused() {
    let argon2 =
        |numbers: &str| format!("$argon2id$v=19${numbers}$c2FsdHNhbHQ$i45M/ls12PGStojXS7xokg");
    for (text, problem) in [
        (
            argon2("m=4194304,t=1,p=1"),
            "the argon2id hash has m = 4194304 KiB; from 8 to 65536 KiB are possible here",
        ),
        (
            argon2("m=99999999999999999999,t=1,p=1"),
            "the argon2id hash has m = 18446744073709551615 KiB; from 8 to 65536 KiB are possible \
             here",
        ),
        (
            argon2("m=7,t=1,p=1"),
            "the argon2id hash has m = 7 KiB; from 8 to 65536 KiB are possible here",
        ),
        (
            argon2("m=8,t=1,p=2"),
            "the argon2id hash has m = 8 KiB; from 16 to 65536 KiB are possible here",
        ),
        (
            argon2("m=8,t=0,p=1"),
            "the argon2id hash has t = 0; from 1 to 524288 are possible here",
        ),
        (
            argon2("m=8,t=4294967296,p=1"),
            "the argon2id hash has t = 4294967296; from 1 to 524288 are possible here",
        ),
        (
            argon2("m=8192,t=3,p=0"),
            "the argon2id hash has p = 0; from 1 to 16 are possible here",
        ),
        (
            argon2("m=65536,t=3,p=17"),
            "the argon2id hash has p = 17; from 1 to 16 are possible here",
        ),
        (
            argon2("m=65536,t=9,p=1"),
            "the numbers of the argon2id hash are too large together: a login would take many \
             seconds",
        ),
    ] {
        refused(&text, problem);
    }
    assert!(PasswordHash::parse(&argon2("m=65536,t=8,p=16")).is_ok());
}

#[test]
fn costs_beyond_bounds_are_refused() {
    let sha = |rounds: &str| KNOWN[17].1.replace("rounds=20000", rounds);
    let bcrypt = |cost: &str| KNOWN[6].1.replace("$05$", cost);
    let yescrypt = |numbers: &str| KNOWN[29].1.replace("j9T", numbers);
    for (text, problem) in [
        (
            bcrypt("$03$"),
            "the bcrypt hash has the cost 3; from 4 to 15 are possible here",
        ),
        (
            bcrypt("$16$"),
            "the bcrypt hash has the cost 16; from 4 to 15 are possible here",
        ),
        (
            sha("rounds=999"),
            "the sha512-crypt hash has rounds = 999; from 1000 to 1000000 are possible here",
        ),
        (
            sha("rounds=999999999"),
            "the sha512-crypt hash has rounds = 999999999; from 1000 to 1000000 are possible here",
        ),
        (
            yescrypt("jFT"),
            "the yescrypt hash has a memory of 1048576 KiB; from 1 to 65536 KiB are possible here",
        ),
        (
            yescrypt("j95.0"),
            "the yescrypt hash has p = 4; from 1 to 1 are possible here",
        ),
    ] {
        refused(&text, problem);
    }
    for text in [sha("rounds=1000000"), bcrypt("$15$"), yescrypt("jBT")] {
        assert!(PasswordHash::parse(&text).is_ok(), "{text}");
    }
}

#[test]
fn malformed_hashes_are_refused() {
    let argon2 = "$argon2id$v=19$m=8192,t=3,p=1$c2FsdHNhbHQ$i45M/ls12PGStojXS7xokg";
    assert!(PasswordHash::parse(argon2).is_ok());
    for (from, to, part) in [
        ("v=19", "v=16", "version (19 is possible)"),
        ("v=19$", "", "version (19 is possible)"),
        (",p=1", "", "list of numbers (m, t, p)"),
        ("m=8192,t=3", "t=3,m=8192", "list of numbers (m, t, p)"),
        ("p=1", "p=1,data=YQ", "list of numbers (m, t, p)"),
        ("m=8192", "m=+8192", "list of numbers (m, t, p)"),
        ("t=3", "t=", "list of numbers (m, t, p)"),
        ("t=3", "t=3 ", "list of numbers (m, t, p)"),
        ("c2Fs", "c2F:", "salt"),
        ("c2FsdHNhbHQ", &"a".repeat(100), "salt"),
        ("xokg", "xok=", "hash"),
        ("xokg", "xokg$", "hash"),
        ("xokg", "xokg\n", "hash"),
        ("xokg", &"a".repeat(100), "hash"),
    ] {
        let problem = format!("the {part} of the argon2id hash is not valid");
        refused(&argon2.replace(from, to), &problem);
    }
    for (index, from, to, problem) in [
        (6, "$05$", "$5$", "cost of the bcrypt"),
        (6, "$05$", "$+5$", "cost of the bcrypt"),
        (6, "jD2J", "jD2!", "salt of the bcrypt"),
        (6, "k8rm", "k8rm.", "hash of the bcrypt"),
        (6, "S821", "S\u{e4}21", "salt of the bcrypt"),
        (
            17,
            "rounds=20000",
            "rounds=2e4",
            "number of rounds of the sha512-crypt",
        ),
        (17, "TtKEtO", "TtKEtOx", "salt of the sha512-crypt"),
        (17, "TtKEtO", "TtKE\u{7f}O", "salt of the sha512-crypt"),
        (17, "8g1", "8g1.", "hash of the sha512-crypt"),
        (17, "8g1", "8g-", "hash of the sha512-crypt"),
        (29, "j9T", "j9", "numbers of the yescrypt"),
        (29, "j9T", "j9T.", "numbers of the yescrypt"),
        (29, "j9T", "j9T\u{fffd}", "numbers of the yescrypt"),
        (29, "j9T", "/9T", "kind of the yescrypt"),
        (29, "j9T", "j9T//", "kind of the yescrypt"),
        (29, "XyuT", "Xyu:", "salt of the yescrypt"),
        (29, "gTU8", "gTU8aa", "hash of the yescrypt"),
    ] {
        assert!(KNOWN[index].1.contains(from), "{from}");
        let text = KNOWN[index].1.replace(from, to);
        refused(&text, &format!("the {problem} hash is not valid"));
    }
}

/// A line that was cut when it was copied names its scheme, and says that it was cut.
#[test]
fn truncated_hashes_are_refused() {
    for &(_, text) in KNOWN {
        for end in 0..text.len() {
            let scheme = PasswordHash::parse(text).unwrap().scheme().to_string();
            let problem = match PasswordHash::parse(&text[..end]) {
                Err(problem) => problem.to_string(),
                // argon2id also has shorter digests.
                Ok(hash) => {
                    assert!([16, 32].contains(&hash.0.digest.len()), "{}", &text[..end]);
                    continue;
                }
            };
            // The shortest pieces are no scheme yet.
            let is_clear = problem.contains(&scheme);
            assert!(is_clear || end < 10, "{}: {problem}", &text[..end]);
        }
        for missing in 1..6 {
            let cut = PasswordHash::parse(&text[..text.len() - missing]).unwrap_err();
            assert!(cut.to_string().contains("truncated"), "{text}: {cut}");
        }
    }
}

#[test]
fn weak_hashes() {
    let weakness = |text: &str| {
        let weakness = PasswordHash::parse(text).unwrap().weakness();
        weakness.map(|weakness| weakness.to_string())
    };
    for (index, expected) in [
        (0, None),
        (
            1,
            Some("argon2id hash is weak (KiB of memory times passes: 64, usual: 16384"),
        ),
        (4, Some("bcrypt hash is weak (cost 5, usual: 10")),
        (5, None),
        (15, None),
        (
            20,
            Some("sha512-crypt hash is weak (rounds 1000, usual: 5000"),
        ),
        (24, None),
        (29, None),
        (
            30,
            Some("yescrypt hash is weak (KiB of memory: 1024, usual: 4096"),
        ),
    ] {
        let better = "or more); --hash-password makes a better one";
        let expected = expected.map(|text| format!("the {text} {better}"));
        assert_eq!(weakness(KNOWN[index].1), expected, "{}", KNOWN[index].1);
    }
}
