//! Names of any bytes in each charset, and wire bytes of any kind: what is shown is found.

use proptest::prelude::*;

use super::*;

/// One label of each charset that is accepted and is not UTF-8.
const LABELS: [&str; 35] = [
    "Big5",
    "EUC-JP",
    "EUC-KR",
    "GB18030",
    "GBK",
    "IBM866",
    "ISO-8859-10",
    "ISO-8859-13",
    "ISO-8859-14",
    "ISO-8859-15",
    "ISO-8859-16",
    "ISO-8859-2",
    "ISO-8859-3",
    "ISO-8859-4",
    "ISO-8859-5",
    "ISO-8859-6",
    "ISO-8859-7",
    "ISO-8859-8",
    "ISO-8859-8-I",
    "KOI8-R",
    "KOI8-U",
    "Shift_JIS",
    "macintosh",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "windows-874",
    "x-mac-cyrillic",
    "CP936",
];

fn charset(label: &str) -> NameCharset {
    NameCharset::for_label(label).unwrap_or_else(|error| panic!("{label}: {error}"))
}

fn charsets() -> impl Iterator<Item = NameCharset> {
    LABELS.into_iter().map(charset)
}

#[track_caller]
fn check(label: &str, name: impl AsRef<[u8]>, wire: impl AsRef<[u8]>) {
    let (charset, name, wire) = (charset(label), name.as_ref(), wire.as_ref());
    let encoded = charset.encode(name);
    assert_eq!(
        encoded.escape_ascii().to_string(),
        wire.escape_ascii().to_string()
    );
    let decoded = charset.decode(wire).expect("a name");
    assert_eq!(
        decoded.escape_ascii().to_string(),
        name.escape_ascii().to_string()
    );
}

#[test]
fn names_have_the_bytes_that_clients_send() {
    check(
        "GBK",
        "/中文/文件.txt",
        b"/\xd6\xd0\xce\xc4/\xce\xc4\xbc\xfe.txt",
    );
    check(
        "GB18030",
        "中€\u{20000}",
        b"\xd6\xd0\xa2\xe3\x95\x32\x82\x36",
    );
    // The second bytes are those of \ and |.
    check(
        "Shift_JIS",
        "表示ソート",
        b"\x95\x5c\x8e\xa6\x83\x5c\x81\x5b\x83\x67",
    );
    check("Shift_JIS", "ポ―", b"\x83\x7c\x81\x5c");
    check("Big5", "功許", b"\xa5\x5c\xb3\x5c");
    check("GBK", "誠|乗", b"\xd5\x5c|\x81\x5c");
    check("EUC-JP", "日本", b"\xc6\xfc\xcb\xdc");
    check("EUC-KR", "한글.txt", b"\xc7\xd1\xb1\xdb.txt");
    check("windows-1251", "Музыка я", b"\xcc\xf3\xe7\xfb\xea\xe0 \xff");
    check("KOI8-R", "Музыка Ъ", b"\xed\xd5\xda\xd9\xcb\xc1 \xff");
    check("ISO-8859-2", "Żółw", b"\xaf\xf3\xb3w");
}

#[test]
fn what_has_no_form_is_escaped() {
    check("windows-1251", "д中.txt", b"\xe4%E4%B8%AD.txt");
    check("GBK", "café.txt", b"caf\xa8\xa6.txt");
    check("GBK", "naïve", b"na%C3%AFve");
    // Not UTF-8.
    check("GBK", b"a\xff\xd6\xd0b", b"a%FF%D6%D0b");
    check("windows-1252", b"\xe4\xb8", b"%E4%B8");
    // The charset would write them as other characters of ASCII, or as full-width ones.
    check("Shift_JIS", "¥100‾", b"%C2%A5100%E2%80%BE");
    check("Shift_JIS", "\u{2212}1", b"%E2%88%921");
    check("GBK", "Icon\r", b"Icon%0D");
    check("GBK", "a\nb\tc\x7f", b"a%0Ab\tc%7F");
}

