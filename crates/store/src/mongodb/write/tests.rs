//! The command's bytes, and what replies of servers mean. The replies are as servers sent them.

use std::borrow::Cow;

use ::mongodb::bson::doc;
use pricepipe_core::{Details, Timestamp};

use super::*;

fn message(id: String) -> PriceMessage {
    PriceMessage {
        symbol: "BTCUSDT".to_owned(),
        price: "67321.50".parse().unwrap(),
        exchange: Cow::Borrowed("binance"),
        details: Details::Price,
        time: Timestamp::from_millis(1_795_413_603_000).unwrap(),
        received: Timestamp::from_millis(1_795_413_603_112).unwrap(),
        id,
    }
}

fn settings() -> Settings {
    let concern = WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .w_timeout(Duration::from_secs(10))
        .build();
    Settings::new(PriceType::Decimal, &concern)
}

fn commands(batch: &[PriceMessage]) -> (Vec<Insert>, Vec<Rejected>) {
    let (mut inserts, mut rejected, mut next) = (Vec::new(), Vec::new(), 0);
    while next < batch.len() {
        let (insert, end) = build(&settings(), &"btc".parse().unwrap(), batch, next, &mut rejected).unwrap();
        assert!(end > next && insert.command.as_bytes().len() < MAX_DOCUMENT_BYTES + 16 * 1024);
        inserts.push(insert);
        next = end;
    }
    (inserts, rejected)
}

fn read(reply: Document, sent: usize) -> Result<Written, StoreError> {
    let mut written = Written::default();
    let positions: Vec<usize> = (0..sent).collect();
    add_reply(&mut written, &reply, &positions).map(|()| written)
}

#[test]
fn a_batch_is_one_unordered_insert_of_a_journalled_majority() {
    let batch: Vec<_> = (0..12).map(|n| message(format!("id {n}"))).collect();
    let (inserts, rejected) = commands(&batch);
    assert_eq!((inserts.len(), rejected.len()), (1, 0));
    let command = Document::try_from(inserts[0].command.clone()).unwrap();
    assert_eq!(command.keys().collect::<Vec<_>>(), ["insert", "ordered", "writeConcern", "documents"]);
    assert_eq!(command.get_str("insert").unwrap(), "btc");
    assert!(!command.get_bool("ordered").unwrap());
    let concern = doc! {"w": "majority", "j": true, "wtimeout": 10_000_i64};
    assert_eq!(command.get_document("writeConcern").unwrap(), &concern);
    let ids: Vec<&str> = command
        .get_array("documents")
        .unwrap()
        .iter()
        .map(|document| document.as_document().unwrap().get_str("_id").unwrap())
        .collect();
    assert!(ids.iter().copied().eq(batch.iter().map(|message| message.id.as_str())));
    let documents = inserts[0].command.get_array("documents").unwrap().as_bytes();
    let keys = ::mongodb::bson::RawDocument::from_bytes(documents).unwrap().iter();
    assert!(keys.map(|pair| pair.unwrap().0.as_str().to_owned()).eq((0..12).map(|n| n.to_string())));
}

#[test]
fn a_batch_beyond_the_servers_limits_is_split_and_no_document_is_left_out() {
    let large: Vec<_> = (0..10).map(|n| message(format!("{n}{}", "x".repeat(3 << 20)))).collect();
    let many: Vec<_> = (0..COMMAND_DOCUMENTS + 5).map(|_| message("id".to_owned())).collect();
    for batch in [large, many] {
        let (inserts, rejected) = commands(&batch);
        assert!(inserts.len() > 1 && rejected.is_empty());
        assert!(inserts.iter().all(|insert| insert.positions.len() <= COMMAND_DOCUMENTS));
        let positions = inserts.iter().flat_map(|insert| insert.positions.iter().copied());
        assert!(positions.eq(0..batch.len()));
    }
}

