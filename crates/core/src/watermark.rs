//! Which offset of a partition may be committed.

use std::collections::VecDeque;

/// Names one sealed span of a partition until it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpanId(u64);

/// The contiguous prefix of a partition that is durably stored.
///
/// Messages are taken in offset order and sealed into spans; spans may finish in any order. The watermark only
/// moves over spans that are done with every span before them, so a commit never passes a message that is not
/// stored. Offsets that Kafka leaves out (compaction, transaction markers) belong to the span that follows.
#[derive(Clone, Debug, Default)]
pub struct Watermark {
    spans: VecDeque<Span>,
    next_id: u64,
    committable: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    last_offset: i64,
    done: bool,
}

impl Watermark {
    /// Seals every message taken so far, up to and including `last_offset`, into a span that is not done yet.
    pub fn seal(&mut self, last_offset: i64) -> SpanId {
        self.spans.push_back(Span { last_offset, done: false });
        self.next_id += 1;
        SpanId(self.next_id - 1)
    }

    /// Marks a span as durably stored. Returns true when the watermark moved.
    pub fn done(&mut self, id: SpanId) -> bool {
        let first = self.next_id - self.spans.len() as u64;
        let Some(index) = id.0.checked_sub(first) else { return false };
        if let Some(span) = usize::try_from(index).ok().and_then(|index| self.spans.get_mut(index)) {
            span.done = true;
        }
        let before = self.committable;
        while let Some(span) = self.spans.front().copied().filter(|span| span.done) {
            self.committable = Some(span.last_offset + 1);
            self.spans.pop_front();
        }
        self.committable != before
    }

    /// The offset to commit: one past the last message of the done prefix. `None` until a first span is done.
    pub fn committable(&self) -> Option<i64> {
        self.committable
    }

    /// True when nothing is waiting to be done.
    pub fn is_drained(&self) -> bool {
        self.spans.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_holds_the_watermark_back_until_it_is_filled() {
        let mut watermark = Watermark::default();
        let spans: Vec<SpanId> = [9, 19, 29].map(|last| watermark.seal(last)).into();
        assert!(!watermark.done(spans[1]));
        assert_eq!(watermark.committable(), None);
        assert!(watermark.done(spans[0]));
        assert_eq!(watermark.committable(), Some(20));
        assert!(watermark.done(spans[2]));
        assert_eq!(watermark.committable(), Some(30));
        assert!(watermark.is_drained());
    }

    #[test]
    fn a_span_reported_twice_changes_nothing() {
        let mut watermark = Watermark::default();
        let span = watermark.seal(5);
        assert!(watermark.done(span));
        assert!(!watermark.done(span));
        assert_eq!(watermark.committable(), Some(6));
    }

    proptest! {
        /// Whatever the sizes of the spans and the order in which they finish, the committable offset is never
        /// past a message that is not stored, and is exactly the end once everything is.
        #[test]
        fn no_interleaving_commits_past_a_gap(
            steps in prop::collection::vec(1i64..5, 1..40),
            order in prop::collection::vec(any::<prop::sample::Index>(), 80),
        ) {
            let mut watermark = Watermark::default();
            let mut unsealed = steps.into_iter();
            let mut open: Vec<(SpanId, i64, i64)> = Vec::new(); // span, first and last offset
            let mut next = 0;
            for pick in order {
                if pick.index(2) == 0 || open.is_empty() {
                    let Some(step) = unsealed.next() else { continue };
                    open.push((watermark.seal(next + step - 1), next, next + step - 1));
                    next += step;
                } else {
                    let (span, _, _) = open.remove(pick.index(open.len()));
                    watermark.done(span);
                }
                let lowest_missing = open.iter().map(|(_, first, _)| *first).min().unwrap_or(next);
                prop_assert_eq!(watermark.committable().unwrap_or(0), lowest_missing);
            }
        }
    }
}
