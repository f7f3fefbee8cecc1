//! What every long-running process of pricepipe needs.
