//! How far replays are, for whoever watches.

use pricepipe_core::{Exchange, Symbol, Timestamp};

/// A source that replays history.
#[derive(Clone, Debug)]
pub struct ObservedReplay {
    /// The source's name.
    pub source: String,
    /// The exchange.
    pub exchange: Exchange,
    /// Its markets, in the order of the configuration.
    pub markets: Vec<ReplayedMarket>,
}

/// A market whose history is replayed.
#[derive(Clone, Debug)]
pub struct ReplayedMarket {
    /// The symbol.
    pub symbol: Symbol,
    /// What was read and sent on by this process.
    pub records: u64,
    /// How far it is; none before it has begun.
    pub reached: Option<Timestamp>,
    /// How much of the time is behind, from 0 to 1.
    pub fraction: f64,
    /// How it ended; none before.
    pub end: Option<ReplayEnd>,
}

/// How the replay of a market ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayEnd {
    /// Everything was sent.
    Complete,
    /// The exchange will not answer, and why.
    GivenUp(String),
}

impl ObservedReplay {
    pub(crate) fn new(source: &str, exchange: Exchange, symbols: impl Iterator<Item = Symbol>) -> Self {
        let market = |symbol| ReplayedMarket { symbol, records: 0, reached: None, fraction: 0.0, end: None };
        ObservedReplay { source: source.to_owned(), exchange, markets: symbols.map(market).collect() }
    }

    /// How many markets have ended.
    pub fn ended(&self) -> usize {
        self.markets.iter().filter(|market| market.end.is_some()).count()
    }

    /// What was read and sent on by this process.
    pub fn records(&self) -> u64 {
        self.markets.iter().map(|market| market.records).sum()
    }

    /// How far the slowest market is; none before all have begun.
    pub fn reached(&self) -> Option<Timestamp> {
        let reached = self.markets.iter().filter(|market| market.end.is_none()).map(|market| market.reached);
        reached.min().unwrap_or_else(|| self.markets.iter().filter_map(|market| market.reached).max())
    }

    /// How much of the time is behind, from 0 to 1, over all markets.
    pub fn fraction(&self) -> f64 {
        let sum: f64 = self.markets.iter().map(|m| if m.end.is_some() { 1.0 } else { m.fraction }).sum();
        if self.markets.is_empty() { 1.0 } else { sum / self.markets.len() as f64 }
    }

    /// What its state is in a line.
    pub fn state(&self) -> String {
        let (ended, all) = (self.ended(), self.markets.len());
        if ended == all {
            return "replay complete".to_owned();
        }
        let reached = self.reached().map(|time| format!(", at {time}")).unwrap_or_default();
        let percent = (self.fraction() * 100.0).floor();
        format!("replaying: {percent} %{reached}, {ended} of {all} symbols complete")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_market_says_how_far_a_replay_is() {
        let symbols = ["A", "B"].map(|symbol| symbol.parse().unwrap());
        let mut replay = ObservedReplay::new("a", Exchange::Kraken, symbols.into_iter());
        assert_eq!((replay.reached(), replay.fraction()), (None, 0.0));
        let time = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        replay.markets[0].reached = time("2026-11-01T00:00:00Z");
        assert_eq!(replay.reached(), None, "one has not begun");
        replay.markets[1].reached = time("2026-11-02T00:00:00Z");
        (replay.markets[0].fraction, replay.markets[1].fraction) = (0.25, 0.5);
        assert_eq!(replay.state(), "replaying: 37 %, at 2026-11-01T00:00:00Z, 0 of 2 symbols complete");
        replay.markets[0].end = Some(ReplayEnd::Complete);
        assert_eq!((replay.reached(), replay.fraction()), (time("2026-11-02T00:00:00Z"), 0.75));
        replay.markets[1].end = Some(ReplayEnd::GivenUp("unknown".to_owned()));
        assert_eq!((replay.state().as_str(), replay.fraction()), ("replay complete", 1.0));
    }
}
