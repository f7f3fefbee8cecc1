//! An answer of a REST interface, whoever gave it: no reader panics, and no page asks for itself again.

#![no_main]

use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use pricepipe_core::{Exchange, Timestamp};
use pricepipe_exchange::{
    Answer,
    history::{From, Klines, Trades},
    last::{self, Prices},
    listing,
};

fuzz_target!(|body: &[u8]| {
    let start = Timestamp::from_millis(1_534_614_000_000).expect("2018");
    let end = Timestamp::from_millis(1_534_700_400_000).expect("2018");
    let headers = HeaderMap::new();
    let answer = Answer { status: 200, headers: &headers, body, received: end };
    let interval = "1m".parse().expect("a minute");
    for exchange in Exchange::ALL.iter().copied() {
        let market = "BTC/USD";
        for from in [
            From::Number(28_457, Some(start)),
            From::Moment(start),
            From::Between { moment: start, low: 1, high: 99_999 },
            From::Cursor(1_534_614_057_321_597_000),
        ] {
            for aggregate in [false, true] {
                let page = Trades { exchange, aggregate, market, from }.read(&answer);
                assert!(page.is_err() || page.is_ok_and(|page| page.next != Some(from)));
            }
        }
        let page = Klines { exchange, market, interval, start, end }.read(end, &answer);
        assert!(page.is_err() || page.is_ok_and(|page| page.next.is_none_or(|next| next > start)));
        let markets = ["BTC/USD", "ETHBTC"];
        if let Ok(prices) = (Prices { exchange, markets: &markets }).read(&answer) {
            let told = prices.found.len() + prices.rejected.len() + prices.missing.len();
            assert_eq!(told, markets.len());
        }
        let _ = last::read_ping(exchange, &answer);
        if let Ok(listings) = listing::read_listings(exchange, &answer) {
            let symbol = "BTC/USD".parse().expect("a symbol");
            assert!(listing::near_matches(&symbol, &listings, 3).len() <= 3);
        }
    }
});
