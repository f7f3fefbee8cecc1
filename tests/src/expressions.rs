//! Everything that dashboards and alerts ask Prometheus.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    dashboards::{self, Dashboard, ROLLOUTS},
    generated,
};

/// The file of the alerts, in the repository.
const ALERTS: &str = "charts/pricepipe/files/alerts.yaml";

/// One question to Prometheus.
#[derive(Clone, Debug)]
pub struct Expression {
    /// Who asks.
    pub asker: Asker,
    /// The name of the dashboard or of the group of alerts.
    pub place: String,
    /// The title of the panel, or the name of the alert.
    pub title: String,
    /// PromQL without variables.
    pub text: String,
}

/// Who asks, and so what answer is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A panel: it has something to show while pipelines run.
    Panel,
    /// Marks in all graphs of a dashboard, of what happens seldom.
    Annotation,
    /// An alert: it has an answer when something is wrong.
    Alert,
}

/// What a variable of a dashboard stands for unless the caller says something else. The rest stands for everything.
const VALUES: &[(&str, &str)] = &[("__rate_interval", "1m"), ("__range", "1h")];

/// The file of the alerts.
#[derive(Debug, Deserialize)]
pub struct Alerts {
    /// The groups in which they are evaluated.
    pub groups: Vec<Group>,
}

/// Alerts that are evaluated one after another.
#[derive(Debug, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its alerts.
    pub rules: Vec<Alert>,
}

/// An alert.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Its name.
    pub alert: String,
    /// What must be so.
    pub expr: String,
    /// For how long.
    pub r#for: String,
    /// Labels that are added.
    pub labels: BTreeMap<String, String>,
    /// What people read.
    pub annotations: BTreeMap<String, String>,
}

/// The alerts.
///
/// # Panics
/// The file cannot be read.
pub fn alerts() -> Alerts {
    serde_saphyr::from_str(&generated::read(ALERTS)).unwrap_or_else(|error| panic!("{ALERTS}: {error}"))
}

/// Every expression of every dashboard and alert. `values` are those of the dashboards' variables, without the `$`.
///
/// # Panics
/// The file of the alerts cannot be read.
pub fn expressions(values: &[(&str, &str)]) -> Vec<Expression> {
    let dashboards = dashboards::all();
    let shown = dashboards.iter().flat_map(|dashboard| of_dashboard(dashboard, values));
    let alerts = alerts().groups.into_iter().flat_map(|group| {
        let place = group.name;
        group.rules.into_iter().map(move |alert| Expression {
            asker: Asker::Alert,
            place: place.clone(),
            title: alert.alert,
            text: alert.expr,
        })
    });
    shown.chain(alerts).collect()
}

fn of_dashboard(dashboard: &Dashboard, values: &[(&str, &str)]) -> Vec<Expression> {
    let expression = |asker, title: &str, text: &str| Expression {
        asker,
        place: dashboard.name.to_owned(),
        title: title.to_owned(),
        text: filled_in(dashboard, text, values),
    };
    let panels =
        dashboard.panels().flat_map(|panel| panel.queries.iter().map(move |query| (panel.title, query)));
    let panels = panels.map(|(title, query)| expression(Asker::Panel, title, &query.expression));
    std::iter::once(expression(Asker::Annotation, "Rollouts", ROLLOUTS)).chain(panels).collect()
}

fn filled_in(dashboard: &Dashboard, text: &str, values: &[(&str, &str)]) -> String {
    let everything = dashboard.variables().map(|(name, _)| (name, ".*"));
    // The caller's come first: what is filled in once is not there a second time.
    let values = values.iter().copied().chain(VALUES.iter().copied()).chain(everything);
    values.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
}