#[test]
fn what_looks_like_an_escape_is_escaped() {
    for (name, wire) in [
        ("%", "%"),
        ("100%", "100%"),
        ("%%", "%%"),
        ("%4", "%4"),
        ("%zz", "%zz"),
        // These would not be read as escapes.
        ("a%20b%2Fc%7E", "a%20b%2Fc%7E"),
        ("%00%09", "%00%09"),
        ("%E4", "%25E4"),
        ("%e4%b8", "%25e4%25b8"),
        ("%25", "%2525"),
        ("%2525", "%252525"),
        ("%%E4", "%%25E4"),
        ("%0a%7F", "%250a%257F"),
    ] {
        check("GBK", name, wire);
    }
    // What comes before it does not make one of them.
    check("windows-1251", "%中", b"%%E4%B8%AD");
    check("windows-1251", "%E中", b"%E%E4%B8%AD");
    check("Shift_JIS", "表%E4", b"\x95\x5c%25E4");
    let decode = |wire: &[u8]| charset("GBK").decode(wire);
    assert_eq!(decode(b"%e4%B8%ad"), Some("中".into()));
    // Nothing gets around a rule, or out of its directory.
    assert_eq!(decode(b"%2e%2e%2f%5C%00"), Some(b"%2e%2e%2f%5C%00".into()));
}

#[test]
fn bytes_that_are_no_characters_are_refused() {
    for (label, wire) in [
        ("GBK", &b"\xd6"[..]),
        ("GBK", b"\xd6/"),
        ("GBK", b"\xff"),
        ("Shift_JIS", b"\x95\n"),
        ("EUC-KR", b"\xfe\xfe"),
        ("ISO-8859-3", b"\xa5"),
    ] {
        let found = charset(label).decode(wire);
        assert_eq!(found, None, "{label} {}", wire.escape_ascii());
    }
}

/// A path has the same components on both sides, and a line stays one. Each character alone leads
/// back to itself, since the conversion has no state.
#[test]
fn bytes_of_other_characters_are_no_separators() {
    for charset in charsets() {
        let trails: Vec<u8> = if charset.encoding.is_single_byte() {
            b"/a".to_vec()
        } else {
            (0..=0xff).collect()
        };
        for lead in 0x80..=0xff {
            for &trail in &trails {
                check_pair(charset, [lead, trail]);
            }
        }
    }
}

#[track_caller]
fn check_pair(charset: NameCharset, wire: [u8; 2]) {
    let Some(text) = charset.text(&wire) else {
        return;
    };
    let trail = wire[1];
    let foreign = if is_separator(trail) {
        text.as_bytes().strip_suffix(&[trail])
    } else {
        Some(text.as_bytes())
    };
    let shown = wire.escape_ascii();
    let is_clean = foreign.is_some_and(|foreign| !foreign.iter().copied().any(is_separator));
    assert!(is_clean, "{charset:?} {shown}");
    // One of eight, because the search for a character is slow without optimization.
    if wire[0] % 8 == 1 {
        let encoded = charset.encode(text.as_bytes());
        assert_eq!(
            charset.decode(&encoded).as_deref(),
            Some(text.as_bytes()),
            "{shown}"
        );
        let mut unescaped = encoded
            .iter()
            .copied()
            .filter(|&byte| byte != b'%' && byte != trail);
        assert!(!unescaped.any(is_separator), "{charset:?} {shown}");
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, 0..=b'/' | b':'..=b'?' | 0x7f)
}

#[test]
fn a_session_is_in_utf8_when_a_name_shows_it() {
    let check = |label: &str, name: &str, expected: bool| {
        let found = charset(label).shows_utf8(name.as_bytes());
        assert_eq!(found, expected, "{label} {name}");
    };
    for label in ["auto:GBK", "auto:Shift_JIS", "auto:windows-1251"] {
        check(label, "中文.txt", true);
        check(label, "-a Новый", true);
        check(label, "plain %E4%B8%AD", false);
    }
    // One character of Latin in UTF-8 is a character of Chinese in GBK, and so are four.
    assert_eq!(charset("GBK").encode("模".as_bytes()), "\u{123}".as_bytes());
    check("auto:GBK", "\u{123}.txt", false);
    check("auto:GBK", "\u{123}\u{123}\u{123}\u{123}", false);
    check("auto:GBK", "\u{123}\u{123}\u{123}\u{123}\u{123}", true);
    check("auto:GBK", "中", true);
    // Ukrainian words with the bytes of a character in UTF-8.
    let (actions, name) = (charset("windows-1251").encode("дії".as_bytes()), "\u{4cff}");
    assert_eq!(actions, name.as_bytes());
    check("auto:windows-1251", name, false);
    check("auto:windows-1251", "йц", true);
    // The bytes of this one are no character of EUC-KR.
    check("auto:EUC-KR", "\u{c0}", true);
    check("GBK", "中文", false);
    check("UTF-8", "中文", false);
    assert!(!charset("auto:GBK").shows_utf8(b"\xd6\xd0\xce\xc4"));
}

