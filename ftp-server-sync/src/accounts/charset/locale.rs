//! The charset that a locale suggests: its own, or for UTF-8 that of Windows in its language, where
//! clients that do not write UTF-8 come from.

use std::env;

use encoding_rs::{
    BIG5, EUC_KR, Encoding, GBK, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1250, WINDOWS_1251,
    WINDOWS_1252, WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257,
    WINDOWS_1258,
};

use super::label;

/// The charset of this process.
pub(super) fn encoding() -> &'static Encoding {
    // POSIX: the first that is set counts.
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"].iter();
    let mut values = variables.filter_map(|name| env::var(name).ok());
    let locale = values.find(|value| !value.is_empty());
    of_locale(&locale.unwrap_or_default())
}

/// The charset of a locale such as `zh_CN.UTF-8` or `ru_RU.KOI8-R`.
fn of_locale(locale: &str) -> &'static Encoding {
    let name = locale.split('@').next().unwrap_or(locale);
    let (place, codeset) = name.split_once('.').unwrap_or((name, ""));
    match label::encoding(codeset) {
        Ok(encoding) if encoding != UTF_8 => encoding,
        _ => of_place(place),
    }
}

/// The charset of Windows in a language and a country, such as `zh_CN`.
fn of_place(place: &str) -> &'static Encoding {
    let (language, country) = place.split_once('_').unwrap_or((place, ""));
    match (language, country) {
        ("zh", "TW" | "HK" | "MO") => BIG5,
        ("zh", _) => GBK,
        ("ja", _) => SHIFT_JIS,
        ("ko", _) => EUC_KR,
        ("be" | "bg" | "kk" | "ky" | "mk" | "mn" | "ru" | "sr" | "tg" | "tt" | "uk", _) => {
            WINDOWS_1251
        }
        ("bs" | "cs" | "hr" | "hu" | "pl" | "ro" | "sk" | "sl" | "sq", _) => WINDOWS_1250,
        ("el", _) => WINDOWS_1253,
        ("az" | "tr" | "uz", _) => WINDOWS_1254,
        ("he" | "yi", _) => WINDOWS_1255,
        ("ar" | "fa" | "ur", _) => WINDOWS_1256,
        ("et" | "lt" | "lv", _) => WINDOWS_1257,
        ("th", _) => WINDOWS_874,
        ("vi", _) => WINDOWS_1258,
        _ => WINDOWS_1252,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_suggests_a_charset() {
        for (locale, expected) in [
            ("", "windows-1252"),
            ("C.UTF-8", "windows-1252"),
            ("POSIX", "windows-1252"),
            ("de_DE.UTF-8@euro", "windows-1252"),
            ("zh_CN.UTF-8", "GBK"),
            ("zh_CN.GB18030", "gb18030"),
            ("zh_TW.utf8", "Big5"),
            ("zh_TW", "Big5"),
            ("ja_JP.UTF-8", "Shift_JIS"),
            ("ja_JP.SJIS", "Shift_JIS"),
            ("ko_KR.UTF-8", "EUC-KR"),
            ("ru_RU.UTF-8", "windows-1251"),
            ("ru_RU.KOI8-R", "KOI8-R"),
            ("pl_PL", "windows-1250"),
            ("tr", "windows-1254"),
            // Not for names.
            ("ja_JP.ISO-2022-JP", "Shift_JIS"),
        ] {
            assert_eq!(of_locale(locale).name(), expected, "{locale}");
        }
    }
}
