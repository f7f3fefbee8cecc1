//! What Coinbase says alike in its streams and in its history. Pure.

use pricepipe_core::message::Side;

use crate::raw::{self, Raw};

/// Coinbase tells the side of the maker, who waited in the book: the taker's is the other one.
pub(crate) fn taker_side(maker: Raw<'_>) -> Option<Side> {
    match Side::from_name(&maker.and_then(raw::text)?)? {
        Side::Buy => Some(Side::Sell),
        Side::Sell => Some(Side::Buy),
    }
}
