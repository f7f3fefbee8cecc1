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

use super::{Answer, Source, Trouble, args::PricesArgs};
use crate::rows::{Cell, Column, Printer, column, detail};

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
    let mut telling = Telling::new(source, Printer::new(stdout(), prices.common.output, JUMPS));
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut jumps = match within {
            None => Jumps::between_neighbours(percent),
            Some(window) => Jumps::within(percent, window),
        };
        let row = |point| jumps.push(point).map(|jump| jump_row(collection, symbol, jump));
        telling.fold(collection, prices.selection(symbol, source.now), row).await?;
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
    let mut telling = Telling::new(source, Printer::new(stdout(), prices.common.output, MOVING_AVERAGE));
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut averages = MovingAverages::over(NonZeroUsize::new(window).unwrap_or(NonZeroUsize::MIN));
        let row = |point| {
            let found = averages.push(point)?;
            let mut row = at(collection, symbol, found.point);
            row.extend([Cell::figure(found.simple), Cell::figure(found.exponential)]);
            Some(row)
        };
        telling.fold(collection, prices.short_selection(symbol, source.now, before), row).await?;
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
    let mut telling = Telling::new(source, Printer::new(stdout(), prices.common.output, columns));
    for (collection, symbol) in source.symbols(&prices.common) {
        let mut volatility = Volatility::over(window);
        let row = |point| {
            let found = volatility.push(point)?;
            let mut row = at(collection, symbol, found.point);
            row.push(Cell::figure(found.volatility));
            if annualise {
                row.push(Cell::figure_or_none(found.annualised));
            }
            Some(row)
        };
        telling.fold(collection, prices.short_selection(symbol, source.now, before), row).await?;
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
) -> Result<u64, Trouble> {
    let mut printer = Printer::new(stdout(), prices.common.output, CANDLES);
    for (collection, symbol) in source.symbols(&prices.common) {
        let selection = prices.selection(symbol, source.now);
        let mut written: io::Result<()> = Ok(());
        let each = |candle| {
            written = printer.row(candle_row(collection, symbol, candle));
            written.is_ok()
        };
        pricepipe_store::candles(source.history, collection, selection, interval, each).await?;
        written?;
    }
    Ok(printer.finish()?)
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

/// Writes the rows that folds make of the prices of selections, and counts what they looked at.
struct Telling<'a> {
    source: &'a Source<'a>,
    printer: Printer<Stdout>,
    symbols: Vec<(String, u64, u64)>,
}

impl<'a> Telling<'a> {
    fn new(source: &'a Source<'a>, printer: Printer<Stdout>) -> Self {
        Telling { source, printer, symbols: Vec::new() }
    }

    async fn fold(
        &mut self,
        collection: &CollectionName,
        selection: Selection,
        mut row: impl FnMut(PricePoint) -> Option<Vec<Cell>>,
    ) -> Result<(), Trouble> {
        let (symbol, mut prices, mut rows) = (selection.symbol.clone(), 0, 0);
        let mut series = self.source.history.prices(collection, selection);
        while let Some(chunk) = series.next().await? {
            prices += chunk.len() as u64;
            for row in chunk.into_iter().filter_map(&mut row) {
                rows += 1;
                self.printer.row(row)?;
            }
        }
        self.symbols.push((symbol, prices, rows));
        Ok(())
    }

    fn finish(self) -> Result<Answer, Trouble> {
        Ok(Answer { rows: self.printer.finish()?, symbols: self.symbols })
    }
}
