//! An answer before it is sent: status, headers, body, and what the turn's fault does to them. Pure.

use std::{io::Read, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use flate2::{Compression, read::GzEncoder};

use crate::{
    faults::{Fault, MAX_OVERSIZED_BYTES, StatusFault},
    ledger::Delivery,
    times,
    transfer::{Ending, Manner, Transfer},
};

const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "text/html;charset=UTF-8";

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: String,
    delivery: Option<Delivery>,
}

impl Reply {
    pub(crate) fn json(body: String) -> Self {
        Reply { status: StatusCode::OK, content_type: JSON, headers: Vec::new(), body, delivery: None }
    }

    /// HTML when it begins with `<`, else JSON.
    pub(crate) fn text(body: String) -> Self {
        let content_type = if body.trim_start().starts_with('<') { HTML } else { JSON };
        Reply { content_type, ..Reply::json(body) }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Reply { status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), ..self }
    }

    /// Once it is sent as a whole, so are its prices.
    pub(crate) fn delivering(self, delivery: Option<Delivery>) -> Self {
        Reply { delivery, ..self }
    }

    pub(crate) fn with_retry_after(self, text: &str) -> Self {
        self.with_header(header::RETRY_AFTER, text)
    }

    /// The weight used, or what a fault says of it.
    pub(crate) fn with_used_weight(self, used: u32, details: &[Fault]) -> Self {
        let scripted = details.iter().find_map(|fault| match fault {
            Fault::UsedWeight { value } => Some(value.clone()),
            _ => None,
        });
        let text = scripted.unwrap_or_else(|| used.to_string());
        self.with_header(HeaderName::from_static("x-mbx-used-weight"), &text)
            .with_header(HeaderName::from_static("x-mbx-used-weight-1m"), &text)
    }

    /// A scripted status as a stream is refused with it: no exchange has words of its own for that.
    pub(crate) fn scripted_status(fault: &StatusFault) -> Self {
        let body = || StatusCode::from_u16(fault.status).ok()?.canonical_reason().map(str::to_owned);
        let body = fault.body.clone().or_else(body).unwrap_or_default();
        Reply::text(body).with_status(fault.status).with_scripted_headers(fault)
    }

    /// The headers that a scripted status brings with it.
    pub(crate) fn with_scripted_headers(self, fault: &StatusFault) -> Self {
        let reply = match &fault.retry_after {
            Some(retry_after) => self.with_retry_after(retry_after),
            None => self,
        };
        match &fault.location {
            Some(location) => reply.with_header(header::LOCATION, location),
            None => reply,
        }
    }

    /// A header by its name in lower case.
    pub(crate) fn with_named(self, name: &'static str, text: &str) -> Self {
        self.with_header(HeaderName::from_static(name), text)
    }

    /// When it was sent, by the exchange's clock.
    pub(crate) fn with_date(self, now_millis: i64) -> Self {
        match times::http_date(now_millis) {
            Some(date) => self.with_header(header::DATE, &date),
            None => self,
        }
    }

    fn with_header(mut self, name: HeaderName, text: &str) -> Self {
        match HeaderValue::from_str(text) {
            Ok(value) => self.headers.push((name, value)),
            Err(_) => tracing::warn!(header = %name, "a scripted value cannot be a header; left out"),
        }
        self
    }

    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The response, and how the connection is to send it.
    pub(crate) fn send(mut self, turn: Option<&Fault>) -> (Transfer, Response) {
        self.spoil(turn);
        let body = match turn {
            Some(Fault::GzipBomb { .. }) => packed(&self.body),
            _ => self.body.into_bytes(),
        };
        let transfer = Transfer::new(manner(turn, body.len()), body.len(), self.delivery);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.extend(self.headers);
        (transfer, response)
    }

    fn spoil(&mut self, turn: Option<&Fault>) {
        match turn {
            // Half an answer is never JSON: the last bracket is missing.
            Some(Fault::MalformedJson) => {
                self.body.truncate(self.body.floor_char_boundary(self.body.len() / 2))
            }
            Some(Fault::WrongContentType) => self.content_type = HTML,
            Some(Fault::Oversized { bytes }) => self.inflate(*bytes),
            Some(Fault::GzipBomb { bytes }) => {
                self.inflate(*bytes);
                self.headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            }
            _ => {}
        }
    }

    fn inflate(&mut self, bytes: usize) {
        let bytes = bytes.min(MAX_OVERSIZED_BYTES);
        self.body.push_str(&" ".repeat(bytes.saturating_sub(self.body.len())));
    }
}

/// A body as gzip packs it, which cannot fail in memory.
fn packed(body: &str) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = GzEncoder::new(body.as_bytes(), Compression::best());
    if let Err(error) = encoder.read_to_end(&mut packed) {
        tracing::error!(%error, "a body cannot be packed");
    }
    packed
}

fn manner(turn: Option<&Fault>, body_length: usize) -> Manner {
    let cut = |after_bytes: &Option<usize>, ending| {
        let after = after_bytes.unwrap_or(body_length / 2).min(body_length.saturating_sub(1));
        Manner::Cut { after, ending }
    };
    match turn {
        Some(Fault::SlowHeaders { byte_millis }) => Manner::SlowHead(Duration::from_millis(*byte_millis)),
        Some(Fault::SlowBody { byte_millis }) => Manner::SlowBody(Duration::from_millis(*byte_millis)),
        Some(Fault::Reset { after_bytes }) => cut(after_bytes, Ending::Reset),
        Some(Fault::Truncate { after_bytes }) => cut(after_bytes, Ending::Close),
        _ => Manner::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_follows_the_body() {
        assert_eq!(Reply::text("<html>".to_owned()).content_type, HTML);
        assert_eq!(Reply::text("{}".to_owned()).content_type, JSON);
    }

    #[test]
    fn a_bomb_is_small_and_unpacks_to_as_much_as_was_asked_for() {
        let mut reply = Reply::json("{}".to_owned());
        reply.spoil(Some(&Fault::GzipBomb { bytes: 1 << 20 }));
        let (packed, mut unpacked) = (packed(&reply.body), String::new());
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert!(unpacked.len() == 1 << 20 && unpacked.starts_with("{} "));
        assert!(packed.len() < 5_000, "{}", packed.len());
    }

    #[test]
    fn half_an_answer_is_cut_between_characters() {
        let mut reply = Reply::json("\u{661}\u{661}\u{661}".to_owned());
        reply.spoil(Some(&Fault::MalformedJson));
        assert_eq!(reply.body, "\u{661}");
    }

    #[test]
    fn a_cut_always_leaves_something_out() {
        let reset = Fault::Reset { after_bytes: Some(1_000) };
        assert_eq!(manner(Some(&reset), 10), Manner::Cut { after: 9, ending: Ending::Reset });
        let truncate = Fault::Truncate { after_bytes: None };
        assert_eq!(manner(Some(&truncate), 10), Manner::Cut { after: 5, ending: Ending::Close });
    }
}
