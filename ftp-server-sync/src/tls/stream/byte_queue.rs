//! Bytes that are put in at one end and taken out at the other, in one piece of memory.

/// A queue of bytes. All of its memory is initialized, so that it can be lent to be written to.
#[derive(Debug, Default)]
pub(super) struct ByteQueue {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl ByteQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    /// Takes the first `count` bytes out.
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end);
        if self.is_empty() {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Room behind the last byte, for `least` bytes or more. What is written there is in the queue
    /// after [`add`](Self::add).
    pub(super) fn room(&mut self, least: usize) -> &mut [u8] {
        if self.buffer.len() - self.end < least && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < least {
            let size = self.end + least;
            self.buffer.reserve_exact(size - self.buffer.len());
            self.buffer.resize(size, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Puts the first `count` bytes of the room into the queue.
    pub(super) fn add(&mut self, count: usize) {
        self.end += count;
        debug_assert!(self.end <= self.buffer.len());
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.add(bytes.len());
    }

    /// Moves as many bytes as fit; returns their number.
    pub(super) fn move_to(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.len());
        buffer[..count].copy_from_slice(&self.bytes()[..count]);
        self.consume(count);
        count
    }

    /// Gives the memory back but for that of the bytes in it.
    pub(super) fn release(&mut self) {
        if self.buffer.capacity() > self.len() {
            self.buffer = self.bytes().to_vec();
            self.start = 0;
            self.end = self.buffer.len();
        }
    }
}

#[cfg(test)]
impl ByteQueue {
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Extend(Vec<u8>),
        /// Room for this many bytes, of which some are used.
        Room(usize, Vec<u8>),
        Consume(usize),
        MoveTo(usize),
        Release,
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            bytes().prop_map(Step::Extend),
            (0..80_usize, bytes()).prop_map(|(least, bytes)| Step::Room(least, bytes)),
            (0..60_usize).prop_map(Step::Consume),
            (0..60_usize).prop_map(Step::MoveTo),
            Just(Step::Release),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_queue(steps in prop::collection::vec(step(), 0..40)) {
            let mut queue = ByteQueue::default();
            let mut model = VecDeque::new();
            for step in steps {
                match step {
                    Step::Extend(bytes) => {
                        queue.extend(&bytes);
                        model.extend(bytes);
                    }
                    Step::Room(least, bytes) => {
                        let room = queue.room(least);
                        prop_assert!(room.len() >= least);
                        let count = bytes.len().min(least);
                        room[..count].copy_from_slice(&bytes[..count]);
                        queue.add(count);
                        model.extend(&bytes[..count]);
                    }
                    Step::Consume(count) => {
                        let count = count.min(model.len());
                        queue.consume(count);
                        model.drain(..count);
                    }
                    Step::MoveTo(count) => {
                        let mut moved = vec![0; count];
                        let count = queue.move_to(&mut moved);
                        prop_assert_eq!(count, moved.len().min(model.len()));
                        let expected: Vec<u8> = model.drain(..count).collect();
                        prop_assert_eq!(&moved[..count], &expected);
                    }
                    Step::Release => {
                        queue.release();
                        prop_assert_eq!(queue.capacity(), model.len());
                    }
                }
                prop_assert_eq!(queue.bytes(), &*model.make_contiguous());
                prop_assert_eq!(queue.bytes_mut().len(), queue.len());
                prop_assert_eq!(queue.is_empty(), model.is_empty());
            }
        }
    }
}
