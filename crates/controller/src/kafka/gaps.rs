//! What a pipeline's topic of gaps says: what became of each hole, which was noticed last, and how far replays are. Network I/O.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use pricepipe_api::{GapStatus, GapsStatus};
use pricepipe_core::{Gap, GapOutcome, GapsMessage, ReplayProgress};
use pricepipe_service::kafka::native::{AskError, End, offsets_of};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError as ClientError,
};

use super::{KafkaAdmin, KafkaError, handles::Handles};

/// How long each question may take, and how long the next message may be in coming.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long all messages together may take.
const LONGEST: Duration = Duration::from_secs(20);

/// The gaps of a pipeline, and how far its topic went when they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gaps {
    newest: i64,
    /// For the status.
    pub(crate) status: GapsStatus,
    /// The last word on each market that is replayed.
    pub(crate) replays: Vec<ReplayProgress>,
}

/// The gaps of a topic with one partition. `known` is taken when nothing has come since.
pub(crate) async fn gaps(admin: &KafkaAdmin, topic: String, known: Option<Gaps>) -> Result<Gaps, KafkaError> {
    admin.ask(move |handles| read(handles, &topic, known)).await
}

fn read(handles: &Handles, topic: &str, known: Option<Gaps>) -> Result<Gaps, AskError> {
    let place = [(topic.to_owned(), 0)];
    let end = |end| offsets_of(handles.topics(), &place, end, PATIENCE);
    let newest = end(End::Newest)?.remove(&place[0]).ok_or(AskError::NoAnswer)?;
    if let Some(known) = known.filter(|known| known.newest == newest) {
        return Ok(known);
    }
    let oldest = end(End::Oldest)?.remove(&place[0]).ok_or(AskError::NoAnswer)?;
    let (mut latest, mut replays) = (HashMap::<String, Gap>::new(), HashMap::new());
    if oldest < newest {
        let reader: BaseConsumer = handles.reader().create().map_err(AskError::Client)?;
        each_message(&reader, topic, oldest, newest, |payload| match GapsMessage::decode(payload) {
            Ok(GapsMessage::Gap(gap)) => {
                latest.insert(gap.key(), gap);
            }
            Ok(GapsMessage::Replay(replay)) => {
                replays.insert(replay.key(), replay);
            }
            // What cannot be read is of a later version, or somebody else's; the gaps themselves are all there.
            Err(_) => {}
        })?;
    }
    Ok(Gaps { newest, status: sum(latest.values()), replays: replays.into_values().collect() })
}

fn each_message(
    reader: &BaseConsumer,
    topic: &str,
    oldest: i64,
    newest: i64,
    mut each: impl FnMut(&[u8]),
) -> Result<(), AskError> {
    let mut assignment = TopicPartitionList::new();
    let assigned = assignment.add_partition_offset(topic, 0, Offset::Offset(oldest));
    assigned.and_then(|()| reader.assign(&assignment)).map_err(AskError::Client)?;
    let (began, mut heard) = (Instant::now(), Instant::now());
    while heard.elapsed() < PATIENCE && began.elapsed() < LONGEST {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                message.payload().into_iter().for_each(&mut each);
                if message.offset() + 1 >= newest {
                    return Ok(());
                }
            }
            // The last messages may have been compacted away.
            Some(Err(ClientError::PartitionEOF(_))) => return Ok(()),
            Some(Err(_)) | None => {}
        }
    }
    Err(AskError::NoAnswer)
}

fn sum<'a>(gaps: impl Iterator<Item = &'a Gap> + Clone) -> GapsStatus {
    let count = |outcome: GapOutcome| {
        let number = gaps.clone().filter(|gap| gap.outcome == outcome).count();
        i64::try_from(number).unwrap_or(i64::MAX)
    };
    let order = |gap: &&Gap| (gap.since, gap.key());
    GapsStatus {
        open: count(GapOutcome::Open),
        filled: count(GapOutcome::Filled),
        unfillable: count(GapOutcome::Unfillable),
        newest: gaps.clone().max_by_key(order).map(status),
    }
}

