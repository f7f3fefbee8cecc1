//! A YAML text as JSON values, one for each of its documents. Pure.
//!
//! The text is read as `kubectl` reads it, except that a field written twice is a fault. Its size, depth and aliases
//! are bounded.

use serde_json::{Number, Value};

use crate::Fault;

/// The largest text that is read. The API server refuses a smaller resource than this.
pub const LARGEST_BYTES: usize = 4 * 1024 * 1024;

/// The documents of a text; empty ones are left out.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, Fault> {
    if text.len() > LARGEST_BYTES {
        let message = format!("has {} bytes; at most {LARGEST_BYTES} are read", text.len());
        return Err(Fault::new("", message));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_documents: 1_000, max_depth: 64, max_nodes: 100_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000 },
        with_snippet: false,
    };
    let mut documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| Fault::new("", format!("not YAML: {}", words(&error.to_string()))))?;
    documents.retain(|document| !document.is_null());
    documents.iter_mut().for_each(whole);
    Ok(documents)
}

/// The library's words, without its advice to whoever calls it.
fn words(error: &str) -> String {
    error.replace(", set DuplicateKeyPolicy in Options if acceptable", "; remove one")
}

/// Writes `3.0` as `3`, which is how it reaches the API server.
pub(crate) fn whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) =
                number.as_f64().filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < 9e15)
            {
                *number = Number::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Object(fields) => fields.values_mut().for_each(whole),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_read_as_kubectl_reads_them() {
        let text = "# comment\n---\na: 3.0\n---\n---\nb: &x {c: yes}\nd: *x\n";
        assert_eq!(documents(text).unwrap(), [json!({"a": 3}), json!({"b": {"c": true}, "d": {"c": true}})]);
        assert!(documents("").unwrap().is_empty());
    }

    #[test]
    fn a_field_written_twice_is_a_fault_with_its_place() {
        let fault = documents("a: 1\na: 2\n").unwrap_err().to_string();
        assert!(fault.contains("duplicate") && fault.contains("line 2"), "{fault}");
        assert!(fault.contains("; remove one") && !fault.contains("DuplicateKeyPolicy"), "{fault}");
    }

    #[test]
    fn what_would_swell_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let previous = level - 1;
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{previous}"); 10].join(", "));
        }
        for text in
            [bomb, "[".repeat(100_000), "a".repeat(LARGEST_BYTES + 1), "\0".to_owned(), "a: *b".to_owned()]
        {
            assert!(documents(&text).is_err(), "{:.40}", text);
        }
    }

    #[test]
    fn a_fault_does_not_quote_the_text() {
        let fault = documents("uri: mongodb://user:hunter2@host\nx: [\n").unwrap_err().to_string();
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}
