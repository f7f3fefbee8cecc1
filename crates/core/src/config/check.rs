//! What a worker's configuration must not say, because it could never work. Pure.
//!
//! A type cannot say these things, or serde would say them without a remedy. What works badly is not refused: tests
//! and benchmarks poll every few milliseconds.

use std::{collections::HashSet, fmt};

use super::{
    ConsumerConfig, DEFAULT_SESSION_TIMEOUT_MILLIS, Feed, HEARTBEAT_MILLIS, KafkaConnection,
    LONGEST_POLL_MILLIS, ProducerConfig, SourceConfig, StoreConfig, Stream, SymbolRoute, WebsocketConfig,
};
use crate::{
    Exchange, KlineInterval,
    environment::{KAFKA_BOOTSTRAP_SERVERS, is_host_and_port},
};

/// Everything in a configuration that could never work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Fault>);

/// One value that could never work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it stands, such as `sources[0].rest.intervalMillis`.
    pub field: String,
    /// The value, what is wrong with it and what to write instead.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.0.iter().map(|f| format!("{}: {}", f.field, f.problem)).collect();
        f.write_str(&faults.join("; "))
    }
}

impl std::error::Error for ConfigError {}

impl ProducerConfig {
    /// Refuses what could never work. To be called when the environment has had its say on Kafka.
    ///
    /// # Errors
    /// Every fault, in the order of the fields.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut faults = Faults::default();
        faults.kafka(&self.kafka);
        faults.some("sources", self.sources.len(), "name at least one place that prices come from");
        faults.each_once("sources", "name", self.sources.iter().map(|source| source.name.as_str()));
        for (index, source) in self.sources.iter().enumerate() {
            faults.source(index, source, &self.symbols);
        }
        faults.some("symbols", self.symbols.len(), "name at least one symbol and its topic");
        faults.each_once("symbols", "symbol", self.symbols.iter().map(|route| route.symbol.as_str()));
        faults.end()
    }
}

