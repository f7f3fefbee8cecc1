//! Kraken's asset pairs: `wsname` is the name in streams but for its old names of assets. Pure.

use serde::Deserialize;

use super::Listing;
use crate::{Answer, Refusal, kraken};

#[derive(Deserialize)]
struct Pair {
    altname: String,
    /// Missing for pairs that have no stream.
    wsname: String,
    #[serde(default)]
    status: String,
}

pub(super) fn read(answer: &Answer<'_>) -> Result<Vec<Listing>, Refusal> {
    let pairs = kraken::result(answer, "a list of markets")?.into_iter();
    let read = pairs.filter_map(|(name, pair)| Some((name, serde_json::from_str::<Pair>(pair.get()).ok()?)));
    Ok(read.map(|(name, pair)| listing(name, pair)).collect())
}

fn listing(name: String, pair: Pair) -> Listing {
    let market = kraken::stream_name(&pair.wsname).into_owned();
    let mut aliases = vec![pair.altname, pair.wsname, name];
    aliases.sort();
    aliases.dedup();
    aliases.retain(|alias| *alias != market);
    Listing { symbol: market.clone(), market, aliases, trading: pair.status == "online" }
}
