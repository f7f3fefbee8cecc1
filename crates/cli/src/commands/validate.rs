//! `pricepipe validate`: every fault of every file.

use pricepipe_core::Pipeline;

use crate::{
    args::ValidateArgs,
    exit::{Exit, Failed},
    file,
};

/// Prints a line for each pipeline that is valid and a line for each fault of one that is not.
pub(crate) fn validate(args: &ValidateArgs) -> Result<(), Failed> {
    let mut exit = Exit::Ok;
    for path in &args.files {
        let documents = match file::documents(path) {
            Ok(documents) => documents,
            Err(failed) => {
                eprintln!("{failed}");
                exit = failed.exit;
                continue;
            }
        };
        for document in documents {
            match document.pipeline {
                Ok(pipeline) => println!("{}: {}", path.display(), describe(&pipeline)),
                Err(faults) => {
                    faults.iter().for_each(|fault| eprintln!("{}: {fault}", path.display()));
                    exit = Exit::Invalid;
                }
            }
        }
    }
    if exit == Exit::Ok { Ok(()) } else { Err(Failed::new(exit, "")) }
}

fn describe(pipeline: &Pipeline) -> String {
    let (estimate, symbols) = (pipeline.estimate(), pipeline.symbols.len());
    format!(
        "{} is valid: {symbols} {}, {} messages a day, request weight {} a minute",
        pipeline.name,
        if symbols == 1 { "symbol" } else { "symbols" },
        estimate.messages_per_day,
        estimate.request_weight_per_minute,
    )
}
