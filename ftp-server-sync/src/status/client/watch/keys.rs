//! The keys of a terminal, as bytes. Only those that mean something here are known.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// The keys in what a terminal has sent. Others are skipped.
pub(super) fn keys(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let [first, rest @ ..] = bytes {
        let known = KEYS.iter().find(|(text, _)| bytes.starts_with(text));
        bytes = match known {
            Some((text, key)) => {
                keys.push(*key);
                &bytes[text.len()..]
            }
            None if *first == ESCAPE => after_sequence(rest),
            None => rest,
        };
    }
    keys
}

/// Without the rest of a sequence of another key, whose letters would be keys.
fn after_sequence(rest: &[u8]) -> &[u8] {
    match rest {
        [b'[' | b'O', parameters @ ..] => {
            let end = parameters
                .iter()
                .position(|byte| (b'@'..=b'~').contains(byte));
            end.map_or(&[], |end| &parameters[end + 1..])
        }
        rest => rest,
    }
}

const ESCAPE: u8 = 0x1b;
const KEYS: &[(&[u8], Key)] = &[
    (b"q", Key::Quit),
    (b"Q", Key::Quit),
    // Ctrl-C: no signal while the terminal is raw.
    (b"\x03", Key::Quit),
    (b"k", Key::Up),
    (b"\x1b[A", Key::Up),
    (b"\x1bOA", Key::Up),
    (b"j", Key::Down),
    (b"\x1b[B", Key::Down),
    (b"\x1bOB", Key::Down),
    (b"\x1b[5~", Key::PageUp),
    (b" ", Key::PageDown),
    (b"\x1b[6~", Key::PageDown),
    (b"g", Key::Home),
    (b"\x1b[H", Key::Home),
    (b"\x1b[1~", Key::Home),
    (b"G", Key::End),
    (b"\x1b[F", Key::End),
    (b"\x1b[4~", Key::End),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_known_are_skipped() {
        assert_eq!(keys(b"xjk\x1b[B"), [Key::Down, Key::Up, Key::Down]);
        assert_eq!(keys(b"\x1b[1;5qj"), [Key::Down]);
        assert_eq!(keys(b"\x1b[15~G"), [Key::End]);
        assert_eq!(keys(b"\x1b"), []);
        assert_eq!(keys(b"\x1b["), []);
        assert_eq!(keys(b"\xffq\x03"), [Key::Quit, Key::Quit]);
    }
}
