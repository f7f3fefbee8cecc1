//! Exchange to Kafka.
