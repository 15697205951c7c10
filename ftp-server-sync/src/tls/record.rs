//! Finds the boundaries of TLS records in a stream of bytes.
//!
//! rustls does not say whether a connection that ended without close_notify ended between two
//! records or inside a record.

/// How much of the current record has been received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordBoundary {
    /// Bytes of the header that have been received.
    header_bytes: usize,
    /// The last two bytes of the header: the length of the record's content.
    length: [u8; 2],
    /// Bytes of the content that are outstanding, after a complete header.
    bytes_left: usize,
}

impl RecordBoundary {
    /// Takes the next bytes of the stream.
    pub(crate) fn advance(&mut self, mut bytes: &[u8]) {
        while let Some(&byte) = bytes.first() {
            if self.bytes_left > 0 {
                let count = self.bytes_left.min(bytes.len());
                self.bytes_left -= count;
                bytes = &bytes[count..];
                continue;
            }
            if let Some(index) = self.header_bytes.checked_sub(HEADER_BYTES - 2) {
                self.length[index] = byte;
            }
            self.header_bytes += 1;
            bytes = &bytes[1..];
            if self.header_bytes == HEADER_BYTES {
                self.header_bytes = 0;
                self.bytes_left = u16::from_be_bytes(self.length).into();
            }
        }
    }

    /// Whether the last record is complete.
    pub(crate) fn is_between_records(self) -> bool {
        self.header_bytes == 0 && self.bytes_left == 0
    }
}

/// Type, version, length.
const HEADER_BYTES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of records with these lengths, and the positions at which a record is complete.
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
    fn complete_records_end_at_a_boundary() {
        let (bytes, ends) = stream(&[1, 0, 300, 16_384 + 256, 2]);
        for step in [1, 2, 3, 7, 1000, 20_000] {
            let mut boundary = RecordBoundary::default();
            let mut position = 0;
            assert!(boundary.is_between_records());
            for chunk in bytes.chunks(step) {
                boundary.advance(chunk);
                position += chunk.len();
                let expected = ends.contains(&position);
                assert_eq!(
                    boundary.is_between_records(),
                    expected,
                    "{step}: {position}"
                );
            }
        }
    }
}
