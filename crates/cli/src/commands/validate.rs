//! `pricepipe validate`: every fault of every file.

use std::path::Path;

use pricepipe_api::Document;
use pricepipe_core::Pipeline;

use crate::{
    args::ValidateArgs,
    exit::{Exit, Failed},
    file, output,
};

/// Prints a line for each pipeline that is valid and a line for each fault of one that is not.
pub(crate) fn validate(args: &ValidateArgs) -> Result<(), Failed> {
    let mut exit = Exit::Ok;
    for path in &args.files {
        match file::documents(path) {
            Ok(documents) => {
                let verdict = report(path, documents)?;
                exit = if verdict == Exit::Ok { exit } else { verdict };
            }
            Err(failed) => {
                output::note(&failed);
                exit = failed.exit;
            }
        }
    }
    if exit == Exit::Ok { Ok(()) } else { Err(Failed::new(exit, "")) }
}

fn report(path: &Path, documents: Vec<Document>) -> Result<Exit, Failed> {
    let (mut exit, several) = (Exit::Ok, documents.len() > 1);
    for (index, document) in documents.into_iter().enumerate() {
        match document.pipeline {
            Ok(pipeline) => output::answer(&format!("{}: {}\n", path.display(), describe(&pipeline)))?,
            Err(faults) => {
                let place = file::place(path, several.then_some((index, document.name.as_str())));
                faults.iter().for_each(|fault| output::note(format!("{place}: {fault}")));
                exit = Exit::Invalid;
            }
        }
    }
    Ok(exit)
}

fn describe(pipeline: &Pipeline) -> String {
    let (estimate, symbols) = (pipeline.estimate(), pipeline.symbols.len());
    let uncounted = pipeline.sources.iter().any(|source| source.rest().is_none());
    format!(
        "{} is valid: {symbols} {}, {} messages a day{}, request weight {} a minute",
        pipeline.name,
        if symbols == 1 { "symbol" } else { "symbols" },
        estimate.messages_per_day,
        if uncounted { " besides trades, offers and history, which nobody can count beforehand" } else { "" },
        estimate.request_weight_per_minute,
    )
}
