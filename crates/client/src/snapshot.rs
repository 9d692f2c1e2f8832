//! What was there at one moment, to be gone through at leisure (`IEnumBackgroundCopyJobs`,
//! `IEnumBackgroundCopyFiles`, `bits.md` §1.2).
//!
//! A snapshot does not change: what comes later is not in it, and what goes stays in it. Its elements are
//! handles, so what they tell is how things are now.

use std::sync::Arc;

/// What was there when it was made, and how far one has come with it. A clone has the same elements and
/// the same place, and goes on by itself.
#[derive(Debug, Clone)]
pub struct Snapshot<T> {
    elements: Arc<[T]>,
    place: usize,
}

impl<T> Snapshot<T> {
    pub(crate) fn of(elements: Vec<T>) -> Self {
        Self { elements: elements.into(), place: 0 }
    }

    /// The next elements, `count` of them or as many as are left (`Next`; fewer than asked for are
    /// BITS's `S_FALSE`).
    pub fn next_elements(&mut self, count: usize) -> &[T] {
        let from = self.place;
        self.place = from.saturating_add(count).min(self.elements.len());
        &self.elements[from..self.place]
    }

    /// Passes over `count` elements; says whether there were so many (`Skip`). Else it is at its end.
    pub fn skip_elements(&mut self, count: usize) -> bool {
        self.next_elements(count).len() == count
    }

    /// Begins again with the first element (`Reset`). What is in it stays the same.
    pub fn reset(&mut self) {
        self.place = 0;
    }

    /// How many elements it has, wherever one is (`GetCount`).
    pub fn count_elements(&self) -> usize {
        self.elements.len()
    }
}

impl<T: Clone> Iterator for Snapshot<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.next_elements(1).first().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_in_their_order_and_fewer_at_the_end() {
        let mut snapshot = Snapshot::of(vec![1, 2, 3]);
        assert_eq!(snapshot.next_elements(2), [1, 2]);
        assert_eq!(snapshot.next_elements(2), [3]);
        assert_eq!(snapshot.next_elements(2), [0; 0]);
        assert_eq!(snapshot.next_elements(usize::MAX), [0; 0]);
        assert_eq!(snapshot.count_elements(), 3, "it is not less for having been read");
    }

    #[test]
    fn one_can_skip_to_the_end_and_no_further() {
        let mut snapshot = Snapshot::of(vec![1, 2, 3]);
        assert!(snapshot.skip_elements(2));
        assert_eq!(snapshot.next(), Some(3));
        assert!(snapshot.skip_elements(0));
        assert!(!snapshot.skip_elements(1));
        snapshot.reset();
        assert!(!snapshot.skip_elements(4));
        assert_eq!(snapshot.next(), None, "it is at its end then");
    }

    #[test]
    fn reset_goes_back_to_the_first() {
        let mut snapshot = Snapshot::of(vec![1, 2]);
        assert_eq!(snapshot.by_ref().collect::<Vec<_>>(), [1, 2]);
        snapshot.reset();
        assert_eq!(snapshot.collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_clone_has_the_same_place_and_goes_on_by_itself() {
        let mut snapshot = Snapshot::of(vec![1, 2, 3]);
        snapshot.skip_elements(1);
        let mut clone = snapshot.clone();
        assert_eq!(clone.next(), Some(2));
        assert_eq!(clone.next(), Some(3));
        assert_eq!(snapshot.next(), Some(2), "the first has not moved");
        clone.reset();
        assert_eq!((clone.next(), snapshot.next()), (Some(1), Some(3)));
    }
}
