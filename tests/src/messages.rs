//! Messages as a producer would write them, made without one.

use std::borrow::Cow;

use pricepipe_core::{Details, PriceMessage, Timestamp};

/// The n-th observation of a test: its own id, its own price.
pub fn message(n: u64) -> PriceMessage {
    let millis = 1_700_000_000_000 + i64::try_from(n).unwrap_or(0) * 1_000;
    let time = Timestamp::from_millis(millis).expect("a sane time");
    PriceMessage {
        symbol: "BTCUSDT".to_owned(),
        price: format!("{}.{:02}", 60_000 + n / 100, n % 100).parse().expect("a price"),
        exchange: Cow::Borrowed("binance"),
        details: Details::Price,
        time,
        received: time,
        id: format!("binance:BTCUSDT:price:{millis}"),
    }
}

/// The first `count` observations as records with keys that spread over all partitions.
pub fn records(count: u64) -> impl Iterator<Item = (String, Cow<'static, [u8]>)> {
    (0..count).map(|n| (format!("key-{}", n % 97), Cow::Owned(message(n).encode())))
}
