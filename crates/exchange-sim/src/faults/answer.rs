//! What goes wrong with an answer. Plain data.

use pricepipe_core::Symbol;
use serde::{Deserialize, Serialize};

use crate::stream::StreamFault;

/// The largest body that a fault makes: 100 MiB.
pub(crate) const MAX_OVERSIZED_BYTES: usize = 100 << 20;

/// Something that goes wrong with an answer.
///
/// Faults of the first group take turns: a request meets one of them, the first that is still in force. Those of
/// the second group change details and add up: a request meets all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// Nothing goes wrong. It makes room in a script: two failures, three successes, a failure.
    Pass,
    /// A status instead of prices.
    Status(StatusFault),
    /// The right answer, late.
    Delay {
        /// Milliseconds before the first byte.
        millis: u64,
    },
    /// No answer, ever.
    Hang,
    /// Status line and headers byte by byte.
    SlowHeaders {
        /// Milliseconds after each byte.
        byte_millis: u64,
    },
    /// The body byte by byte.
    SlowBody {
        /// Milliseconds after each byte.
        byte_millis: u64,
    },
    /// The connection is reset amid the body.
    Reset {
        /// Bytes of the body that go out first; half of it when not given.
        #[serde(default)]
        after_bytes: Option<usize>,
    },
    /// The connection is closed amid the body.
    Truncate {
        /// Bytes of the body that go out first; half of it when not given.
        #[serde(default)]
        after_bytes: Option<usize>,
    },
    /// A whole body whose JSON is broken off.
    MalformedJson,
    /// An object where an array belongs, and the other way round.
    WrongShape,
    /// JSON that calls itself HTML.
    WrongContentType,
    /// Prices as JSON numbers instead of strings.
    PriceAsNumber,
    /// A body of at least this many bytes, mostly blanks; at most 100 MiB.
    Oversized {
        /// The bytes.
        bytes: usize,
    },
    /// The right answer, packed though nobody asked for that, which unpacked has at least this many bytes, mostly blanks;
    /// at most 100 MiB.
    GzipBomb {
        /// The bytes.
        bytes: usize,
    },
    /// This text as the price of a symbol: `NaN`, `1e400`, `-1`, `0`, nothing.
    PriceText {
        /// The symbol.
        symbol: Symbol,
        /// The text.
        text: String,
    },
    /// A symbol is left out of the answer.
    MissingSymbol {
        /// The symbol.
        symbol: Symbol,
    },
    /// A symbol is not listed any more, which fails every request that names it.
    UnknownSymbol {
        /// The symbol.
        symbol: Symbol,
    },
    /// This text as the used weight, whatever it really is.
    UsedWeight {
        /// The text.
        value: String,
    },
    /// The last symbol first.
    Reordered,
    /// A field that no client knows.
    ExtraField,
    /// This percentage of trades or candles is left out of pages of history.
    HistoryGaps {
        /// 0 to 100.
        percent: u8,
    },
    /// Something that goes wrong with a stream. Connections meet it, and not requests.
    Stream(StreamFault),
}

/// A status instead of prices. Without a body of its own it has the one that the exchange would send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusFault {
    /// The status, 200 to 599.
    pub status: u16,
    /// The header `Retry-After`, in whatever form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    /// The header `Location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The body. It is called HTML when it begins with `<`, else JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl Fault {
    /// A status with the body that the exchange would send.
    pub fn status(status: u16) -> Self {
        Fault::Status(StatusFault { status, ..StatusFault::default() })
    }

    /// A status with a body of one's own.
    pub fn status_with_body(status: u16, body: &str) -> Self {
        Fault::Status(StatusFault { status, body: Some(body.to_owned()), ..StatusFault::default() })
    }

    /// 429, and when to come back.
    pub fn too_many_requests(retry_after: &str) -> Self {
        let retry_after = Some(retry_after.to_owned());
        Fault::Status(StatusFault { status: 429, retry_after, ..StatusFault::default() })
    }

    /// 418: banned, and until when.
    pub fn banned(retry_after: &str) -> Self {
        let retry_after = Some(retry_after.to_owned());
        Fault::Status(StatusFault { status: 418, retry_after, ..StatusFault::default() })
    }

    /// True for a fault that changes a detail and adds up with others; false for one that takes turns.
    pub(super) fn is_detail(&self) -> bool {
        use Fault::*;
        matches!(
            self,
            PriceText { .. }
                | MissingSymbol { .. }
                | UnknownSymbol { .. }
                | UsedWeight { .. }
                | Reordered
                | ExtraField
                | HistoryGaps { .. }
        )
    }

    /// The symbol without which the fault does not show.
    pub(super) fn symbol(&self) -> Option<&Symbol> {
        match self {
            Fault::PriceText { symbol, .. }
            | Fault::MissingSymbol { symbol }
            | Fault::UnknownSymbol { symbol } => Some(symbol),
            _ => None,
        }
    }
}