impl ConsumerConfig {
    /// Refuses what could never work. To be called when the environment has had its say on Kafka.
    ///
    /// # Errors
    /// Every fault, in the order of the fields.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut faults = Faults::default();
        faults.kafka(&self.kafka);
        if self.group.trim().is_empty() {
            faults.add("group", "empty; name the consumer group, such as pricepipe.default.majors");
        }
        faults.some("topics", self.topics.len(), "name at least one topic and its collection");
        faults.each_once("topics", "topic", self.topics.iter().map(|route| route.topic.as_str()));
        if let Some(index) = self.topics.iter().position(|route| route.topic == self.dead_letter_topic) {
            let problem = format!(
                "{} is topics[{index}] too, so what cannot be stored would come back for ever; name another topic",
                self.dead_letter_topic
            );
            faults.add("deadLetterTopic", problem);
        }
        if self.batch.max_documents == 0 {
            faults.add("batch.maxDocuments", "0, but a batch has at least 1 document; 1000 is usual");
        }
        faults.session_timeout(self.session_timeout_millis);
        if let StoreConfig::Embedded { path, .. } = &self.store
            && path.as_os_str().is_empty()
        {
            faults.add("store.path", "empty; name the file, such as prices.sqlite");
        }
        faults.end()
    }
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Fault { field: field.into(), problem: problem.into() });
    }

    fn end(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError(self.0)) }
    }

    fn kafka(&mut self, kafka: &KafkaConnection) {
        let field = "kafka.bootstrapServers";
        let remedy = format!("name brokers as in kafka:9092, or set {KAFKA_BOOTSTRAP_SERVERS}");
        self.some(field, kafka.bootstrap_servers.len(), &remedy);
        for (index, server) in kafka.bootstrap_servers.iter().enumerate() {
            // librdkafka would take several in one text, too.
            if !server.split(',').all(|one| is_host_and_port(one.trim())) {
                self.add(
                    format!("{field}[{index}]"),
                    format!("{server:?} is not host:port, as in kafka:9092"),
                );
            }
        }
    }

    fn some(&mut self, list: &str, length: usize, remedy: &str) {
        if length == 0 {
            self.add(list, format!("empty; {remedy}"));
        }
    }

    fn each_once<'a>(&mut self, list: &str, key: &str, values: impl Iterator<Item = &'a str>) {
        let mut seen = HashSet::new();
        for (index, value) in values.enumerate() {
            if !seen.insert(value) {
                let problem = format!("{value:?} is there already; name each {key} once");
                self.add(format!("{list}[{index}].{key}"), problem);
            }
        }
    }

    fn source(&mut self, index: usize, source: &SourceConfig, symbols: &[SymbolRoute]) {
        let at = |field: &str| format!("sources[{index}].{field}");
        for (place, symbol) in source.symbols.iter().enumerate() {
            if !symbols.iter().any(|route| route.symbol == *symbol) {
                let problem = format!("{:?} is none of symbols; name it there too", symbol.as_str());
                self.add(at(&format!("symbols[{place}]")), problem);
            }
        }
        let served = symbols.iter().filter(|route| source.serves(&route.symbol)).count();
        match &source.feed {
            Feed::Rest(rest) => {
                if rest.interval_millis == 0 {
                    self.add(at("rest.intervalMillis"), "0, but polls need time between them; 3000 is usual");
                }
                // A single symbol is asked for in a form that costs less.
                let least = if served > 1 { source.exchange.price_request_weight(served) } else { 1 };
                self.access(&at("rest"), source, least);
            }
            Feed::Websocket(websocket) => self.websocket(&at("websocket"), source, websocket),
            Feed::Replay(replay) => {
                let interval =
                    replay.interval.filter(|i| !KlineInterval::of(source.exchange).any(|o| o == *i));
                if let Some(interval) = interval {
                    self.add(at("replay.interval"), interval_problem(source.exchange, interval));
                }
                if replay.end.is_some_and(|end| end <= replay.start) {
                    self.add(at("replay.end"), "is not after start; name a later moment");
                }
                self.access(&at("replay.history"), source, 1);
            }
        }
    }

    /// What every feed needs of the exchange's REST interface.
    fn access(&mut self, at: &str, source: &SourceConfig, least_weight: u32) {
        let remedy = "name at least one base URL, as in https://api.binance.com";
        self.some(&format!("{at}.endpoints"), source.endpoints().len(), remedy);
        if source.timeout_millis() == 0 {
            self.add(format!("{at}.timeoutMillis"), "0, but an answer takes time; 2000 is usual");
        }
        let weight = source.max_weight_per_minute();
        if weight < least_weight {
            let problem = format!("{weight}, but one poll takes {least_weight}; 1200 is usual");
            self.add(format!("{at}.maxWeightPerMinute"), problem);
        }
    }

    fn websocket(&mut self, at: &str, source: &SourceConfig, websocket: &WebsocketConfig) {
        let remedy = "name at least one base URL, as in wss://stream.binance.com:9443";
        self.some(&format!("{at}.endpoints"), websocket.endpoints.len(), remedy);
        let (exchange, stream) = (source.exchange, websocket.stream);
        if !stream.is_offered_by(exchange) {
            let problem = format!("{exchange} has no stream {}; choose another", stream.as_str());
            self.add(format!("{at}.stream"), problem);
        }
        match (stream, websocket.interval) {
            (Stream::Kline, None) => self.add(format!("{at}.interval"), "missing; name it, as in 1m"),
            (Stream::Kline, Some(interval)) if !KlineInterval::of(exchange).any(|o| o == interval) => {
                self.add(format!("{at}.interval"), interval_problem(exchange, interval));
            }
            (Stream::Kline, Some(_)) | (_, None) => {}
            (_, Some(_)) => self.add(format!("{at}.interval"), "is for the stream kline alone; remove it"),
        }
        if websocket.silence_millis == 0 {
            self.add(format!("{at}.silenceMillis"), "0, but frames take time; 30000 is usual");
        }
        self.access(&format!("{at}.history"), source, 1);
    }

    fn session_timeout(&mut self, millis: u32) {
        let problem = if millis <= HEARTBEAT_MILLIS {
            format!(
                "{millis}, but heartbeats come every {HEARTBEAT_MILLIS} ms, so every member would count as dead"
            )
        } else if millis > LONGEST_POLL_MILLIS {
            format!("{millis}, but a member that takes nothing for {LONGEST_POLL_MILLIS} ms leaves by itself")
        } else {
            return;
        };
        let remedy = format!(
            "{DEFAULT_SESSION_TIMEOUT_MILLIS} is usual, and brokers take no less than 6000 by default"
        );
        self.add("sessionTimeoutMillis", format!("{problem}; {remedy}"));
    }
}

