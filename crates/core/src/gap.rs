//! A hole in what was received of a symbol: which observations are missing, how it was noticed, what became of it.
//!
//! A gap is written to the pipeline's gaps topic when it opens and again when it ends, under one key, so that a
//! compacted topic keeps the last word on each.

use serde::{Deserialize, Serialize};

use crate::{Exchange, KlineInterval, ReplayProgress, Symbol, Timestamp, config::Stream, identity};

/// A hole between two observations of a symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The exchange.
    pub exchange: Exchange,
    /// The symbol as the pipeline names it.
    pub symbol: Symbol,
    /// What is missing: trades by their numbers, or candles by the milliseconds at which they begin.
    pub stream: Stream,
    /// How long each candle lasts that is missing. Nothing of trades, nor of candles in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<KlineInterval>,
    /// The first that is missing.
    pub from: u64,
    /// The last that is missing.
    pub to: u64,
    /// How it was noticed.
    pub noticed: Noticed,
    /// When it was noticed.
    pub since: Timestamp,
    /// What became of it.
    pub outcome: GapOutcome,
    /// How many are still missing; candles that had no trade may never have existed.
    pub missing: u64,
    /// Why it is not filled, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// How a gap was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Noticed {
    /// A number was skipped within a connection.
    Skip,
    /// The first observation of a new connection does not follow the last one of the old.
    Reconnect,
    /// The first observation after a start does not follow the last one in Kafka.
    Restart,
    /// The exchange's own heartbeat names a later trade than the last that came.
    Heartbeat,
}

/// What became of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GapOutcome {
    /// It is being repaired.
    Open,
    /// Everything that was missing came from history.
    Filled,
    /// History does not hold all of it: the rest stays missing.
    Unfillable,
}

macro_rules! names {
    ($type:ident { $($variant:ident = $text:literal),+ }) => {
        impl $type {
            /// Every value, as it is written.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The value as it is written.
            pub fn as_str(&self) -> &'static str {
                match self { $($type::$variant => $text),+ }
            }
        }
    };
}

names!(Noticed { Skip = "skip", Reconnect = "reconnect", Restart = "restart", Heartbeat = "heartbeat" });
names!(GapOutcome { Open = "open", Filled = "filled", Unfillable = "unfillable" });

impl Gap {
    /// The Kafka key: one per gap.
    pub fn key(&self) -> String {
        let (market, stream) = (identity::key(self.exchange, &self.symbol), self.stream.as_str());
        match self.interval {
            None => format!("{market}:{stream}:{}", self.from),
            Some(interval) => format!("{market}:{stream}:{interval}:{}", self.from),
        }
    }

    /// The gap as JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Gap::encode`] wrote. Unknown fields are left alone.
    ///
    /// # Errors
    /// What is none.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

/// A message of the gaps topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GapsMessage {
    /// A word on a gap.
    Gap(Gap),
    /// How far the replay of a market is.
    Replay(ReplayProgress),
}

impl GapsMessage {
    /// Reads either. Unknown fields are left alone.
    ///
    /// # Errors
    /// What is neither; why it is no gap.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        let no_gap = match Gap::decode(payload) {
            Ok(gap) => return Ok(GapsMessage::Gap(gap)),
            Err(no_gap) => no_gap,
        };
        ReplayProgress::decode(payload).map(GapsMessage::Replay).map_err(|_| no_gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_written_as_it_is_read_and_keeps_its_key_when_it_ends() {
        let open = Gap {
            exchange: Exchange::Binance,
            symbol: "BTC/USDT".parse().unwrap(),
            stream: Stream::Trade,
            interval: None,
            from: 101,
            to: 119,
            noticed: Noticed::Reconnect,
            since: "2026-11-23T06:00:03Z".parse().unwrap(),
            outcome: GapOutcome::Open,
            missing: 19,
            reason: None,
            ended: None,
        };
        let text = r#"{"exchange":"binance","symbol":"BTC/USDT","stream":"trade","from":101,"to":119,"noticed":"reconnect","since":"2026-11-23T06:00:03Z","outcome":"open","missing":19}"#;
        assert_eq!(String::from_utf8(open.encode()).unwrap(), text);
        assert_eq!(Gap::decode(text.as_bytes()).unwrap(), open);
        let ended = Gap { outcome: GapOutcome::Filled, missing: 0, ended: Some(open.since), ..open.clone() };
        assert_eq!((open.key(), ended.key()), ("binance:BTCUSDT:trade:101".to_owned(), open.key()));
        for (name, value) in
            GapOutcome::NAMES.iter().zip([GapOutcome::Open, GapOutcome::Filled, GapOutcome::Unfillable])
        {
            assert_eq!((serde_json::to_value(value).unwrap(), value.as_str()), ((*name).into(), *name));
        }
    }

    #[test]
    fn candles_of_two_intervals_have_gaps_of_their_own_and_earlier_words_are_still_read() {
        let earlier = r#"{"exchange":"binance","symbol":"BTCUSDT","stream":"kline","from":60000,"to":120000,"noticed":"restart","since":"2026-11-23T06:00:03Z","outcome":"open","missing":2}"#;
        let earlier = Gap::decode(earlier.as_bytes()).unwrap();
        let of = |interval: &str| Gap { interval: interval.parse().ok(), ..earlier.clone() };
        let keys = [earlier.key(), of("1m").key(), of("5m").key()];
        assert_eq!(
            keys,
            [
                "binance:BTCUSDT:kline:60000",
                "binance:BTCUSDT:kline:1m:60000",
                "binance:BTCUSDT:kline:5m:60000"
            ]
        );
        let written = String::from_utf8(of("1m").encode()).unwrap();
        assert!(written.contains(r#""stream":"kline","interval":"1m","from":60000"#), "{written}");
        assert_eq!(Gap::decode(written.as_bytes()).unwrap(), of("1m"));
    }

    #[test]
    fn a_message_of_the_topic_is_a_gap_or_how_far_a_replay_is() {
        let gap = r#"{"exchange":"binance","symbol":"BTCUSDT","stream":"trade","from":1,"to":2,"noticed":"skip","since":"2026-11-23T06:00:03Z","outcome":"open","missing":2}"#;
        let replay = r#"{"source":"a","exchange":"binance","symbol":"BTCUSDT","start":"2026-11-01T00:00:00Z","end":"2026-11-02T00:00:00Z","reached":"2026-11-01T00:00:00Z","records":0,"state":"running"}"#;
        assert!(matches!(GapsMessage::decode(gap.as_bytes()), Ok(GapsMessage::Gap(gap)) if gap.to == 2));
        let replay = GapsMessage::decode(replay.as_bytes());
        assert!(matches!(replay, Ok(GapsMessage::Replay(replay)) if replay.source == "a"));
        let why = GapsMessage::decode(b"{}").unwrap_err().to_string();
        assert!(why.starts_with("missing field `exchange`"), "{why}");
    }
}
