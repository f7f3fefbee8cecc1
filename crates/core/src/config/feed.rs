//! How prices are read from an exchange: by asking, by listening, or out of its history.

use serde::{Deserialize, Serialize};

use crate::{Exchange, KlineInterval, Symbol, Timestamp, names::Shelf};

/// One place that prices come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct SourceConfig {
    /// A name that is unique in the pipeline.
    pub name: String,
    /// Which exchange it is.
    pub exchange: Exchange,
    /// The symbols of the pipeline that it serves; empty for all.
    pub symbols: Vec<Symbol>,
    /// How prices are read.
    pub feed: Feed,
}

/// How prices are read. Which one is there is said by the name of the field in a file: `rest`, `websocket`, `replay`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Asks for the last price at every slot.
    Rest(RestConfig),
    /// Listens to a stream.
    Websocket(WebsocketConfig),
    /// Asks for history, page by page.
    Replay(ReplayConfig),
}

/// How a REST interface is polled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestConfig {
    /// Base URLs in order of preference; the next is used when one fails.
    pub endpoints: Vec<String>,
    /// Milliseconds from one poll to the next.
    pub interval_millis: u64,
    /// Milliseconds after which a request has failed.
    pub timeout_millis: u64,
    /// The request weight that may be used in a minute.
    pub max_weight_per_minute: u32,
}

/// How a REST interface is asked for history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryConfig {
    /// Base URLs in order of preference; the next is used when one fails.
    pub endpoints: Vec<String>,
    /// Milliseconds after which a request has failed.
    pub timeout_millis: u64,
    /// The request weight that may be used in a minute.
    pub max_weight_per_minute: u32,
}

/// How a stream is listened to, and repaired from history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebsocketConfig {
    /// Base URLs (`wss://host`) in order of preference; the next is used when one fails.
    pub endpoints: Vec<String>,
    /// What is listened to.
    pub stream: Stream,
    /// The interval of klines; with the stream `kline` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<KlineInterval>,
    /// True when klines are taken that may still change, too.
    #[serde(default)]
    pub partial: bool,
    /// A connection that brings no frame for so many milliseconds is given up.
    pub silence_millis: u64,
    /// Where what was missed is asked for.
    pub history: HistoryConfig,
}

/// What a stream brings. The names are Binance's; the other exchanges have their own for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stream {
    /// Each trade.
    Trade,
    /// Trades of one taker order at one price, put together. Binance alone has it.
    AggTrade,
    /// The last price, about once a second when it changes.
    MiniTicker,
    /// The best offers whenever they change.
    BookTicker,
    /// Candles.
    Kline,
}

impl Feed {
    /// Which of a topic's collections its observations go to.
    pub fn shelf(&self) -> Shelf {
        match self {
            Feed::Rest(_) => Shelf::Prices,
            Feed::Replay(replay) => replay.interval.map_or(Shelf::Prices, Shelf::Klines),
            Feed::Websocket(WebsocketConfig { stream, interval, .. }) => match stream {
                Stream::Trade | Stream::AggTrade | Stream::MiniTicker => Shelf::Prices,
                Stream::BookTicker => Shelf::Quotes,
                Stream::Kline => Shelf::Klines(interval.unwrap_or_default()),
            },
        }
    }
}

impl Stream {
    /// Every stream.
    pub const ALL: &'static [Stream] =
        &[Stream::Trade, Stream::AggTrade, Stream::MiniTicker, Stream::BookTicker, Stream::Kline];

    /// The name in files.
    pub fn as_str(&self) -> &'static str {
        match self {
            Stream::Trade => "trade",
            Stream::AggTrade => "aggTrade",
            Stream::MiniTicker => "miniTicker",
            Stream::BookTicker => "bookTicker",
            Stream::Kline => "kline",
        }
    }

    /// Whether the exchange has it. Coinbase Exchange streams no candles.
    pub fn is_offered_by(&self, exchange: Exchange) -> bool {
        match self {
            Stream::Trade | Stream::MiniTicker | Stream::BookTicker => true,
            Stream::AggTrade => exchange == Exchange::Binance,
            Stream::Kline => exchange != Exchange::Coinbase,
        }
    }

    /// True when each observation counts: none is dropped, and what was missed is asked for. Of the others the latest
    /// wins, and they have no history.
    pub fn is_complete(&self) -> bool {
        matches!(self, Stream::Trade | Stream::AggTrade | Stream::Kline)
    }
}

