//! What is drawn: panels above each other that share a time axis, each with layers.

use crate::{Bars, Extent, Line};

/// A picture, before anybody has decided where anything goes.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// From above to below.
    pub panels: Vec<Panel>,
}

/// A part of the picture with a value axis of its own.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The symbol, where there are several.
    pub name: String,
    /// What its values are.
    pub values: Values,
    /// Drawn in this order.
    pub layers: Vec<Layer>,
}

/// What the values of a panel are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Prices in this unit, as in `USDT`.
    Price(String),
    /// Percents. Such a panel belongs to the one above it and is half as high.
    Percent,
}

/// Something to draw, with its name for the legend.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A line.
    Line {
        /// For the legend.
        name: String,
        /// Its colour.
        ink: Ink,
        /// What it joins.
        line: Line,
    },
    /// What lies between two lines of the same moments.
    Band {
        /// For the legend.
        name: String,
        /// Its colour.
        ink: Ink,
        /// Below.
        low: Line,
        /// Above.
        high: Line,
    },
    /// A value that does not change, dashed.
    Level {
        /// For the legend.
        name: String,
        /// Its colour.
        ink: Ink,
        /// The value.
        value: f64,
    },
    /// What lies between two values that do not change.
    Range {
        /// For the legend.
        name: String,
        /// Its colour.
        ink: Ink,
        /// Below.
        low: f64,
        /// Above.
        high: f64,
    },
    /// Candles.
    Candles(Bars),
    /// Moves of the price, the greatest first.
    Moves {
        /// For the legend.
        name: String,
        /// The moves.
        moves: Vec<Move>,
    },
}

/// A move of the price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// When it began, in milliseconds since 1970, and the price then.
    pub from: (i64, f64),
    /// When it ended, and the price then.
    pub to: (i64, f64),
    /// How far it went; negative when the price fell.
    pub percent: f64,
}

/// A colour by what it is for. People who cannot tell red from green can tell these apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// For what others are compared with.
    Quiet,
    /// Blue: also what rises.
    Cool,
    /// Orange: also what falls.
    Warm,
}

impl Chart {
    /// From the first to the last moment that is drawn; none without data.
    pub fn times(&self) -> Option<(i64, i64)> {
        let layers = self.panels.iter().flat_map(|panel| &panel.layers);
        let times = layers.filter_map(Layer::times);
        times.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)))
    }
}

impl Panel {
    /// From the least to the greatest value that is drawn.
    pub fn extent(&self) -> Extent {
        self.layers.iter().map(Layer::extent).fold(Extent::default(), Extent::and)
    }
}

impl Values {
    /// The unit, for the head of the axis.
    pub fn unit(&self) -> &str {
        match self {
            Values::Price(unit) => unit,
            Values::Percent => "%",
        }
    }
}

impl Layer {
    /// Its name for the legend.
    pub fn name(&self) -> String {
        match self {
            Layer::Line { name, .. }
            | Layer::Band { name, .. }
            | Layer::Level { name, .. }
            | Layer::Range { name, .. }
            | Layer::Moves { name, .. } => name.clone(),
            Layer::Candles(bars) => bars.name(),
        }
    }

    fn times(&self) -> Option<(i64, i64)> {
        match self {
            Layer::Line { line, .. } | Layer::Band { low: line, .. } => {
                Some((line.dots.first()?.millis, line.dots.last()?.millis))
            }
            Layer::Candles(bars) => Some((bars.bars.first()?.start, bars.bars.last()?.start + bars.width)),
            Layer::Level { .. } | Layer::Range { .. } | Layer::Moves { .. } => None,
        }
    }

    fn extent(&self) -> Extent {
        let of = |line: &Line| line.dots.iter().map(|dot| dot.value).collect();
        match self {
            Layer::Line { line, .. } => of(line),
            Layer::Band { low, high, .. } => of(low).and(of(high)),
            Layer::Level { value, .. } => [*value].into_iter().collect(),
            Layer::Range { low, high, .. } => [*low, *high].into_iter().collect(),
            Layer::Candles(bars) => bars.bars.iter().flat_map(|bar| [bar.low, bar.high]).collect(),
            Layer::Moves { moves, .. } => moves.iter().flat_map(|m| [m.from.1, m.to.1]).collect(),
        }
    }
}
