//! Where the records of TLS begin and end in a stream of bytes.
//!
//! Needed for one question, which rustls does not answer: whether a connection that ended without
//! close_notify ended between two records or in the middle of one.

/// How far the current record has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Boundary {
    /// Of the header, so many bytes have come.
    header: usize,
    /// The last two bytes of the header: the length of what follows.
    length: [u8; 2],
    /// Bytes of the record that have not come yet, once its header is whole.
    left: usize,
}

impl Boundary {
    /// The next bytes of the stream.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            if self.left > 0 {
                let count = self.left.min(bytes.len());
                self.left -= count;
                bytes = &bytes[count..];
                continue;
            }
            if let Some(place) = self.header.checked_sub(HEADER_BYTES - 2) {
                self.length[place] = byte;
            }
            self.header += 1;
            bytes = &bytes[1..];
            if self.header == HEADER_BYTES {
                self.header = 0;
                self.left = u16::from_be_bytes(self.length).into();
            }
        }
    }

    /// Whether nothing of a record is outstanding.
    pub(crate) fn is_between_records(self) -> bool {
        self.header == 0 && self.left == 0
    }
}

/// Type, version, length.
const HEADER_BYTES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of these lengths, and after which bytes of their stream a record is whole.
    fn stream(lengths: &[u16]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for &length in lengths {
            bytes.extend([23, 3, 3]);
            bytes.extend(length.to_be_bytes());
            bytes.extend(vec![0xff; length.into()]);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn only_whole_records_end_at_a_boundary() {
        let (bytes, ends) = stream(&[1, 0, 300, 16_384 + 256, 2]);
        for step in [1, 2, 3, 7, 1000, 20_000] {
            let mut boundary = Boundary::default();
            let mut passed = 0;
            assert!(boundary.is_between_records());
            for chunk in bytes.chunks(step) {
                boundary.pass(chunk);
                passed += chunk.len();
                let expected = ends.contains(&passed);
                assert_eq!(boundary.is_between_records(), expected, "{step}: {passed}");
            }
        }
    }
}
