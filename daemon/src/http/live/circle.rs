//! Members that are visited in turn, each at most once a lap: pure.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Members in a ring, and how far the lap is.
pub(super) struct Circle<M> {
    members: Vec<M>,
    /// Who is visited next.
    at: usize,
    /// Visits until the lap is done.
    left: usize,
}

impl<M> Circle<M> {
    pub(super) fn new() -> Self {
        Self { members: Vec::new(), at: 0, left: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether everybody was visited whom the lap is for.
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Begins a lap for all members, with the one who is next.
    pub(super) fn begin(&mut self) {
        self.left = self.members.len();
    }

    /// Adds members and begins a lap for them only.
    pub(super) fn add(&mut self, members: impl IntoIterator<Item = M>) {
        self.at = self.members.len();
        self.members.extend(members);
        self.left = self.members.len() - self.at;
    }

    /// Visits so many members at most. Those who leave are returned with their reasons. One whose visit panics is dropped,
    /// and the others are visited all the same.
    pub(super) fn visit<L>(&mut self, most: usize, mut visit: impl FnMut(&mut M) -> Result<(), L>) -> Vec<(M, L)> {
        let mut left = Vec::new();
        for _ in 0..most.min(self.left) {
            self.left -= 1;
            if self.at >= self.members.len() {
                self.at = 0;
            }
            let member = &mut self.members[self.at];
            match catch_unwind(AssertUnwindSafe(|| visit(member))) {
                Ok(Ok(())) => self.at += 1,
                Ok(Err(why)) => left.push((self.members.remove(self.at), why)),
                Err(_panic) => drop(self.members.remove(self.at)),
            }
        }
        left
    }

    /// Takes all members out.
    pub(super) fn drain(&mut self) -> Vec<M> {
        self.left = 0;
        std::mem::take(&mut self.members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(members: impl IntoIterator<Item = u32>) -> Circle<u32> {
        let mut circle = Circle::new();
        circle.add(members);
        circle
    }

    /// Whom so many visits reach.
    fn visited(circle: &mut Circle<u32>, most: usize) -> Vec<u32> {
        let mut seen = Vec::new();
        let left = circle.visit(most, |member| {
            seen.push(*member);
            Ok::<_, ()>(())
        });
        assert_eq!(left, []);
        seen
    }

    #[test]
    fn a_lap_visits_everybody_once_in_pieces_too() {
        let mut circle = circle(1..=5);
        assert_eq!(visited(&mut circle, 2), [1, 2]);
        assert!(!circle.is_done());
        assert_eq!(visited(&mut circle, 9), [3, 4, 5]);
        assert!(circle.is_done());
        assert!(visited(&mut circle, 9).is_empty());
        circle.begin();
        assert_eq!(visited(&mut circle, 9), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_lap_that_begins_anew_goes_on_with_the_next() {
        let mut circle = circle(1..=5);
        assert_eq!(visited(&mut circle, 3), [1, 2, 3]);
        circle.begin();
        assert_eq!(visited(&mut circle, 9), [4, 5, 1, 2, 3]);
    }

    #[test]
    fn only_who_is_new_is_visited_after_an_addition() {
        let mut circle = circle(1..=3);
        circle.visit(9, |_| Ok::<_, ()>(()));
        circle.add([4, 5]);
        assert_eq!(visited(&mut circle, 9), [4, 5]);
        circle.begin();
        assert_eq!(visited(&mut circle, 9), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn who_cannot_go_on_leaves_and_does_not_delay_the_next() {
        let mut circle = circle(1..=6);
        visited(&mut circle, 3);
        circle.begin();
        let mut seen = Vec::new();
        let left = circle.visit(9, |member| {
            seen.push(*member);
            if matches!(*member, 2 | 4 | 5) { Err(*member * 10) } else { Ok(()) }
        });
        assert_eq!(seen, [4, 5, 6, 1, 2, 3]);
        assert_eq!(left, [(4, 40), (5, 50), (2, 20)]);
        assert!(circle.is_done());
        circle.begin();
        assert_eq!(visited(&mut circle, 9).len(), 3);
        circle.add(left.into_iter().map(|(member, _)| member));
        circle.begin();
        let mut all = visited(&mut circle, 9);
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4, 5, 6], "they are back");
    }

    #[test]
    fn a_panic_takes_its_member_and_nobody_else() {
        let mut circle = circle(1..=3);
        let mut seen = Vec::new();
        let left = circle.visit(9, |member| {
            assert_ne!(*member, 2, "this visit fails");
            seen.push(*member);
            Ok::<_, ()>(())
        });
        assert_eq!((seen, left), (vec![1, 3], vec![]));
        assert_eq!(circle.drain(), [1, 3]);
        assert!(circle.is_done() && circle.is_empty());
    }
}