fn status(gap: &Gap) -> GapStatus {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    GapStatus {
        exchange: gap.exchange.to_string(),
        symbol: gap.symbol.to_string(),
        stream: gap.stream.as_str().to_owned(),
        interval: gap.interval.map(String::from),
        from: number(gap.from),
        to: number(gap.to),
        noticed: gap.noticed.as_str().to_owned(),
        outcome: gap.outcome.as_str().to_owned(),
        since: gap.since.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use pricepipe_core::{ReplayState, config::KafkaConnection};
    use rdkafka::{
        ClientConfig,
        mocking::MockCluster,
        producer::{BaseProducer, BaseRecord, Producer},
    };

    use super::*;
    use crate::kafka::Clients;

    fn gap(from: u64, outcome: &str) -> Gap {
        let text = format!(
            r#"{{"exchange":"kraken","symbol":"BTC/USD","stream":"trade","from":{from},"to":{},"noticed":"skip",
            "since":"2026-11-23T06:00:0{from}Z","outcome":"{outcome}","missing":1}}"#,
            from + 1
        );
        Gap::decode(text.as_bytes()).unwrap()
    }

    fn replay(state: &str) -> Vec<u8> {
        let text = format!(
            r#"{{"source":"past","exchange":"kraken","symbol":"BTC/USD","start":"2026-11-01T00:00:00Z",
            "end":"2026-11-02T00:00:00Z","reached":"2026-11-02T00:00:00Z","records":9,"state":"{state}"}}"#
        );
        text.into_bytes()
    }

    fn send(servers: &str, payloads: &[Vec<u8>]) {
        let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
        for payload in payloads {
            let record = BaseRecord::<str, [u8]>::to("majors.gaps").key("k").payload(payload);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_secs(10)).unwrap();
    }

    #[tokio::test]
    async fn the_last_word_on_each_gap_counts_and_what_is_known_is_not_read_again() {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic("majors.gaps", 1, 1).unwrap();
        let servers = mock.bootstrap_servers();
        let connection = KafkaConnection { bootstrap_servers: vec![servers.clone()], ..Default::default() };
        let admin = Clients::default().admin(&connection, None, None).unwrap();
        // A busy machine may take longer for one answer than a controller waits.
        let read = async |known: Option<Gaps>| {
            let begun = Instant::now();
            loop {
                match gaps(&admin, "majors.gaps".to_owned(), known.clone()).await {
                    Ok(found) => return found,
                    Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
                }
            }
        };
        let nothing = read(None).await;
        assert_eq!(nothing.status, GapsStatus::default());

        let words = [gap(1, "open"), gap(2, "open"), gap(1, "filled"), gap(4, "unfillable"), gap(3, "open")];
        let mut payloads: Vec<Vec<u8>> = words.iter().map(Gap::encode).collect();
        payloads.push(b"not a gap".to_vec());
        payloads.extend([replay("running"), replay("complete")]);
        send(&servers, &payloads);
        let found = read(Some(nothing)).await;
        let counts = (found.status.open, found.status.filled, found.status.unfillable);
        assert_eq!(counts, (2, 1, 1));
        let replays: Vec<_> = found.replays.iter().map(|replay| &replay.state).collect();
        assert_eq!(replays, [&ReplayState::Complete], "it is no gap, and its last word counts as well");
        let newest = found.status.newest.clone().unwrap();
        assert_eq!((newest.from, newest.to, newest.outcome.as_str()), (4, 5, "unfillable"));
        assert_eq!((newest.symbol.as_str(), newest.since.as_str()), ("BTC/USD", "2026-11-23T06:00:04Z"));

        let marked = Gaps { status: GapsStatus { filled: 77, ..GapsStatus::default() }, ..found };
        assert_eq!(read(Some(marked.clone())).await, marked, "nothing has come since");
    }
}
