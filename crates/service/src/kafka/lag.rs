//! How far a consumer group is behind, partition by partition. [`of_group`] asks the brokers; the rest is pure.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::client::{Client, ClientContext};

use super::{
    groups::Groups,
    native::{self, AskError, End, Offsets},
};

/// For each topic and partition the messages that a group has not committed yet.
pub type Lags = BTreeMap<(String, i32), u64>;

/// The messages of these partitions that a group has not committed yet. Blocks, for as long as `patience` for each of
/// three questions. A question that is not answered is an error, never 0.
pub fn of_group<C: ClientContext>(
    topics: &Client<C>,
    groups: &Groups,
    group: &str,
    partitions: &[(String, i32)],
    patience: Duration,
) -> Result<Lags, AskError> {
    let newest = native::offsets_of(topics, partitions, End::Newest, patience)?;
    let committed = groups.committed_offsets(group, partitions, patience)?;
    let oldest = native::offsets_of(topics, &behind(&newest, &committed), End::Oldest, patience)?;
    Ok(lags(&newest, &committed, &oldest))
}

/// The partitions that a group is not at the end of: only for them does it matter what they still hold.
pub fn behind(newest: &Offsets, committed: &Offsets) -> Vec<(String, i32)> {
    let is_behind =
        |(place, end): &(&(String, i32), &i64)| committed.get(*place).copied().unwrap_or(0) != **end;
    newest.iter().filter(is_behind).map(|(place, _)| place.clone()).collect()
}

/// The lag of every partition whose newest offset is given; `oldest` has to name at least those that the group is not
/// at the end of.
pub fn lags(newest: &Offsets, committed: &Offsets, oldest: &Offsets) -> Lags {
    let lag = |(place, newest): (&(String, i32), &i64)| {
        let next =
            oldest.get(place).map_or(*newest, |oldest| next(committed.get(place).copied(), *oldest, *newest));
        (place.clone(), u64::try_from(newest - next).unwrap_or(0))
    };
    newest.iter().map(lag).collect()
}

/// The offset that a group reads next. One that has committed nothing, or what is no longer there or not there yet,
/// begins with the oldest message.
pub fn next(committed: Option<i64>, oldest: i64, newest: i64) -> i64 {
    committed.filter(|offset| (oldest..=newest).contains(offset)).unwrap_or(oldest)
}

#[cfg(test)]
mod tests {
    use pricepipe_core::config::KafkaConnection;
    use rdkafka::{
        admin::AdminClient,
        client::DefaultClientContext,
        mocking::MockCluster,
        producer::{BaseProducer, BaseRecord, Producer},
    };

    use super::{super::admin, *};

    fn offsets(offsets: &[(i32, i64)]) -> Offsets {
        offsets.iter().map(|(partition, offset)| (("btc".to_owned(), *partition), *offset)).collect()
    }

    fn lag_of(newest: i64, committed: Option<i64>, oldest: i64) -> u64 {
        let newest = offsets(&[(0, newest)]);
        let committed = committed.map_or_else(Offsets::new, |offset| offsets(&[(0, offset)]));
        let oldest = behind(&newest, &committed).into_iter().map(|place| (place, oldest)).collect();
        lags(&newest, &committed, &oldest).into_values().sum()
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
    fn each_partition_has_a_lag_of_its_own() {
        let (newest, committed) = (offsets(&[(0, 10), (1, 5), (2, 8)]), offsets(&[(0, 7), (1, 5)]));
        assert_eq!(behind(&newest, &committed), [("btc".to_owned(), 0), ("btc".to_owned(), 2)]);
        let lags = lags(&newest, &committed, &offsets(&[(0, 0), (2, 1)]));
        assert_eq!(lags.into_values().collect::<Vec<_>>(), [3, 0, 7]);
    }

    #[test]
    fn a_cluster_tells_what_a_group_without_a_commit_has_before_it() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("btc", 2, 1).unwrap();
        let connection = KafkaConnection {
            bootstrap_servers: vec![cluster.bootstrap_servers()],
            ..KafkaConnection::default()
        };
        let producer: BaseProducer = admin(&connection, None, "test").create().unwrap();
        for partition in [0, 0, 0, 1, 1] {
            producer.send(BaseRecord::<(), str>::to("btc").partition(partition).payload("1")).unwrap();
        }
        producer.flush(Duration::from_secs(10)).unwrap();
        let topics: AdminClient<DefaultClientContext> = admin(&connection, None, "test").create().unwrap();
        let groups = Groups::new(admin(&connection, None, "test"));
        let partitions = [("btc".to_owned(), 0), ("btc".to_owned(), 1)];
        let lags =
            of_group(topics.inner(), &groups, "pricepipe.a", &partitions, Duration::from_secs(10)).unwrap();
        assert_eq!(lags.into_values().collect::<Vec<_>>(), [3, 2]);
    }
}
