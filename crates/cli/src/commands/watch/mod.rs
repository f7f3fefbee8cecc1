//! `pricepipe watch`: looks at a pipeline that runs elsewhere, and changes nothing of it.

pub(crate) mod args;
mod seen;
mod store;
mod topics;
mod watched;

use std::{collections::BTreeMap, time::Duration};

use pricepipe_core::{Pipeline, names::CollectionName, pipeline::PipelineSymbol};
use pricepipe_service::shutdown;
use pricepipe_store::Market;

use self::{
    args::WatchArgs,
    seen::Seen,
    store::StoreWatch,
    watched::{Watch, Watched},
};
use crate::{
    args::Progress,
    cluster::Cluster,
    commands::query,
    exit::{Exit, Failed},
    file,
    live::{self, Phase, Screen, State, Titles},
    parts::{self, StorePart},
    run::places,
};

/// Said where topics cannot be read.
const STORE_ALONE: &str =
    "an embedded Kafka is reached by its own process alone: the store is looked at, once a second";

/// Shows a pipeline until it is told to stop.
pub(crate) async fn watch(args: &WatchArgs) -> Result<(), Failed> {
    let pipeline = file::pipeline(&args.file)?;
    query::known(&pipeline, &args.symbols)?;
    let cluster = if args.simulated { None } else { Cluster::of(&pipeline)? };
    let stop = shutdown::on_signal_with(live::restore).map_err(|e| Failed::because(Exit::Failure, &e))?;
    if let Some(seconds) = args.stop_after {
        shutdown::after(Duration::from_secs(seconds), stop.clone());
    }
    let symbols = wanted(&pipeline, args);
    let names = symbols.iter().map(|symbol| (symbol.symbol.to_string(), symbol.topic.to_string()));
    let stores = parts::stores_to_read(&pipeline, &args.store, args.simulated)?;
    let watched = Watched::of(Seen::of(names), places::store(&stores[0].config));
    let kafka = cluster.as_ref().map_or_else(|| "embedded".to_owned(), Cluster::servers);
    let exchange = if args.simulated { "simulated".to_owned() } else { places::endpoints(&pipeline) };
    let mut watch = Watch::of(&pipeline, watched.clone(), exchange, kafka);
    watch.from_topics = cluster.is_some();
    look(cluster, stores, &pipeline, &symbols, &watched)?;
    let mut screen = Screen::open(args.progress, titles(&pipeline, args), watch, stop.clone());
    screen.during(stop.cancelled()).await;
    let shown = sum_up(&mut screen, args.progress);
    screen.close().and(shown)
}

/// Starts those who look: at the topics and whether the store answers, or at the store alone.
fn look(
    cluster: Option<Cluster>,
    stores: Vec<StorePart>,
    pipeline: &Pipeline,
    symbols: &[&PipelineSymbol],
    watched: &Watched,
) -> Result<(), Failed> {
    let mut collections = BTreeMap::new();
    match cluster {
        Some(cluster) => {
            let mut topics: Vec<String> = symbols.iter().map(|symbol| symbol.topic.to_string()).collect();
            topics.sort();
            topics.dedup();
            topics::watch(cluster, topics, watched)?;
        }
        None => {
            collections = by_collection(pipeline, symbols);
            let mut findings = watched.lock();
            findings.kafka = State::Waiting("not looked at".to_owned());
            findings.notes = vec![STORE_ALONE.to_owned()];
        }
    }
    let store = StoreWatch::new(stores, collections, watched.clone())?;
    tokio::spawn(store.look_for_ever());
    Ok(())
}

/// The symbols that are asked for, in the pipeline's order.
fn wanted<'a>(pipeline: &'a Pipeline, args: &WatchArgs) -> Vec<&'a PipelineSymbol> {
    let wanted = |symbol: &&PipelineSymbol| query::is_wanted(symbol.symbol.as_str(), &args.symbols);
    pipeline.symbols.iter().filter(wanted).collect()
}

/// What is stored of the symbols, of each collection.
fn by_collection(pipeline: &Pipeline, symbols: &[&PipelineSymbol]) -> BTreeMap<CollectionName, Vec<Market>> {
    let mut collections: BTreeMap<CollectionName, Vec<Market>> = BTreeMap::new();
    for symbol in symbols {
        for shelf in pipeline.shelves(&symbol.symbol).into_keys() {
            let market = Market::of_any(symbol.symbol.as_str());
            collections.entry(shelf.collection(&symbol.collection)).or_default().push(market);
        }
    }
    collections
}

fn titles(pipeline: &Pipeline, args: &WatchArgs) -> Titles {
    let query = format!("pricepipe query latest -f {}", args.file.display());
    Titles {
        command: "watch",
        pipeline: pipeline.name.to_string(),
        details: vec![
            ("group", pricepipe_core::names::consumer_group(&pipeline.namespace, &pipeline.name).to_string()),
            ("query", if args.simulated { query + " --simulated" } else { query }),
        ],
        warnings: Vec::new(),
    }
}

/// Leaves the last moment where it stands, and prints the sums below it. What was never reached is a failure.
fn sum_up(screen: &mut Screen<Watch>, progress: Progress) -> Result<(), Failed> {
    screen.source().phase = Phase::Over;
    screen.end();
    let watch = screen.source();
    let totals = watch.totals();
    live::print_sums(progress, &totals)?;
    let findings = watch.watched.lock();
    let (name, state) =
        if watch.from_topics { ("Kafka", &findings.kafka) } else { ("the store", &findings.store) };
    match state {
        State::Away(reason) if findings.seen.newest().is_none() => {
            Err(Failed::new(Exit::Unreachable, format!("{name} was not reached: {reason}")))
        }
        _ => Ok(()),
    }
}
