//! What each question keeps of its prices to draw them: no more than a picture can show.

use std::{cmp::Reverse, collections::BinaryHeap};

use pricepipe_core::analytics::{
    Averages, Candle, Decimal, Interval, Jump, PricePoint, Stats, VolatilityPoint,
};
use pricepipe_plot::{BarMerger, Ink, Layer, Move, Panel, Thinner, Values, ticks::figure};

use super::{Plot, line, prices};

/// As many moves as can be told apart in a picture.
const MOST_MOVES: usize = 200;
/// The band of a volatility reaches so many standard deviations to each side.
const DEVIATIONS: f64 = 2.0;

/// Prices, for statistics.
pub(crate) struct Prices(Thinner);

impl Prices {
    pub(crate) fn new(plot: &Plot) -> Self {
        Prices(Thinner::new(plot.resolution()))
    }

    pub(crate) fn push(&mut self, point: PricePoint) {
        self.0.push(point.time, point.price.to_f64());
    }

    /// With their average, and the standard deviation around it.
    pub(crate) fn panels(self, symbol: &str, stats: &Stats) -> Vec<Panel> {
        let average = number(stats.average);
        let around = stats.deviation.map(number).map(|deviation| Layer::Range {
            name: format!("±1 deviation ({})", figure(deviation)),
            ink: Ink::Warm,
            low: average - deviation,
            high: average + deviation,
        });
        let level =
            Layer::Level { name: format!("average {}", figure(average)), ink: Ink::Warm, value: average };
        let price = line("price", Ink::Cool, self.0.finish());
        vec![prices(symbol, around.into_iter().chain([level, price]).collect())]
    }
}

/// Prices and their jumps, the greatest of them.
pub(crate) struct Jumping {
    price: Thinner,
    /// The least of those kept is on top.
    jumps: BinaryHeap<Reverse<Ranked>>,
    found: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    size: Decimal,
    /// Of equal jumps the earlier is the greater.
    earlier: Reverse<u64>,
    at: [(i64, Decimal); 2],
    rises: bool,
}

impl Jumping {
    pub(crate) fn new(plot: &Plot) -> Self {
        Jumping { price: Thinner::new(plot.resolution()), jumps: BinaryHeap::new(), found: 0 }
    }

    pub(crate) fn push(&mut self, point: PricePoint, jump: Option<&Jump>) {
        self.price.push(point.time, point.price.to_f64());
        if let Some(Jump { from, to, percent }) = jump {
            self.found += 1;
            let at = [from, to].map(|point| (point.time.as_millis(), point.price.as_decimal()));
            let (size, earlier) = (percent.abs(), Reverse(self.found));
            self.jumps.push(Reverse(Ranked { size, earlier, at, rises: percent.is_sign_positive() }));
            if self.jumps.len() > MOST_MOVES {
                self.jumps.pop();
            }
        }
    }

    pub(crate) fn panels(self, symbol: &str) -> Vec<Panel> {
        let name = match self.found {
            1 => "1 jump".to_owned(),
            found if found as usize > MOST_MOVES => {
                format!("{found} jumps, the greatest {MOST_MOVES} marked")
            }
            found => format!("{found} jumps"),
        };
        let greatest_first = self.jumps.into_sorted_vec().into_iter();
        let moves = greatest_first.map(|Reverse(Ranked { size, at, rises, .. })| {
            let [from, to] = at.map(|(millis, price)| (millis, number(price)));
            Move { from, to, percent: if rises { number(size) } else { -number(size) } }
        });
        let moves = Layer::Moves { name, moves: moves.collect() };
        vec![prices(symbol, vec![line("price", Ink::Quiet, self.price.finish()), moves])]
    }
}

/// Prices and their moving averages.
pub(crate) struct Averaged {
    price: Thinner,
    simple: Thinner,
    exponential: Thinner,
}

impl Averaged {
    pub(crate) fn new(plot: &Plot) -> Self {
        let thinner = || Thinner::new(plot.resolution());
        Averaged { price: thinner(), simple: thinner(), exponential: thinner() }
    }

