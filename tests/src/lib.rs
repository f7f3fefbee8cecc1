//! What the tests that cross crates share: real servers and a cluster, worker processes, and a look into Kafka and the store.

pub mod cluster;
pub mod documents;
pub mod exchange;
pub mod http;
pub mod messages;
pub mod oracle;
pub mod pipelines;
pub mod servers;
pub mod topics;
pub mod worker;

use std::time::{Duration, Instant};

/// A name that no other test uses: `<prefix>-<process>-<time>`, fit for a pipeline, a topic and a database.
pub fn unique(prefix: &str) -> String {
    let nanos =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    format!("{prefix}-{}-{nanos}", std::process::id())
}

/// Waits until `condition` holds, and says what it waited for when it does not within `patience`.
pub fn eventually(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < patience, "{what}: not within {patience:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
