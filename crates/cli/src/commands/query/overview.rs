//! Questions with a row for each symbol: the latest price, the count, the statistics.

use std::io::stdout;

use pricepipe_core::{
    PriceMessage, Timestamp,
    analytics::{Stats, StatsFold},
    names::CollectionName,
};
use pricepipe_store::{Series, SymbolCount};

use super::{
    Answer, Source, Trouble,
    args::{CommonArgs, PricesArgs},
    is_wanted,
    plot::sketches::Prices,
    telling::Telling,
};
use crate::rows::{Cell, Column, Printer, column, detail};

const LATEST: &[Column] = &[
    column("collection", "COLLECTION"),
    column("symbol", "SYMBOL"),
    column("price", "PRICE"),
    column("exchange", "EXCHANGE"),
    column("time", "TIME"),
    column("ageSeconds", "AGE"),
];

pub(super) async fn latest(source: &Source<'_>, common: &CommonArgs) -> Result<u64, Trouble> {
    let mut printer = Printer::new(stdout(), common.output, LATEST);
    for collection in source.pipeline.collections() {
        for message in source.history.latest(&collection, &common.symbols).await? {
            printer.row(latest_row(&collection, message, source.now))?;
        }
    }
    Ok(printer.finish()?)
}

fn latest_row(collection: impl std::fmt::Display, message: PriceMessage, now: Timestamp) -> Vec<Cell> {
    let age = (now.as_millis() - message.time.as_millis()) as f64 / 1_000.0;
    vec![
        Cell::text(collection),
        Cell::text(message.symbol),
        Cell::number(message.price),
        Cell::text(message.exchange),
        Cell::text(message.time),
        Cell::with_form(age, format!("{age:.1}s")),
    ]
}

const COUNT: &[Column] = &[
    column("collection", "COLLECTION"),
    column("symbol", "SYMBOL"),
    column("documents", "DOCUMENTS"),
    column("first", "FIRST"),
    column("last", "LAST"),
];

pub(super) async fn count(source: &Source<'_>, common: &CommonArgs) -> Result<u64, Trouble> {
    let mut printer = Printer::new(stdout(), common.output, COUNT);
    for collection in source.pipeline.collections() {
        let wanted = |count: &SymbolCount| is_wanted(&count.symbol, &common.symbols);
        for count in source.history.count(&collection, source.period).await?.into_iter().filter(wanted) {
            let SymbolCount { symbol, documents, first, last } = count;
            printer.row(vec![
                Cell::text(&collection),
                Cell::text(symbol),
                Cell::number(documents),
                Cell::text(first),
                Cell::text(last),
            ])?;
        }
    }
    Ok(printer.finish()?)
}

const STATS: &[Column] = &[
    detail("collection"),
    column("symbol", "SYMBOL"),
    column("count", "COUNT"),
    column("first", "FIRST"),
    column("last", "LAST"),
    column("min", "MIN"),
    detail("minTime"),
    column("max", "MAX"),
    detail("maxTime"),
    column("average", "AVERAGE"),
    column("standardDeviation", "STD DEVIATION"),
];

pub(super) async fn stats(source: &Source<'_>, prices: &PricesArgs) -> Result<Answer, Trouble> {
    let mut telling =
        Telling::new(source, prices.common.output, STATS, || "average and standard deviation".to_owned());
    for (collection, symbol) in source.symbols(&prices.common) {
        let (selection, history) = (prices.selection(symbol, source.period), source.history);
        let mut sketch = telling.sketch(Prices::new);
        let stats = match &mut sketch {
            None => pricepipe_store::stats(history, collection, selection).await?,
            Some(sketch) => sketched(sketch, history.prices(collection, selection)).await?,
        };
        let Some(stats) = stats else { continue };
        telling.row(stats_row(collection, symbol, &stats))?;
        telling.draw(symbol, sketch.map(|sketch| sketch.panels(symbol, &stats)));
    }
    telling.finish()
}

/// The statistics of prices that are also drawn: a store that adds up by itself would not show them.
async fn sketched(sketch: &mut Prices, mut series: Series) -> Result<Option<Stats>, Trouble> {
    let mut fold = StatsFold::default();
    while let Some(chunk) = series.next().await? {
        for point in chunk {
            fold.push(point);
            sketch.push(point);
        }
    }
    Ok(fold.finish())
}

fn stats_row(collection: &CollectionName, symbol: &str, stats: &Stats) -> Vec<Cell> {
    vec![
        Cell::text(collection),
        Cell::text(symbol),
        Cell::number(stats.count),
        Cell::text(stats.first.time),
        Cell::text(stats.last.time),
        Cell::number(stats.min.price),
        Cell::text(stats.min.time),
        Cell::number(stats.max.price),
        Cell::text(stats.max.time),
        Cell::figure(stats.average),
        Cell::figure_or_none(stats.deviation),
    ]
}
