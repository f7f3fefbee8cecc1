//! A dead letter as it was read, and how its bytes are shown. Pure.

use base64::{Engine, prelude::BASE64_STANDARD};
use pricepipe_consumer::letter::Label;
use pricepipe_core::Timestamp;
use pricepipe_service::clock;
use pricepipe_store::Period;
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};

use super::args::{FilterArgs, LetterId};
use crate::exit::{Exit, Failed};

/// A dead letter.
pub(super) struct Letter<'a> {
    pub(super) id: LetterId,
    /// When it was written.
    pub(super) time: Option<Timestamp>,
    pub(super) label: Label,
    pub(super) headers: Vec<(&'a str, Option<&'a [u8]>)>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
}

impl<'a> Letter<'a> {
    pub(super) fn of(message: &'a BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|all| all.iter().map(|h| (h.key, h.value)).collect());
        let headers: Vec<(&str, Option<&[u8]>)> = headers.unwrap_or_default();
        Letter {
            id: LetterId { partition: message.partition(), offset: message.offset() },
            time: message.timestamp().to_millis().and_then(|millis| Timestamp::from_millis(millis).ok()),
            label: Label::read(headers.iter().copied()),
            headers,
            key: message.key(),
            value: message.payload(),
        }
    }

    /// The reason, for counting.
    pub(super) fn reason(&self) -> &str {
        self.label.reason.as_deref().unwrap_or("without a reason")
    }

    /// Where its message lay.
    pub(super) fn origin(&self) -> Option<String> {
        let origin = self.label.origin.as_ref()?;
        Some(format!("{}:{}:{}", origin.topic, origin.partition, origin.offset))
    }
}

/// Which letters are wanted.
pub(super) struct Filter<'a> {
    args: &'a FilterArgs,
    period: Period,
}

impl<'a> Filter<'a> {
    pub(super) fn of(args: &'a FilterArgs) -> Result<Filter<'a>, Failed> {
        let period = args.period.period(clock::now());
        Ok(Filter { args, period: period.map_err(|problem| Failed::new(Exit::Usage, problem))? })
    }

    pub(super) fn takes(&self, letter: &Letter<'_>) -> bool {
        let among = |wanted: &[String], found: Option<&str>| {
            wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|wanted| wanted == found))
        };
        let topic = letter.label.origin.as_ref().map(|origin| origin.topic.as_str());
        among(&self.args.reasons, letter.label.reason.as_deref())
            && among(&self.args.topics, topic)
            && (self.period == Period::default()
                || letter.time.is_some_and(|time| self.period.contains(time)))
    }
}

/// Bytes for people and for JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Text in UTF-8 that a terminal can show.
    Text(String),
    /// Everything else, in base64.
    Base64(String),
}

impl Shown {
    /// Control characters but line breaks and tabs make a text something else: they would steer a terminal.
    pub(super) fn of(bytes: &[u8]) -> Shown {
        let steers = |c: char| c.is_control() && !['\n', '\r', '\t'].contains(&c);
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains(steers) => Shown::Text(text.to_owned()),
            _ => Shown::Base64(BASE64_STANDARD.encode(bytes)),
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Shown::Text(text) | Shown::Base64(text) => text,
        }
    }

    pub(super) fn encoding(&self) -> &'static str {
        match self {
            Shown::Text(_) => "utf-8",
            Shown::Base64(_) => "base64",
        }
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        match self {
            Shown::Text(text) if !text.contains(char::is_control) => text.clone(),
            Shown::Text(text) => text.escape_debug().to_string(),
            Shown::Base64(text) => format!("base64:{text}"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use pricepipe_consumer::letter::Origin;

    use super::*;

    pub(in crate::commands::dead_letters) fn letter<'a>(
        value: Option<&'a [u8]>,
        origin: Origin,
    ) -> Letter<'a> {
        Letter {
            id: LetterId { partition: 0, offset: 7 },
            time: Timestamp::from_millis(1_795_413_603_000).ok(),
            label: Label {
                reason: Some("not_json".to_owned()),
                detail: Some("not a JSON object".to_owned()),
                origin: Some(origin),
                truncated: None,
                truncated_key: None,
            },
            headers: Vec::new(),
            key: Some(b"key"),
            value,
        }
    }

    pub(in crate::commands::dead_letters) fn origin(topic_id: Option<&str>) -> Origin {
        Origin {
            topic: "btc".to_owned(),
            topic_id: topic_id.map(str::to_owned),
            partition: 2,
            offset: 41,
            timestamp: Some(1_795_413_600_000),
        }
    }

    #[test]
    fn a_filter_takes_what_all_of_its_parts_take() {
        let letter = letter(None, origin(None));
        let takes = |reasons: &[&str], topics: &[&str], since: Option<&str>, until: Option<&str>| {
            let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            let at = |text: Option<&str>| text.map(|text| text.parse().unwrap());
            let args = FilterArgs { reasons: all(reasons), topics: all(topics), ..FilterArgs::default() };
            let period = Period { since: at(since), until: at(until) };
            Filter { args: &args, period }.takes(&letter)
        };
        assert!(takes(&[], &[], None, None));
        assert!(takes(
            &["no_price", "not_json"],
            &["btc"],
            Some("2026-11-23T06:00:03Z"),
            Some("2026-11-24T00:00:00Z")
        ));
        assert!(!takes(&["no_price"], &["btc"], None, None));
        assert!(!takes(&["not_json"], &["eth"], None, None));
        assert!(!takes(&[], &[], Some("2026-11-23T06:00:03.001Z"), None));
        assert!(!takes(&[], &[], None, Some("2026-11-23T06:00:03Z")));
    }

    #[test]
    fn what_would_steer_a_terminal_is_not_shown_as_text() {
        assert_eq!(Shown::of(b"{\"a\":\n1}"), Shown::Text("{\"a\":\n1}".to_owned()));
        assert_eq!(Shown::of(b"{\"a\":\n1}").line(), "{\\\"a\\\":\\n1}");
        assert_eq!(Shown::of(b"\x1b[2J").line(), "base64:G1sySg==");
        assert_eq!(Shown::of(b"\xff\xfe").encoding(), "base64");
    }
}