/// Which part of an exchange's history is read, and how fast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayConfig {
    /// The interval of the candles; without it trades are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<KlineInterval>,
    /// The first moment.
    pub start: Timestamp,
    /// The moment that is not read any more; without it: when the replay begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// How fast.
    #[serde(default)]
    pub pace: Pace,
    /// What comes after the end.
    #[serde(default)]
    pub on_complete: OnComplete,
    /// Where history is asked for.
    pub history: HistoryConfig,
}

/// How fast history is replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Pace {
    /// As fast as the exchange allows.
    #[default]
    Unpaced,
    /// So many times as fast as it happened.
    Times(u32),
}

/// The text names no pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a pace; use unpaced, realTime, or a whole number from 1 to 1000000 with an x, as in 60x")]
pub struct PaceError;

impl std::str::FromStr for Pace {
    type Err = PaceError;

    fn from_str(text: &str) -> Result<Self, PaceError> {
        let times = |text: &str| text.strip_suffix('x')?.parse().ok().filter(|n| (1..=1_000_000).contains(n));
        match text {
            "unpaced" => Ok(Pace::Unpaced),
            "realTime" => Ok(Pace::Times(1)),
            text => times(text).map(Pace::Times).ok_or(PaceError),
        }
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pace::Unpaced => f.write_str("unpaced"),
            Pace::Times(1) => f.write_str("realTime"),
            Pace::Times(times) => write!(f, "{times}x"),
        }
    }
}

impl TryFrom<String> for Pace {
    type Error = PaceError;

    fn try_from(text: String) -> Result<Self, PaceError> {
        text.parse()
    }
}

impl From<Pace> for String {
    fn from(pace: Pace) -> String {
        pace.to_string()
    }
}

/// What a replay does when it has reached its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnComplete {
    /// It rests.
    #[default]
    Suspend,
    /// It begins again. The ids are the same, so nothing is stored twice.
    Loop,
}

impl SourceConfig {
    /// True when this source serves the symbol.
    pub fn serves(&self, symbol: &Symbol) -> bool {
        self.symbols.is_empty() || self.symbols.contains(symbol)
    }

    /// How its REST interface is polled, if it is.
    pub fn rest(&self) -> Option<&RestConfig> {
        match &self.feed {
            Feed::Rest(rest) => Some(rest),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn rest_mut(&mut self) -> Option<&mut RestConfig> {
        match &mut self.feed {
            Feed::Rest(rest) => Some(rest),
            _ => None,
        }
    }

    /// The base URLs of its REST interface, which every feed asks for something.
    pub fn endpoints(&self) -> &Vec<String> {
        match &self.feed {
            Feed::Rest(rest) => &rest.endpoints,
            Feed::Websocket(websocket) => &websocket.history.endpoints,
            Feed::Replay(replay) => &replay.history.endpoints,
        }
    }

    /// The same, to be changed.
    pub fn endpoints_mut(&mut self) -> &mut Vec<String> {
        match &mut self.feed {
            Feed::Rest(rest) => &mut rest.endpoints,
            Feed::Websocket(websocket) => &mut websocket.history.endpoints,
            Feed::Replay(replay) => &mut replay.history.endpoints,
        }
    }

    /// Milliseconds after which a request to its REST interface has failed.
    pub fn timeout_millis(&self) -> u64 {
        match &self.feed {
            Feed::Rest(rest) => rest.timeout_millis,
            Feed::Websocket(websocket) => websocket.history.timeout_millis,
            Feed::Replay(replay) => replay.history.timeout_millis,
        }
    }

    /// The request weight that it may use in a minute.
    pub fn max_weight_per_minute(&self) -> u32 {
        match &self.feed {
            Feed::Rest(rest) => rest.max_weight_per_minute,
            Feed::Websocket(websocket) => websocket.history.max_weight_per_minute,
            Feed::Replay(replay) => replay.history.max_weight_per_minute,
        }
    }

    /// Gives it another one.
    pub fn set_max_weight_per_minute(&mut self, weight: u32) {
        match &mut self.feed {
            Feed::Rest(rest) => rest.max_weight_per_minute = weight,
            Feed::Websocket(websocket) => websocket.history.max_weight_per_minute = weight,
            Feed::Replay(replay) => replay.history.max_weight_per_minute = weight,
        }
    }
}

/// A source as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    name: String,
    exchange: Exchange,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    symbols: Vec<Symbol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<RestConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    websocket: Option<WebsocketConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay: Option<ReplayConfig>,
}

impl TryFrom<Written> for SourceConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, exchange, symbols, rest, websocket, replay } = written;
        let feed = match (rest, websocket, replay) {
            (Some(rest), None, None) => Feed::Rest(rest),
            (None, Some(websocket), None) => Feed::Websocket(websocket),
            (None, None, Some(replay)) => Feed::Replay(replay),
            _ => return Err(format!("source {name:?} needs exactly one of rest, websocket and replay")),
        };
        Ok(SourceConfig { name, exchange, symbols, feed })
    }
}

