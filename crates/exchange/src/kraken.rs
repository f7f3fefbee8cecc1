//! Kraken's names for one market: `BTC/USD` in streams, `XBTUSD` and `XXBTZUSD` over REST, `XBT/USD` in its list. Pure.

use std::{borrow::Cow, collections::BTreeMap};

use pricepipe_core::Exchange;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Answer, Refusal, refusal};

/// Assets whose name over REST is another than in streams.
const RENAMED: &[(&str, &str)] = &[("XBT", "BTC"), ("XDG", "DOGE")];
/// Assets with a name of four letters besides, as they have it over REST: cryptocurrencies with an X in front, currencies
/// with a Z. The others have one name.
const LONG: &[&str] = &[
    "XXBT", "XETH", "XXRP", "XLTC", "XXDG", "XXLM", "XXMR", "XZEC", "XETC", "XREP", "XMLN", "USDT", "ZUSD",
    "ZEUR", "ZGBP", "ZCAD", "ZJPY", "ZAUD",
];
/// What markets are quoted in, so that a name without a separator can be split; the longest first.
const QUOTES: &[&str] =
    &["USDT", "USDC", "DAI", "USD", "EUR", "GBP", "CAD", "JPY", "CHF", "AUD", "XBT", "BTC", "ETH"];

/// The name in streams, as far as it can be told from any other.
pub(crate) fn stream_name(name: &str) -> Cow<'_, str> {
    let pair = name.split_once('/').or_else(|| long(name)).or_else(|| quoted(name));
    match pair {
        Some((base, quote)) => Cow::Owned(format!("{}/{}", current(base), current(quote))),
        None => Cow::Borrowed(name),
    }
}

/// The name to ask for over REST.
pub(crate) fn rest_name(market: &str) -> String {
    let Some((base, quote)) = market.split_once('/') else { return market.to_owned() };
    format!("{}{}", old(base), old(quote))
}

/// The asset as streams call it.
fn current(asset: &str) -> &str {
    RENAMED.iter().find(|(old, _)| *old == asset).map_or(asset, |(_, name)| name)
}

/// The asset as REST calls it.
fn old(asset: &str) -> &str {
    RENAMED.iter().find(|(_, name)| *name == asset).map_or(asset, |(old, _)| old)
}

/// `XXBTZUSD`: two names of four letters.
fn long(name: &str) -> Option<(&str, &str)> {
    let (base, quote) = name.split_at_checked(4)?;
    let short = |asset: &'static str| if asset == "USDT" { asset } else { &asset[1..] };
    let known = |asset: &str| LONG.iter().copied().find(|long| *long == asset).map(short);
    Some((known(base)?, known(quote)?))
}

/// `XBTUSD`: it ends with a quote asset.
fn quoted(name: &str) -> Option<(&str, &str)> {
    let quote = QUOTES.iter().find(|quote| name.len() > quote.len() && name.ends_with(**quote))?;
    name.split_at_checked(name.len() - quote.len())
}

/// Reads the `result` of an answer, if it is one.
pub(crate) fn result<'a>(
    answer: &Answer<'a>,
    asked: &str,
) -> Result<BTreeMap<String, &'a RawValue>, Refusal> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        result: BTreeMap<String, &'a RawValue>,
    }
    refusal::check(Exchange::Kraken, answer)?;
    let envelope = serde_json::from_slice::<Envelope<'a>>(answer.body);
    Ok(envelope.map_err(|error| refusal::malformed(answer, asked, &error))?.result)
}

/// The part of a result that holds the rows of the one market that was asked for, under whichever name.
pub(crate) fn rows<'a>(
    answer: &Answer<'a>,
    asked: &str,
) -> Result<(Vec<&'a RawValue>, Option<&'a RawValue>), Refusal> {
    let mut result = result(answer, asked)?;
    let last = result.remove("last");
    let Some(rows) = result.into_values().next() else { return Ok((Vec::new(), last)) };
    let rows = serde_json::from_str(rows.get()).map_err(|error| refusal::malformed(answer, asked, &error))?;
    Ok((rows, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_market_is_understood_as_far_as_it_can_be() {
        for (name, stream) in [
            ("BTC/USD", "BTC/USD"),
            ("XBT/USD", "BTC/USD"),
            ("XBTUSD", "BTC/USD"),
            ("XXBTZUSD", "BTC/USD"),
            ("XBTUSDT", "BTC/USDT"),
            ("USDTZUSD", "USDT/USD"),
            ("XETHXXBT", "ETH/BTC"),
            ("XDGUSD", "DOGE/USD"),
            ("XXDGXXBT", "DOGE/BTC"),
            ("XTZUSD", "XTZ/USD"),
            ("ETHXBT", "ETH/BTC"),
            ("USD", "USD"),
            ("FOOBAR", "FOOBAR"),
            ("", ""),
        ] {
            assert_eq!(stream_name(name), stream, "{name}");
        }
    }

    #[test]
    fn over_rest_bitcoin_and_dogecoin_have_their_old_names() {
        for (market, rest) in [
            ("BTC/USD", "XBTUSD"),
            ("ETH/BTC", "ETHXBT"),
            ("DOGE/USDT", "XDGUSDT"),
            ("SOL/EUR", "SOLEUR"),
            ("XXBTZUSD", "XXBTZUSD"),
        ] {
            assert_eq!(rest_name(market), rest);
        }
    }
}
