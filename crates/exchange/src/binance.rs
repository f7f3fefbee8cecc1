//! What Binance says alike in its streams and in its history. Pure.

use pricepipe_core::message::Side;
use serde_json::value::RawValue;

use crate::raw::Raw;

/// The buyer waited in the book (`m`), so the taker sold; or the other way round.
pub(crate) fn taker_side(buyer_is_maker: Raw<'_>) -> Option<Side> {
    match buyer_is_maker.map(RawValue::get) {
        Some("true") => Some(Side::Sell),
        Some("false") => Some(Side::Buy),
        _ => None,
    }
}
