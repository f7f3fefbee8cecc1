//! Reads pipeline files.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    path::Path,
};

use pricepipe_api::{Document, LARGEST_BYTES, validate_text};
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

/// What a fault is said of: the file, and which of its documents when it has several.
pub(crate) fn place(file: &Path, document: Option<(usize, &str)>) -> String {
    let file = file.display();
    match document {
        None => file.to_string(),
        Some((index, name)) => {
            let number = format!("document {}", index + 1);
            if name == number { format!("{file}: {number}") } else { format!("{file}: {number} ({name})") }
        }
    }
}

fn read(file: &Path) -> Result<String, Failed> {
    let text =
        if file == Path::new("-") { bounded(io::stdin().lock()) } else { File::open(file).and_then(bounded) };
    text.map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::NotFound } else { Exit::Invalid };
        Failed::new(exit, format!("{}: {error}", file.display()))
    })
}

/// Reads a text that may be endless, as a device is.
fn bounded(source: impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    source.take(LARGEST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST_BYTES {
        let message = format!("more than {LARGEST_BYTES} bytes, which are the most that is read");
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "not text in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_file_is_given_up_at_the_limit() {
        let error = bounded(io::repeat(b'a')).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(bounded(&b"a: 1"[..]).unwrap(), "a: 1");
    }

    #[test]
    fn a_file_that_is_absent_has_another_exit_code_than_one_that_cannot_be_read() {
        let exit = |file: &str| read(Path::new(file)).unwrap_err().exit;
        assert_eq!((exit("no-such-file.yaml"), exit(".")), (Exit::NotFound, Exit::Invalid));
    }

    #[test]
    fn a_document_is_named_where_there_are_several() {
        let file = Path::new("a.yaml");
        assert_eq!(place(file, None), "a.yaml");
        assert_eq!(place(file, Some((1, "majors"))), "a.yaml: document 2 (majors)");
        assert_eq!(place(file, Some((1, "document 2"))), "a.yaml: document 2");
    }
}
