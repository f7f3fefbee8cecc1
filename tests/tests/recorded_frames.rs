//! Recorded frames of a combined stream are read as what they are, digit for digit. Skipped where the recording is not at
//! hand.

use std::{collections::BTreeMap, fs, path::Path};

use pricepipe_core::{Exchange, config::Stream, identity, message::Kind};
use pricepipe_exchange::{
    Record,
    stream::{Closer, Frame, Topic},
};

fn topic(stream: Stream) -> Topic {
    Topic { exchange: Exchange::Binance, stream, interval: None, partial: true }
}

/// Every record of the recording, each frame read once for each stream that it might be of.
fn records(recording: &str) -> Vec<Record> {
    let mut records = Vec::new();
    for frame in recording.lines() {
        let before = records.len();
        let mut unknown = 0;
        for stream in Stream::ALL {
            match topic(*stream).read(frame, &mut records) {
                Ok(Frame::Data { rejected }) if rejected.is_empty() => {}
                Ok(Frame::Unknown) => unknown += 1,
                other => panic!("{frame}: {other:?}"),
            }
        }
        assert_eq!((records.len() - before, unknown), (1, Stream::ALL.len() - 1), "{frame}");
    }
    records
}

fn line(record: &Record) -> String {
    let id = identity::event(&record.market, record.event);
    let details = serde_json::to_string(&record.details).expect("fields are JSON");
    format!("{id} {} {details}", record.price)
}

#[test]
fn recorded_frames_become_the_records_that_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/binance-us-ws-frames.jsonl");
    let Ok(recording) = fs::read_to_string(path) else {
        println!("skipped: the recorded frames are not here");
        return;
    };
    let mut records = records(&recording);
    let mut counts: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
    for record in &records {
        *counts.entry((record.details.kind(), record.market.as_str())).or_default() += 1;
    }
    let expected = EXPECTED_COUNTS.iter().map(|(kind, market, count)| ((*kind, *market), *count)).collect();
    assert_eq!(counts, expected);
    for kind in [Kind::Trade, Kind::Kline, Kind::Quote] {
        let of_kind: Vec<&Record> = records.iter().filter(|record| record.details.kind() == kind).collect();
        let ends = [of_kind[0], of_kind[of_kind.len() - 1]].map(line);
        let expected = ENDS.iter().filter(|(of, _)| *of == kind).map(|(_, line)| (*line).to_owned());
        assert_eq!(ends.to_vec(), expected.collect::<Vec<_>>(), "{kind:?}");
    }
    let numbers: Vec<u64> = records.iter().filter_map(|record| record.event.number()).collect();
    assert_eq!(numbers, (425_085..=425_095).collect::<Vec<_>>(), "aggregate trades without a gap");
    let before = records.clone();
    Closer::default().settle(&topic(Stream::Kline), &mut records);
    assert_eq!(records, before, "the exchange itself says which candle is final");
}

const EXPECTED_COUNTS: &[(Kind, &str, usize)] = &[
    (Kind::Trade, "OMGBUSD", 11),
    (Kind::Kline, "OMGBUSD", 5),
    (Kind::Quote, "COMPUSDT", 44),
    (Kind::Quote, "CRVUSDT", 11),
    (Kind::Quote, "OMGBUSD", 58),
    (Kind::Quote, "ZRXUSDT", 15),
];

/// The first and the last record of each kind.
const ENDS: &[(Kind, &str)] = &[
    (Kind::Trade, r#"OMGBUSD:aggTrade:425085 13.80480000 {"quantity":2.10000000,"side":"buy"}"#),
    (Kind::Trade, r#"OMGBUSD:aggTrade:425095 13.76040000 {"quantity":10.00000000,"side":"sell"}"#),
    (
        Kind::Kline,
        r#"OMGBUSD:kline:1m:1633998240000:1633998288469 13.80480000 {"interval":"1m","open":13.72120000,"high":13.80480000,"low":13.72120000,"close":13.80480000,"volume":183.49000000,"closed":false}"#,
    ),
    (
        Kind::Kline,
        r#"OMGBUSD:kline:1m:1633998300000:1633998304672 13.76040000 {"interval":"1m","open":13.76040000,"high":13.76040000,"low":13.76040000,"close":13.76040000,"volume":28.25000000,"closed":false}"#,
    ),
    (
        Kind::Quote,
        r#"OMGBUSD:quote:77819472 13.7808 {"bid":13.76640000,"bidQuantity":30.28000000,"ask":13.79520000,"askQuantity":31.57000000}"#,
    ),
    (
        Kind::Quote,
        r#"ZRXUSDT:quote:96975043 0.99625 {"bid":0.99470000,"bidQuantity":307.93000000,"ask":0.99780000,"askQuantity":7119.69000000}"#,
    ),
];
