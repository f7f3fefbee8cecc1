//! A message as a BSON document and back. Pure: bytes in, bytes out.
//!
//! The bytes are written here rather than through serde or a document type: every stored price passes through
//! this file, and one pass over one buffer costs a tenth of building each document on its own.

use std::{borrow::Cow, convert::Infallible, str::FromStr};

use ::mongodb::bson::{Decimal128, RawBsonRef, RawDocument};
use pricepipe_core::{
    Details, Exchange, Kind, Price, PriceMessage, Timestamp,
    analytics::PricePoint,
    config::PriceType,
    message::{Field, Source, UNKNOWN_EXCHANGE},
};
use rust_decimal::Decimal;

use self::element::{BOOLEAN, DATE, DECIMAL128, DOUBLE, STRING};

/// The BSON element types that are written.
pub(super) mod element {
    pub(in crate::mongodb) const DOUBLE: u8 = 0x01;
    pub(in crate::mongodb) const STRING: u8 = 0x02;
    pub(in crate::mongodb) const DOCUMENT: u8 = 0x03;
    pub(in crate::mongodb) const ARRAY: u8 = 0x04;
    pub(in crate::mongodb) const BOOLEAN: u8 = 0x08;
    pub(in crate::mongodb) const DATE: u8 = 0x09;
    pub(in crate::mongodb) const DECIMAL128: u8 = 0x13;
}

/// What is added to a decimal exponent before it is stored.
const EXPONENT_BIAS: u32 = 6176;
/// Where the exponent lies in the 128 bits.
const EXPONENT_SHIFT: u32 = 113;
/// How many digits a decimal128 has at most.
const MOST_DIGITS: u32 = 34;

