//! What the exchanges call one and the same market. Pure.

use pricepipe_core::Symbol;

/// The assets to whose names Kraken puts an `X`, in the names of its older pairs.
const OLD_ASSETS: &[&str] = &["XBT", "ETH", "LTC", "XRP", "XLM", "ETC", "XMR", "ZEC", "XDG"];
/// The currencies to whose names Kraken puts a `Z`, in the names of its older pairs.
const OLD_CURRENCIES: &[&str] = &["USD", "EUR", "GBP", "JPY", "CAD"];

/// A market: an asset and what it is paid with, in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) base: String,
    pub(crate) quote: String,
}

impl Pair {
    /// The pair of a listing such as `BTCUSDT` or `BTC-USDT`. None when nobody can tell where the base ends.
    pub(crate) fn of(listing: &Symbol) -> Option<Self> {
        if let Some(pair) = Pair::divided(listing.as_str()) {
            return Some(pair);
        }
        let base = listing.base_asset()?.to_ascii_uppercase();
        let quote = listing.as_str().get(base.len()..)?.to_owned();
        Some(Pair { base, quote })
    }

    /// The pair in a text with a mark between base and quote; Kraken's own names of assets are understood.
    pub(crate) fn divided(text: &str) -> Option<Self> {
        let (base, quote) = text.split_once(['-', '/', '_'])?;
        let common = |asset: &str| match asset {
            "XBT" => "BTC".to_owned(),
            "XDG" => "DOGE".to_owned(),
            _ => asset.to_owned(),
        };
        (!base.is_empty() && !quote.is_empty()).then(|| Pair { base: common(base), quote: common(quote) })
    }

    /// The name without any mark, as it is listed here: `BTCUSDT`.
    pub(crate) fn listing(&self) -> Option<Symbol> {
        format!("{}{}", self.base, self.quote).parse().ok()
    }

    /// Coinbase's name: `BTC-USD`.
    pub(crate) fn coinbase(&self) -> String {
        format!("{}-{}", self.base, self.quote)
    }

    /// Kraken's name in streams: `BTC/USD`.
    pub(crate) fn kraken_stream(&self) -> String {
        format!("{}/{}", self.base, self.quote)
    }

    /// Kraken's short name in requests: `XBTUSD`.
    pub(crate) fn kraken_short(&self) -> String {
        format!("{}{}", krakens(&self.base), krakens(&self.quote))
    }

    /// Kraken's `wsname`, which still has its own names of assets: `XBT/USD`.
    pub(crate) fn kraken_old_stream(&self) -> String {
        format!("{}/{}", krakens(&self.base), krakens(&self.quote))
    }

    /// Kraken's name in answers: `XXBTZUSD` for its older pairs, else the short one.
    pub(crate) fn kraken_canonical(&self) -> String {
        let (base, quote) = (krakens(&self.base), krakens(&self.quote));
        let old = |asset: &str| OLD_ASSETS.contains(&asset);
        match (old(base), OLD_CURRENCIES.contains(&quote), old(quote)) {
            // Never had the long form.
            _ if base == "XDG" && quote != "XBT" => self.kraken_short(),
            (true, true, _) => format!("X{base}Z{quote}"),
            (true, _, true) => format!("X{base}X{quote}"),
            _ => self.kraken_short(),
        }
    }

    /// Kraken's names of base and quote, as in `XXBT` and `ZUSD`.
    pub(crate) fn kraken_assets(&self) -> (String, String) {
        let full = |asset: &str| {
            let asset = krakens(asset);
            let mark = match asset {
                _ if OLD_ASSETS.contains(&asset) => "X",
                _ if OLD_CURRENCIES.contains(&asset) => "Z",
                _ => "",
            };
            format!("{mark}{asset}")
        };
        (full(&self.base), full(&self.quote))
    }

    /// All names by which somebody may ask for it, but for that of the listing.
    pub(crate) fn aliases(&self) -> [String; 5] {
        [
            self.coinbase(),
            self.kraken_stream(),
            self.kraken_short(),
            self.kraken_old_stream(),
            self.kraken_canonical(),
        ]
    }
}

/// Kraken's name of an asset.
fn krakens(asset: &str) -> &str {
    match asset {
        "BTC" => "XBT",
        "DOGE" => "XDG",
        _ => asset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_market_has_a_name_on_each_exchange() {
        for (listing, coinbase, stream, short, canonical) in [
            ("BTCUSDT", "BTC-USDT", "BTC/USDT", "XBTUSDT", "XBTUSDT"),
            ("BTCUSD", "BTC-USD", "BTC/USD", "XBTUSD", "XXBTZUSD"),
            ("ETHEUR", "ETH-EUR", "ETH/EUR", "ETHEUR", "XETHZEUR"),
            ("ETHBTC", "ETH-BTC", "ETH/BTC", "ETHXBT", "XETHXXBT"),
            ("SOLUSD", "SOL-USD", "SOL/USD", "SOLUSD", "SOLUSD"),
            ("DOGEUSD", "DOGE-USD", "DOGE/USD", "XDGUSD", "XDGUSD"),
            ("BTC-USD", "BTC-USD", "BTC/USD", "XBTUSD", "XXBTZUSD"),
        ] {
            let pair = Pair::of(&listing.parse().unwrap()).unwrap();
            assert_eq!(
                (pair.coinbase(), pair.kraken_stream(), pair.kraken_short(), pair.kraken_canonical()),
                (coinbase.into(), stream.into(), short.into(), canonical.into())
            );
            assert!(pair.aliases().contains(&coinbase.to_owned()));
            assert_eq!(Pair::divided(&pair.kraken_old_stream()), Some(pair));
        }
        let bitcoin = Pair::of(&"BTCUSD".parse().unwrap()).unwrap();
        assert_eq!(bitcoin.kraken_assets(), ("XXBT".to_owned(), "ZUSD".to_owned()));
        assert_eq!(Pair::of(&"FOOBAR".parse().unwrap()), None);
        assert_eq!(Pair::divided("FOO-USD").unwrap().listing().unwrap().as_str(), "FOOUSD");
    }
}
