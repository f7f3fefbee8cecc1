//! Reads pipeline files.

use std::{fs, io::Read, path::Path};

use pricepipe_api::{Document, validate_text};
use pricepipe_core::Pipeline;

use crate::exit::{Exit, Failed};

/// Every document of a file, checked; `-` is standard input.
pub(crate) fn documents(file: &Path) -> Result<Vec<Document>, Failed> {
    Ok(validate_text(&read(file)?))
}

/// The one pipeline of a file; every fault of it when it has some.
pub(crate) fn pipeline(file: &Path) -> Result<Pipeline, Failed> {
    let mut documents = documents(file)?.into_iter();
    let (first, more) = (documents.next(), documents.count());
    let Some(document) = first.filter(|_| more == 0) else {
        let message =
            format!("{}: holds {} documents; name a file with one pipeline", file.display(), more + 1);
        return Err(Failed::new(Exit::Invalid, message));
    };
    document.pipeline.map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
        Failed::new(Exit::Invalid, faults.join("\n"))
    })
}

fn read(file: &Path) -> Result<String, Failed> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    text.map_err(|error| Failed::new(Exit::NotFound, format!("{}: {error}", file.display())))
}