/// Why a stored document is not a price message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("{0} is missing or has another type")]
    Field(&'static str),
    #[error("{field} {value} is out of its range, or not exactly representable")]
    Number { field: &'static str, value: String },
    #[error("time is outside of 1970 to 2037")]
    Time,
    #[error("the document is malformed: {0}")]
    Malformed(String),
}

/// Appends the document of a message.
pub(super) fn append(out: &mut Vec<u8>, message: &PriceMessage, price_type: PriceType) {
    let start = begin(out);
    append_string(out, "_id", &message.id);
    append_string(out, "symbol", &message.symbol);
    append_number(out, "price", message.price.as_decimal(), price_type);
    let Ok(()) = message.details.fields(|name, field| {
        match field {
            Field::Number(number) => append_number(out, name, number, price_type),
            Field::Text(text) => append_string(out, name, text),
            Field::Flag(flag) => append_flag(out, name, flag),
        }
        Ok::<(), Infallible>(())
    });
    append_string(out, "exchange", &message.exchange);
    append_string(out, "kind", message.kind().as_str());
    append_date(out, "time", message.time);
    append_date(out, "received", message.received);
    end(out, start);
}

/// Leaves room for the length of a document or array.
pub(super) fn begin(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len() - 4
}

/// Ends the document or array that began at `start`, and writes its length there.
pub(super) fn end(out: &mut Vec<u8>, start: usize) {
    out.push(0);
    // Callers keep documents far below 2 GiB; the server refuses more than 16 MiB anyway.
    let length = (out.len() - start) as i32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

pub(super) fn append_key(out: &mut Vec<u8>, element_type: u8, key: &str) {
    out.push(element_type);
    out.extend_from_slice(key.as_bytes());
    out.push(0);
}

pub(super) fn append_string(out: &mut Vec<u8>, key: &str, value: &str) {
    append_key(out, STRING, key);
    out.extend_from_slice(&(value.len() as i32 + 1).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
    out.push(0);
}

pub(super) fn append_flag(out: &mut Vec<u8>, key: &str, value: bool) {
    append_key(out, BOOLEAN, key);
    out.push(u8::from(value));
}

fn append_number(out: &mut Vec<u8>, key: &str, value: Decimal, price_type: PriceType) {
    match price_type {
        PriceType::Decimal => {
            append_key(out, DECIMAL128, key);
            out.extend_from_slice(&decimal128(value));
        }
        PriceType::Double => {
            append_key(out, DOUBLE, key);
            // Through the text: the shortest path to the double nearest to the decimal.
            let nearest = value.to_string().parse().unwrap_or(f64::NAN);
            out.extend_from_slice(&nearest.to_le_bytes());
        }
    }
}

fn append_date(out: &mut Vec<u8>, key: &str, value: Timestamp) {
    append_key(out, DATE, key);
    out.extend_from_slice(&value.as_millis().to_le_bytes());
}

/// The number in the binary integer form of decimal128. Its digits are the coefficient and its decimals the
/// negative exponent, so that trailing zeros stay. 96 bits of digits always fit into 113.
fn decimal128(decimal: Decimal) -> [u8; 16] {
    let exponent = u128::from(EXPONENT_BIAS - decimal.scale());
    (exponent << EXPONENT_SHIFT | decimal.mantissa().unsigned_abs()).to_le_bytes()
}

/// Reads what analytics needs of a document: its id, which orders the prices of one moment, its time and its price.
pub(super) fn decode_point(document: &RawDocument) -> Result<(String, PricePoint), DecodeError> {
    let field =
        |key: &'static str| document.get(key).map_err(|error| DecodeError::Malformed(error.to_string()));
    let Some(RawBsonRef::String(id)) = field("_id")? else { return Err(DecodeError::Field("_id")) };
    let point = PricePoint { time: moment("time", field("time")?)?, price: price(field("price")?)? };
    Ok((id.to_owned(), point))
}

/// Reads a document. What others wrote may lack what a plain message may lack too: exchange, kind, received.
pub(super) fn decode(document: &RawDocument) -> Result<PriceMessage, DecodeError> {
    let field =
        |key: &'static str| document.get(key).map_err(|error| DecodeError::Malformed(error.to_string()));
    let text = |key: &'static str| match field(key)? {
        Some(RawBsonRef::String(text)) => Ok(text.to_owned()),
        _ => Err(DecodeError::Field(key)),
    };
    let time = moment("time", field("time")?)?;
    Ok(PriceMessage {
        id: text("_id")?,
        symbol: text("symbol")?,
        price: price(field("price")?)?,
        exchange: exchange(field("exchange")?)?,
        details: Details::read(kind(field("kind")?)?, &Fields(document))?,
        time,
        received: if field("received")?.is_none() { time } else { moment("received", field("received")?)? },
    })
}

fn exchange(value: Option<RawBsonRef<'_>>) -> Result<Cow<'static, str>, DecodeError> {
    match value {
        None => Ok(Cow::Borrowed(UNKNOWN_EXCHANGE)),
        Some(RawBsonRef::String(name)) => Ok(match name.parse::<Exchange>() {
            Ok(known) => Cow::Borrowed(known.as_str()),
            Err(_) => Cow::Owned(name.to_owned()),
        }),
        Some(_) => Err(DecodeError::Field("exchange")),
    }
}

fn kind(value: Option<RawBsonRef<'_>>) -> Result<Kind, DecodeError> {
    match value {
        None => Ok(Kind::Price),
        Some(RawBsonRef::String(name)) => Kind::from_name(name).ok_or(DecodeError::Field("kind")),
        Some(_) => Err(DecodeError::Field("kind")),
    }
}

/// The fields of a kind's own. Others may have written null for what they do not know.
struct Fields<'a>(&'a RawDocument);

impl<'a> Fields<'a> {
    fn get(&self, name: &'static str) -> Result<Option<RawBsonRef<'a>>, DecodeError> {
        let value = self.0.get(name).map_err(|error| DecodeError::Malformed(error.to_string()))?;
        Ok(value.filter(|value| !matches!(value, RawBsonRef::Null)))
    }
}

impl Source for Fields<'_> {
    type Error = DecodeError;

    fn number<T: FromStr>(&self, name: &'static str) -> Result<T, DecodeError> {
        number(name, self.get(name)?)
    }

    fn text<T>(
        &self,
        name: &'static str,
        meaning: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, DecodeError> {
        match self.get(name)? {
            None => Ok(None),
            Some(RawBsonRef::String(text)) => meaning(text).map(Some).ok_or(DecodeError::Field(name)),
            Some(_) => Err(DecodeError::Field(name)),
        }
    }

    fn flag(&self, name: &'static str) -> Result<Option<bool>, DecodeError> {
        match self.get(name)? {
            None => Ok(None),
            Some(RawBsonRef::Boolean(flag)) => Ok(Some(flag)),
            Some(_) => Err(DecodeError::Field(name)),
        }
    }

    fn missing(&self, name: &'static str) -> DecodeError {
        DecodeError::Field(name)
    }
}

/// A date as a usable moment.
pub(super) fn moment(key: &'static str, value: Option<RawBsonRef<'_>>) -> Result<Timestamp, DecodeError> {
    match value {
        Some(RawBsonRef::DateTime(time)) => {
            Timestamp::from_millis(time.timestamp_millis()).map_err(|_| DecodeError::Time)
        }
        _ => Err(DecodeError::Field(key)),
    }
}

/// A price, in whichever type it is stored.
pub(super) fn price(value: Option<RawBsonRef<'_>>) -> Result<Price, DecodeError> {
    number("price", value)
}

/// A number, in whichever type it is stored.
fn number<T: FromStr>(field: &'static str, value: Option<RawBsonRef<'_>>) -> Result<T, DecodeError> {
    let out_of_range = |value: String| DecodeError::Number { field, value };
    let text = match value {
        Some(RawBsonRef::Decimal128(decimal)) => {
            decimal_text(decimal).ok_or_else(|| out_of_range(decimal.to_string()))?
        }
        Some(RawBsonRef::Double(double)) => double.to_string(),
        Some(RawBsonRef::Int32(integer)) => integer.to_string(),
        Some(RawBsonRef::Int64(integer)) => integer.to_string(),
        _ => return Err(DecodeError::Field(field)),
    };
    text.parse().map_err(|_| out_of_range(text))
}

/// Digits and exponent as a price is written.
fn decimal_text(decimal: Decimal128) -> Option<String> {
    let (negative, coefficient, exponent) = parts(decimal)?;
    Some(format!("{}{coefficient}e{exponent}", if negative { "-" } else { "" }))
}

/// Digits and exponent of a decimal that is not negative and has room for one digit more: what was rounded has none.
pub(super) fn unrounded(decimal: Decimal128) -> Option<(u128, i32)> {
    let (negative, coefficient, exponent) = parts(decimal)?;
    (!negative && coefficient < 10_u128.pow(MOST_DIGITS - 1)).then_some((coefficient, exponent))
}

/// Sign, digits and exponent; none for infinity, not-a-number and a coefficient that is not canonical.
fn parts(decimal: Decimal128) -> Option<(bool, u128, i32)> {
    let bits = u128::from_le_bytes(decimal.bytes());
    if bits >> 125 & 0b11 == 0b11 {
        return None;
    }
    let coefficient = bits & ((1 << EXPONENT_SHIFT) - 1);
    // 14 bits, less the bias.
    let exponent = (bits >> EXPONENT_SHIFT & 0x3fff) as i32 - EXPONENT_BIAS as i32;
    Some((bits >> 127 == 1, coefficient, exponent))
}

#[cfg(test)]
mod tests;
