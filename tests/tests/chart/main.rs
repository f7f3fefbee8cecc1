//! The Helm chart: what its files say of one another, what Helm makes of it, and what a cluster says to that.

/// `make test` tells these tests from the others by this part of their names.
#[path = "."]
mod chart {
    mod admission;
    mod contract;
    mod demo;
    mod kafdrop;
    mod readme;
    mod refusals;
    mod render;
    mod rights;
    mod schema;
    mod secure;
    mod storm;
    mod values;
}
