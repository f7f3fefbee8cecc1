//! How Kraken refuses: HTTP 200 with `{"error":["EQuery:Unknown asset pair"]}`. Pure. Only the category and the first words
//! are documented, so nothing more is compared.

use pricepipe_core::Exchange;
use serde::Deserialize;

use super::{Refusal, by_status, rate_limited, unavailable};
use crate::{Answer, raw};

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    error: Vec<String>,
}

pub(super) fn check(answer: &Answer<'_>) -> Result<(), Refusal> {
    by_status(Exchange::Kraken, answer)?;
    let envelope = serde_json::from_slice::<Envelope>(answer.body).ok();
    // What begins with a W is a warning.
    let fault = envelope.and_then(|envelope| envelope.error.into_iter().find(|text| !text.starts_with('W')));
    match (answer.status, fault) {
        (200 | 400.., Some(fault)) => Err(by_words(answer, &fault)),
        (200, None) => Ok(()),
        (status @ 500.., None) => Err(unavailable(status)),
        (status, _) => Err(Refusal::UnexpectedStatus(status)),
    }
}

fn by_words(answer: &Answer<'_>, fault: &str) -> Refusal {
    let begins = |starts: &[&str]| starts.iter().any(|start| fault.starts_with(start));
    if begins(&["EAPI:Rate limit", "EGeneral:Too many requests", "EGeneral:Temporary lockout"]) {
        rate_limited(Exchange::Kraken, answer, raw::one_line(fault))
    } else if begins(&["EQuery:Unknown"]) {
        Refusal::UnknownSymbol
    } else if begins(&["EService:", "EGeneral:Internal error"]) {
        Refusal::Unavailable(raw::one_line(fault))
    } else {
        Refusal::Refused(raw::one_line(fault))
    }
}
