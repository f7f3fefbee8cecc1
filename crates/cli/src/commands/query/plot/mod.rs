//! The chart of an answer: made while its rows are written, then drawn as a picture or as text.

pub(crate) mod args;
pub(super) mod sketches;
mod text;

use std::{fs, io::IsTerminal};

use pricepipe_core::Symbol;
use pricepipe_plot::{Chart, Layer, Line, Panel, Values, png, svg};
use pricepipe_service::telemetry;

use self::args::{Format, Medium, PictureFile};
use crate::{
    exit::{Exit, Failed},
    output,
};

/// The most names of symbols in a title.
const MOST_NAMES: usize = 3;
/// A candle of a picture has so many pixels, of the usual width.
const CANDLE: usize = 5;
/// The width of text when nobody looks at it on a terminal, and the least.
const COLUMNS: u16 = 80;
const LEAST_COLUMNS: u16 = 40;

/// The chart of an answer, while its symbols come.
pub(super) struct Plot {
    medium: Medium,
    columns: u16,
    /// What the question is, for the title.
    what: String,
    symbols: Vec<String>,
    panels: Vec<Panel>,
}

impl Plot {
    pub(super) fn new(medium: Medium, what: String) -> Self {
        Plot { medium, columns: columns(), what, symbols: Vec::new(), panels: Vec::new() }
    }

    /// Whether it takes the place of the rows.
    pub(super) fn replaces_rows(&self) -> bool {
        self.medium == Medium::Text
    }

    /// How many values beside each other can be told apart.
    pub(super) fn resolution(&self) -> usize {
        match &self.medium {
            Medium::Picture { size, .. } => size.width as usize,
            Medium::Text => 2 * usize::from(self.columns),
        }
    }

    /// How many candles beside each other can be seen.
    pub(super) fn candles(&self) -> usize {
        match &self.medium {
            Medium::Picture { size, .. } => size.width as usize / CANDLE,
            Medium::Text => usize::from(text::room(self.columns)),
        }
    }

    /// Adds the panels of a symbol; without values there is nothing to draw.
    pub(super) fn add(&mut self, symbol: &str, panels: Vec<Panel>) {
        let drawn = |panel: &Panel| panel.extent().low <= panel.extent().high;
        if panels.iter().any(drawn) {
            self.symbols.push(symbol.to_owned());
            self.panels.extend(panels);
        }
    }

    /// Draws what has come. Nothing is drawn of nothing.
    pub(super) fn draw(self) -> Result<(), Failed> {
        if self.panels.is_empty() {
            return Ok(());
        }
        let title = format!("{} – {}", names(&self.symbols), self.what);
        let mut panels = self.panels;
        if let [_] = self.symbols.as_slice() {
            panels.iter_mut().for_each(|panel| panel.name.clear());
        }
        let chart = Chart { title, panels };
        match &self.medium {
            Medium::Text => {
                let colours = std::io::stdout().is_terminal() && telemetry::may_colour();
                output::answer(&text::chart(&chart, self.columns, colours))
            }
            Medium::Picture { file, size, theme } => {
                picture(file, &svg(&chart, *size, *theme))?;
                output::note(format!("wrote {}, {}x{}", file.path.display(), size.width, size.height));
                chart
                    .panels
                    .iter()
                    .flat_map(|panel| &panel.layers)
                    .find_map(joined)
                    .iter()
                    .for_each(output::note);
                Ok(())
            }
        }
    }
}

fn picture(file: &PictureFile, svg: &str) -> Result<(), Failed> {
    let failed =
        |problem: String| Failed::new(Exit::Failure, format!("--plot {}: {problem}", file.path.display()));
    let bytes = match file.format {
        Format::Svg => svg.as_bytes().to_vec(),
        Format::Png => png(svg).map_err(|error| failed(error.to_string()))?,
    };
    fs::write(&file.path, bytes).map_err(|error| failed(error.to_string()))
}

/// What became of candles that were too short to be seen.
fn joined(layer: &Layer) -> Option<String> {
    match layer {
        Layer::Candles(bars) if bars.are_joined() => {
            let (asked, length) = (bars.asked, bars.length());
            Some(format!("candles of {asked} would be too narrow, so those of {length} are drawn"))
        }
        _ => None,
    }
}

/// The symbols for a title.
fn names(symbols: &[String]) -> String {
    if symbols.len() <= MOST_NAMES {
        return symbols.join(", ");
    }
    format!("{} and {} more", symbols[..MOST_NAMES - 1].join(", "), symbols.len() - MOST_NAMES + 1)
}

/// A panel of prices of a symbol, behind which an exchange may be named; the quote asset is their unit, where it is known.
pub(super) fn prices(name: &str, layers: Vec<Layer>) -> Panel {
    let symbol = name.split(' ').next().unwrap_or(name);
    let base = symbol.parse::<Symbol>().ok().and_then(|symbol| symbol.base_asset());
    let quote =
        base.and_then(|base| symbol.get(base.len()..)).map(|quote| quote.trim_start_matches(['-', '_', '/']));
    let unit = quote.filter(|quote| !quote.is_empty()).unwrap_or("price");
    Panel { name: name.to_owned(), values: Values::Price(unit.to_owned()), layers }
}

/// The width of the terminal that standard output is, or the usual one.
fn columns() -> u16 {
    let terminal = std::io::stdout().is_terminal().then(ratatui::crossterm::terminal::size);
    // Some pretend to be terminals without a width.
    let width =
        terminal.and_then(Result::ok).map(|(width, _)| width).filter(|width| *width > 0).unwrap_or(COLUMNS);
    width.max(LEAST_COLUMNS)
}

/// A layer of the line, by the name of what it is.
fn line(name: impl Into<String>, ink: pricepipe_plot::Ink, line: Line) -> Layer {
    Layer::Line { name: name.into(), ink, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_price_is_the_quote_asset() {
        let unit = |symbol: &str| prices(symbol, Vec::new()).values.unit().to_owned();
        assert_eq!(
            ["BTCUSDT", "XRPETH", "BTC-USD", "BTC/USD kraken", "FOOBAR"].map(unit),
            ["USDT", "ETH", "USD", "USD", "price"]
        );
    }

    #[test]
    fn a_title_names_a_few_symbols() {
        let names = |symbols: &[&str]| names(&symbols.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["A", "B", "C"]), "A, B, C");
        assert_eq!(names(&["A", "B", "C", "D"]), "A, B and 2 more");
    }
}
