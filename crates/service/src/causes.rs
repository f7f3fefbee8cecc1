//! Errors for people to read.

use std::{error::Error, iter::successors};

/// An error with its causes, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    successors(error.source(), |cause| (**cause).source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn every_cause_is_named_once_from_the_outside_to_the_core() {
        let core = Layer("the disk is full", None);
        let error =
            Layer("cannot start", Some(Box::new(Layer("cannot open prices.db", Some(Box::new(core))))));
        assert_eq!(with_causes(&error), "cannot start: cannot open prices.db: the disk is full");
    }
}