    pub(crate) fn push(&mut self, found: &Averages) {
        let time = found.point.time;
        self.price.push(time, found.point.price.to_f64());
        self.simple.push(time, number(found.simple));
        self.exponential.push(time, number(found.exponential));
    }

    pub(crate) fn panels(self, symbol: &str) -> Vec<Panel> {
        let layers = vec![
            line("price", Ink::Quiet, self.price.finish()),
            line("simple", Ink::Warm, self.simple.finish()),
            line("exponential", Ink::Cool, self.exponential.finish()),
        ];
        vec![prices(symbol, layers)]
    }
}

/// Prices, the band that their volatility makes around them, and the volatility itself.
pub(crate) struct Risk {
    annualised: bool,
    price: Thinner,
    low: Thinner,
    high: Thinner,
    volatility: Thinner,
}

impl Risk {
    pub(crate) fn new(plot: &Plot, annualised: bool) -> Self {
        let thinner = || Thinner::new(plot.resolution());
        Risk { annualised, price: thinner(), low: thinner(), high: thinner(), volatility: thinner() }
    }

    pub(crate) fn push(&mut self, found: &VolatilityPoint) {
        let (time, price) = (found.point.time, found.point.price.to_f64());
        let away = (DEVIATIONS * number(found.volatility)).exp();
        self.price.push(time, price);
        self.low.push(time, price / away);
        self.high.push(time, price * away);
        let told = if self.annualised { found.annualised } else { Some(found.volatility) };
        if let Some(told) = told {
            self.volatility.push(time, 100.0 * number(told));
        }
    }

    pub(crate) fn panels(self, symbol: &str) -> Vec<Panel> {
        let name = format!("price ±{DEVIATIONS} volatilities");
        let band = Layer::Band { name, ink: Ink::Cool, low: self.low.finish(), high: self.high.finish() };
        let above = prices(symbol, vec![band, line("price", Ink::Cool, self.price.finish())]);
        let name = if self.annualised { "volatility of a year" } else { "volatility to the next price" };
        let layers = vec![line(name, Ink::Warm, self.volatility.finish())];
        vec![above, Panel { name: String::new(), values: Values::Percent, layers }]
    }
}

/// Candles.
pub(crate) struct Candlesticks(BarMerger);

impl Candlesticks {
    pub(crate) fn new(plot: &Plot, interval: Interval) -> Self {
        Candlesticks(BarMerger::new(interval, plot.candles()))
    }

    pub(crate) fn push(&mut self, candle: &Candle) {
        self.0.push(candle);
    }

    pub(crate) fn panels(self, symbol: &str) -> Vec<Panel> {
        vec![prices(symbol, vec![Layer::Candles(self.0.finish())])]
    }
}

/// A decimal as near as a picture needs it.
fn number(decimal: Decimal) -> f64 {
    decimal.mantissa() as f64 / 10_f64.powi(decimal.scale().cast_signed())
}

#[cfg(test)]
mod tests {
    use pricepipe_core::{Timestamp, analytics::Jumps};

    use super::*;

    #[test]
    fn of_many_jumps_the_greatest_are_kept_and_all_are_counted() {
        let mut sketch = Jumping { price: Thinner::new(100), jumps: BinaryHeap::new(), found: 0 };
        let mut jumps = Jumps::between_neighbours("1".parse().unwrap());
        for n in 0..1_000_i64 {
            let price = if n % 2 == 0 { "100".to_owned() } else { (101 + n).to_string() };
            let time = Timestamp::from_millis(1_000 + n).unwrap();
            let point = PricePoint { time, price: price.parse().unwrap() };
            sketch.push(point, jumps.push(point).as_ref());
        }
        let panels = sketch.panels("BTCUSDT");
        let Layer::Moves { name, moves } = &panels[0].layers[1] else { panic!("{panels:?}") };
        assert_eq!(name, "999 jumps, the greatest 200 marked");
        assert_eq!((moves.len(), moves[0].percent), (MOST_MOVES, 1_000.0));
        assert!(moves.windows(2).all(|two| two[0].percent.abs() >= two[1].percent.abs()));
    }
}
