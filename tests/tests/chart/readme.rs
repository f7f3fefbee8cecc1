//! The table of values in the chart's README, made from the comments of `values.yaml`.

use std::fmt::Write;

use pricepipe_tests::{chart, generated};

use super::contract::{Entry, description, entries};

const HEAD: &str = "| Name | Description | Default |\n|---|---|---|\n";

#[test]
fn the_table_of_values_is_up_to_date() {
    generated::hold(chart::README, "values", &table());
}

/// One table for what stands at the top, one for each section.
fn table() -> String {
    let entries = entries();
    let (general, sections): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| entry.path.len() == 1 && !entry.is_section);
    let mut text = HEAD.to_owned();
    general.into_iter().for_each(|entry| row(&mut text, entry));
    for entry in sections {
        if entry.path.len() == 1 {
            let about =
                if entry.comment.is_empty() { String::new() } else { format!("{}.\n", entry.comment) };
            write!(text, "\n### {}\n{about}\n{HEAD}", entry.name()).expect("a text takes all");
        } else if !entry.is_section {
            row(&mut text, entry);
        }
    }
    text
}

fn row(text: &mut String, entry: &Entry) {
    let meaning = description(entry).replace('|', "\\|");
    let default = entry.written.replace('|', "\\|");
    writeln!(text, "| `{}` | {meaning} | `{default}` |", entry.name()).expect("a text takes all");
}
