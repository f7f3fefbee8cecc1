//! The system's clock, as the core's moments.

use std::time::{SystemTime, UNIX_EPOCH};

use pricepipe_core::Timestamp;

/// Now, by the system's clock. A clock outside of 1970 to 2037 is as wrong as can be; its edge is used then.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis).unwrap_or(if millis <= 0 { Timestamp::MIN } else { Timestamp::MAX })
}