#[test]
fn labels() {
    for (label, name, detects_utf8) in [
        ("utf8", "UTF-8", false),
        ("auto:UTF-8", "UTF-8", false),
        ("gb2312", "GBK", false),
        ("sjis", "Shift_JIS", false),
        ("cp932", "Shift_JIS", false),
        ("CP949", "EUC-KR", false),
        ("cp950", "Big5", false),
        ("cp1251", "windows-1251", false),
        ("latin1", "windows-1252", false),
        ("auto:cp936", "GBK", true),
        ("auto:koi8-r", "KOI8-R", true),
    ] {
        let charset = charset(label);
        assert_eq!(
            (charset.name(), charset.detects_utf8()),
            (name, detects_utf8)
        );
        assert_eq!(charset.codec().is_none(), name == "UTF-8", "{label}");
    }
    assert!(NameCharset::for_label("auto").is_ok());
    let error = |label: &str| NameCharset::for_label(label).unwrap_err();
    for label in [
        "",
        "auto:",
        "auto:auto",
        "automatic",
        "GBK2",
        "x-user-defined",
        "AUTO",
    ] {
        assert_eq!(error(label), CharsetError::Unknown, "{label}");
    }
    for label in [
        "utf-16",
        "UTF-16BE",
        "iso-2022-jp",
        "auto:iso-2022-kr",
        "hz-gb-2312",
    ] {
        assert_eq!(error(label), CharsetError::NotForFtp, "{label}");
    }
}

/// Names on disk: text with characters of many charsets, percent signs, and bytes that are no text.
fn any_path() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        "[a-fA-F0-9%/. ]{1,4}".prop_map(String::into_bytes),
        "[中文字表ソ功한글äéøΩЯюя¥‾€🙂]{1,3}".prop_map(String::into_bytes),
        prop::char::range('\u{1}', char::MAX).prop_map(|any| any.to_string().into_bytes()),
        prop::collection::vec(1_u8.., 1..4),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn any_charset() -> impl Strategy<Value = NameCharset> {
    prop::sample::select(&LABELS[..]).prop_map(charset)
}

proptest! {
    #[test]
    fn every_name_is_found_by_what_is_shown(charset in any_charset(), name in any_path()) {
        let slashes = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'/').count();
        let wire = charset.encode(&name);
        let decoded = charset.decode(&wire);
        prop_assert_eq!(decoded.as_deref(), Some(&name[..]));
        prop_assert_eq!(slashes(&wire), slashes(&name));
        let is_control = |byte: &u8| *byte != b'\t' && byte.is_ascii_control();
        prop_assert!(!wire.iter().any(is_control));
        // A listing is encoded in pieces.
        let pieces = name.split_inclusive(|&byte| byte == b'/');
        let pieces: Vec<u8> = pieces.flat_map(|piece| charset.encode(piece)).collect();
        prop_assert_eq!(&pieces, &wire);
    }

    #[test]
    fn what_a_client_creates_is_shown_in_a_form_that_finds_it(
        charset in any_charset(),
        wire in prop_oneof![any_path(), prop::collection::vec(1_u8.., 0..12)],
    ) {
        let Some(name) = charset.decode(&wire) else {
            return Ok(());
        };
        prop_assert!(!name.contains(&0));
        let shown = charset.encode(&name);
        prop_assert_eq!(charset.decode(&shown), Some(name));
        // The same bytes, unless the charset has a character twice or there are escapes.
        let text = charset.text(&wire).expect("it was decoded");
        let is_plain = |character: char| {
            character == '\t' || !(character == '%' || character.is_ascii_control())
        };
        let is_usual = charset.exact_bytes(&text).as_deref() == Some(&wire[..]);
        if is_usual && text.chars().all(is_plain) {
            prop_assert_eq!(&shown, &wire);
        }
    }
}
