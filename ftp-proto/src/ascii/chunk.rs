//! The bytes of a text in chunks. A chunk costs about the same, whatever it contains: with a search
//! from each line end to the next one, a file of empty lines would cost fifty times as much as
//! other files.

/// Few enough bytes for vector registers, which the compiler uses to look at them.
pub(super) type Chunk = [u8; CHUNK_BYTES];

/// A bit for each byte of a chunk; the lowest one is for the first byte.
pub(super) type Places = u32;

/// Whether a byte is among these. Without an early exit, for vector instructions.
#[inline]
pub(super) fn has(chunk: &Chunk, wanted: u8) -> bool {
    let bytes = chunk.iter();
    bytes.fold(false, |found, &byte| found | (byte == wanted))
}

/// Where a byte is.
pub(super) fn places(chunk: &Chunk, wanted: u8) -> Places {
    let (words, _) = chunk.as_chunks();
    let places = words.iter().enumerate().map(|(index, word)| {
        let differences = u64::from_le_bytes(*word) ^ (ONES * u64::from(wanted));
        // The sum carries into the highest bit of a byte that has any of the lower bits.
        let others = ((differences & !HIGH_BITS) + !HIGH_BITS) | differences;
        let found = (!others & HIGH_BITS) >> 7;
        // Moves the bit of each byte into the highest byte.
        (found.wrapping_mul(GATHER) >> 56) << (8 * index)
    });
    places.fold(0, |all, places| all | places) as Places
}

/// The chunk with `byte` before each of these places, and how many bytes that are.
pub(super) fn with_inserted(chunk: &Chunk, before: Places, byte: u8) -> ([u8; ROOM], usize) {
    let source = with_room(chunk);
    let mut output = source;
    let mut inserted = 0;
    for place in each(before) {
        let to = place + inserted;
        output[to] = byte;
        // What comes after the next place is overwritten.
        output[to + 1..][..CHUNK_BYTES].copy_from_slice(&source[place..][..CHUNK_BYTES]);
        inserted += 1;
    }
    (output, CHUNK_BYTES + inserted)
}

/// The chunk without the bytes at these places, and how many bytes that are.
pub(super) fn without(chunk: &Chunk, places: Places) -> ([u8; ROOM], usize) {
    let source = with_room(chunk);
    let mut output = source;
    let mut removed = 0;
    for place in each(places) {
        let to = place - removed;
        output[to..][..CHUNK_BYTES].copy_from_slice(&source[place + 1..][..CHUNK_BYTES]);
        removed += 1;
    }
    (output, CHUNK_BYTES - removed)
}

/// With bytes after it, so that as many are copied from each place.
fn with_room(chunk: &Chunk) -> [u8; ROOM] {
    let mut bytes = [0; ROOM];
    bytes[..CHUNK_BYTES].copy_from_slice(chunk);
    bytes
}

fn each(mut places: Places) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let next = places.trailing_zeros() as usize;
        places &= places.wrapping_sub(1);
        (next < CHUNK_BYTES).then_some(next)
    })
}

pub(super) const CHUNK_BYTES: usize = Places::BITS as usize;

/// For a chunk with as many bytes inserted, and one copy of a chunk behind that.
const ROOM: usize = 3 * CHUNK_BYTES;

const ONES: u64 = u64::MAX / 0xFF;
const HIGH_BITS: u64 = ONES * 0x80;
const GATHER: u64 = 0x0102_0408_1020_4080;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Chunks of all bytes, and of few different ones in all combinations of neighbours.
    fn chunks() -> impl Iterator<Item = Chunk> {
        let neighbours = [0, 1, b'\n', b'\r', 0x7F, 0x80, 0x8A, 0xFF];
        let of_few = neighbours.into_iter().flat_map(move |first| {
            neighbours.map(|second| {
                core::array::from_fn(|index| if index % 3 == 0 { first } else { second })
            })
        });
        let of_all = (0..=u8::MAX).map(|first| {
            core::array::from_fn(|index| first.wrapping_add((index as u8).wrapping_mul(7)))
        });
        of_few.chain(of_all)
    }

    #[test]
    fn places_are_those_of_a_search_byte_by_byte() {
        for chunk in chunks() {
            for wanted in 0..=u8::MAX {
                let found: Vec<_> = each(places(&chunk, wanted)).collect();
                let expected: Vec<_> = (0..CHUNK_BYTES)
                    .filter(|&place| chunk[place] == wanted)
                    .collect();
                assert_eq!(found, expected, "{wanted} in {chunk:?}");
                assert_eq!(has(&chunk, wanted), !expected.is_empty());
            }
        }
    }

    #[test]
    fn bytes_are_inserted_and_removed() {
        let chunk: Chunk = core::array::from_fn(|index| index as u8);
        let mut places: Places = 1;
        for _ in 0..1000 {
            places = places.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            for places in [places, places & places >> 7, !0, 0, 1, 1 << 31] {
                let is_set = |byte: u8| places >> byte & 1 == 1;
                let (output, length) = with_inserted(&chunk, places, 99);
                let expected = chunk.iter().flat_map(|&byte| {
                    let inserted = is_set(byte).then_some(99);
                    inserted.into_iter().chain([byte])
                });
                assert!(expected.eq(output[..length].iter().copied()), "{places:b}");
                let (output, length) = without(&chunk, places);
                let expected = chunk.iter().copied().filter(|&byte| !is_set(byte));
                assert!(expected.eq(output[..length].iter().copied()), "{places:b}");
            }
        }
    }
}
