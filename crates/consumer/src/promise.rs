//! Whether offsets are committed only after what they stand for is durable.
//!
//! Always, in every build that is shipped. Tests of loss are worth nothing if they cannot fail, so they may ask for a
//! broken promise, from a build that has the feature `fault-injection`.

/// Whether offsets are committed only after what they stand for is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Yes.
    Kept,
    /// No: offsets are committed as soon as a batch is handed over.
    #[cfg(feature = "fault-injection")]
    Broken,
}

#[cfg(not(feature = "fault-injection"))]
impl Promise {
    /// Kept.
    pub(crate) fn from_environment() -> Self {
        Promise::Kept
    }

    /// Nothing waits.
    pub(crate) async fn hold_write_back(self) {}
}

#[cfg(feature = "fault-injection")]
impl Promise {
    /// Broken where `PRICEPIPE_FAULT` says so.
    pub(crate) fn from_environment() -> Self {
        match std::env::var("PRICEPIPE_FAULT").as_deref() {
            Ok("commit-before-write") => Promise::Broken,
            _ => Promise::Kept,
        }
    }

    /// A broken promise costs something only between commit and write. That gap is made wide enough for every kill to
    /// fall into it, so that a test need not be lucky.
    pub(crate) async fn hold_write_back(self) {
        if self == Promise::Broken {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        }
    }
}
