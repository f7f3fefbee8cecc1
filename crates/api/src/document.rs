//! A file's documents, each checked. Pure.

use pricepipe_core::Pipeline;
use serde_json::Value;

use crate::{API_VERSION, Fault, KIND, PricePipeline, check, fault::Faults, yaml};

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The name of its pipeline, or its place in the file where it has none.
    pub name: String,
    /// The resource with its defaults, when it could be read at all. It may have faults.
    pub resource: Option<PricePipeline>,
    /// The pipeline, or everything that is wrong with it.
    pub pipeline: Result<Pipeline, Vec<Fault>>,
}

/// Checks every document of a text. The result is never empty: a text without a pipeline has a fault.
pub fn validate_text(text: &str) -> Vec<Document> {
    let values = match yaml::documents(text) {
        Ok(values) => values,
        Err(fault) => return vec![faulty("file".to_owned(), fault)],
    };
    if values.is_empty() {
        let message = format!("nothing in it; it begins with apiVersion: {API_VERSION} and kind: {KIND}");
        return vec![faulty("file".to_owned(), Fault::new("", message))];
    }
    let mut documents: Vec<Document> = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let document = document(index, value);
        documents.push(once(&documents, document));
    }
    documents
}

/// Reads every pipeline of a text, or says what is wrong with it; the faults of one of several documents begin with
/// its name.
pub fn parse(text: &str) -> Result<Vec<(PricePipeline, Pipeline)>, Vec<Fault>> {
    let documents = validate_text(text);
    let several = documents.len() > 1;
    let (mut pipelines, mut faults) = (Vec::new(), Vec::new());
    for document in documents {
        match (document.resource, document.pipeline) {
            (Some(resource), Ok(pipeline)) => pipelines.push((resource, pipeline)),
            (_, Ok(_)) => {}
            (_, Err(found)) if several => {
                faults.extend(
                    found.into_iter().map(|fault| Fault::new(document.name.as_str(), fault.to_string())),
                );
            }
            (_, Err(found)) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(pipelines) } else { Err(faults) }
}

fn document(index: usize, value: Value) -> Document {
    let name = value.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    let name = name.filter(|name| name.len() <= 253).unwrap_or_else(|| format!("document {}", index + 1));
    let faults = kind_faults(&value);
    if !faults.is_empty() {
        return Document { name, resource: None, pipeline: Err(faults) };
    }
    let (resource, pipeline) = check::value(value, None);
    Document { name, resource, pipeline }
}

/// Whether a document is a pipeline at all. Its fields are looked at only then.
fn kind_faults(value: &Value) -> Vec<Fault> {
    if !value.is_object() {
        return vec![Fault::new(
            "",
            format!("not a resource; it begins with apiVersion: {API_VERSION} and kind: {KIND}"),
        )];
    }
    let mut faults = Faults::default();
    for (field, expected) in [("kind", KIND), ("apiVersion", API_VERSION)] {
        match value.get(field).and_then(Value::as_str) {
            Some(found) if found == expected => {}
            Some(found) => {
                let message = format!("{found:?} is not known here; a pipeline has {field}: {expected}");
                faults.add(Fault::new(field, message));
            }
            None => faults.add(Fault::new(field, format!("missing; write {field}: {expected}"))),
        }
    }
    faults.into_vec()
}

/// The document, or a fault when one before it has the same namespace and name: the later would replace it.
fn once(before: &[Document], document: Document) -> Document {
    let key = |d: &Document| d.pipeline.as_ref().ok().map(|p| (p.namespace.clone(), p.name.clone()));
    let again =
        key(&document).is_some_and(|own| before.iter().any(|other| key(other).as_ref() == Some(&own)));
    if !again {
        return document;
    }
    let fault = Fault::new("metadata.name", format!("{:?} is in the file twice; rename one", document.name));
    Document { pipeline: Err(vec![fault]), ..document }
}

fn faulty(name: String, fault: Fault) -> Document {
    Document { name, resource: None, pipeline: Err(vec![fault]) }
}
