//! What a client says on a Kraken stream, and what it is answered. Pure.

use serde_json::{Value, json};

use crate::{interval::Interval, times};

/// What a channel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Trade,
    Ticker,
    /// Candles of so many minutes.
    Candles {
        minutes: i64,
    },
}

/// A message of the client.
#[derive(Debug, PartialEq)]
pub(super) struct Control {
    pub(super) req_id: Option<u64>,
    pub(super) method: Method,
}

#[derive(Debug, PartialEq)]
pub(super) enum Method {
    Ping,
    Subscribe(Wanted),
    Unsubscribe(Wanted),
}

/// A channel and the symbols for which it is wanted.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) channel: Channel,
    pub(super) symbols: Vec<String>,
    pub(super) snapshot: bool,
    /// `trades` or `bbo`, as it was asked for.
    pub(super) event_trigger: String,
}

impl Channel {
    pub(super) fn name(self) -> &'static str {
        match self {
            Channel::Trade => "trade",
            Channel::Ticker => "ticker",
            Channel::Candles { .. } => "ohlc",
        }
    }

    pub(super) fn interval(self) -> Option<Interval> {
        match self {
            Channel::Candles { minutes } => Some(Interval::Millis(minutes * 60_000)),
            _ => None,
        }
    }
}

impl Control {
    /// Reads a message, or gives the answer to one that cannot be read.
    pub(super) fn read(text: &str, now_millis: i64) -> Result<Control, String> {
        let message: Value = serde_json::from_str(text)
            .map_err(|_| json!({ "error": "Malformed request", "success": false }).to_string())?;
        let req_id = message["req_id"].as_u64();
        let name = message["method"].as_str().unwrap_or_default();
        let params = &message["params"];
        let method = match name {
            "ping" => Ok(Method::Ping),
            "subscribe" => Wanted::read(params).map(Method::Subscribe),
            "unsubscribe" => Wanted::read(params).map(Method::Unsubscribe),
            _ => Err("Unsupported method".to_owned()),
        };
        let refusal = |problem: String| Answer { method: name, req_id, now_millis }.refused(&problem, None);
        Ok(Control { req_id, method: method.map_err(refusal)? })
    }
}

impl Wanted {
    fn read(params: &Value) -> Result<Wanted, String> {
        let channel = match params["channel"].as_str() {
            Some("trade") => Channel::Trade,
            Some("ticker") => Channel::Ticker,
            Some("ohlc") => {
                let minutes = params.get("interval").map_or(Some(1), Value::as_i64);
                let known = minutes.filter(|m| [1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600].contains(m));
                Channel::Candles { minutes: known.ok_or("Invalid interval")? }
            }
            Some(other) => return Err(format!("Unsupported channel {other}")),
            None => return Err("Channel missing".to_owned()),
        };
        let symbols = params["symbol"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let symbols: Vec<String> = symbols.map(str::to_owned).collect();
        if symbols.is_empty() {
            return Err("Symbol(s) missing".to_owned());
        }
        let snapshot = params["snapshot"].as_bool().unwrap_or(channel != Channel::Trade);
        let event_trigger = params["event_trigger"].as_str().unwrap_or("trades").to_owned();
        Ok(Wanted { channel, symbols, snapshot, event_trigger })
    }

    /// What an answer repeats of the request.
    pub(super) fn result(&self, symbol: &str) -> Value {
        let mut result =
            json!({ "channel": self.channel.name(), "symbol": symbol, "snapshot": self.snapshot });
        match self.channel {
            Channel::Ticker => result["event_trigger"] = self.event_trigger.as_str().into(),
            Channel::Candles { minutes } => result["interval"] = minutes.into(),
            Channel::Trade => {}
        }
        result
    }
}

/// What all answers to one request have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) method: &'a str,
    pub(super) req_id: Option<u64>,
    pub(super) now_millis: i64,
}

impl Answer<'_> {
    pub(super) fn granted(&self, result: Value) -> String {
        self.write(json!({ "result": result, "success": true }))
    }

    pub(super) fn refused(&self, error: &str, symbol: Option<&str>) -> String {
        let mut answer = json!({ "error": error, "success": false });
        if let Some(symbol) = symbol {
            answer["symbol"] = symbol.into();
        }
        self.write(answer)
    }

    pub(super) fn pong(&self) -> String {
        self.write(json!({}))
    }

    fn write(&self, mut answer: Value) -> String {
        let time = times::to_micros(self.now_millis * 1_000_000);
        answer["method"] = self.method.into();
        answer["time_in"] = time.as_str().into();
        answer["time_out"] = time.as_str().into();
        if let Some(req_id) = self.req_id {
            answer["req_id"] = req_id.into();
        }
        answer.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_with_the_exchanges_defaults() {
        let read = |text: &str| Control::read(text, 0);
        let control =
            read(r#"{"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USD"],"interval":5},"req_id":3}"#)
                .unwrap();
        let Method::Subscribe(wanted) = control.method else { panic!("{control:?}") };
        assert_eq!(
            (control.req_id, wanted.channel, wanted.snapshot),
            (Some(3), Channel::Candles { minutes: 5 }, true)
        );
        assert_eq!(wanted.result("BTC/USD")["interval"], 5);
        assert_eq!(read(r#"{"method":"ping"}"#).unwrap().method, Method::Ping);
        for (faulty, error) in [
            ("x", "Malformed request"),
            (r#"{"method":"join"}"#, "Unsupported method"),
            (
                r#"{"method":"subscribe","params":{"channel":"level4","symbol":["A/B"]}}"#,
                "Unsupported channel level4",
            ),
            (r#"{"method":"subscribe","params":{"channel":"trade"}}"#, "Symbol(s) missing"),
            (
                r#"{"method":"subscribe","params":{"channel":"ohlc","symbol":["A/B"],"interval":7}}"#,
                "Invalid interval",
            ),
        ] {
            let answer: Value = serde_json::from_str(&read(faulty).unwrap_err()).unwrap();
            assert_eq!((&answer["error"], &answer["success"]), (&error.into(), &false.into()));
        }
    }
}
