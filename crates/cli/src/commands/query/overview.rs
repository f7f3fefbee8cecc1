//! Questions with a row for each symbol and exchange: the latest price, the count, the statistics.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::stdout,
};

use pricepipe_core::{
    PriceMessage, Timestamp,
    analytics::{Stats, StatsFold},
    names::{CollectionName, Shelf},
};
use pricepipe_store::{Market, MarketCount};

use super::{
    Answer, Source, Trouble,
    args::{CommonArgs, PricesArgs},
    is_wanted,
    plot::sketches::Prices,
    points::Points,
    stock::Stock,
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
    let mut wanted: BTreeMap<&CollectionName, Vec<Market>> = BTreeMap::new();
    for stock in &source.stocks {
        wanted.entry(&stock.collection).or_default().push(stock.market());
    }
    for (collection, markets) in wanted {
        for message in source.history.latest(collection, &markets).await? {
            printer.row(latest_row(collection, message, source.now))?;
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
    column("exchange", "EXCHANGE"),
    column("documents", "DOCUMENTS"),
    column("first", "FIRST"),
    column("last", "LAST"),
];

pub(super) async fn count(source: &Source<'_>, common: &CommonArgs) -> Result<u64, Trouble> {
    let mut printer = Printer::new(stdout(), common.output, COUNT);
    let collections: BTreeSet<&CollectionName> =
        source.stocks.iter().map(|stock| &stock.collection).collect();
    let wanted = |count: &MarketCount| {
        let of_exchange = common.exchange.is_none_or(|exchange| exchange.as_str() == count.exchange);
        of_exchange && is_wanted(&count.symbol, &common.symbols)
    };
    for collection in collections {
        for count in source.history.count(collection, source.period).await?.into_iter().filter(wanted) {
            let MarketCount { symbol, exchange, documents, first, last } = count;
            printer.row(vec![
                Cell::text(collection),
                Cell::text(symbol),
                Cell::text(exchange),
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
    detail("exchange"),
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
    for stock in &source.stocks {
        let selection = prices.selection(stock.market(), source.period);
        let mut sketch = telling.sketch(Prices::new);
        let stats = match (&mut sketch, stock.shelf) {
            (None, Shelf::Prices | Shelf::Quotes) => {
                pricepipe_store::stats(source.history, &stock.collection, selection).await?
            }
            (sketch, _) => folded(sketch.as_mut(), source.points(stock, selection)).await?,
        };
        let Some(stats) = stats else { continue };
        telling.row(stats_row(stock, &stats))?;
        telling.draw(stock, sketch.map(|sketch| sketch.panels(&stock.name(), &stats)));
    }
    telling.finish()
}

/// The statistics of prices that are also drawn, or that no store adds up by itself.
async fn folded(mut sketch: Option<&mut Prices>, mut points: Points) -> Result<Option<Stats>, Trouble> {
    let mut fold = StatsFold::default();
    while let Some(chunk) = points.next().await? {
        for point in chunk {
            fold.push(point);
            sketch.iter_mut().for_each(|sketch| sketch.push(point));
        }
    }
    Ok(fold.finish())
}

fn stats_row(stock: &Stock, stats: &Stats) -> Vec<Cell> {
    let mut row = stock.cells();
    row.extend([
        Cell::number(stats.count),
        Cell::text(stats.first.time),
        Cell::text(stats.last.time),
        Cell::number(stats.min.price),
        Cell::text(stats.min.time),
        Cell::number(stats.max.price),
        Cell::text(stats.max.time),
        Cell::figure(stats.average),
        Cell::figure_or_none(stats.deviation),
    ]);
    row
}