impl From<SourceConfig> for Written {
    fn from(source: SourceConfig) -> Self {
        let SourceConfig { name, exchange, symbols, feed } = source;
        let mut written = Written { name, exchange, symbols, rest: None, websocket: None, replay: None };
        match feed {
            Feed::Rest(rest) => written.rest = Some(rest),
            Feed::Websocket(websocket) => written.websocket = Some(websocket),
            Feed::Replay(replay) => written.replay = Some(replay),
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn history() -> Value {
        json!({"endpoints": ["https://a.example"], "timeoutMillis": 2_000, "maxWeightPerMinute": 1_200})
    }

    #[test]
    fn each_feed_survives_its_file() {
        let rest = json!({"name": "a", "exchange": "binance", "rest": {
            "endpoints": ["https://a.example"], "intervalMillis": 3_000, "timeoutMillis": 2_000, "maxWeightPerMinute": 1_200}});
        let websocket = json!({"name": "a", "exchange": "kraken", "symbols": ["BTC/USD"], "websocket": {
            "endpoints": ["wss://a.example"], "stream": "kline", "interval": "1m", "partial": false,
            "silenceMillis": 30_000, "history": history()}});
        let replay = json!({"name": "a", "exchange": "coinbase", "replay": {
            "start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z", "pace": "60x", "onComplete": "loop",
            "history": history()}});
        for value in [rest, websocket, replay] {
            let source: SourceConfig = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&source).unwrap(), value);
            assert_eq!((source.endpoints().len(), source.timeout_millis()), (1, 2_000));
        }
    }

    #[test]
    fn what_a_feed_brings_goes_to_a_collection_of_its_kind() {
        let shelf = |feed: &str, value: Value| {
            let source = json!({"name": "a", "exchange": "binance", feed: value});
            serde_json::from_value::<SourceConfig>(source).unwrap().feed.shelf()
        };
        let stream = |stream: &str, interval: Value| {
            shelf(
                "websocket",
                json!({"endpoints": [], "stream": stream, "interval": interval,
                "silenceMillis": 1, "history": history()}),
            )
        };
        let replay = |interval: Value| {
            shelf(
                "replay",
                json!({"start": "2026-11-01T00:00:00Z", "interval": interval, "history": history()}),
            )
        };
        let klines = |interval: &str| Shelf::Klines(interval.parse().unwrap());
        for name in ["trade", "aggTrade", "miniTicker"] {
            assert_eq!(stream(name, Value::Null), Shelf::Prices);
        }
        assert_eq!(stream("bookTicker", Value::Null), Shelf::Quotes);
        assert_eq!(stream("kline", Value::Null), klines("1m"));
        assert_eq!(stream("kline", json!("5m")), klines("5m"));
        assert_eq!((replay(Value::Null), replay(json!("1h"))), (Shelf::Prices, klines("1h")));
    }

    #[test]
    fn none_or_two_feeds_are_refused() {
        for value in [
            json!({"name": "a", "exchange": "binance"}),
            json!({"name": "a", "exchange": "binance",
                "replay": {"start": "2026-11-01T00:00:00Z", "history": history()},
                "websocket": {"endpoints": [], "stream": "trade", "silenceMillis": 1, "history": history()}}),
        ] {
            let error = serde_json::from_value::<SourceConfig>(value).unwrap_err().to_string();
            assert!(error.contains("exactly one of rest, websocket and replay"), "{error}");
        }
    }

    #[test]
    fn a_pace_is_written_as_it_is_read() {
        for text in ["unpaced", "realTime", "60x"] {
            assert_eq!(text.parse::<Pace>().unwrap().to_string(), text);
        }
        assert_eq!("1x".parse::<Pace>(), Ok(Pace::Times(1)));
        for text in ["", "x", "0x", "-1x", "1.5x", "fast", "1000001x"] {
            assert_eq!(text.parse::<Pace>(), Err(PaceError), "{text:?}");
        }
    }
}
