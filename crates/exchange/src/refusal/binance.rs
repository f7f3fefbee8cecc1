//! How Binance refuses: `{"code":-1121,"msg":"Invalid symbol."}`, with the status or in spite of it. Pure.

use pricepipe_core::Exchange;
use serde::Deserialize;

use super::{Refusal, by_status, rate_limited, unavailable};
use crate::{Answer, raw};

const TOO_MANY_REQUESTS: i64 = -1003;
const BUSY: &[i64] = &[-1000, -1001, -1006, -1007, -1008, -1016];
/// Codes that speak of a symbol: illegal characters, unknown, not of the asked status.
const BAD_SYMBOL: &[i64] = &[-1100, -1121, -1220];

#[derive(Deserialize)]
struct Fault {
    code: i64,
    #[serde(default)]
    msg: String,
}

pub(super) fn check(answer: &Answer<'_>) -> Result<(), Refusal> {
    by_status(Exchange::Binance, answer)?;
    match (answer.status, serde_json::from_slice::<Fault>(answer.body).ok()) {
        (_, Some(fault)) if fault.code == TOO_MANY_REQUESTS => {
            Err(rate_limited(Exchange::Binance, answer, words(&fault)))
        }
        (200 | 400.., Some(fault)) if BUSY.contains(&fault.code) => Err(Refusal::Unavailable(words(&fault))),
        (status @ 500.., _) => Err(unavailable(status)),
        (200 | 400.., Some(fault)) if BAD_SYMBOL.contains(&fault.code) => Err(Refusal::UnknownSymbol),
        (200 | 400.., Some(fault)) => Err(Refusal::Refused(words(&fault))),
        (200, None) => Ok(()),
        (status, _) => Err(Refusal::UnexpectedStatus(status)),
    }
}

fn words(fault: &Fault) -> String {
    format!("{} ({})", raw::one_line(&fault.msg), fault.code)
}
