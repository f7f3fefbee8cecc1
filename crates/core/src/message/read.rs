//! The fields of a message as they lie in its payload, all kinds in one pass. Pure.

use std::{borrow::Cow, str::FromStr};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BadMessage, Source};

/// The fields as they lie in the payload. Unknown fields are left alone: later versions may add some.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Read<'a> {
    #[serde(borrow)]
    pub(super) symbol: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) price: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) exchange: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) kind: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) time: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) received: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    side: Option<&'a RawValue>,
    #[serde(borrow)]
    interval: Option<&'a RawValue>,
    #[serde(borrow)]
    open: Option<&'a RawValue>,
    #[serde(borrow)]
    high: Option<&'a RawValue>,
    #[serde(borrow)]
    low: Option<&'a RawValue>,
    #[serde(borrow)]
    close: Option<&'a RawValue>,
    #[serde(borrow)]
    volume: Option<&'a RawValue>,
    #[serde(borrow)]
    closed: Option<&'a RawValue>,
    #[serde(borrow)]
    bid: Option<&'a RawValue>,
    #[serde(borrow)]
    bid_quantity: Option<&'a RawValue>,
    #[serde(borrow)]
    ask: Option<&'a RawValue>,
    #[serde(borrow)]
    ask_quantity: Option<&'a RawValue>,
}

impl<'a> Read<'a> {
    /// The field of a kind's own.
    fn detail(&self, name: &str) -> Option<&'a RawValue> {
        match name {
            "quantity" => self.quantity,
            "side" => self.side,
            "interval" => self.interval,
            "open" => self.open,
            "high" => self.high,
            "low" => self.low,
            "close" => self.close,
            "volume" => self.volume,
            "closed" => self.closed,
            "bid" => self.bid,
            "bidQuantity" => self.bid_quantity,
            "ask" => self.ask,
            "askQuantity" => self.ask_quantity,
            _ => None,
        }
    }
}

impl Source for Read<'_> {
    type Error = BadMessage;

    fn number<T: FromStr>(&self, name: &'static str) -> Result<T, BadMessage> {
        let raw = self.detail(name).ok_or_else(|| self.missing(name))?;
        number(raw).parse().map_err(|_| BadMessage::InvalidDetail(name))
    }

    fn text<T>(
        &self,
        name: &'static str,
        meaning: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, BadMessage> {
        let Some(raw) = self.detail(name) else { return Ok(None) };
        let known = text(raw, 32).and_then(|text| meaning(&text));
        known.map(Some).ok_or(BadMessage::InvalidDetail(name))
    }

    fn flag(&self, name: &'static str) -> Result<Option<bool>, BadMessage> {
        match self.detail(name).map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(BadMessage::InvalidDetail(name)),
        }
    }

    fn missing(&self, name: &'static str) -> BadMessage {
        BadMessage::InvalidDetail(name)
    }
}

/// A JSON string of 1 to `max` characters without control characters.
pub(super) fn text(raw: &RawValue, max: usize) -> Option<Cow<'_, str>> {
    let json = raw.get();
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    // Nearly every text is of this form: each byte is a character and stands for itself.
    if inner.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\') {
        return (1..=max).contains(&inner.len()).then_some(Cow::Borrowed(inner));
    }
    let text = if inner.contains('\\') {
        Cow::Owned(serde_json::from_str(json).ok()?)
    } else {
        Cow::Borrowed(inner)
    };
    let fits = !text.is_empty() && text.len() <= max * 4 && text.chars().count() <= max;
    (fits && !text.chars().any(char::is_control)).then_some(text)
}

/// A JSON number, or what a string holds, as exchanges send it.
pub(super) fn number(raw: &RawValue) -> Cow<'_, str> {
    text(raw, 64).unwrap_or_else(|| Cow::Borrowed(raw.get()))
}
