//! Kafka to store.
