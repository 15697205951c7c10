//! The lines of MLST and MLSD (RFC 3659, section 7.2).

/// The facts and the name of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    facts: &'a [u8],
    name: &'a [u8],
}

/// Splits `type=file;size=5; a name`, with or without the space that MLST puts before it. `None` where the
/// space between the facts and the name is missing.
pub fn parse_facts(line: &[u8]) -> Option<Facts<'_>> {
    let line = line.strip_prefix(b" ").unwrap_or(line);
    let space = line.iter().position(|&byte| byte == b' ')?;
    let (facts, name) = (&line[..space], &line[space + 1..]);
    (facts.is_empty() || facts.ends_with(b";")).then_some(Facts { facts, name })
}

impl<'a> Facts<'a> {
    /// The name, which may hold any byte but the end of a line.
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// The value of a fact, by its name in either case.
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
        for line in [
            "type=file;Size=5; a name; =x",
            " type=file;Size=5; a name; =x",
        ] {
            let facts = parse_facts(line.as_bytes()).unwrap();
            assert_eq!(facts.name(), b"a name; =x");
            assert_eq!(facts.get("TYPE"), Some(&b"file"[..]));
            assert_eq!(facts.get("size"), Some(&b"5"[..]));
            assert_eq!(facts.get("modify"), None);
            assert_eq!(facts.iter().count(), 2);
        }
        assert_eq!(parse_facts(b"  name").unwrap().name(), b"name");
        assert_eq!(
            parse_facts(b"unix.x=a=b; n").unwrap().get("unix.x"),
            Some(&b"a=b"[..])
        );
        for bad in [&b""[..], b"type=file;", b"type=file name", b"name"] {
            assert_eq!(parse_facts(bad), None, "{}", bad.escape_ascii());
        }
    }
}
