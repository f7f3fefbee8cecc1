//! A look into the MongoDB-compatible server.

use mongodb::{
    Client, Collection,
    bson::{Bson, Document, doc},
};

/// A collection.
pub async fn collection(connection_string: &str, database: &str, name: &str) -> Collection<Document> {
    let client = Client::with_uri_str(connection_string).await.expect("a connection string");
    client.database(database).collection(name)
}

/// How many documents there are, counted one by one: estimates lag behind on some servers.
pub async fn count(collection: &Collection<Document>) -> u64 {
    collection.count_documents(doc! {}).await.expect("the server answers")
}

/// The ids of all documents.
pub async fn ids(collection: &Collection<Document>) -> std::collections::BTreeSet<String> {
    let ids = collection.distinct("_id", doc! {}).await.expect("the server answers");
    ids.into_iter().map(|id| id.as_str().expect("an id is a text").to_owned()).collect()
}

/// Documents that share symbol, exchange and time with another one: observations that were stored twice.
pub async fn doubled(collection: &Collection<Document>) -> usize {
    let pipeline = [
        doc! {"$group": {"_id": {"symbol": "$symbol", "exchange": "$exchange", "time": "$time"}, "n": {"$sum": 1}}},
        doc! {"$match": {"n": {"$gt": 1}}},
    ];
    let mut cursor = collection.aggregate(pipeline).await.expect("the server answers");
    let mut doubled = 0;
    while cursor.advance().await.expect("the server answers") {
        doubled += 1;
    }
    doubled
}

/// Removes a database.
pub async fn drop(connection_string: &str, database: &str) {
    let client = Client::with_uri_str(connection_string).await.expect("a connection string");
    client.database(database).drop().await.expect("the server answers");
}

/// The stored prices of each symbol, in order of time, with every digit.
pub async fn sequences(collections: &[Collection<Document>]) -> crate::oracle::Sequences {
    let mut rows: Vec<(String, i64, String)> = Vec::new();
    for collection in collections {
        let mut cursor = collection.find(doc! {}).await.expect("the server answers");
        while cursor.advance().await.expect("the server answers") {
            let document = cursor.deserialize_current().expect("a document");
            let price = document
                .get("price")
                .and_then(|p| if let Bson::Decimal128(d) = p { Some(d.to_string()) } else { None });
            let time = document.get_datetime("time").expect("a time").timestamp_millis();
            rows.push((
                document.get_str("symbol").expect("a symbol").to_owned(),
                time,
                price.expect("a Decimal128"),
            ));
        }
    }
    rows.sort();
    let mut sequences = crate::oracle::Sequences::new();
    for (symbol, _, price) in rows {
        sequences.entry(symbol).or_default().push(price);
    }
    sequences
}
