//! Questions with many rows for each symbol: jumps, moving averages, volatility, candles.

use std::{io, num::NonZeroUsize};

use pricepipe_core::{
    analytics::{Candle, Interval, Jump, Jumps, MovingAverages, Percent, PricePoint, Volatility},
    names::CollectionName,
};

use super::{
    Answer, Source, Trouble,
    args::PricesArgs,
    plot::sketches::{Averaged, Candlesticks, Jumping, Risk},
    telling::Telling,
};
use crate::rows::{Cell, Column, column, detail};

const JUMPS: &[Column] = &[
    detail("collection"),
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
) -> Result<Answer, Trouble> {
    let title = || match within {
        None => format!("jumps of {percent} % or more"),
        Some(window) => format!("jumps of {percent} % or more within {window}"),
    };
    let mut telling = Telling::new(source, prices.common.output, JUMPS, title);
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut jumps = match within {
            None => Jumps::between_neighbours(percent),
            Some(window) => Jumps::within(percent, window),
        };
        let mut sketch = telling.sketch(Jumping::new);
        let row = |point| {
            let found = jumps.push(point);
            sketch.iter_mut().for_each(|sketch| sketch.push(point, found.as_ref()));
            found.map(|jump| jump_row(collection, symbol, jump))
        };
        telling.fold(collection, prices.selection(symbol, source.period), row).await?;
        telling.draw(symbol, sketch.map(|sketch| sketch.panels(symbol)));
    }
    telling.finish()
}

fn jump_row(collection: &CollectionName, symbol: &str, jump: Jump) -> Vec<Cell> {
    // A sign, so that a rise is seen as one. Formatting alone would cut digits off instead of rounding.
    let sign = if jump.percent.is_sign_negative() { "" } else { "+" };
    let rounded = jump.percent.round_dp(3);
    vec![
        Cell::text(collection),
        Cell::text(symbol),
        Cell::text(jump.from.time),
        Cell::number(jump.from.price),
        Cell::text(jump.to.time),
        Cell::number(jump.to.price),
        Cell::with_form(jump.percent, format!("{sign}{rounded:.3}")),
    ]
}

const MOVING_AVERAGE: &[Column] = &[
    detail("collection"),
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
    before: usize,
) -> Result<Answer, Trouble> {
    let title = || format!("moving averages over {window} prices");
    let mut telling = Telling::new(source, prices.common.output, MOVING_AVERAGE, title);
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut averages = MovingAverages::over(NonZeroUsize::new(window).unwrap_or(NonZeroUsize::MIN));
        let mut sketch = telling.sketch(Averaged::new);
        let row = |point| {
            let found = averages.push(point)?;
            sketch.iter_mut().for_each(|sketch| sketch.push(&found));
            let mut row = at(collection, symbol, found.point);
            row.extend([Cell::figure(found.simple), Cell::figure(found.exponential)]);
            Some(row)
        };
        telling.fold(collection, prices.short_selection(symbol, source.period, before), row).await?;
        telling.draw(symbol, sketch.map(|sketch| sketch.panels(symbol)));
    }
    telling.finish()
}

const VOLATILITY: &[Column] = &[
    detail("collection"),
    column("symbol", "SYMBOL"),
    column("time", "TIME"),
    column("price", "PRICE"),
    column("volatility", "VOLATILITY"),
    column("annualised", "ANNUALISED"),
];

pub(super) async fn volatility(
    source: &Source<'_>,
    prices: &PricesArgs,
    (window, before): (usize, usize),
    annualise: bool,
) -> Result<Answer, Trouble> {
    let columns = if annualise { VOLATILITY } else { &VOLATILITY[..5] };
    let title = || format!("volatility over {window} returns");
    let mut telling = Telling::new(source, prices.common.output, columns, title);
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut volatility = Volatility::over(window);
        let mut sketch = telling.sketch(|plot| Risk::new(plot, annualise));
        let row = |point| {
            let found = volatility.push(point)?;
            sketch.iter_mut().for_each(|sketch| sketch.push(&found));
            let mut row = at(collection, symbol, found.point);
            row.push(Cell::figure(found.volatility));
            if annualise {
                row.push(Cell::figure_or_none(found.annualised));
            }
            Some(row)
        };
        telling.fold(collection, prices.short_selection(symbol, source.period, before), row).await?;
        telling.draw(symbol, sketch.map(|sketch| sketch.panels(symbol)));
    }
    telling.finish()
}

const CANDLES: &[Column] = &[
    detail("collection"),
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
) -> Result<Answer, Trouble> {
    let title = || format!("prices in candles of {interval}");
    let mut telling = Telling::new(source, prices.common.output, CANDLES, title);
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut sketch = telling.sketch(|plot| Candlesticks::new(plot, interval));
        let selection = prices.selection(symbol, source.period);
        let mut written: io::Result<()> = Ok(());
        let each = |candle| {
            sketch.iter_mut().for_each(|sketch| sketch.push(&candle));
            written = telling.row(candle_row(collection, symbol, candle));
            written.is_ok()
        };
        pricepipe_store::candles(source.history, collection, selection, interval, each).await?;
        written?;
        telling.draw(symbol, sketch.map(|sketch| sketch.panels(symbol)));
    }
    telling.finish()
}

fn candle_row(collection: &CollectionName, symbol: &str, candle: Candle) -> Vec<Cell> {
    vec![
        Cell::text(collection),
        Cell::text(symbol),
        Cell::text(candle.start),
        Cell::number(candle.open),
        Cell::number(candle.high),
        Cell::number(candle.low),
        Cell::number(candle.close),
        Cell::number(candle.count),
    ]
}

fn at(collection: &CollectionName, symbol: &str, point: PricePoint) -> Vec<Cell> {
    vec![Cell::text(collection), Cell::text(symbol), Cell::text(point.time), Cell::number(point.price)]
}
