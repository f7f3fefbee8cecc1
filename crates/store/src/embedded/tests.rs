//! Files that cannot be, must not be, or are just being used; old documents; a second process that reads.

use std::borrow::Cow;

use pricepipe_core::{Details, Timestamp, message::Trade};
use rusqlite::Connection;

use super::*;

fn collection() -> CollectionName {
    "btc".parse().unwrap()
}

fn message(symbol: &str, time: i64) -> PriceMessage {
    PriceMessage {
        symbol: symbol.to_owned(),
        price: "67321.50".parse().unwrap(),
        exchange: Cow::Borrowed("binance"),
        details: Details::Price,
        time: Timestamp::from_millis(time).unwrap(),
        received: Timestamp::from_millis(time).unwrap(),
        id: format!("binance:{symbol}:price:{time}"),
    }
}

fn error(result: Result<EmbeddedStore, OpenError>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn a_path_that_cannot_be_written_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing/prices.db"), folder.path().to_owned()] {
        let text = error(EmbeddedStore::open(&path, 0));
        assert!(text.contains(path.to_str().unwrap()) && text.contains("check that"), "{text}");
    }
}

#[test]
fn queries_do_not_create_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    let text = error(EmbeddedStore::open_for_reading(&path));
    assert!(text.contains("does not exist"), "{text}");
    assert!(!path.exists());
}

#[tokio::test]
async fn the_right_to_read_the_file_is_enough_for_a_query() {
    let folder = tempfile::tempdir().unwrap();
    // A name that means something in a URI.
    let path = folder.path().join("50%?#.db");
    let store = EmbeddedStore::open(&path, 0).unwrap();
    store.write(&collection(), vec![message("BTCUSDT", 1)].into()).await.unwrap();
    store.close().await;
    // The file that a reader would make beside it cannot be made, not even by root.
    std::os::unix::fs::symlink("/nonexistent/shm", folder.path().join("50%?#.db-shm")).unwrap();
    let store = EmbeddedStore::open_for_reading(&path).unwrap();
    assert_eq!(store.latest(&collection(), &[]).await.unwrap().len(), 1);
}

#[test]
fn what_is_not_a_price_store_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text_file = folder.path().join("notes.txt");
    std::fs::write(&text_file, "This is no database. ".repeat(100)).unwrap();
    assert!(error(EmbeddedStore::open(&text_file, 0)).contains("is not a price store"));
    assert!(std::fs::read_to_string(&text_file).unwrap().starts_with("This is no database."));
    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE contact (name TEXT)").unwrap();
    assert!(error(EmbeddedStore::open(&foreign, 0)).contains("another program"));
    assert!(error(EmbeddedStore::open_for_reading(&foreign)).contains("another program"));
}

#[test]
fn a_file_of_a_later_format_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    drop(EmbeddedStore::open(&path, 0).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let text = error(EmbeddedStore::open(&path, 0));
    assert!(text.contains("has format 9, and this version knows formats up to 2"), "{text}");
}

/// A file as version 1 of the format made it, with a price in it.
fn file_of_format_1(path: &Path) {
    let script = "
        PRAGMA journal_mode = WAL;
        CREATE TABLE price (
            collection TEXT NOT NULL,
            id TEXT NOT NULL,
            symbol TEXT NOT NULL,
            price TEXT NOT NULL,
            exchange TEXT NOT NULL,
            kind TEXT NOT NULL,
            time INTEGER NOT NULL,
            received INTEGER NOT NULL,
            PRIMARY KEY (collection, id)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX price_by_symbol_and_time ON price (collection, symbol, time DESC);
        PRAGMA application_id = 1886546288;
        PRAGMA user_version = 1;
        INSERT INTO price VALUES
            ('btc', 'binance:BTCUSDT:price:1000', 'BTCUSDT', '67321.50', 'binance', 'price', 1000, 1000);";
    Connection::open(path).unwrap().execute_batch(script).unwrap();
}

fn format_of(path: &Path) -> i64 {
    Connection::open(path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

fn trade(time: i64) -> PriceMessage {
    let quantity = "23.00000000".parse().unwrap();
    let details = Details::Trade(Trade { quantity, side: None });
    PriceMessage { id: format!("binance:BTCUSDT:trade:{time}"), details, ..message("BTCUSDT", time) }
}

#[tokio::test]
async fn a_file_of_format_1_is_read_as_it_is_and_brought_up_to_date_by_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    file_of_format_1(&path);
    let reader = EmbeddedStore::open_for_reading(&path).unwrap();
    assert_eq!(reader.latest(&collection(), &[]).await.unwrap(), [message("BTCUSDT", 1_000)]);
    assert_eq!(format_of(&path), 1, "a reader changes nothing");

    let store = EmbeddedStore::open(&path, 0).unwrap();
    assert_eq!(format_of(&path), 2);
    assert_eq!(store.latest(&collection(), &[]).await.unwrap(), [message("BTCUSDT", 1_000)]);
    let batch = [message("BTCUSDT", 1_000), trade(2_000)];
    let written = store.write(&collection(), Arc::from(batch)).await.unwrap();
    assert_eq!((written.inserted, written.duplicates), (1, 1));
    // The reader of before sees the new column, too.
    for store in [&store, &reader] {
        assert_eq!(store.latest(&collection(), &[]).await.unwrap(), [trade(2_000)]);
    }
}

#[test]
fn several_may_bring_a_file_up_to_date_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    file_of_format_1(&path);
    std::thread::scope(|scope| {
        let open = || EmbeddedStore::open(&path, 0).map(drop);
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        opened.into_iter().for_each(|opened| opened.join().unwrap().unwrap());
    });
    assert_eq!(format_of(&path), 2);
}

#[test]
fn commits_wait_for_the_disk_and_readers_do_not_wait_for_commits() {
    let folder = tempfile::tempdir().unwrap();
    let connection = schema::open_or_create(&folder.path().join("prices.db")).unwrap();
    let pragma = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
    };
    assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
}

