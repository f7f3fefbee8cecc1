//! The dashboards of `charts/pricepipe/files/dashboards`: tables of panels, of which JSON and positions are made.

mod controller;
mod json;
mod kafka;
mod panel;
mod pipeline;
mod streams;

use serde_json::Value;

pub use panel::{Panel, Query};

/// A dashboard.
#[derive(Debug)]
pub struct Dashboard {
    /// The name of its file; its uid is `pricepipe-` and this.
    pub name: &'static str,
    title: &'static str,
    description: &'static str,
    variables: Vec<Variable>,
    rows: Vec<Row>,
}

/// Panels under one heading.
#[derive(Debug)]
struct Row {
    title: &'static str,
    panels: Vec<Panel>,
}

/// A choice at the top of a dashboard; nothing is chosen at first, which is all.
#[derive(Debug)]
struct Variable {
    name: &'static str,
    label: &'static str,
    /// `label_values(…)`
    query: &'static str,
}

/// When another version began to run, shown in all graphs.
pub(crate) const ROLLOUTS: &str = "count by (component, version) (pricepipe_build_info) \
    unless count by (component, version) (pricepipe_build_info offset 1m)";

/// Every dashboard.
pub fn all() -> [Dashboard; 4] {
    [pipeline::dashboard(), streams::dashboard(), controller::dashboard(), kafka::dashboard()]
}

impl Dashboard {
    /// What Grafana reads.
    pub fn json(&self) -> Value {
        json::dashboard(self)
    }

    /// Its file, from the repository's root.
    pub fn path(&self) -> String {
        format!("charts/pricepipe/files/dashboards/{}.json", self.name)
    }

    /// Every panel, in the order in which they are shown.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// The queries of the variables.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.variables.iter().map(|variable| (variable.name, variable.query))
    }
}

fn row(title: &'static str, panels: impl IntoIterator<Item = Panel>) -> Row {
    Row { title, panels: panels.into_iter().collect() }
}

fn variable(name: &'static str, label: &'static str, query: &'static str) -> Variable {
    Variable { name, label, query }
}

/// The choices where workers are shown: their namespace, their pipeline, and one more.
fn of_workers(one_more: Variable) -> Vec<Variable> {
    vec![
        variable("namespace", "Namespace", "label_values(pricepipe_breaker_state, namespace)"),
        variable(
            "pipeline",
            "Pipeline",
            "label_values(pricepipe_breaker_state{namespace=~\"$namespace\"}, pipeline)",
        ),
        one_more,
    ]
}

/// `expression`, or a series that is 0 while nothing of the kind has happened: a counter has no series before.
fn or_none(expression: &str, label: &str) -> String {
    format!(r#"{expression} or on () label_replace(vector(0), "{label}", "none", "", "")"#)
}

/// The number of dead letters.
fn dead_letters() -> Panel {
    Panel::number("Dead letters", "short", "Messages that could not be stored, since the consumers started.")
        .query("dead letters", "sum(pricepipe_dead_letters_total{$worker}) or vector(0)")
        .thresholds(&[(1.0, "red")])
}

/// A quantile of a histogram of the workers, over all that are chosen.
fn quantile(quantile: f64, histogram: &str) -> String {
    format!("histogram_quantile({quantile}, sum by (le) (rate({histogram}_bucket{{$worker}}[$rate])))")
}

/// Half of them are faster than the first line, all but one in a hundred than the second.
fn quantiles(panel: Panel, histogram: &str) -> Panel {
    panel.query("p50", quantile(0.5, histogram)).query("p99", quantile(0.99, histogram))
}
