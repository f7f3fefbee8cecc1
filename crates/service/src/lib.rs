//! What every long-running process of pricepipe needs: telemetry, an admin HTTP server, shutdown, patience with
//! what is away, and Kafka client settings.
//!
//! What this crate decides:
//!
//! - **Nothing is global.** A [`Process`] carries the metrics registry, the health and the clock's jitter, so
//!   one process may host several components, and a test may host several processes.
//! - **Liveness is our own heartbeat** ([`health`]): an outage of Kafka, the store or the exchange makes a
//!   process not ready, never not alive, so it does not become a storm of restarts.
//! - **Everything that may be away has a [`Guard`]**: a circuit breaker, jittered backoff and a metric.
//! - **Secrets come from the environment or from mounted files** ([`environment`]), never from arguments.

pub mod admin;
mod causes;
pub mod clock;
pub mod environment;
mod guard;
pub mod health;
pub mod kafka;
pub mod metrics;
mod process;
pub mod shutdown;
pub mod telemetry;
pub mod worker;

pub use causes::with_causes;
pub use guard::Guard;
pub use health::Health;
pub use process::Process;