#[tokio::test]
async fn a_second_store_reads_while_the_first_writes_and_refuses_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    let store = EmbeddedStore::open(&path, 0).unwrap();
    store.write(&collection(), Arc::from([message("BTCUSDT", 1_000)])).await.unwrap();
    // As another process would: a write transaction is open all the while.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let reader = EmbeddedStore::open_for_reading(&path).unwrap();
    assert_eq!(reader.count(&collection(), Period::default()).await.unwrap()[0].documents, 1);
    assert_eq!(reader.latest(&collection(), &[]).await.unwrap(), [message("BTCUSDT", 1_000)]);
    let refused = reader.write(&collection(), Arc::from([message("BTCUSDT", 2_000)])).await.unwrap_err();
    assert_eq!(refused.kind, StoreErrorKind::Conflict);
}

#[tokio::test]
async fn a_file_that_another_process_keeps_locked_is_an_error_that_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    let store = EmbeddedStore::open(&path, 0).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store
        .writer()
        .unwrap()
        .run(|writer| writer.wait_for_others(std::time::Duration::from_millis(50)))
        .await
        .unwrap();
    let batch: Arc<[PriceMessage]> = Arc::from([message("BTCUSDT", 1_000)]);
    let error = store.write(&collection(), Arc::clone(&batch)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::TimedOut, "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.write(&collection(), batch).await.unwrap().inserted, 1);
}

#[tokio::test]
async fn documents_past_their_time_are_removed_step_by_step_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    let store = EmbeddedStore::open(&path, 0).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut batch: Vec<_> = (0..2_500).map(|n| message("BTCUSDT", 1_000 + n)).collect();
    batch.extend((0..10).map(|n| message("BTCUSDT", now - n)));
    batch.push(message("ETHUSDT", 1_000));
    store.write(&collection(), batch.into()).await.unwrap();
    store.close().await;
    let store = EmbeddedStore::open(&path, 3_600).unwrap();
    let documents = async || -> u64 {
        store.count(&collection(), Period::default()).await.unwrap().iter().map(|count| count.documents).sum()
    };
    store.prepare(&[collection()]).await.unwrap();
    assert_eq!(documents().await, 1_510);
    // A collection that is prepared later does not end it for those before.
    store.prepare(&["btc_quotes".parse().unwrap()]).await.unwrap();
    for left in [10, 10] {
        store.write(&collection(), Arc::from([message("BTCUSDT", now)])).await.unwrap();
        assert_eq!(documents().await, left);
    }
}

#[tokio::test]
async fn a_price_that_somebody_changed_by_hand_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    let store = EmbeddedStore::open(&path, 0).unwrap();
    store.write(&collection(), Arc::from([message("BTCUSDT", 1_000)])).await.unwrap();
    let other = Connection::open(&path).unwrap();
    for change in [
        "price = 'much'",
        "kind = 'guess', price = '1'",
        "kind = 'trade'",
        "details = '{'",
        "time = 0, kind = 'price', details = NULL",
    ] {
        other.execute_batch(&format!("UPDATE price SET {change}")).unwrap();
        let error = store.latest(&collection(), &[]).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn closing_finishes_what_is_queued_and_refuses_what_comes_after() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.db");
    let store = Arc::new(EmbeddedStore::open(&path, 0).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..10 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.write(&collection(), Arc::from([message("A", 1_000 + n)])).await });
    }
    tokio::task::yield_now().await;
    store.close().await;
    let mut stored = 0;
    while let Some(outcome) = tasks.join_next().await {
        match outcome.unwrap() {
            Ok(written) => stored += written.inserted,
            Err(error) => assert_eq!(error.message, "the store is closed"),
        }
    }
    let reader = EmbeddedStore::open_for_reading(&path).unwrap();
    let counted: u64 = reader
        .count(&collection(), Period::default())
        .await
        .unwrap()
        .iter()
        .map(|count| count.documents)
        .sum();
    assert_eq!(counted, stored);
    assert_eq!(store.ping().await.unwrap_err().message, "the store is closed");
}
