//! The product in a real cluster, with real Kafka and a MongoDB-compatible server beside it: `make test` runs these
//! beside the testbed's Kubernetes, some at a time, and all other tests without one.

/// `make test` tells these tests from the others by this part of their names.
#[path = "."]
mod cluster {
    mod admission;
    mod autoscaling;
    mod deletion;
    mod drift;
    mod kafka_away;
    mod lifecycle;
    mod quiet;
    mod replay;
    mod secrets;
    mod streams;
    mod testbed;
    mod topics;
    // Its tests want the controller for themselves, so they come last.
    mod turmoil;
}
