//! Questions with many rows for each symbol: jumps, moving averages, volatility, candles.

use std::{io, num::NonZeroUsize};

use pricepipe_core::{
    analytics::{Candle, Candles, Interval, Jump, Jumps, MovingAverages, Percent, PricePoint, Volatility},
    names::Shelf,
};
use pricepipe_store::Series;

use super::{
    Answer, Source, Trouble,
    args::PricesArgs,
    plot::sketches::{Averaged, Candlesticks, Jumping, Risk},
    stock::Stock,
    telling::Telling,
};
use crate::rows::{Cell, Column, column, detail};

const JUMPS: &[Column] = &[
    detail("collection"),
    column("symbol", "SYMBOL"),
    detail("exchange"),
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
    for stock in &source.stocks {
        let mut jumps = match within {
            None => Jumps::between_neighbours(percent),
            Some(window) => Jumps::within(percent, window),
        };
        let mut sketch = telling.sketch(Jumping::new);
        let row = |point| {
            let found = jumps.push(point);
            sketch.iter_mut().for_each(|sketch| sketch.push(point, found.as_ref()));
            found.map(|jump| jump_row(stock, jump))
        };
        telling.fold(stock, prices.selection(stock.market(), source.period), row).await?;
        telling.draw(stock, sketch.map(|sketch| sketch.panels(&stock.name())));
    }
    telling.finish()
}

fn jump_row(stock: &Stock, jump: Jump) -> Vec<Cell> {
    // A sign, so that a rise is seen as one. Formatting alone would cut digits off instead of rounding.
    let sign = if jump.percent.is_sign_negative() { "" } else { "+" };
    let rounded = jump.percent.round_dp(3);
    let mut row = stock.cells();
    row.extend([
        Cell::text(jump.from.time),
        Cell::number(jump.from.price),
        Cell::text(jump.to.time),
        Cell::number(jump.to.price),
        Cell::with_form(jump.percent, format!("{sign}{rounded:.3}")),
    ]);
    row
}

const MOVING_AVERAGE: &[Column] = &[
    detail("collection"),
    column("symbol", "SYMBOL"),
    detail("exchange"),
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
    for stock in &source.stocks {
        let mut averages = MovingAverages::over(NonZeroUsize::new(window).unwrap_or(NonZeroUsize::MIN));
        let mut sketch = telling.sketch(Averaged::new);
        let row = |point| {
            let found = averages.push(point)?;
            sketch.iter_mut().for_each(|sketch| sketch.push(&found));
            let mut row = at(stock, found.point);
            row.extend([Cell::figure(found.simple), Cell::figure(found.exponential)]);
            Some(row)
        };
        telling.fold(stock, prices.short_selection(stock.market(), source.period, before), row).await?;
        telling.draw(stock, sketch.map(|sketch| sketch.panels(&stock.name())));
    }
    telling.finish()
}

const VOLATILITY: &[Column] = &[
    detail("collection"),
    column("symbol", "SYMBOL"),
    detail("exchange"),
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
    let columns = if annualise { VOLATILITY } else { &VOLATILITY[..VOLATILITY.len() - 1] };
    let title = || format!("volatility over {window} returns");
    let mut telling = Telling::new(source, prices.common.output, columns, title);
    for stock in &source.stocks {
        let mut volatility = Volatility::over(window);
        let mut sketch = telling.sketch(|plot| Risk::new(plot, annualise));
        let row = |point| {
            let found = volatility.push(point)?;
            sketch.iter_mut().for_each(|sketch| sketch.push(&found));
            let mut row = at(stock, found.point);
            row.push(Cell::figure(found.volatility));
            if annualise {
                row.push(Cell::figure_or_none(found.annualised));
            }
            Some(row)
        };
        telling.fold(stock, prices.short_selection(stock.market(), source.period, before), row).await?;
        telling.draw(stock, sketch.map(|sketch| sketch.panels(&stock.name())));
    }
    telling.finish()
}

const CANDLES: &[Column] = &[
    detail("collection"),
    column("symbol", "SYMBOL"),
    detail("exchange"),
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
    for stock in &source.stocks {
        let mut sketch = telling.sketch(|plot| Candlesticks::new(plot, interval));
        let selection = prices.selection(stock.market(), source.period);
        let mut written: io::Result<()> = Ok(());
        let each = |candle| {
            sketch.iter_mut().for_each(|sketch| sketch.push(&candle));
            written = telling.row(candle_row(stock, candle));
            written.is_ok()
        };
        match stock.shelf {
            Shelf::Klines(_) => {
                let stored = source.history.klines(&stock.collection, selection);
                joined(stored, interval, each).await?;
            }
            Shelf::Prices | Shelf::Quotes => {
                pricepipe_store::candles(source.history, &stock.collection, selection, interval, each)
                    .await?;
            }
        }
        written?;
        telling.draw(stock, sketch.map(|sketch| sketch.panels(&stock.name())));
    }
    telling.finish()
}

/// Gives the candles that stored ones make up to `each`, oldest first, until it says that it wants no more.
async fn joined(
    mut stored: Series<Candle>,
    interval: Interval,
    mut each: impl FnMut(Candle) -> bool,
) -> Result<(), Trouble> {
    let mut candles = Candles::of(interval);
    while let Some(chunk) = stored.next().await? {
        if !chunk.into_iter().filter_map(|candle| candles.join(candle)).all(&mut each) {
            return Ok(());
        }
    }
    if let Some(last) = candles.finish() {
        each(last);
    }
    Ok(())
}

fn candle_row(stock: &Stock, candle: Candle) -> Vec<Cell> {
    let mut row = stock.cells();
    row.extend([
        Cell::text(candle.start),
        Cell::number(candle.open),
        Cell::number(candle.high),
        Cell::number(candle.low),
        Cell::number(candle.close),
        Cell::number(candle.count),
    ]);
    row
}

fn at(stock: &Stock, point: PricePoint) -> Vec<Cell> {
    let mut row = stock.cells();
    row.extend([Cell::text(point.time), Cell::number(point.price)]);
    row
}
