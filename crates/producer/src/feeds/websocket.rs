//! Listens to a stream: where it stands is read from Kafka, then connections bring what happens, and it goes on in order.

use std::sync::Arc;

use pricepipe_core::{
    Symbol,
    config::{SourceConfig, WebsocketConfig},
    names::gaps_topic,
};
use pricepipe_exchange::stream::Topic;
use pricepipe_service::health::Condition;

use super::{ALIVE, Loop, Shared, probe_for_ever};
use crate::{
    ProducerError,
    endpoints::Exchanges,
    route::Route,
    run::client_id,
    streams::{
        connections::Connections,
        gaps::Gaps,
        repair::Repair,
        resume::Resume,
        sequence::{Sequence, SequenceParts},
    },
};

impl Shared<'_> {
    /// The loops of a source that is listened to.
    pub(super) fn websocket(
        &self,
        source: &SourceConfig,
        websocket: &WebsocketConfig,
        exchanges: &mut Exchanges,
    ) -> Result<Vec<Loop>, ProducerError> {
        let own = |route: &&Arc<Route>| route.exchange == source.exchange && source.serves(&route.symbol);
        let routes: Vec<Arc<Route>> = self.routes.iter().filter(own).cloned().collect();
        let symbols: Vec<Symbol> = routes.iter().map(|route| route.symbol.clone()).collect();
        let endpoints = Arc::new(exchanges.endpoints(source, self.events)?);
        let (connections, arrivals) =
            Connections::new(self, source, websocket, &symbols, endpoints.clone(), exchanges)?;
        let topic = Topic {
            exchange: source.exchange,
            stream: websocket.stream,
            interval: websocket.interval,
            partial: websocket.partial,
        };
        let markets =
            symbols.iter().map(|symbol| pricepipe_exchange::market(source.exchange, symbol)).collect();
        let gaps_topic = gaps_topic(&self.config.pipeline);
        let parts = SequenceParts {
            topic,
            routes: routes.clone(),
            arrivals,
            repair: Repair::new(endpoints.clone(), topic, markets),
            gaps: Gaps::new(topic, gaps_topic.clone(), self.sink.clone(), self.events.clone()),
            sink: self.sink.clone(),
            events: self.events.clone(),
            heartbeat: self.process.health.heartbeat(&self.label("order", source), ALIVE),
            stop: self.stop.clone(),
        };
        let resume = Resume {
            connection: self.config.kafka.clone(),
            credentials: self.credentials.cloned(),
            client_id: client_id(),
            topic,
            routes,
            gaps_topic: gaps_topic.to_string(),
            watermarks: self.options.watermarks.clone(),
        };
        let condition = self.process.health.condition(&self.label("topics", source));
        let probe = probe_for_ever(endpoints, self.stop.clone());
        Ok(vec![Box::pin(probe), Box::pin(listen(resume, condition, parts, connections))])
    }
}

/// Nothing is listened to before it is known where to go on, or a hole at the beginning would not be seen.
async fn listen(resume: Resume, condition: Condition, parts: SequenceParts, connections: Connections) {
    match resume.find(condition, &parts.heartbeat, &parts.stop).await {
        Some(standing) => {
            tokio::join!(connections.run(), Sequence::new(parts, standing).run());
        }
        None => parts.heartbeat.end(),
    }
}
