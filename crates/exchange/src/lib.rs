//! What exchanges are asked and what they answer, in one form for all of them. Pure: texts in, values out.
//!
//! - [`stream`]: what to say on a connection, and what each frame says.
//! - [`history`]: what was traded before, page by page.
//! - [`last`]: the last price of many markets.
//! - [`listing`]: which symbols there are.
//!
//! Whoever does the I/O chooses the exchange and need not know its words. Nothing here panics, whatever a frame or an
//! answer holds, and no number passes through a float.

mod answer;
mod binance;
mod coinbase;
pub mod history;
mod kraken;
pub mod last;
pub mod listing;
mod raw;
mod record;
mod refusal;
pub mod stream;

pub use answer::{Answer, Request};
use pricepipe_core::{Exchange, Symbol};
pub use record::{BadRecord, Record};
pub use refusal::{Refusal, http_date, of_connecting as refusal_of_connecting};

/// The market as the exchange writes it in its streams: the neutral form is translated, and so are the names that an
/// exchange has besides, as far as they can be told without asking it: Kraken's `XBTUSD`, `XBT/USD` and `XXBTZUSD` are
/// `BTC/USD`. What cannot be told stays as it is.
pub fn market(exchange: Exchange, symbol: &Symbol) -> String {
    match exchange {
        Exchange::Kraken => kraken::stream_name(symbol.as_str()).into_owned(),
        Exchange::Binance | Exchange::Coinbase => exchange.market(symbol).into_owned(),
    }
}
