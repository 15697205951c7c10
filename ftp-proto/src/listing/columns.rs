//! The columns or facts of a line. They are short and many: each is written into an array, and a
//! listing's buffer grows once for all of them.

use alloc::vec::Vec;

/// What is written before the name of an entry. [`finish`](Self::finish) appends it to a listing.
pub(super) struct Columns<'a> {
    out: &'a mut Vec<u8>,
    bytes: [u8; ROOM],
    length: usize,
}

impl<'a> Columns<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            bytes: [0; ROOM],
            length: 0,
        }
    }

    /// Appends bytes of which the compiler knows the number.
    #[inline]
    pub(super) fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        self.push_part(bytes, N);
    }

    /// Appends the first bytes of some. All are copied, which is faster than a part.
    #[inline]
    pub(super) fn push_part<const N: usize>(&mut self, bytes: [u8; N], length: usize) {
        if self.length + N > ROOM {
            self.flush();
        }
        if let Some(room) = self.bytes[self.length..].first_chunk_mut() {
            *room = bytes;
            self.length += length.min(N);
        }
    }

    /// Appends bytes of any number.
    pub(super) fn push_slice(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() > ROOM {
            self.flush();
            if bytes.len() > ROOM {
                return self.out.extend_from_slice(bytes);
            }
        }
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Appends the digits of a number, aligned to the right; a longer number widens the column.
    /// `core::fmt` would cost more time than the rest of a line.
    #[inline]
    pub(super) fn push_decimal<const WIDTH: usize>(&mut self, value: u64) {
        let mut digits = [b' '; 2 * DIGITS_MAX];
        let mut start = DIGITS_MAX;
        let mut rest = value;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push_digits(&digits, start.min(DIGITS_MAX - WIDTH));
    }

    /// Appends the hexadecimal digits of a number.
    pub(super) fn push_hexadecimal(&mut self, value: u64) {
        let mut digits = [b' '; 2 * DIGITS_MAX];
        let mut start = DIGITS_MAX;
        let mut rest = value;
        loop {
            start -= 1;
            digits[start] = b"0123456789abcdef"[(rest & 15) as usize];
            rest >>= 4;
            if rest == 0 {
                break;
            }
        }
        self.push_digits(&digits, start);
    }

    /// Appends the columns to the listing.
    pub(super) fn finish(self) {
        self.out.extend_from_slice(&self.bytes[..self.length]);
    }

    #[inline]
    fn push_digits(&mut self, digits: &[u8; 2 * DIGITS_MAX], start: usize) {
        if let Some(part) = digits[start..].first_chunk::<DIGITS_MAX>() {
            self.push_part(*part, DIGITS_MAX - start);
        }
    }

    #[cold]
    fn flush(&mut self) {
        self.out.extend_from_slice(&self.bytes[..self.length]);
        self.length = 0;
    }
}

/// More than a line has before the name, unless an owner has a very long name.
const ROOM: usize = 192;

/// The number of decimal digits of the largest value.
const DIGITS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::super::tests::text;
    use super::*;

    fn written(write: impl FnOnce(&mut Columns<'_>)) -> Vec<u8> {
        let mut out = b"|".to_vec();
        let mut columns = Columns::new(&mut out);
        write(&mut columns);
        columns.finish();
        out
    }

    #[test]
    fn numbers() {
        let check = |value, decimal: &str, hexadecimal: &str| {
            let out = written(|columns| columns.push_decimal::<0>(value));
            assert_eq!(text(&out), std::format!("|{decimal}"));
            let out = written(|columns| columns.push_decimal::<1>(value));
            assert_eq!(text(&out), std::format!("|{decimal}"));
            let out = written(|columns| columns.push_decimal::<8>(value));
            assert_eq!(text(&out), std::format!("|{decimal:>8}"));
            let out = written(|columns| columns.push_decimal::<DIGITS_MAX>(value));
            assert_eq!(text(&out), std::format!("|{decimal:>20}"));
            let out = written(|columns| columns.push_hexadecimal(value));
            assert_eq!(text(&out), std::format!("|{hexadecimal}"));
        };
        check(0, "0", "0");
        check(9, "9", "9");
        check(10, "10", "a");
        check(16, "16", "10");
        check(255, "255", "ff");
        check(0x123_4567, "19088743", "1234567");
        check(u64::MAX, "18446744073709551615", "ffffffffffffffff");
    }

    /// What has no room is appended to the listing before the rest.
    #[test]
    fn columns_of_every_length_stay_in_order() {
        let long: Vec<u8> = (0..3 * ROOM).map(|index| index as u8).collect();
        for length in 0..long.len() {
            let slice = &long[..length];
            let expected = [b"|<", slice, b"7:", slice, b"ab>"].concat();
            let out = written(|columns| {
                columns.push(*b"<");
                columns.push_slice(slice);
                columns.push_decimal::<0>(7);
                columns.push(*b":");
                columns.push_slice(slice);
                columns.push_part(*b"abcd", 2);
                columns.push(*b">");
            });
            assert!(out == expected, "{length}");
        }
    }
}
