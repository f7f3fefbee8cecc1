//! `pricepipe dead-letters show`: all of one letter. Reads Kafka, changes nothing.

use std::ops::ControlFlow;

use pricepipe_core::Timestamp;
use serde::Serialize;

use super::{
    Letters,
    args::{LetterId, ShowOutput},
    letter::{Letter, Shown},
};
use crate::{exit::Failed, output};

/// Prints a letter.
pub(super) fn show(letters: &Letters, id: LetterId, form: ShowOutput) -> Result<(), Failed> {
    let mut text = None;
    letters.scan(&letters.ranges_of(&[id])?, |message| {
        let letter = Letter::of(message);
        if letter.id == id {
            text = Some(match form {
                ShowOutput::Text => for_people(&letter),
                ShowOutput::Json => as_json(&letter),
            });
        }
        ControlFlow::Break(())
    })?;
    output::answer(&text.ok_or_else(|| letters.not_there(id))?)
}

fn for_people(letter: &Letter<'_>) -> String {
    let mut lines = vec![("letter".to_owned(), letter.id.to_string())];
    lines.extend(letter.time.map(|time| ("time".to_owned(), time.to_string())));
    for (name, value) in &letter.headers {
        let value = value.map_or_else(|| "null".to_owned(), |value| Shown::of(value).line());
        lines.push((Shown::of(name.as_bytes()).line(), value));
    }
    lines.push(("key".to_owned(), letter.key.map_or_else(|| "none".to_owned(), |key| Shown::of(key).line())));
    let value = letter.value.map(|value| (Shown::of(value), value.len()));
    lines.push((
        "value".to_owned(),
        match &value {
            None => "none".to_owned(),
            Some((shown, length)) => format!("{length} bytes, {}", shown.encoding()),
        },
    ));
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines = lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n"));
    let value = value.map(|(shown, _)| format!("\n{}\n", shown.text()));
    lines.chain(value).collect()
}

/// A letter in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    letter: String,
    partition: i32,
    offset: i64,
    time: Option<Timestamp>,
    headers: Vec<JsonHeader>,
    key: Option<String>,
    key_encoding: Option<&'static str>,
    value: Option<String>,
    value_encoding: Option<&'static str>,
}

#[derive(Serialize)]
struct JsonHeader {
    name: String,
    value: Option<String>,
    encoding: Option<&'static str>,
}

fn as_json(letter: &Letter<'_>) -> String {
    let bytes = |bytes: Option<&[u8]>| {
        bytes.map(Shown::of).map(|shown| (shown.text().to_owned(), shown.encoding())).unzip()
    };
    let ((key, key_encoding), (value, value_encoding)) = (bytes(letter.key), bytes(letter.value));
    let header = |(name, value): &(&str, Option<&[u8]>)| {
        let (value, encoding) = bytes(*value);
        JsonHeader { name: (*name).to_owned(), value, encoding }
    };
    let json = Json {
        letter: letter.id.to_string(),
        partition: letter.id.partition,
        offset: letter.id.offset,
        time: letter.time,
        headers: letter.headers.iter().map(header).collect(),
        key,
        key_encoding,
        value,
        value_encoding,
    };
    serde_json::to_string_pretty(&json).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::{
        super::letter::tests::{letter, origin},
        *,
    };

    #[test]
    fn people_see_headers_key_and_value_and_what_is_no_text_in_base64() {
        let mut letter = letter(Some(b"{\"price\":-1}"), origin(None));
        letter.headers = vec![("pricepipe.reason", Some(b"invalid_price")), ("odd", Some(b"\x1b"))];
        assert_eq!(
            for_people(&letter),
            "letter            0:7\ntime              2026-11-23T06:00:03Z\n\
             pricepipe.reason  invalid_price\nodd               base64:Gw==\nkey               key\n\
             value             12 bytes, utf-8\n\n{\"price\":-1}\n"
        );
        letter.value = None;
        assert!(for_people(&letter).ends_with("value             none\n"));
    }

    #[test]
    fn programs_are_told_how_bytes_are_written() {
        let read = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
        let json = read(as_json(&letter(Some(b"\xff"), origin(None))));
        assert_eq!((&json["value"], &json["valueEncoding"]), (&"/w==".into(), &"base64".into()));
        assert_eq!((&json["key"], &json["keyEncoding"]), (&"key".into(), &"utf-8".into()));
        assert!(read(as_json(&letter(None, origin(None))))["value"].is_null());
    }
}
