//! What runs, in a few lines before the first price.

use std::{io::Write, net::SocketAddr};

use pricepipe_core::{
    Pipeline, Slots,
    config::{Feed, SourceConfig, StoreConfig, WebsocketConfig},
    environment::{KAFKA_BOOTSTRAP_SERVERS, MONGO_CONNECTION_STRING},
};
use pricepipe_service::{clock, environment::lookup, telemetry::LogFormat};
use serde_json::{Map, Value};

use super::{places::Places, plan::Plan};
use crate::{
    args::RunArgs,
    live::{self, Titles},
    output,
    parts::KafkaPart,
};

/// A first poll that is further away than this is announced.
const LONG_WAIT_MILLIS: i64 = 5_000;

/// The lines of the header: what stands before each, and its text.
pub(super) struct Header {
    pipeline: String,
    lines: Vec<(&'static str, String)>,
    /// What somebody should look at twice.
    warnings: Vec<String>,
    json: bool,
}

impl Header {
    /// The header of a run whose exchange has its endpoints.
    pub(super) fn of(plan: &Plan, places: &Places, args: &RunArgs, admin: SocketAddr) -> Self {
        let lines = vec![
            ("exchange", places.exchange.clone()),
            ("Kafka", places.kafka.clone()),
            ("store", places.store.clone()),
            ("metrics", format!("http://{admin}/metrics")),
            ("query", query(plan, args)),
        ];
        let mut header = Header {
            pipeline: plan.pipeline.name.to_string(),
            lines,
            warnings: Vec::new(),
            json: live::log_format(args.progress) == LogFormat::Json,
        };
        header.lines.extend(first_poll(plan).map(|text| ("polling", text)));
        header.lines.extend(streams(&plan.pipeline).map(|text| ("streams", text)));
        header.lines.extend(history(&plan.pipeline).map(|text| ("history", text)));
        if args.simulate && args.real_servers {
            header.warnings.extend(invented(plan));
        } else if args.simulate {
            header.lines.extend(left_alone(plan).map(|text| ("note", text)));
        }
        header
    }

    /// Writes it to standard error.
    pub(super) fn print(&self) {
        output::note(self.text());
        let _ = std::io::stderr().flush();
    }

    /// The same for the live view, which shows the three parts by themselves.
    pub(super) fn titles(&self) -> Titles {
        let details = self.lines.iter().filter(|(name, _)| !["exchange", "Kafka", "store"].contains(name));
        Titles {
            command: "run",
            pipeline: self.pipeline.clone(),
            details: details.cloned().collect(),
            warnings: self.warnings.clone(),
        }
    }

