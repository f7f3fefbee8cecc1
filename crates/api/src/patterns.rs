//! The patterns of the schema, each beside the words that explain it. Pure.
//!
//! The API server reads them as RE2, so none looks ahead or behind.

use pricepipe_core::names::{CollectionName, DatabaseName, TopicName};

/// A market symbol.
pub(crate) const SYMBOL: &str = "^([A-Z0-9._-]{1,20}|[A-Z0-9]+/[A-Z0-9]+)$";
/// A base asset.
pub(crate) const BASE: &str = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$";
/// A Kafka topic.
pub(crate) const TOPIC: &str = r"^([A-Za-z0-9-][A-Za-z0-9._-]*|_([A-Za-z0-9.-][A-Za-z0-9._-]*)?)$";
/// A topic with placeholders.
pub(crate) const TOPIC_TEMPLATE: &str = r"^([A-Za-z0-9._-]|\{base\}|\{symbol\}|\{pipeline\})+$";
/// A MongoDB collection.
pub(crate) const COLLECTION: &str = "^[A-Za-z0-9][A-Za-z0-9_-]*$";
/// A MongoDB database. It is the same alphabet with other words, so it is written differently.
pub(crate) const DATABASE: &str = "^[A-Za-z0-9]([A-Za-z0-9_-])*$";
/// The name of a source.
pub(crate) const SOURCE_NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// Where a REST interface is reached.
pub(crate) const ENDPOINT: &str = r"^(https://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)|http://(localhost|127\.0\.0\.1|\[::1\]|[a-z]([a-z0-9-]*[a-z0-9])?|[a-z][a-z0-9.-]*\.svc(\.cluster\.local)?))(:[0-9]{1,5})?$";
/// Where streams are reached: the same places.
pub(crate) const STREAM_ENDPOINT: &str = r"^(wss://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)|ws://(localhost|127\.0\.0\.1|\[::1\]|[a-z]([a-z0-9-]*[a-z0-9])?|[a-z][a-z0-9.-]*\.svc(\.cluster\.local)?))(:[0-9]{1,5})?$";
/// A moment, as RFC 3339 writes it.
pub(crate) const MOMENT: &str = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";
/// How fast history is replayed.
pub(crate) const PACE: &str = "^(unpaced|realTime|([1-9][0-9]{0,5}|1000000)x)$";
/// A broker.
pub(crate) const BROKER: &str = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$";
/// The name of a Secret.
pub(crate) const SECRET_NAME: &str = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$";
/// A key of a Secret.
pub(crate) const SECRET_KEY: &str = "^[A-Za-z0-9._-]+$";
/// A Kubernetes quantity that is not negative.
pub(crate) const QUANTITY: &str =
    r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][0-9]{1,2})?$";

const WORDS: &[(&str, &str)] = &[
    (SYMBOL, "a symbol is 1 to 20 of A-Z, 0-9, '.', '_' and '-', as in BTCUSDT, or BTC/USDT"),
    (BASE, "a base asset is letters and digits, with '.', '_' and '-' between them, as in btc"),
    (TOPIC, TopicName::ALLOWED),
    (TOPIC_TEMPLATE, "a template is A-Z, a-z, 0-9, '.', '_', '-', {base}, {symbol} and {pipeline}"),
    (COLLECTION, CollectionName::ALLOWED),
    (DATABASE, DatabaseName::ALLOWED),
    (SOURCE_NAME, "a source's name is a-z, 0-9 and '-', and begins and ends with a letter or a digit"),
    (ENDPOINT, ENDPOINT_WORDS),
    (STREAM_ENDPOINT, STREAM_ENDPOINT_WORDS),
    (MOMENT, "a moment is a date and a time with its zone, as in 2026-11-01T00:00:00Z"),
    (PACE, "a pace is unpaced, realTime, or a whole number from 1 to 1000000 with an x, as in 60x"),
    (BROKER, "a broker is host:port, as in kafka:9092"),
    (
        SECRET_NAME,
        "the name of a Secret is a-z, 0-9, '-' and '.', and begins and ends with a letter or a digit",
    ),
    (SECRET_KEY, "the key of a Secret is A-Z, a-z, 0-9, '.', '_' and '-'"),
    (QUANTITY, "a quantity is a number with an optional unit, as in 250m, 1.5 or 64Mi"),
];

/// What an endpoint may be, in words.
pub(crate) const ENDPOINT_WORDS: &str = "an endpoint is https://host or https://host:port, without user, path or query; \
     http:// only for localhost, 127.0.0.1, [::1], a name without dots, and names that end in .svc or .svc.cluster.local";

/// What an endpoint of streams may be, in words.
pub(crate) const STREAM_ENDPOINT_WORDS: &str = "an endpoint of streams is wss://host or wss://host:port, without user, path or query; \
     ws:// only for localhost, 127.0.0.1, [::1], a name without dots, and names that end in .svc or .svc.cluster.local";

/// What a pattern allows, in words.
pub(crate) fn words(pattern: &str) -> Option<&'static str> {
    WORDS.iter().find(|(regex, _)| *regex == pattern).map(|(_, words)| *words)
}
