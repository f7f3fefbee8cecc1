//! How far a consumer group is behind. Network I/O.

use std::time::Duration;

use pricepipe_api::TopicStatus;
use pricepipe_core::pipeline::Topic;
use pricepipe_service::kafka::native::{self, End, Offsets};

use super::{KafkaAdmin, KafkaError};

/// How long each of the three questions may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The messages of these topics (the dead-letter topic is not one of them) that a group has not committed yet.
/// `known` is `status.topics`, which tells how many partitions there are in truth.
///
/// Where nothing was committed yet, everything that the topic holds counts. A question that is not answered is an
/// error, never 0.
pub(crate) async fn lag(
    admin: &KafkaAdmin,
    group: &str,
    topics: &[Topic],
    known: &[TopicStatus],
) -> Result<u64, KafkaError> {
    let partitions = partitions(topics, known);
    let group = group.to_owned();
    admin
        .ask(move |handles| {
            let newest = native::offsets_of(handles.topics(), &partitions, End::Newest, PATIENCE)?;
            let committed = handles.committed_offsets(&group, PATIENCE)?;
            let behind = behind(&newest, &committed);
            let oldest = native::offsets_of(handles.topics(), &behind, End::Oldest, PATIENCE)?;
            Ok(count(&newest, &committed, &oldest))
        })
        .await
}

fn partitions(topics: &[Topic], known: &[TopicStatus]) -> Vec<(String, i32)> {
    let count = |topic: &Topic| {
        let known =
            known.iter().find(|known| known.name == topic.name.as_str()).map(|known| known.partitions);
        known.unwrap_or_else(|| i32::try_from(topic.partitions).unwrap_or(i32::MAX))
    };
    let each = |topic: &Topic| {
        let name = topic.name.to_string();
        (0..count(topic)).map(move |partition| (name.clone(), partition))
    };
    topics.iter().flat_map(each).collect()
}

/// The partitions that the group is not at the end of: only for them does it matter what they still hold.
fn behind(newest: &Offsets, committed: &Offsets) -> Vec<(String, i32)> {
    let is_behind =
        |(place, end): &(&(String, i32), &i64)| committed.get(*place).copied().unwrap_or(0) != **end;
    newest.iter().filter(is_behind).map(|(place, _)| place.clone()).collect()
}

/// A group that has committed nothing, or what is no longer there or not there yet, begins with the oldest message.
fn count(newest: &Offsets, committed: &Offsets, oldest: &Offsets) -> u64 {
    let lag = |(place, oldest): (&(String, i32), &i64)| {
        let newest = newest.get(place).copied().unwrap_or(*oldest);
        let position = committed.get(place).filter(|offset| (*oldest..=newest).contains(*offset));
        u64::try_from(newest - position.unwrap_or(oldest)).unwrap_or(0)
    };
    oldest.iter().map(lag).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(offsets: &[(i32, i64)]) -> Offsets {
        offsets.iter().map(|(partition, offset)| (("btc".to_owned(), *partition), *offset)).collect()
    }

    fn lag_of(newest: i64, committed: Option<i64>, oldest: i64) -> u64 {
        let newest = offsets(&[(0, newest)]);
        let committed = committed.map_or_else(Offsets::new, |offset| offsets(&[(0, offset)]));
        let oldest = behind(&newest, &committed).into_iter().map(|place| (place, oldest)).collect();
        count(&newest, &committed, &oldest)
    }

    #[test]
    fn lag_counts_what_is_left_to_read() {
        assert_eq!(lag_of(10, Some(7), 0), 3);
        assert_eq!(lag_of(10, Some(10), 10), 0);
        assert_eq!(lag_of(0, None, 0), 0);
    }

    #[test]
    fn a_group_without_a_commit_has_everything_before_it_that_is_still_there() {
        assert_eq!(lag_of(10, None, 4), 6);
    }

    #[test]
    fn what_was_deleted_before_it_was_read_is_no_lag() {
        assert_eq!(lag_of(10, Some(2), 4), 6);
        assert_eq!(lag_of(10, Some(2), 10), 0);
    }

    #[test]
    fn a_topic_that_was_made_again_counts_from_its_beginning() {
        assert_eq!(lag_of(5, Some(100), 0), 5);
    }

    #[test]
    fn partitions_are_as_many_as_there_are_in_truth() {
        let topic = |name: &str| Topic { name: name.parse().unwrap(), partitions: 1 };
        let known = [TopicStatus { name: "btc".to_owned(), partitions: 2, ..TopicStatus::default() }];
        let expected = [("btc".to_owned(), 0), ("btc".to_owned(), 1), ("eth".to_owned(), 0)];
        assert_eq!(partitions(&[topic("btc"), topic("eth")], &known), expected);
    }
}
