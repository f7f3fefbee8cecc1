//! What is wrong with a pipeline, in words for whoever wrote it. Pure.

use std::fmt;

use serde_json::Value;

/// Something that is wrong with a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The field, as in `spec.symbols[2].symbol`; empty when it is the whole document.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Fault {
    /// A fault of the field at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Fault { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

impl std::error::Error for Fault {}

/// The most faults of one document; nobody reads more.
const MOST: usize = 1_000;

/// The faults found so far. A field is reported once: the first fault says what to change, the others follow from it.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<Fault>,
    /// Those of them that are broken rules. A rule is about how fields go together, so the fields may be at fault too.
    rules: Vec<usize>,
}

impl Faults {
    /// Adds a fault, unless the field or what contains it has one.
    pub(crate) fn add(&mut self, fault: Fault) {
        let known = |(index, known): (usize, &Fault)| match self.rules.contains(&index) {
            true => known.path == fault.path,
            false => covers(&known.path, &fault.path),
        };
        if self.found.len() < MOST && !self.found.iter().enumerate().any(known) {
            self.found.push(fault);
        }
    }

    /// Adds rules that are broken, in an order that is always the same. Each is reported, unless what it is about has
    /// a fault of another kind.
    pub(crate) fn add_rules(&mut self, mut broken: Vec<Fault>) {
        broken.sort();
        broken.dedup();
        let before = self.found.len();
        for fault in broken {
            if self.found.len() < MOST
                && !self.found[..before].iter().any(|known| covers(&known.path, &fault.path))
            {
                self.rules.push(self.found.len());
                self.found.push(fault);
            }
        }
    }

    /// The value, or a fault of the field at `path`.
    pub(crate) fn take<T, E: fmt::Display>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(Fault::new(path, error.to_string()))).ok()
    }

    /// True when there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order in which they were found.
    pub(crate) fn into_vec(self) -> Vec<Fault> {
        self.found
    }
}

impl Extend<Fault> for Faults {
    fn extend<I: IntoIterator<Item = Fault>>(&mut self, faults: I) {
        faults.into_iter().for_each(|fault| self.add(fault));
    }
}

/// True when a fault at `outer` explains one at `inner`.
fn covers(outer: &str, inner: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| outer.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A value as it may be shown: shortened, and not at all when it may hold a secret.
pub(crate) fn shown(path: &str, value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match value {
        Value::String(text) if text.contains('@') || path.contains("SecretRef") => {
            return "a text that is not shown here".to_owned();
        }
        Value::String(text) => format!("{text:?}"),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null => "nothing".to_owned(),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    };
    if text.chars().count() <= LONGEST {
        text
    } else {
        text.chars().take(LONGEST).chain("…".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_reported_once_and_its_neighbours_too() {
        let mut faults = Faults::default();
        for path in ["spec.a", "spec.a", "spec.a.b", "spec.a[0]", "spec.ab"] {
            faults.add(Fault::new(path, "x"));
        }
        let paths: Vec<String> = faults.into_vec().into_iter().map(|fault| fault.path).collect();
        assert_eq!(paths, ["spec.a", "spec.ab"]);
    }

    #[test]
    fn a_broken_rule_hides_neither_another_one_nor_what_is_wrong_inside() {
        let mut faults = Faults::default();
        faults.add(Fault::new("spec.b", "not a text"));
        let rules =
            [("spec.a", "2"), ("spec.a", "1"), ("spec.a", "1"), ("spec.b.c", "hidden"), ("spec.a.b", "3")];
        faults.add_rules(rules.map(|(path, message)| Fault::new(path, message)).to_vec());
        ["spec.a", "spec.a.c"].into_iter().for_each(|path| faults.add(Fault::new(path, "4")));
        let told: Vec<String> = faults.into_vec().iter().map(Fault::to_string).collect();
        assert_eq!(told, ["spec.b: not a text", "spec.a: 1", "spec.a: 2", "spec.a.b: 3", "spec.a.c: 4"]);
    }

    #[test]
    fn what_may_be_a_secret_is_never_shown() {
        for (path, value) in
            [("spec.x", "mongodb://user:hunter2@host"), ("spec.mongodb.uriSecretRef.name", "hunter2!")]
        {
            assert!(!shown(path, &json!(value)).contains("hunter2"));
        }
        assert_eq!(shown("spec.x", &json!("a".repeat(200))).chars().count(), 61);
        assert_eq!(shown("spec.x", &json!(0)), "0");
    }
}
