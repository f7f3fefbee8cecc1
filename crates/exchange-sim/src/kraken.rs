//! Kraken's interfaces.

use std::sync::Arc;

use axum::Router;

use crate::server::Sim;

/// Every path of Kraken.
pub(crate) fn router() -> Router<Arc<Sim>> {
    Router::new()
}
