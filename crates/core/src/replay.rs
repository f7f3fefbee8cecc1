//! How far the replay of a market's history is, as its producer tells it in the pipeline's gaps topic.
//!
//! Each word on a market has the same key, so that the compacted topic keeps the last one.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Exchange, KlineInterval, Symbol, Timestamp, identity};

/// How far the replay of a market is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayProgress {
    /// The source's name.
    pub source: String,
    /// The exchange.
    pub exchange: Exchange,
    /// The symbol as the pipeline names it.
    pub symbol: Symbol,
    /// How long each candle lasts; nothing where trades are replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<KlineInterval>,
    /// The first moment that is replayed.
    pub start: Timestamp,
    /// The moment that is not replayed any more.
    pub end: Timestamp,
    /// How far it is.
    pub reached: Timestamp,
    /// What the process that says this has sent.
    pub records: u64,
    /// Whether it goes on.
    #[serde(flatten)]
    pub state: ReplayState,
}

/// Whether the replay of a market goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum ReplayState {
    /// It does.
    Running,
    /// Everything was sent.
    Complete,
    /// The exchange will not answer.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

impl ReplayProgress {
    /// The Kafka key: one per market of a source. No gap has such a one.
    pub fn key(&self) -> String {
        format!("replay:{}:{}", self.source, identity::key(self.exchange, &self.symbol))
    }

    /// How much of the time is behind, from 0 to 1. What has ended is behind as a whole.
    pub fn fraction(&self) -> f64 {
        match self.state {
            ReplayState::Running => fraction(&(self.start..self.end), self.reached),
            ReplayState::Complete | ReplayState::Failed { .. } => 1.0,
        }
    }

    /// The progress as JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`ReplayProgress::encode`] wrote. Unknown fields are left alone.
    ///
    /// # Errors
    /// What is none, such as a gap.
    pub fn decode(payload: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }
}

/// How much of a range of time lies before a moment, from 0 to 1.
pub fn fraction(range: &Range<Timestamp>, moment: Timestamp) -> f64 {
    let span = |to: Timestamp| to.as_millis().saturating_sub(range.start.as_millis()).max(0) as f64;
    let all = span(range.end);
    if all == 0.0 { 1.0 } else { (span(moment) / all).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gap;

    fn progress(state: ReplayState) -> ReplayProgress {
        ReplayProgress {
            source: "history".to_owned(),
            exchange: Exchange::Kraken,
            symbol: "BTC/USD".parse().unwrap(),
            interval: "1m".parse().ok(),
            start: "2026-11-01T00:00:00Z".parse().unwrap(),
            end: "2026-11-03T00:00:00Z".parse().unwrap(),
            reached: "2026-11-01T12:00:00Z".parse().unwrap(),
            records: 720,
            state,
        }
    }

    #[test]
    fn progress_is_written_as_it_is_read_under_one_key_for_each_market_of_a_source() {
        let failed = ReplayState::Failed { reason: "unknown symbol".to_owned() };
        for (state, end) in [
            (ReplayState::Running, r#""state":"running"}"#),
            (ReplayState::Complete, r#""state":"complete"}"#),
            (failed, r#""state":"failed","reason":"unknown symbol"}"#),
        ] {
            let progress = progress(state);
            let text = format!(
                r#"{{"source":"history","exchange":"kraken","symbol":"BTC/USD","interval":"1m","start":"2026-11-01T00:00:00Z","end":"2026-11-03T00:00:00Z","reached":"2026-11-01T12:00:00Z","records":720,{end}"#
            );
            assert_eq!(String::from_utf8(progress.encode()).unwrap(), text);
            assert_eq!(ReplayProgress::decode(text.as_bytes()).unwrap(), progress);
            assert_eq!(progress.key(), "replay:history:kraken:BTC/USD");
            assert!(Gap::decode(text.as_bytes()).is_err(), "it is no gap");
        }
    }

    #[test]
    fn fields_of_a_later_version_are_left_alone_and_its_own_have_to_be_right() {
        let text = String::from_utf8(progress(ReplayState::Running).encode()).unwrap();
        let later = text.replace(r#""records""#, r#""bytes":{"read":[1]},"records""#);
        assert_eq!(ReplayProgress::decode(later.as_bytes()).unwrap(), progress(ReplayState::Running));
        for (right, wrong) in [
            (r#""records":720,"#, ""),
            (r#""records":720"#, r#""records":-1"#),
            (r#""state":"running""#, r#""state":"failed""#),
            (r#""state":"running""#, r#""state":"asleep""#),
            (r#""exchange":"kraken""#, r#""exchange":"nowhere""#),
            (r#""reached":"2026-11-01T12:00:00Z""#, r#""reached":"noon""#),
        ] {
            let text = text.replace(right, wrong);
            assert!(ReplayProgress::decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_behind_is_told_by_time_and_what_has_ended_is_behind_as_a_whole() {
        assert_eq!(progress(ReplayState::Running).fraction(), 0.25);
        assert_eq!(progress(ReplayState::Complete).fraction(), 1.0);
        assert_eq!(progress(ReplayState::Failed { reason: String::new() }).fraction(), 1.0);
        let range = Timestamp::from_millis(1_000).unwrap()..Timestamp::from_millis(3_000).unwrap();
        let at = |millis| fraction(&range, Timestamp::from_millis(millis).unwrap());
        assert_eq!([at(500), at(1_000), at(2_000), at(3_000), at(9_000)], [0.0, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!(fraction(&(range.end..range.start), range.start), 1.0, "nothing was asked for");
    }
}
