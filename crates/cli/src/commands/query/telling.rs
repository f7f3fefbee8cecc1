//! Writes rows as folds make them of prices, and gives them to a chart where one is wanted.

use std::io::{self, Stdout, stdout};

use pricepipe_core::analytics::PricePoint;
use pricepipe_plot::Panel;
use pricepipe_store::Selection;

use super::{Answer, Source, Trouble, plot::Plot, stock::Stock};
use crate::rows::{Cell, Column, Output, Printer};

/// Writes rows and counts what they came from.
pub(super) struct Telling<'a> {
    source: &'a Source<'a>,
    /// None when a chart takes the place of the rows, or when nobody reads them any more.
    printer: Option<Printer<Stdout>>,
    rows: u64,
    symbols: Vec<(String, u64, u64)>,
    plot: Option<Plot>,
}

impl<'a> Telling<'a> {
    /// With a chart of this title, if one is wanted.
    pub(super) fn new(
        source: &'a Source<'a>,
        output: Output,
        columns: &'static [Column],
        title: impl FnOnce() -> String,
    ) -> Self {
        let plot = source.medium.clone().map(|medium| Plot::new(medium, title()));
        let rows = !plot.as_ref().is_some_and(Plot::replaces_rows);
        let printer = rows.then(|| Printer::new(stdout(), output, columns));
        Telling { source, printer, rows: 0, symbols: Vec::new(), plot }
    }

    /// What a symbol's chart is made from, if one is wanted.
    pub(super) fn sketch<T>(&self, new: impl FnOnce(&Plot) -> T) -> Option<T> {
        self.plot.as_ref().map(new)
    }

    /// Adds a symbol to the chart.
    pub(super) fn draw(&mut self, stock: &Stock, panels: Option<Vec<Panel>>) {
        if let (Some(plot), Some(panels)) = (&mut self.plot, panels) {
            plot.add(&stock.name(), panels);
        }
    }

    pub(super) fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.rows += 1;
        let Some(printer) = &mut self.printer else { return Ok(()) };
        match printer.row(cells) {
            // The chart is wanted all the same.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.plot.is_some() => {
                self.printer = None;
                Ok(())
            }
            written => written,
        }
    }

    /// Writes a row for each price of which one comes.
    pub(super) async fn fold(
        &mut self,
        stock: &Stock,
        selection: Selection,
        mut row: impl FnMut(PricePoint) -> Option<Vec<Cell>>,
    ) -> Result<(), Trouble> {
        let (mut prices, before) = (0, self.rows);
        let mut points = self.source.points(stock, selection);
        while let Some(chunk) = points.next().await? {
            prices += chunk.len() as u64;
            for row in chunk.into_iter().filter_map(&mut row) {
                self.row(row)?;
            }
        }
        self.symbols.push((stock.name(), prices, self.rows - before));
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Answer, Trouble> {
        if let Some(printer) = self.printer {
            match printer.finish() {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.plot.is_some() => {}
                written => drop(written?),
            }
        }
        Ok(Answer { rows: self.rows, symbols: self.symbols, plot: self.plot })
    }
}
