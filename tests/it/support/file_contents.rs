//! What files contain: made the same each time, and compared byte by byte.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Bytes that look random and are the same each time.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ size as u64;
    let mut bytes = vec![0; size.next_multiple_of(8)];
    for eight in bytes.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        eight.copy_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(size);
    bytes
}

#[track_caller]
pub(crate) fn assert_same_files(left: &Path, right: &Path) {
    let open = |path: &Path| {
        File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let difference = first_difference(open(left), open(right));
    assert_eq!(
        difference,
        None,
        "first byte that differs in {} and {}",
        left.display(),
        right.display()
    );
}

/// Where two streams differ first, their ends included.
pub(crate) fn first_difference(mut left: impl Read, mut right: impl Read) -> Option<usize> {
    let (mut some, mut other) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut compared = 0;
    loop {
        let (size, other_size) = (fill(&mut left, &mut some), fill(&mut right, &mut other));
        if some[..size] != other[..other_size] {
            let equal = some[..size]
                .iter()
                .zip(&other[..other_size])
                .take_while(|(a, b)| a == b)
                .count();
            return Some(compared + equal);
        }
        if size == 0 {
            return None;
        }
        compared += size;
    }
}

/// Reads until the buffer is full or the stream ends.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]).expect("reading") {
            0 => break,
            bytes => filled += bytes,
        }
    }
    filled
}

const CHUNK: usize = 1 << 20;
