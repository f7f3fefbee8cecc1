//! `pricepipe query`: looks at what was stored.

pub(crate) mod args;
mod overview;
mod plot;
mod points;
mod series;
mod silence;
mod stock;
mod telling;

use std::{collections::BTreeSet, io, sync::Arc};

use pricepipe_core::{Pipeline, Timestamp, names::Shelf, pipeline::PipelineSymbol};
use pricepipe_service::clock;
use pricepipe_store::{History, OpenError, Period, Selection, StoreError};

use self::{
    args::{QueryArgs, Question},
    plot::{Plot, args::Medium},
    points::Points,
    stock::Stock,
};
use crate::{
    args::ReadArgs,
    exit::{Exit, Failed},
    file, output,
    parts::{self, INVENTED, StorePart},
};

/// Answers a question over the store that the pipeline uses.
pub(crate) async fn query(args: &QueryArgs) -> Result<(), Failed> {
    let common = args.question.common();
    let pipeline = file::pipeline(&common.file)?;
    known(&pipeline, &common.symbols)?;
    let now = clock::now();
    let period = args.question.period(now).map_err(|problem| Failed::new(Exit::Usage, problem))?;
    let stocks = stocks(&pipeline, &args.question)?;
    let medium = medium(stocks.len(), &args.question)?;
    let history = open(&pipeline, &common.read)?;
    let source = Source { history: &*history, stocks, now, period, medium };
    let answered = answer(&source, &args.question).await;
    history.close().await;
    match answered {
        Ok(answer) => {
            if answer.rows > 0 {
                remarks(&source.stocks, &args.question).iter().for_each(output::note);
            }
            silence::reasons(&args.question, &answer).iter().for_each(output::note);
            // A chart without what was asked for would only look like an answer.
            answer.plot.filter(|_| answer.rows > 0).map_or(Ok(()), Plot::draw)
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
    /// What it reads.
    stocks: Vec<Stock>,
    now: Timestamp,
    /// The time that the question is about.
    period: Period,
    /// Where a chart goes, if one is wanted.
    medium: Option<Medium>,
}

impl Source<'_> {
    /// The prices of a stock, or what takes their place.
    fn points(&self, stock: &Stock, selection: Selection) -> Points {
        match stock.shelf {
            Shelf::Klines(_) => Points::Closes(self.history.klines(&stock.collection, selection)),
            Shelf::Prices | Shelf::Quotes => {
                Points::Prices(self.history.prices(&stock.collection, selection))
            }
        }
    }
}

/// What a question reads. There is something, or nothing could be answered.
fn stocks(pipeline: &Pipeline, question: &Question) -> Result<Vec<Stock>, Failed> {
    let stocks = stock::stocks(pipeline, question).map_err(|problem| Failed::new(Exit::Usage, problem))?;
    match question.common().exchange {
        Some(exchange) if stocks.is_empty() => {
            let wanted =
                |symbol: &&PipelineSymbol| is_wanted(symbol.symbol.as_str(), &question.common().symbols);
            let of = |symbol: &PipelineSymbol| pipeline.shelves(&symbol.symbol).into_values().flatten();
            let others: BTreeSet<&str> =
                pipeline.symbols.iter().filter(wanted).flat_map(of).map(|other| other.as_str()).collect();
            let others: Vec<&str> = others.into_iter().collect();
            let message = format!(
                "--exchange {exchange}: the pipeline stores nothing of it that was asked for; it does of {}",
                others.join(", ")
            );
            Err(Failed::new(Exit::NotFound, message))
        }
        _ => Ok(stocks),
    }
}

/// What takes the place of prices, each said once.
fn remarks(stocks: &[Stock], question: &Question) -> BTreeSet<String> {
    match question {
        Question::Latest { .. } | Question::Count { .. } => BTreeSet::new(),
        _ => stocks.iter().filter_map(|stock| stock.remark(question)).collect(),
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

/// What was written.
#[derive(Default)]
struct Answer {
    rows: u64,
    /// How many prices of each symbol were looked at, and how many rows came of them, where that was counted.
    symbols: Vec<(String, u64, u64)>,
    /// What is still to be drawn.
    plot: Option<Plot>,
}

impl Answer {
    /// An answer that did not look at prices.
    fn of_rows(rows: u64) -> Self {
        Answer { rows, ..Answer::default() }
    }
}

/// Writes the answer.
async fn answer(source: &Source<'_>, question: &Question) -> Result<Answer, Trouble> {
    match question {
        Question::Latest { common } => overview::latest(source, common).await.map(Answer::of_rows),
        Question::Count { common, .. } => overview::count(source, common).await.map(Answer::of_rows),
        Question::Stats { prices, .. } => overview::stats(source, prices).await,
        Question::Jumps { prices, percent, within, .. } => {
            series::jumps(source, prices, *percent, *within).await
        }
        Question::MovingAverage { prices, window, .. } => {
            series::moving_average(source, prices, *window, question.before()).await
        }
        Question::Volatility { prices, window, annualise, .. } => {
            series::volatility(source, prices, (*window, question.before()), *annualise).await
        }
        Question::Candles { prices, interval, .. } => series::candles(source, prices, *interval).await,
    }
}

/// Where the chart goes, if one is wanted.
fn medium(stocks: usize, question: &Question) -> Result<Option<Medium>, Failed> {
    let Some(plot) = question.plot() else { return Ok(None) };
    let panels = if matches!(question, Question::Volatility { .. }) { 2 * stocks } else { stocks };
    plot.medium(question.common().output, panels as f64).map_err(|problem| Failed::new(Exit::Usage, problem))
}

/// Opens the store that a pipeline uses, or the one of invented prices.
pub(crate) fn open(pipeline: &Pipeline, read: &ReadArgs) -> Result<Arc<dyn History>, Failed> {
    let stores = parts::stores_to_read(pipeline, &read.store, read.simulated)?;
    let open =
        |part: &StorePart| pricepipe_store::open_for_reading(&part.config, part.connection_string.as_ref());
    match open(&stores[0]) {
        Ok(history) => Ok(history),
        Err(OpenError::NoSuchFile { path }) => {
            let simulated = stores.get(1).and_then(|part| open(part).ok());
            if simulated.is_some() {
                output::note(format!("{} does not exist; {INVENTED}", path.display()));
            }
            simulated.ok_or_else(|| Failed::because(Exit::NotFound, &OpenError::NoSuchFile { path }))
        }
        Err(error) => Err(Failed::because(Exit::Invalid, &error)),
    }
}

/// Whether a symbol is asked for: one of these, or any when there are none.
pub(crate) fn is_wanted(symbol: &str, wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == symbol)
}

/// Refuses a symbol that the pipeline does not have.
pub(crate) fn known(pipeline: &Pipeline, symbols: &[String]) -> Result<(), Failed> {
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
