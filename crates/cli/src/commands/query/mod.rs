//! `pricepipe query`: looks at what was stored.

pub(crate) mod args;
mod output;
mod overview;
mod series;

use std::{collections::BTreeSet, io, sync::Arc};

use pricepipe_core::{Pipeline, Timestamp, names::CollectionName};
use pricepipe_service::{clock, environment::lookup};
use pricepipe_store::{History, OpenError, StoreError};

use self::args::{CommonArgs, QueryArgs, Question};
use crate::{
    exit::{Exit, Failed},
    file, parts,
};

/// Answers a question over the store that the pipeline uses.
pub(crate) async fn query(args: &QueryArgs) -> Result<(), Failed> {
    let common = args.question.common();
    let pipeline = file::pipeline(&common.file)?;
    known(&pipeline, &common.symbols)?;
    let history = open(&pipeline, common)?;
    let source = Source { history: &*history, pipeline: &pipeline, now: clock::now() };
    let answered = answer(&source, &args.question).await;
    history.close().await;
    match answered {
        Ok(rows) => {
            if rows == 0 {
                eprintln!("there are no prices to answer from");
            }
            Ok(())
        }
        // The reader has seen enough (`| head`).
        Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Trouble::Output(error)) => Err(Failed::new(Exit::Failure, format!("standard output: {error}"))),
        Err(Trouble::Store(error)) => Err(Failed::new(Exit::Unreachable, format!("the store: {error}"))),
    }
}

/// What a question is asked of.
struct Source<'a> {
    history: &'a dyn History,
    pipeline: &'a Pipeline,
    now: Timestamp,
}

impl Source<'_> {
    /// The symbols that are asked for, each with its collection, in the pipeline's order.
    fn symbols<'a>(&'a self, common: &'a CommonArgs) -> impl Iterator<Item = (&'a CollectionName, &'a str)> {
        let wanted =
            |symbol: &str| common.symbols.is_empty() || common.symbols.iter().any(|wanted| wanted == symbol);
        let all = self.pipeline.symbols.iter().map(|symbol| (&symbol.collection, symbol.symbol.as_str()));
        all.filter(move |(_, symbol)| wanted(symbol))
    }
}

/// What can go wrong on the way from the store to the reader.
enum Trouble {
    Store(StoreError),
    Output(io::Error),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Trouble::Store(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Output(error)
    }
}

/// Writes the answer and tells how many rows it has.
async fn answer(source: &Source<'_>, question: &Question) -> Result<u64, Trouble> {
    match question {
        Question::Latest { common } => overview::latest(source, common).await,
        Question::Count { common } => overview::count(source, common).await,
        Question::Stats { prices } => overview::stats(source, prices).await,
        Question::Jumps { prices, percent, within } => series::jumps(source, prices, *percent, *within).await,
        Question::MovingAverage { prices, window } => series::moving_average(source, prices, *window).await,
        Question::Volatility { prices, window, annualise } => {
            series::volatility(source, prices, *window, *annualise).await
        }
        Question::Candles { prices, interval } => series::candles(source, prices, *interval).await,
    }
}

fn open(pipeline: &Pipeline, common: &CommonArgs) -> Result<Arc<dyn History>, Failed> {
    let part = parts::store(pipeline, &common.store, lookup)?;
    pricepipe_store::open_for_reading(&part.config, part.connection_string.as_ref()).map_err(|error| {
        let absent = matches!(error, OpenError::NoSuchFile { .. });
        Failed::because(if absent { Exit::NotFound } else { Exit::Invalid }, &error)
    })
}

fn known(pipeline: &Pipeline, symbols: &[String]) -> Result<(), Failed> {
    let names: BTreeSet<&str> = pipeline.symbols.iter().map(|s| s.symbol.as_str()).collect();
    match symbols.iter().find(|symbol| !names.contains(symbol.as_str())) {
        None => Ok(()),
        Some(symbol) => {
            let names: Vec<&str> = names.into_iter().collect();
            let message = format!("--symbol {symbol}: not in the pipeline, which has {}", names.join(", "));
            Err(Failed::new(Exit::NotFound, message))
        }
    }
}
