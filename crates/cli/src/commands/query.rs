//! `pricepipe query`: looks at what was stored.

use std::{collections::BTreeSet, sync::Arc};

use pricepipe_core::{Pipeline, PriceMessage, Timestamp};
use pricepipe_service::{clock, environment::lookup};
use pricepipe_store::{OpenError, Store, StoreError, SymbolCount};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    args::{Output, QueryArgs, Question, QuestionArgs},
    columns,
    exit::{Exit, Failed},
    file, parts,
};

/// Answers a question over the store that the pipeline uses.
pub(crate) async fn query(args: &QueryArgs) -> Result<(), Failed> {
    let (Question::Latest(question) | Question::Count(question)) = &args.question;
    let pipeline = file::pipeline(&question.file)?;
    known(&pipeline, &question.symbols)?;
    let store = open(&pipeline, question)?;
    let answer = match &args.question {
        Question::Latest(_) => latest(&*store, &pipeline, question).await,
        Question::Count(_) => count(&*store, &pipeline, question).await,
    };
    store.close().await;
    let answer = answer.map_err(|error| Failed::new(Exit::Unreachable, format!("the store: {error}")))?;
    crate::print(&format!("{answer}\n"));
    Ok(())
}

fn open(pipeline: &Pipeline, question: &QuestionArgs) -> Result<Arc<dyn Store>, Failed> {
    let part = parts::store(pipeline, &question.store, lookup)?;
    pricepipe_store::open_for_reading(&part.config, part.connection_string.as_ref()).map_err(|error| {
        let absent = matches!(error, OpenError::NoSuchFile { .. });
        Failed::because(if absent { Exit::NotFound } else { Exit::Invalid }, &error)
    })
}

fn known(pipeline: &Pipeline, symbols: &[String]) -> Result<(), Failed> {
    let names: BTreeSet<&str> = pipeline.symbols.iter().map(|s| s.symbol.as_str()).collect();
    match symbols.iter().find(|symbol| !names.contains(symbol.as_str())) {
        None => Ok(()),
        Some(symbol) => {
            let names: Vec<&str> = names.into_iter().collect();
            let message = format!("--symbol {symbol}: not in the pipeline, which has {}", names.join(", "));
            Err(Failed::new(Exit::NotFound, message))
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Latest {
    collection: String,
    symbol: String,
    price: Option<Box<RawValue>>,
    exchange: String,
    time: Timestamp,
    age_seconds: f64,
}

async fn latest(
    store: &dyn Store,
    pipeline: &Pipeline,
    question: &QuestionArgs,
) -> Result<String, StoreError> {
    let (mut rows, now) = (Vec::new(), clock::now());
    for collection in pipeline.collections() {
        for message in store.latest(&collection, &question.symbols).await? {
            rows.push(latest_row(collection.to_string(), message, now));
        }
    }
    Ok(match question.output {
        Output::Json => json(&rows),
        Output::Table => columns::table(
            &["COLLECTION", "SYMBOL", "PRICE", "EXCHANGE", "TIME", "AGE"],
            rows.iter().map(|row| {
                let price = row.price.as_deref().map_or("", RawValue::get);
                let age = format!("{:.1}s", row.age_seconds);
                [
                    row.collection.clone(),
                    row.symbol.clone(),
                    price.to_owned(),
                    row.exchange.clone(),
                    row.time.to_string(),
                    age,
                ]
            }),
        ),
    })
}

fn latest_row(collection: String, message: PriceMessage, now: Timestamp) -> Latest {
    Latest {
        collection,
        price: RawValue::from_string(message.price.to_string()).ok(),
        symbol: message.symbol,
        exchange: message.exchange.into_owned(),
        time: message.time,
        age_seconds: (now.as_millis() - message.time.as_millis()) as f64 / 1_000.0,
    }
}

#[derive(Serialize)]
struct Count {
    collection: String,
    symbol: String,
    documents: u64,
    first: Timestamp,
    last: Timestamp,
}

async fn count(
    store: &dyn Store,
    pipeline: &Pipeline,
    question: &QuestionArgs,
) -> Result<String, StoreError> {
    let mut rows = Vec::new();
    for collection in pipeline.collections() {
        let wanted =
            |count: &SymbolCount| question.symbols.is_empty() || question.symbols.contains(&count.symbol);
        for count in store.count(&collection).await?.into_iter().filter(wanted) {
            let SymbolCount { symbol, documents, first, last } = count;
            rows.push(Count { collection: collection.to_string(), symbol, documents, first, last });
        }
    }
    Ok(match question.output {
        Output::Json => json(&rows),
        Output::Table => columns::table(
            &["COLLECTION", "SYMBOL", "DOCUMENTS", "FIRST", "LAST"],
            rows.iter().map(|row| {
                let documents = row.documents.to_string();
                [
                    row.collection.clone(),
                    row.symbol.clone(),
                    documents,
                    row.first.to_string(),
                    row.last.to_string(),
                ]
            }),
        ),
    })
}

fn json<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string_pretty(rows).unwrap_or_default()
}
