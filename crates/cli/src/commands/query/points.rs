//! A series of prices, whatever they are read from.

use pricepipe_core::analytics::{Candle, PricePoint};
use pricepipe_store::{Series, StoreError};

/// Prices as they are stored, or the closes of stored candles, each at the moment when its candle begins.
pub(super) enum Points {
    Prices(Series),
    Closes(Series<Candle>),
}

impl Points {
    /// The next ones; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<PricePoint>>, StoreError> {
        match self {
            Points::Prices(series) => series.next().await,
            Points::Closes(series) => {
                let close = |candle: Candle| PricePoint { time: candle.start, price: candle.close };
                let candles = series.next().await?;
                Ok(candles.map(|candles| candles.into_iter().map(close).collect()))
            }
        }
    }
}
