//! Kraken's pairs, their tickers, and its clock, in JSON.

use std::sync::Arc;

use jiff::Timestamp;
use pricepipe_core::Symbol;
use serde_json::{Value, json};

use crate::{
    digits::Digits,
    faults::{Effects, Fault},
    ledger::Delivery,
    market::Market,
    names::Pair,
    serve::{Prices, unquoted},
    server::Sim,
    tape::Moment,
};

/// The name of a pair in answers.
pub(super) fn canonical(symbol: &Symbol) -> Option<String> {
    Pair::of(symbol).map(|pair| pair.kraken_canonical())
}

/// An entry of `AssetPairs`.
pub(super) fn listing(symbol: &Symbol) -> Option<(String, Value)> {
    let pair = Pair::of(symbol)?;
    let (base, quote) = pair.kraken_assets();
    let entry = json!({
        "altname": pair.kraken_short(),
        "wsname": pair.kraken_old_stream(),
        "aclass_base": "currency",
        "base": base,
        "aclass_quote": "currency",
        "quote": quote,
        "lot": "unit",
        "pair_decimals": 8,
        "lot_decimals": 8,
        "lot_multiplier": 1,
        "status": "online",
    });
    Some((pair.kraken_canonical(), entry))
}

/// The result of `Ticker`, and the delivery of its prices.
pub(super) fn tickers(
    sim: &Sim,
    effects: &Effects,
    number: u64,
    pairs: &[Symbol],
) -> (String, Option<Delivery>) {
    let (mut market, now) = (sim.market(), sim.moment());
    let prices = Prices::new(sim, effects, number);
    let tickers = pairs.iter().filter_map(|symbol| {
        let pair = Pair::of(symbol)?;
        let price = prices.take(&mut market, symbol, &pair.kraken_stream().into())?;
        Some((pair.kraken_canonical(), ticker(&mut market, symbol, &price, now, effects)?))
    });
    let mut tickers: Vec<(String, String)> = tickers.collect();
    if effects.details.contains(&Fault::Reordered) {
        tickers.reverse();
    }
    let body = match effects.turn {
        Some(Fault::WrongShape) => {
            let tickers: Vec<String> = tickers.into_iter().map(|(_, ticker)| ticker).collect();
            format!("[{}]", tickers.join(","))
        }
        _ => {
            let entries = tickers.iter().map(|(name, ticker)| format!(r#""{name}":{ticker}"#));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
    };
    (body, prices.delivery)
}

fn ticker(
    market: &mut Market,
    symbol: &Symbol,
    price: &Arc<str>,
    now: Moment,
    effects: &Effects,
) -> Option<String> {
    let tape = market.tape_of(symbol, now)?;
    let (last, day) = (tape.last(), tape.day());
    let near = price.parse::<Digits>().ok().or_else(|| tape.price())?;
    let quantity = last.map_or_else(|| "1.000".to_owned(), |trade| trade.quantity.to_string());
    let (low, high, open) =
        day.map_or((near, near, near), |day| (day.low.min(near), day.high.max(near), day.open));
    let volume = day.map_or_else(|| "0".to_owned(), |day| day.volume.to_string());
    let average = day
        .and_then(|day| day.quote_volume.over(day.volume))
        .map_or_else(|| near.to_string(), |p| p.to_string());
    let trades = day.map_or(0, |day| day.trades);
    let mut ticker = json!({
        "a": [near.beside(true), "1", quantity],
        "b": [near.beside(false), "1", quantity],
        "c": [&**price, quantity],
        "v": [volume, volume],
        "p": [average, average],
        "t": [trades, trades],
        "l": [low, low],
        "h": [high, high],
        "o": open,
    });
    if effects.details.contains(&Fault::ExtraField) {
        ticker["future"] = json!({ "new": [1, null] });
    }
    Some(match effects.turn {
        Some(Fault::PriceAsNumber) => unquoted(&ticker.to_string(), r#""c":["#, price),
        _ => ticker.to_string(),
    })
}

/// The result of `Time`.
pub(super) fn time(now_millis: i64) -> String {
    let date = Timestamp::from_millisecond(now_millis)
        .map(|time| time.strftime("%a, %d %b %y %H:%M:%S %z").to_string());
    json!({ "unixtime": now_millis / 1_000, "rfc1123": date.unwrap_or_default() }).to_string()
}

/// The result of `SystemStatus`.
pub(super) fn system_status(now_millis: i64) -> String {
    let date = Timestamp::from_second(now_millis / 1_000).map(|time| time.to_string());
    json!({ "status": "online", "timestamp": date.unwrap_or_default() }).to_string()
}
