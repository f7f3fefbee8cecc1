//! What the tests that cross crates share: real servers and a cluster, worker processes, a look into Kafka and the store, and
//! the dashboards and alerts.

pub mod chart;
pub mod cluster;
pub mod command_line;
pub mod dashboards;
pub mod documents;
pub mod exchange;
mod expressions;
pub mod generated;
pub mod http;
pub mod messages;
pub mod oracle;
pub mod pipelines;
pub mod promql;
pub mod servers;
pub mod stage;
pub mod stored;
pub mod terminal;
pub mod topics;
pub mod worker;

use std::time::{Duration, Instant};

pub use expressions::{Alert, Alerts, Asker, Expression, Group, alerts, expressions};

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

/// Moments to do harm at: each up to `longest`, from a seed that is printed.
pub fn random_moments(longest: Duration) -> impl FnMut() -> Duration {
    let seed = unique("seed");
    println!("random moments from {seed}");
    let mut random =
        seed.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        longest.mul_f64((random >> 33) as f64 / f64::from(1u32 << 31))
    }
}