#[test]
fn a_document_that_no_server_takes_is_rejected_and_its_neighbours_are_sent() {
    let batch =
        [message("before".to_owned()), message("x".repeat(MAX_DOCUMENT_BYTES)), message("after".to_owned())];
    let (inserts, rejected) = commands(&batch);
    assert_eq!(rejected.iter().map(|rejected| rejected.index).collect::<Vec<_>>(), [1]);
    let positions: Vec<usize> = inserts.iter().flat_map(|insert| insert.positions.clone()).collect();
    assert_eq!(positions, [0, 2]);
}

#[test]
fn a_reply_is_read_document_by_document() {
    let mongodb = doc! {"n": 1, "writeErrors": [
        {"index": 1, "code": 11000, "keyPattern": {"_id": 1}, "keyValue": {"_id": "b"},
         "errmsg": "E11000 duplicate key error collection: fx.btc index: _id_ dup key: { _id: \"b\" }"},
        {"index": 2, "code": 11000, "keyPattern": {"symbol": 1}, "keyValue": {"symbol": "A"},
         "errmsg": "E11000 duplicate key error collection: fx.btc index: uq dup key: { symbol: \"A\" }"},
        {"index": 3, "code": 121, "errInfo": {"failingDocumentId": "d"}, "errmsg": "Document failed validation"},
    ], "ok": 1.0};
    let written = read(mongodb, 4).unwrap();
    assert_eq!((written.inserted, written.duplicates), (1, 1));
    let rejected: Vec<_> = written.rejected.iter().map(|r| (r.index, r.reason.as_str())).collect();
    assert_eq!(rejected.len(), 2);
    assert!(rejected[0].0 == 2 && rejected[0].1.contains("index: uq"));
    assert_eq!(rejected[1], (3, "Document failed validation (code 121)"));

    let ferretdb = doc! {"n": 1, "ok": 1.0, "writeErrors": [
        {"index": 1, "code": 11000, "errmsg": "Duplicate key violation on the requested collection: Index 'uq'"},
        {"index": 2, "code": 11000, "errmsg": "Duplicate key violation on the requested collection: Index '_id_'"},
    ]};
    let written = read(ferretdb, 3).unwrap();
    assert_eq!((written.inserted, written.duplicates, written.rejected.len()), (1, 1, 1));
}

#[test]
fn what_may_pass_fails_the_write_whatever_else_was_stored() {
    let not_durable = doc! {"n": 2, "ok": 1.0, "writeConcernError":
    {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}};
    assert_eq!(read(not_durable, 2).unwrap_err().kind, StoreErrorKind::TimedOut);
    let stepped_down = doc! {"n": 2, "ok": 1.0, "writeConcernError":
    {"code": 91, "codeName": "ShutdownInProgress", "errmsg": "Replication is being shut down"}};
    assert_eq!(read(stepped_down, 2).unwrap_err().kind, StoreErrorKind::Unavailable);
    let impossible = doc! {"n": 2, "ok": 1.0, "writeConcernError":
    {"code": 100, "codeName": "UnsatisfiableWriteConcern", "errmsg": "Not enough data-bearing nodes"}};
    assert_eq!(read(impossible, 2).unwrap_err().kind, StoreErrorKind::Conflict);
    for (code, kind) in [(13, StoreErrorKind::Unauthorized), (11600, StoreErrorKind::Unavailable)] {
        let reply = doc! {"n": 1, "ok": 1.0, "writeErrors": [{"index": 0, "code": code, "errmsg": "no"}]};
        assert_eq!(read(reply, 2).unwrap_err().kind, kind);
    }
}

#[test]
fn a_reply_that_does_not_account_for_every_document_is_no_success() {
    for reply in [
        doc! {"n": 1, "ok": 1.0},
        doc! {"ok": 1.0},
        doc! {"n": 2, "ok": 1.0, "writeErrors": [{"index": 0, "code": 121, "errmsg": "no"}]},
        doc! {"n": 1, "ok": 1.0, "writeErrors": [{"index": 7, "code": 121, "errmsg": "no"}]},
        doc! {"n": 1, "ok": 1.0, "writeErrors": [{"code": 121, "errmsg": "no"}]},
    ] {
        assert!(read(reply.clone(), 2).is_err(), "{reply}");
    }
    assert_eq!(read(doc! {"n": 2.0, "ok": 1.0}, 2).unwrap().inserted, 2);
}
