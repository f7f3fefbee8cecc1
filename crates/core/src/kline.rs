//! The intervals of klines, as Binance names them, and which exchange offers which.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Exchange;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long a kline lasts. The names tell minutes (`1m`) from months (`1M`) by their case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KlineInterval(usize);

/// Every interval: its name, its milliseconds (none for a month, whose length varies), and the exchanges that offer it:
/// Binance all, Coinbase six and Kraken eight (its 15-day candles have no name here), by their documentation.
const INTERVALS: &[(&str, Option<i64>, &[Exchange])] = {
    use Exchange::{Binance, Coinbase, Kraken};
    &[
        ("1s", Some(SECOND), &[Binance]),
        ("1m", Some(MINUTE), &[Binance, Coinbase, Kraken]),
        ("3m", Some(3 * MINUTE), &[Binance]),
        ("5m", Some(5 * MINUTE), &[Binance, Coinbase, Kraken]),
        ("15m", Some(15 * MINUTE), &[Binance, Coinbase, Kraken]),
        ("30m", Some(30 * MINUTE), &[Binance, Kraken]),
        ("1h", Some(HOUR), &[Binance, Coinbase, Kraken]),
        ("2h", Some(2 * HOUR), &[Binance]),
        ("4h", Some(4 * HOUR), &[Binance, Kraken]),
        ("6h", Some(6 * HOUR), &[Binance, Coinbase]),
        ("8h", Some(8 * HOUR), &[Binance]),
        ("12h", Some(12 * HOUR), &[Binance]),
        ("1d", Some(DAY), &[Binance, Coinbase, Kraken]),
        ("3d", Some(3 * DAY), &[Binance]),
        ("1w", Some(7 * DAY), &[Binance, Kraken]),
        ("1M", None, &[Binance]),
    ]
};

impl KlineInterval {
    /// Every interval, the shortest first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..INTERVALS.len()).map(KlineInterval)
    }

    /// The intervals that an exchange offers.
    pub fn of(exchange: Exchange) -> impl Iterator<Item = Self> {
        Self::all().filter(move |interval| INTERVALS[interval.0].2.contains(&exchange))
    }

    /// The name, such as `1m`.
    pub fn as_str(&self) -> &'static str {
        INTERVALS[self.0].0
    }

    /// The length in milliseconds; none for a month.
    pub fn as_millis(&self) -> Option<i64> {
        INTERVALS[self.0].1
    }

    /// The interval of this length.
    pub fn from_millis(millis: i64) -> Option<Self> {
        Self::all().find(|interval| interval.as_millis() == Some(millis))
    }
}

/// A minute, as at the exchanges themselves.
impl Default for KlineInterval {
    fn default() -> Self {
        KlineInterval(1)
    }
}

impl fmt::Display for KlineInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an interval; use 1s, 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d, 3d, 1w or 1M")]
pub struct KlineIntervalError;

impl FromStr for KlineInterval {
    type Err = KlineIntervalError;

    fn from_str(text: &str) -> Result<Self, KlineIntervalError> {
        Self::all().find(|interval| interval.as_str() == text).ok_or(KlineIntervalError)
    }
}

impl TryFrom<String> for KlineInterval {
    type Error = KlineIntervalError;

    fn try_from(text: String) -> Result<Self, KlineIntervalError> {
        text.parse()
    }
}

impl From<KlineInterval> for String {
    fn from(interval: KlineInterval) -> String {
        interval.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_months_are_told_apart_and_every_name_is_in_the_error() {
        assert_eq!("1m".parse::<KlineInterval>().unwrap().as_millis(), Some(60_000));
        assert_eq!(KlineInterval::default().as_str(), "1m");
        assert_eq!("1M".parse::<KlineInterval>().unwrap().as_millis(), None);
        for interval in KlineInterval::all() {
            assert_eq!(interval.as_str().parse(), Ok(interval));
            assert!(KlineIntervalError.to_string().contains(interval.as_str()));
        }
        assert!("7m".parse::<KlineInterval>().is_err());
    }

    #[test]
    fn binance_offers_every_interval_and_the_others_what_they_document() {
        let of = |exchange| KlineInterval::of(exchange).map(|interval| interval.as_str()).collect::<Vec<_>>();
        assert_eq!(of(Exchange::Binance).len(), INTERVALS.len());
        assert_eq!(of(Exchange::Coinbase), ["1m", "5m", "15m", "1h", "6h", "1d"]);
        assert_eq!(of(Exchange::Kraken), ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"]);
    }
}