fn interval_problem(exchange: Exchange, interval: KlineInterval) -> String {
    let offered: Vec<&str> = KlineInterval::of(exchange).map(|offered| offered.as_str()).collect();
    format!("{exchange} has no candles of {interval}; choose one of {}", offered.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(checked: Result<(), ConfigError>) -> Vec<String> {
        checked
            .err()
            .map(|error| error.0.into_iter().map(|f| format!("{}: {}", f.field, f.problem)).collect())
            .unwrap_or_default()
    }

    /// The faults of a good producer after one change.
    fn producer(pointer: &str, value: Value) -> Vec<String> {
        let mut config = json!({
            "pipeline": "majors",
            "kafka": {"bootstrapServers": ["kafka:9092"]},
            "sources": [{"name": "binance", "exchange": "binance", "rest": {
                "endpoints": ["https://a.example"], "intervalMillis": 20, "timeoutMillis": 2_000, "maxWeightPerMinute": 1_200,
            }}],
            "symbols": [{"symbol": "BTCUSDT", "topic": "btc"}, {"symbol": "BTCUSDC", "topic": "btc"}],
        });
        *config.pointer_mut(pointer).unwrap() = value;
        faults(serde_json::from_value::<ProducerConfig>(config).unwrap().check())
    }

    /// The faults of a good consumer after one change.
    fn consumer(pointer: &str, value: Value) -> Vec<String> {
        let mut config = json!({
            "pipeline": "majors", "kafka": {"bootstrapServers": ["a:1,b:2", "[::1]:3"]}, "group": "g",
            "topics": [{"topic": "btc", "collection": "prices"}, {"topic": "eth", "collection": "prices"}],
            "deadLetterTopic": "dead", "batch": {"maxDocuments": 1, "maxMillis": 0},
            "sessionTimeoutMillis": 4_000, "store": {"kind": "embedded", "path": "p"},
        });
        *config.pointer_mut(pointer).unwrap() = value;
        faults(serde_json::from_value::<ConsumerConfig>(config).unwrap().check())
    }

    fn begins(faults: &[String], expected: &str) {
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{expected:?}, not {faults:?}");
    }

    #[test]
    fn what_works_is_not_refused_however_odd() {
        assert!(producer("/pipeline", json!("majors")).is_empty());
        assert!(consumer("/pipeline", json!("majors")).is_empty());
        assert!(producer("/symbols/1/topic", json!("other")).is_empty());
    }

    #[test]
    fn a_producer_that_could_never_work_is_told_field_value_and_remedy() {
        let rest = |field: &str| producer(&format!("/sources/0/rest/{field}"), json!(0));
        begins(
            &rest("intervalMillis"),
            "sources[0].rest.intervalMillis: 0, but polls need time between them; 3000",
        );
        begins(&rest("timeoutMillis"), "sources[0].rest.timeoutMillis: 0, but");
        begins(
            &rest("maxWeightPerMinute"),
            "sources[0].rest.maxWeightPerMinute: 0, but one poll takes 4; 1200",
        );
        begins(&producer("/sources/0/rest/endpoints", json!([])), "sources[0].rest.endpoints: empty; name");
        begins(&producer("/sources", json!([])), "sources: empty; name");
        begins(&producer("/symbols", json!([])), "symbols: empty; name");
        begins(
            &producer("/symbols/1/symbol", json!("BTCUSDT")),
            r#"symbols[1].symbol: "BTCUSDT" is there already; name"#,
        );
        begins(
            &producer("/kafka/bootstrapServers", json!([])),
            "kafka.bootstrapServers: empty; name brokers",
        );
        begins(
            &producer("/kafka/bootstrapServers/0", json!("kafka")),
            r#"kafka.bootstrapServers[0]: "kafka" is not host:port"#,
        );
    }

    #[test]
    fn a_consumer_that_could_never_work_is_told_field_value_and_remedy() {
        begins(&consumer("/deadLetterTopic", json!("eth")), "deadLetterTopic: eth is topics[1] too");
        begins(
            &consumer("/topics/1/topic", json!("btc")),
            r#"topics[1].topic: "btc" is there already; name"#,
        );
        begins(&consumer("/topics", json!([])), "topics: empty; name");
        begins(
            &consumer("/batch/maxDocuments", json!(0)),
            "batch.maxDocuments: 0, but a batch has at least 1",
        );
        begins(&consumer("/group", json!(" ")), "group: empty; name");
        begins(&consumer("/store/path", json!("")), "store.path: empty; name");
        for millis in [1, 3_000, 300_001] {
            let found = consumer("/sessionTimeoutMillis", json!(millis));
            begins(&found, &format!("sessionTimeoutMillis: {millis}, but "));
            assert!(found[0].contains("10000 is usual"), "{found:?}");
        }
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let source = json!({"name": "binance", "exchange": "binance", "rest": {
            "endpoints": [], "intervalMillis": 0, "timeoutMillis": 1, "maxWeightPerMinute": 60}});
        assert_eq!(producer("/sources", json!([source, source])).len(), 5);
    }
}
