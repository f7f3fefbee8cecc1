//! The partitions that are ours, and how far each of them is stored. Pure.

use pricepipe_core::{SpanId, Watermark};

/// A partition during one assignment. Taken away and given back, it is another tenure, so what is reported of an
/// earlier one can be told apart and is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tenure {
    /// The topic, as its place in the routes.
    pub(crate) topic: usize,
    /// The partition's number.
    pub(crate) partition: i32,
    epoch: u64,
}

/// A partition of a topic, whatever the assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The topic, as its place in the routes.
    pub(crate) topic: usize,
    /// The partition's number.
    pub(crate) partition: i32,
}

/// A run of messages of one tenure that was handed over to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    tenure: Tenure,
    span: SpanId,
}

/// Under which tenure a message was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The tenure that it counts for.
    pub(crate) tenure: Tenure,
    /// True when its offset was taken before: the topic was created anew, or the group was reset.
    pub(crate) restarted: bool,
}

/// How far a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Everything below this offset is stored; `None` until something was taken.
    pub(crate) stored: Option<i64>,
    /// One past the last message taken.
    pub(crate) taken: Option<i64>,
    /// True when everything that was taken is stored.
    pub(crate) drained: bool,
}

/// The partitions that are ours.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    topics: Vec<Vec<Option<Partition>>>,
    epochs: u64,
}

#[derive(Debug)]
struct Partition {
    epoch: u64,
    watermark: Watermark,
    /// The first message taken, and one past the last one.
    taken: Option<(i64, i64)>,
    /// One past the last message that was sealed.
    sealed: i64,
    /// The offset last given to the broker.
    committed: Option<i64>,
}

impl Partition {
    fn new(epoch: u64) -> Self {
        Partition { epoch, watermark: Watermark::default(), taken: None, sealed: -1, committed: None }
    }

    fn progress(&self) -> Progress {
        let (first, taken) = self.taken.unzip();
        Progress {
            stored: self.watermark.committable().or(first),
            taken,
            drained: self.watermark.is_drained() && taken.is_none_or(|taken| taken == self.sealed),
        }
    }
}

impl Assignment {
    /// A partition was given to us.
    pub(crate) fn assign(&mut self, place: Place) {
        let Ok(index) = usize::try_from(place.partition) else { return };
        if self.topics.len() <= place.topic {
            self.topics.resize_with(place.topic + 1, Vec::new);
        }
        let partitions = &mut self.topics[place.topic];
        if partitions.len() <= index {
            partitions.resize_with(index + 1, || None);
        }
        self.epochs += 1;
        partitions[index] = Some(Partition::new(self.epochs));
    }

    /// A partition was taken away; what is still reported of it is ignored.
    pub(crate) fn forget(&mut self, place: Place) {
        if let Some(partition) = self.slot(place) {
            *partition = None;
        }
    }

    /// A message arrived. `None` when its partition is not ours.
    pub(crate) fn take(&mut self, place: Place, offset: i64) -> Option<Taken> {
        let fresh = self.epochs + 1;
        let partition = self.get_mut(place)?;
        let restarted = partition.taken.is_some_and(|(_, next)| offset < next);
        if restarted {
            *partition = Partition::new(fresh);
        }
        let first = partition.taken.map_or(offset, |(first, _)| first);
        partition.taken = Some((first, offset + 1));
        let tenure = Tenure { topic: place.topic, partition: place.partition, epoch: partition.epoch };
        self.epochs = self.epochs.max(tenure.epoch);
        Some(Taken { tenure, restarted })
    }

    /// Every message of a tenure up to this offset goes to be stored. `None` when the tenure is over.
    pub(crate) fn seal(&mut self, tenure: Tenure, last_offset: i64) -> Option<Sealed> {
        let partition = self.current(tenure)?;
        partition.sealed = last_offset + 1;
        Some(Sealed { tenure, span: partition.watermark.seal(last_offset) })
    }

    /// A run of messages is durably stored.
    pub(crate) fn done(&mut self, sealed: Sealed) {
        if let Some(partition) = self.current(sealed.tenure) {
            partition.watermark.done(sealed.span);
        }
    }

    /// How far a partition is; `None` when it is not ours.
    pub(crate) fn progress(&self, place: Place) -> Option<Progress> {
        self.get(place).map(Partition::progress)
    }

    /// True when everything that was taken of every partition is stored.
    pub(crate) fn is_drained(&self) -> bool {
        self.places().all(|place| self.progress(place).is_none_or(|progress| progress.drained))
    }

