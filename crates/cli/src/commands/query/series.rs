//! Questions with many rows for each symbol: jumps, moving averages, volatility, candles.

use std::{
    io::{self, Stdout, stdout},
    num::NonZeroUsize,
};

use pricepipe_core::{
    analytics::{Candle, Interval, Jump, Jumps, MovingAverages, Percent, PricePoint, Volatility},
    names::CollectionName,
};
use pricepipe_store::Selection;

use super::{
    Source, Trouble,
    args::PricesArgs,
    output::{Cell, Column, Printer, column},
};

const JUMPS: &[Column] = &[
    column("symbol", "SYMBOL"),
    column("fromTime", "FROM"),
    column("fromPrice", "PRICE"),
    column("toTime", "TO"),
    column("toPrice", "PRICE"),
    column("percent", "PERCENT"),
];

pub(super) async fn jumps(
    source: &Source<'_>,
    prices: &PricesArgs,
    percent: Percent,
    within: Option<Interval>,
) -> Result<u64, Trouble> {
    let mut printer = Printer::new(stdout(), prices.common.output, JUMPS);
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut jumps = match within {
            None => Jumps::between_neighbours(percent),
            Some(window) => Jumps::within(percent, window),
        };
        let row = |point| jumps.push(point).map(|jump| jump_row(symbol, jump));
        fold(source, collection, prices.selection(symbol, source.now), row, &mut printer).await?;
    }
    Ok(printer.finish()?)
}

fn jump_row(symbol: &str, jump: Jump) -> Vec<Cell> {
    // A sign, so that a rise is seen as one.
    let sign = if jump.percent.is_sign_negative() { "" } else { "+" };
    vec![
        Cell::text(symbol),
        Cell::text(jump.from.time),
        Cell::number(jump.from.price),
        Cell::text(jump.to.time),
        Cell::number(jump.to.price),
        Cell::with_form(jump.percent, format!("{sign}{:.3}", jump.percent)),
    ]
}

const MOVING_AVERAGE: &[Column] = &[
    column("symbol", "SYMBOL"),
    column("time", "TIME"),
    column("price", "PRICE"),
    column("simple", "SIMPLE"),
    column("exponential", "EXPONENTIAL"),
];

pub(super) async fn moving_average(
    source: &Source<'_>,
    prices: &PricesArgs,
    window: usize,
) -> Result<u64, Trouble> {
    let mut printer = Printer::new(stdout(), prices.common.output, MOVING_AVERAGE);
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut averages = MovingAverages::over(NonZeroUsize::new(window).unwrap_or(NonZeroUsize::MIN));
        let row = |point| {
            let found = averages.push(point)?;
            let [symbol, time, price] = at(symbol, found.point);
            Some(vec![symbol, time, price, Cell::figure(found.simple), Cell::figure(found.exponential)])
        };
        fold(source, collection, prices.short_selection(symbol, source.now), row, &mut printer).await?;
    }
    Ok(printer.finish()?)
}

const VOLATILITY: &[Column] = &[
    column("symbol", "SYMBOL"),
    column("time", "TIME"),
    column("price", "PRICE"),
    column("volatility", "VOLATILITY"),
    column("annualised", "ANNUALISED"),
];

pub(super) async fn volatility(
    source: &Source<'_>,
    prices: &PricesArgs,
    window: usize,
    annualise: bool,
) -> Result<u64, Trouble> {
    let columns = if annualise { VOLATILITY } else { &VOLATILITY[..4] };
    let mut printer = Printer::new(stdout(), prices.common.output, columns);
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut volatility = Volatility::over(window);
        let row = |point| {
            let found = volatility.push(point)?;
            let [symbol, time, price] = at(symbol, found.point);
            let mut row = vec![symbol, time, price, Cell::figure(found.volatility)];
            if annualise {
                row.push(Cell::figure_or_none(found.annualised));
            }
            Some(row)
        };
        fold(source, collection, prices.short_selection(symbol, source.now), row, &mut printer).await?;
    }
    Ok(printer.finish()?)
}

const CANDLES: &[Column] = &[
    column("symbol", "SYMBOL"),
    column("start", "START"),
    column("open", "OPEN"),
    column("high", "HIGH"),
    column("low", "LOW"),
    column("close", "CLOSE"),
    column("count", "COUNT"),
];

pub(super) async fn candles(
    source: &Source<'_>,
    prices: &PricesArgs,
    interval: Interval,
) -> Result<u64, Trouble> {
    let mut printer = Printer::new(stdout(), prices.common.output, CANDLES);
    for (collection, symbol) in source.symbols(&prices.common) {
        let selection = prices.selection(symbol, source.now);
        let mut written: io::Result<()> = Ok(());
        let each = |candle| {
            written = printer.row(candle_row(symbol, candle));
            written.is_ok()
        };
        pricepipe_store::candles(source.history, collection, selection, interval, each).await?;
        written?;
    }
    Ok(printer.finish()?)
}

fn candle_row(symbol: &str, candle: Candle) -> Vec<Cell> {
    vec![
        Cell::text(symbol),
        Cell::text(candle.start),
        Cell::number(candle.open),
        Cell::number(candle.high),
        Cell::number(candle.low),
        Cell::number(candle.close),
        Cell::number(candle.count),
    ]
}

fn at(symbol: &str, point: PricePoint) -> [Cell; 3] {
    [Cell::text(symbol), Cell::text(point.time), Cell::number(point.price)]
}

/// Writes the rows that a fold makes of the prices of a selection.
async fn fold(
    source: &Source<'_>,
    collection: &CollectionName,
    selection: Selection,
    mut row: impl FnMut(PricePoint) -> Option<Vec<Cell>>,
    printer: &mut Printer<Stdout>,
) -> Result<(), Trouble> {
    let mut series = source.history.prices(collection, selection);
    while let Some(chunk) = series.next().await? {
        chunk.into_iter().filter_map(&mut row).try_for_each(|row| printer.row(row))?;
    }
    Ok(())
}
