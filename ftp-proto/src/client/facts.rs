//! The lines of MLST and MLSD (RFC 3659, section 7.2).

/// The facts and the name of one entry.
///
/// [`date::parse_time_val`](crate::date::parse_time_val) reads the value of `modify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    facts: &'a [u8],
    name: &'a [u8],
}

/// Splits a line of MLSD, given without its end: `type=file;size=5; a name`. The facts may be
/// missing, the space in front of the name may not; `None` without it.
///
/// The name begins after the first semicolon that a space follows. So a value may hold spaces: some
/// servers write the target of a symbolic link there.
#[must_use]
pub fn parse_facts(line: &[u8]) -> Option<Facts<'_>> {
    if let Some(name) = line.strip_prefix(b" ") {
        return Some(Facts { facts: b"", name });
    }
    let semicolon = line.windows(2).position(|pair| pair == b"; ")?;
    let (facts, name) = (&line[..semicolon], &line[semicolon + 2..]);
    Some(Facts { facts, name })
}

/// The same for a line of the reply to MLST, which has one space more in front. Servers that leave
/// it out are understood as well, as long as they send facts.
#[must_use]
pub fn parse_mlst(line: &[u8]) -> Option<Facts<'_>> {
    parse_facts(line.strip_prefix(b" ").unwrap_or(line))
}

impl<'a> Facts<'a> {
    /// The name, or the path, which may hold any byte but the end of a line.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The value of a fact, by its name in upper or lower case.
    #[must_use]
    pub fn get(&self, fact: &str) -> Option<&'a [u8]> {
        let mut facts = self.iter();
        let (_, value) = facts.find(|(name, _)| name.eq_ignore_ascii_case(fact.as_bytes()))?;
        Some(value)
    }

    /// Every fact with its value, in the order of the line. What has no `=` is left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let facts = self.facts.split(|&byte| byte == b';');
        facts.filter_map(|fact| {
            let equals = fact.iter().position(|&byte| byte == b'=')?;
            Some((&fact[..equals], &fact[equals + 1..]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_and_names() {
        let line = b"type=file;Size=5; a name; =x";
        let facts = parse_facts(line).unwrap();
        assert_eq!(facts.name(), b"a name; =x");
        assert_eq!(facts.get("TYPE"), Some(&b"file"[..]));
        assert_eq!(facts.get("size"), Some(&b"5"[..]));
        assert_eq!(facts.get("modify"), None);
        assert_eq!(facts.iter().count(), 2);
        assert_eq!(parse_mlst(line), Some(facts));
        assert_eq!(parse_mlst(&[b" ", &line[..]].concat()), Some(facts));
    }

    #[test]
    fn values_may_hold_spaces_and_equals_signs() {
        let line = b"type=OS.unix=slink:/a b;unique=1;  c";
        let facts = parse_facts(line).unwrap();
        assert_eq!(facts.get("type"), Some(&b"OS.unix=slink:/a b"[..]));
        assert_eq!(facts.get("unique"), Some(&b"1"[..]));
        assert_eq!(facts.name(), b" c");
    }

    #[test]
    fn facts_may_be_missing() {
        assert_eq!(parse_facts(b" name").unwrap().name(), b"name");
        assert_eq!(parse_facts(b"  name").unwrap().name(), b" name");
        assert_eq!(parse_mlst(b"  name").unwrap().name(), b"name");
        assert_eq!(parse_mlst(b"   name").unwrap().name(), b" name");
        assert_eq!(parse_facts(b" a=b; c").unwrap().get("a"), None);
        for bad in [&b""[..], b"type=file;", b"type=file name", b"name"] {
            assert_eq!(parse_facts(bad), None, "{}", bad.escape_ascii());
            assert_eq!(parse_mlst(bad), None, "{}", bad.escape_ascii());
        }
    }
}
