//! How Coinbase Exchange refuses: a status with `{"message":"NotFound"}`. Pure.

use pricepipe_core::Exchange;
use serde::Deserialize;

use super::{Refusal, by_status, unavailable};
use crate::{Answer, raw};

#[derive(Deserialize)]
struct Fault {
    message: String,
}

pub(super) fn check(answer: &Answer<'_>) -> Result<(), Refusal> {
    by_status(Exchange::Coinbase, answer)?;
    let fault = || serde_json::from_slice::<Fault>(answer.body).ok();
    match answer.status {
        200 => Ok(()),
        status @ 500.. => Err(unavailable(status)),
        status @ 400.. => Err(match (status, fault()) {
            // Only products are asked for by name.
            (404, Some(_)) => Refusal::UnknownSymbol,
            (_, Some(fault)) => {
                Refusal::Refused(format!("{} (HTTP {status})", raw::one_line(&fault.message)))
            }
            (_, None) => Refusal::UnexpectedStatus(status),
        }),
        status => Err(Refusal::UnexpectedStatus(status)),
    }
}