    /// The partitions that are ours.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let numbered = |topic: usize, partitions: &[Option<Partition>]| {
            let ours = partitions.iter().enumerate().filter(|(_, partition)| partition.is_some());
            let place =
                move |(number, _)| Place { topic, partition: i32::try_from(number).unwrap_or(i32::MAX) };
            ours.map(place).collect::<Vec<_>>()
        };
        self.topics.iter().enumerate().flat_map(move |(topic, partitions)| numbered(topic, partitions))
    }

    /// The offset to commit of each partition that moved since its last commit. They count as committed.
    pub(crate) fn take_commits(&mut self) -> Vec<(Place, i64)> {
        let places: Vec<Place> = self.places().collect();
        let moved = |place: Place| {
            let partition = self.get_mut(place)?;
            let offset = partition.watermark.committable()?;
            (partition.committed.replace(offset) != Some(offset)).then_some((place, offset))
        };
        places.into_iter().filter_map(moved).collect()
    }

    /// A commit failed: what we hold stored is to be committed again.
    pub(crate) fn commit_failed(&mut self, place: Place) {
        if let Some(partition) = self.get_mut(place) {
            partition.committed = None;
        }
    }

    fn current(&mut self, tenure: Tenure) -> Option<&mut Partition> {
        let place = Place { topic: tenure.topic, partition: tenure.partition };
        self.get_mut(place).filter(|partition| partition.epoch == tenure.epoch)
    }

    fn get(&self, place: Place) -> Option<&Partition> {
        self.topics.get(place.topic)?.get(usize::try_from(place.partition).ok()?)?.as_ref()
    }

    fn get_mut(&mut self, place: Place) -> Option<&mut Partition> {
        self.slot(place)?.as_mut()
    }

    fn slot(&mut self, place: Place) -> Option<&mut Option<Partition>> {
        self.topics.get_mut(place.topic)?.get_mut(usize::try_from(place.partition).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { topic: 1, partition: 2 };

    fn assigned() -> Assignment {
        let mut assignment = Assignment::default();
        assignment.assign(PLACE);
        assignment
    }

    #[test]
    fn a_message_of_a_partition_that_is_not_ours_is_not_taken() {
        let mut assignment = assigned();
        assert_eq!(assignment.take(Place { topic: 0, partition: 0 }, 0), None);
        assignment.forget(PLACE);
        assert_eq!(assignment.take(PLACE, 0), None);
    }

    #[test]
    fn what_is_reported_of_an_earlier_tenure_is_ignored() {
        let mut assignment = assigned();
        let before = assignment.take(PLACE, 40).unwrap().tenure;
        let sealed = assignment.seal(before, 40).unwrap();
        assignment.forget(PLACE);
        assignment.assign(PLACE);
        let now = assignment.take(PLACE, 10).unwrap();
        assert!(!now.restarted && now.tenure != before);
        assignment.done(sealed);
        assert_eq!(assignment.seal(before, 41), None);
        assert_eq!(assignment.take_commits(), []);
    }

    #[test]
    fn offsets_that_start_again_begin_another_tenure() {
        let mut assignment = assigned();
        let before = assignment.take(PLACE, 40).unwrap().tenure;
        let sealed = assignment.seal(before, 40).unwrap();
        let again = assignment.take(PLACE, 0).unwrap();
        assert!(again.restarted);
        assignment.done(sealed);
        assert_eq!(assignment.take_commits(), [], "41 would skip what the topic now holds");
        let sealed = assignment.seal(again.tenure, 0).unwrap();
        assignment.done(sealed);
        assert_eq!(assignment.take_commits(), [(PLACE, 1)]);
    }

    #[test]
    fn a_commit_is_due_once_per_move_and_again_when_it_failed() {
        let mut assignment = assigned();
        let tenure = assignment.take(PLACE, 7).unwrap().tenure;
        assert_eq!(assignment.take_commits(), []);
        let sealed = assignment.seal(tenure, 7).unwrap();
        assignment.done(sealed);
        assert_eq!(assignment.take_commits(), [(PLACE, 8)]);
        assert_eq!(assignment.take_commits(), []);
        assignment.commit_failed(PLACE);
        assert_eq!(assignment.take_commits(), [(PLACE, 8)]);
    }

    #[test]
    fn a_message_that_waits_in_an_open_batch_is_not_drained() {
        let mut assignment = assigned();
        assert!(assignment.is_drained());
        let tenure = assignment.take(PLACE, 5).unwrap().tenure;
        assert!(!assignment.is_drained());
        let sealed = assignment.seal(tenure, 5).unwrap();
        assert!(!assignment.is_drained());
        assignment.done(sealed);
        assert!(assignment.is_drained());
        assert_eq!(assignment.progress(PLACE).unwrap().stored, Some(6));
    }
}