    fn text(&self) -> String {
        if self.json {
            return self.as_json();
        }
        let line = |(name, text): &(&str, String)| format!("{}: {name:<9} {text}", self.pipeline);
        let warning = |text: &String| format!("{}: WARNING   {text}", self.pipeline);
        let lines = self.lines.iter().map(line).chain(self.warnings.iter().map(warning));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// One object, in the form of the log lines around it.
    fn as_json(&self) -> String {
        let level = if self.warnings.is_empty() { "INFO" } else { "WARN" };
        let head = [
            ("timestamp", clock::now().to_string()),
            ("level", level.to_owned()),
            ("message", "the pipeline starts".to_owned()),
            ("pipeline", self.pipeline.clone()),
        ];
        let warnings = self.warnings.iter().map(|text| ("warning", text.clone()));
        let fields = head.into_iter().chain(self.lines.iter().cloned()).chain(warnings);
        let fields: Map<String, Value> =
            fields.map(|(name, text)| (name.to_lowercase(), Value::from(text))).collect();
        Value::Object(fields).to_string()
    }
}

/// The command that shows what this run stores.
fn query(plan: &Plan, args: &RunArgs) -> String {
    let mut command = format!("pricepipe query latest -f {}", args.file.display());
    let replayed = |source: &SourceConfig| match &source.feed {
        Feed::Replay(replay) => replay.interval,
        Feed::Rest(_) | Feed::Websocket(_) => None,
    };
    // A backfill stores candles of which the file says nothing.
    if let Some(interval) = plan.pipeline.sources.first().and_then(replayed) {
        command = format!("{command} --stored-candles {interval}");
    }
    match (&plan.store_config, &args.store.store_file) {
        (StoreConfig::Embedded { .. }, Some(path)) => format!("{command} --store-file {}", path.display()),
        (StoreConfig::Embedded { .. }, None) if args.simulate => format!("{command} --simulated"),
        (StoreConfig::Embedded { .. }, None) if args.store.embedded_store => {
            format!("{command} --embedded-store")
        }
        _ => command,
    }
}

/// When the first price can be expected, where that is not at once.
fn first_poll(plan: &Plan) -> Option<String> {
    let now = clock::now();
    let intervals = plan.pipeline.sources.iter().filter_map(|source| Some(source.rest()?.interval_millis));
    let next = |millis| Slots::every(std::time::Duration::from_millis(millis)).next(now);
    let (first, millis) = intervals.map(|millis| (next(millis), millis)).min()?;
    let text = || format!("every {} s; the first time at {first}", millis / 1_000);
    (first.as_millis() - now.as_millis() > LONG_WAIT_MILLIS).then(text)
}

/// What is listened to, and of whom.
fn streams(pipeline: &Pipeline) -> Option<String> {
    let text = |source: &SourceConfig| {
        let Feed::Websocket(WebsocketConfig { stream, interval, .. }) = &source.feed else { return None };
        let interval = interval.map_or_else(String::new, |interval| format!(" {interval}"));
        Some(format!("{}{interval} of {}, {}", stream.as_str(), source.exchange, served(source, pipeline)))
    };
    joined(pipeline.sources.iter().filter_map(text))
}

/// Which history is read, and of whom.
fn history(pipeline: &Pipeline) -> Option<String> {
    let text = |source: &SourceConfig| {
        let Feed::Replay(replay) = &source.feed else { return None };
        let what =
            replay.interval.map_or_else(|| "trades".to_owned(), |interval| format!("kline {interval}"));
        let end = replay.end.map_or_else(|| "now".to_owned(), |end| end.to_string());
        let (exchange, served) = (source.exchange, served(source, pipeline));
        Some(format!("{what} of {exchange}, {served}, {} to {end}, {}", replay.start, replay.pace))
    };
    joined(pipeline.sources.iter().filter_map(text))
}

fn served(source: &SourceConfig, pipeline: &Pipeline) -> String {
    match pipeline.symbols.iter().filter(|s| source.serves(&s.symbol)).count() {
        1 => "1 symbol".to_owned(),
        count => format!("{count} symbols"),
    }
}

fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// Says where invented prices go, when that is a place that outlives the run and that others read.
fn invented(plan: &Plan) -> Option<String> {
    let kafka = match &plan.kafka {
        KafkaPart::Cluster(connection, _) => {
            Some(format!("Kafka at {}", connection.bootstrap_servers.join(", ")))
        }
        KafkaPart::Embedded => None,
    };
    let store = match &plan.store_config {
        StoreConfig::Mongodb { database, .. } => Some(format!("MongoDB, database {database}")),
        StoreConfig::Embedded { .. } => None,
    };
    let places: Vec<String> = kafka.into_iter().chain(store).collect();
    let exchanges: Vec<&str> = plan.pipeline.sources.iter().map(|source| source.exchange.as_str()).collect();
    let text = || {
        format!(
            "INVENTED prices go to {} under the name of {}: nobody can tell them from real ones there",
            places.join(" and to "),
            exchanges.join(", ")
        )
    };
    (!places.is_empty()).then(text)
}

/// Says which servers somebody has named and a simulated run does not use.
fn left_alone(plan: &Plan) -> Option<String> {
    let set = |variable: &&str| lookup(variable).is_some();
    let mut named: Vec<&str> =
        [KAFKA_BOOTSTRAP_SERVERS, MONGO_CONNECTION_STRING].into_iter().filter(set).collect();
    named.extend(plan.pipeline.kafka.as_ref().map(|_| "spec.kafka"));
    named.extend(plan.pipeline.mongodb_uri.as_ref().map(|_| "spec.mongodb"));
    let text = || {
        format!(
            "--simulate leaves the servers of {} alone; --real-servers sends the invented prices there",
            named.join(" and ")
        )
    };
    (!named.is_empty()).then(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_history_are_told_with_whom_they_are_of() {
        let text = |file: &str| {
            std::fs::read_to_string(format!("{}/../../examples/{file}", env!("CARGO_MANIFEST_DIR")))
        };
        let pipeline = |file| pricepipe_api::parse(&text(file).unwrap()).unwrap().remove(0).1;
        let (candles, three) = (pipeline("candles.yaml"), pipeline("three-exchanges.yaml"));
        assert_eq!(streams(&candles).unwrap(), "kline 1m of binance, 2 symbols");
        let told = "kline 1m of binance, 2 symbols, 2026-11-01T00:00:00Z to now, unpaced";
        assert_eq!(history(&candles).unwrap(), told);
        let told = "trade of coinbase, 1 symbol; trade of kraken, 1 symbol; trade of binance, 1 symbol";
        assert_eq!((streams(&three).as_deref(), history(&three)), (Some(told), None));
    }
}
