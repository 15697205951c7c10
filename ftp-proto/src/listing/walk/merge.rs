//! Sorted runs of items, merged one item at a time.

use alloc::vec::Vec;

/// The rest of each run. The items themselves are the caller's: a run is a range of their indices.
#[derive(Debug)]
pub(super) struct Runs {
    /// A heap: the run at the top has the next item. No run is empty.
    heap: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    next: usize,
    end: usize,
}

impl Runs {
    /// Runs of this length, the last one perhaps shorter, of as many items. To be
    /// [ordered](Self::order) if there are several.
    pub(super) fn of_length(length: usize, items: usize) -> Self {
        let starts = (0..items).step_by(length.max(1));
        let run = |next: usize| Run {
            next,
            end: items.min(next + length),
        };
        Self {
            heap: starts.map(run).collect(),
        }
    }

    /// Before the first item is taken.
    pub(super) fn order(&mut self, precedes: impl Fn(usize, usize) -> bool) {
        for node in (0..self.heap.len() / 2).rev() {
            self.sift_down(node, &precedes);
        }
    }

    /// Takes the next item of all runs.
    pub(super) fn next(&mut self, precedes: impl Fn(usize, usize) -> bool) -> Option<usize> {
        let run = self.heap.first_mut()?;
        let item = run.next;
        run.next += 1;
        if run.next == run.end {
            self.heap.swap_remove(0);
        }
        self.sift_down(0, &precedes);
        Some(item)
    }

    /// Moves a run down to where its next item precedes those of the runs below.
    fn sift_down(&mut self, mut node: usize, precedes: &impl Fn(usize, usize) -> bool) {
        let head = |heap: &[Run], node: usize| heap.get(node).map(|run| run.next);
        while let Some(own) = head(&self.heap, node) {
            let children = [2 * node + 1, 2 * node + 2];
            let (mut first, mut least) = (own, node);
            for child in children {
                if let Some(item) = head(&self.heap, child)
                    && precedes(item, first)
                {
                    (first, least) = (item, child);
                }
            }
            if least == node {
                return;
            }
            self.heap.swap(node, least);
            node = least;
        }
    }
}
