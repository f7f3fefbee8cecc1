//! What a panel shows, and how. In expressions `$worker` stands for the chosen workers, `$resource` for the chosen
//! pipelines as the controller labels them, `$symbols` and `$topics` for what is chosen of those, and `$rate` for an
//! interval in which a rate can be seen.

use serde_json::{Value, json};

/// How a panel looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Graph,
    Number,
    States,
    Table,
}

/// One thing that is shown.
#[derive(Debug)]
pub struct Panel {
    /// What stands above it.
    pub title: &'static str,
    /// Where its data comes from.
    pub queries: Vec<Query>,
    pub(crate) description: &'static str,
    pub(crate) look: Look,
    pub(crate) unit: &'static str,
    /// Of 24 columns.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) min: Option<f64>,
    pub(crate) is_stacked: bool,
    pub(crate) no_value: Option<&'static str>,
    /// From which value on which colour.
    pub(crate) thresholds: Vec<(f64, &'static str)>,
    /// Values with words of their own, and their colours.
    pub(crate) words: &'static [(i32, &'static str, &'static str)],
    pub(crate) transformations: Vec<Value>,
    /// Columns of a table with a unit of their own.
    pub(crate) columns: Vec<(&'static str, &'static str)>,
}

/// An expression and what its series are called.
#[derive(Debug)]
pub struct Query {
    /// With `{{label}}`s.
    pub legend: &'static str,
    /// PromQL with Grafana's variables.
    pub expression: String,
}

/// The states of a circuit breaker.
pub(crate) const BREAKER: &[(i32, &str, &str)] =
    &[(0, "closed", "green"), (1, "half-open", "yellow"), (2, "open", "red")];
/// The states of a condition.
pub(crate) const CONDITION: &[(i32, &str, &str)] =
    &[(1, "true", "green"), (0, "false", "red"), (-1, "unknown", "yellow")];

const SHORTHANDS: &[(&str, &str)] = &[
    ("$worker", r#"namespace=~"$namespace", pipeline=~"$pipeline""#),
    ("$resource", r#"namespace=~"$namespace", name=~"$pipeline""#),
    ("$symbols", r#"symbol=~"$symbol""#),
    ("$topics", r#"topic=~"$topic""#),
    ("$rate", "$__rate_interval"),
];

impl Panel {
    /// Lines over time, from 0 upwards.
    pub(crate) fn graph(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
        Panel::new(Look::Graph, title, unit, description).sized(8, 8)
    }

    /// The present value, large.
    pub(crate) fn number(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
        Panel::new(Look::Number, title, unit, description).sized(4, 4)
    }

    /// A coloured bar a series, over time.
    pub(crate) fn states(
        title: &'static str,
        words: &'static [(i32, &'static str, &'static str)],
        description: &'static str,
    ) -> Panel {
        Panel { words, ..Panel::new(Look::States, title, "none", description).sized(12, 9) }
    }

    /// A line a series, as things are now.
    pub(crate) fn table(
        title: &'static str,
        description: &'static str,
        transformations: Vec<Value>,
    ) -> Panel {
        Panel { transformations, ..Panel::new(Look::Table, title, "none", description).sized(8, 9) }
    }

    fn new(look: Look, title: &'static str, unit: &'static str, description: &'static str) -> Panel {
        Panel {
            title,
            queries: Vec::new(),
            description,
            look,
            unit,
            width: 0,
            height: 0,
            min: (look != Look::Table).then_some(0.0),
            is_stacked: false,
            no_value: None,
            thresholds: Vec::new(),
            words: &[],
            transformations: Vec::new(),
            columns: Vec::new(),
        }
    }

    pub(crate) fn query(mut self, legend: &'static str, expression: impl Into<String>) -> Panel {
        let spelled_out = |text: String, (short, long): &(&str, &str)| text.replace(short, long);
        let expression = SHORTHANDS.iter().fold(expression.into(), spelled_out);
        self.queries.push(Query { legend, expression });
        self
    }

    pub(crate) fn sized(self, width: u32, height: u32) -> Panel {
        Panel { width, height, ..self }
    }

    /// The axis begins where the data does.
    pub(crate) fn with_free_axis(self) -> Panel {
        Panel { min: None, ..self }
    }

    pub(crate) fn stacked(self) -> Panel {
        Panel { is_stacked: true, ..self }
    }

    /// What is shown when there is no data, and that is no fault.
    pub(crate) fn otherwise(self, text: &'static str) -> Panel {
        Panel { no_value: Some(text), ..self }
    }

    /// Green, and another colour from each of these values on.
    pub(crate) fn thresholds(self, steps: &[(f64, &'static str)]) -> Panel {
        Panel { thresholds: steps.to_vec(), ..self }
    }

    pub(crate) fn words(self, words: &'static [(i32, &'static str, &'static str)]) -> Panel {
        Panel { words, ..self }
    }

    /// A column of a table has a unit of its own.
    pub(crate) fn column(mut self, name: &'static str, unit: &'static str) -> Panel {
        self.columns.push((name, unit));
        self
    }
}

/// Of several queries one table, whose columns are those of `order`, by their new names.
pub(crate) fn merged(order: &[(&str, &str)]) -> Vec<Value> {
    let places: Value =
        order.iter().enumerate().map(|(place, (name, _))| ((*name).to_owned(), json!(place))).collect();
    let names: Value = order.iter().map(|(name, shown)| ((*name).to_owned(), json!(shown))).collect();
    let organize = json!({"excludeByName": {"Time": true}, "indexByName": places, "renameByName": names});
    vec![json!({"id": "merge", "options": {}}), json!({"id": "organize", "options": organize})]
}

/// A line for each value of one label, a column for each of another.
pub(crate) fn matrix(line: &str, column: &str) -> Vec<Value> {
    let options =
        json!({"rowField": line, "columnField": column, "valueField": "Value", "emptyValue": "null"});
    vec![json!({"id": "groupingToMatrix", "options": options})]
}
