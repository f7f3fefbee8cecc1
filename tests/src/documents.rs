//! A look into the MongoDB-compatible server.

use std::collections::HashMap;

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

/// Every document's price by its id, as text with every digit. An id cannot stand there twice; documents are
/// compared by their natural key elsewhere.
pub async fn prices(collection: &Collection<Document>) -> HashMap<String, String> {
    let mut cursor = collection.find(doc! {}).await.expect("the server answers");
    let mut prices = HashMap::new();
    while cursor.advance().await.expect("the server answers") {
        let document = cursor.deserialize_current().expect("a document");
        let price = match document.get("price") {
            Some(Bson::Decimal128(decimal)) => decimal.to_string(),
            other => panic!("not a Decimal128: {other:?}"),
        };
        prices.insert(document.get_str("_id").expect("an id").to_owned(), price);
    }
    prices
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
