//! The product in a real cluster, with real Kafka and a MongoDB-compatible server beside it: `make test` runs these
//! beside the testbed's Kubernetes, one after another, and all other tests without one.

/// `make test` tells these tests from the others by this part of their names.
#[path = "."]
mod cluster {
    mod admission;
    mod testbed;
}
