//! Dashboards, alerts and runbooks fit the metrics, and one another. Whether they work shows in a real Prometheus.

use std::collections::{BTreeMap, BTreeSet};

use pricepipe_tests::{
    Alert, Asker, alerts, dashboards,
    dashboards::Dashboard,
    expressions, generated,
    promql::{self, Names, Selector},
};
use serde::Deserialize;
use serde_json::Value;

const RUNBOOKS: &str = "https://github.com/pricepipe/pricepipe/blob/main/docs/runbooks.md#";
/// What Prometheus adds to every series.
const TARGET_LABELS: &[&str] = &["namespace", "pod", "instance", "job", "component", "pipeline"];

#[test]
fn the_dashboards_are_up_to_date() {
    for dashboard in dashboards::all() {
        let text = serde_json::to_string_pretty(&dashboard.json()).unwrap()
            + "
";
        generated::hold_file(&dashboard.path(), &text);
    }
}

/// Every metric with its labels, and those labels whose values are a closed set: what docs/metrics.md says, which is
/// made from the code.
struct Contract {
    metrics: BTreeMap<String, BTreeSet<String>>,
    values: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Contract {
    fn read() -> Contract {
        let (mut metrics, mut values) = (BTreeMap::new(), BTreeMap::new());
        for line in generated::read("docs/metrics.md").lines() {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            match cells[..] {
                [name, "histogram", labels, _] => {
                    for suffix in ["_bucket", "_sum", "_count"] {
                        metrics.insert(name.trim_matches('`').to_owned() + suffix, words(labels));
                    }
                }
                [name, "counter" | "gauge", labels, _] => {
                    metrics.insert(name.trim_matches('`').to_owned(), words(labels));
                }
                [name, label, closed] if name.starts_with('`') => {
                    let key = (name.trim_matches('`').to_owned(), label.trim_matches('`').to_owned());
                    values.insert(key, words(closed));
                }
                _ => {}
            }
        }
        metrics.insert("up".to_owned(), BTreeSet::new());
        Contract { metrics, values }
    }

    /// What is wrong with a selector.
    fn faults(&self, Selector { metric, matchers }: &Selector) -> Vec<String> {
        let Some(labels) = self.metrics.get(metric) else {
            return vec![format!("there is no metric {metric}")];
        };
        let mut faults = Vec::new();
        for (label, value) in matchers {
            if !labels.contains(label) && !TARGET_LABELS.contains(&label.as_str()) {
                faults.push(format!("{metric} has no label {label}"));
            }
            if let Some(known) = self.values.get(&(metric.clone(), label.clone())) {
                let unknown = value.split('|').filter(|value| !known.contains(*value));
                faults.extend(unknown.map(|value| format!("{label} of {metric} is never {value}")));
            }
        }
        faults
    }

    /// The labels that an expression's series may have before they are put together.
    fn labels(&self, names: &Names) -> BTreeSet<String> {
        let metrics = names.selectors.iter().filter_map(|selector| self.metrics.get(&selector.metric));
        let own = metrics.flatten().cloned().chain(names.made.iter().cloned());
        own.chain(TARGET_LABELS.iter().map(|label| (*label).to_owned())).chain(["le".to_owned()]).collect()
    }

    /// What is wrong with an expression.
    fn check(&self, text: &str) -> Vec<String> {
        let names = promql::names(text);
        assert!(!names.selectors.is_empty(), "{text}");
        let labels = self.labels(&names);
        let unknown = names.grouping.iter().filter(|label| !labels.contains(*label));
        let unknown = unknown.map(|label| format!("nothing in it has a label {label}"));
        names.selectors.iter().flat_map(|selector| self.faults(selector)).chain(unknown).collect()
    }
}

#[test]
fn dashboards_and_alerts_use_metrics_labels_and_values_that_there_are() {
    let contract = Contract::read();
    assert!(contract.metrics.len() > 20 && contract.values.len() > 5, "docs/metrics.md cannot be read");
    let mut faults = Vec::new();
    // As they are written: what stands for a choice is no value.
    for expression in expressions(&[]) {
        let text = expression.text.replace("=~\".*\"", "=\"\"");
        let place = format!("{}, {}", expression.place, expression.title);
        faults.extend(contract.check(&text).into_iter().map(|fault| format!("{place}: {fault}")));
    }
    for dashboard in dashboards::all() {
        for (name, query) in dashboard.variables() {
            let place = format!("{}, variable {name}", dashboard.name);
            faults.extend(contract.check(query).into_iter().map(|fault| format!("{place}: {fault}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_legend_names_labels_that_its_series_have() {
    let contract = Contract::read();
    for dashboard in dashboards::all() {
        for panel in dashboard.panels() {
            for query in &panel.queries {
                let names = promql::names(&query.expression);
                let grouping: BTreeSet<String> = names.grouping.iter().cloned().collect();
                let labels = if grouping.is_empty() { contract.labels(&names) } else { grouping };
                for label in placeholders(query.legend, "{{") {
                    assert!(labels.contains(label), "{}, {}: {label}", dashboard.name, panel.title);
                }
            }
        }
    }
}

/// The words in `{{…}}`, each after `prefix`.
fn placeholders<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    text.split(prefix).skip(1).filter_map(|rest| rest.split(is_end).next()).collect()
}

#[test]
fn every_expression_is_listed_and_has_no_variable_left() {
    let all = expressions(&[("pipeline", "majors")]);
    let of = |asker| all.iter().filter(move |expression| expression.asker == asker).count();
    assert!(
        of(Asker::Panel) > 40 && of(Asker::Alert) >= 15 && of(Asker::Annotation) == dashboards::all().len(),
        "{all:?}"
    );
    for expression in &all {
        assert!(!expression.text.contains('$'), "{expression:?}");
    }
    assert!(all.iter().any(|expression| expression.text.contains(r#"pipeline=~"majors""#)));
}

#[test]
fn a_dashboard_works_in_any_grafana() {
    let mut uids = BTreeSet::new();
    for dashboard in dashboards::all() {
        let json = dashboard.json();
        assert!(uids.insert(json["uid"].to_string()), "{}: the uid is taken", dashboard.name);
        assert!(json["id"].is_null() && json["uid"] == format!("pricepipe-{}", dashboard.name));
        let text = json.to_string();
        for foreign in ["__inputs", "__requires", "${DS_"] {
            assert!(!text.contains(foreign), "{}: {foreign}", dashboard.name);
        }
        assert_eq!(json["templating"]["list"][0]["type"], "datasource");
        data_sources(&json, dashboard.name);
    }
}

/// Every data source anywhere in it is the one that is chosen at the top.
fn data_sources(json: &Value, place: &str) {
    let parts = match json {
        Value::Array(parts) => parts.iter().collect(),
        Value::Object(fields) => {
            if let Some(source) = fields.get("datasource") {
                assert_eq!(source["uid"], "${datasource}", "{place}");
            }
            fields.values().collect()
        }
        _ => Vec::new(),
    };
    parts.into_iter().for_each(|part| data_sources(part, place));
}

#[test]
fn every_panel_is_complete_and_stands_alone_in_its_place() {
    for dashboard in dashboards::all() {
        let json = dashboard.json();
        let panels = json["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{}: ids", dashboard.name);
        let mut taken = BTreeMap::new();
        for panel in panels {
            complete(&dashboard, panel);
            for cell in cells(&panel["gridPos"]) {
                if let Some(other) = taken.insert(cell, &panel["title"]) {
                    panic!("{}: {} lies over {other} at {cell:?}", dashboard.name, panel["title"]);
                }
            }
        }
    }
}

fn complete(dashboard: &Dashboard, panel: &Value) {
    let place = format!("{}, {}", dashboard.name, panel["title"]);
    assert!(panel["title"].as_str().is_some_and(|title| !title.is_empty()), "{place}");
    if panel["type"] == "row" {
        return;
    }
    assert_eq!(panel["datasource"]["uid"], "${datasource}", "{place}");
    assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{place}: a description");
    assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{place}: a unit");
    let targets = panel["targets"].as_array().expect("queries");
    assert!(!targets.is_empty(), "{place}: a query");
    for target in targets {
        assert_eq!(target["datasource"]["uid"], "${datasource}", "{place}");
        assert_eq!(target["legendFormat"] == "", panel["type"] == "table", "{place}: a legend");
    }
}

fn cells(position: &Value) -> Vec<(u64, u64)> {
    let [x, y, width, height] = ["x", "y", "w", "h"].map(|side| position[side].as_u64().expect("a number"));
    assert!(width > 0 && height > 0 && x + width <= 24, "{position}");
    (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))).collect()
}

fn every_alert() -> Vec<Alert> {
    alerts().groups.into_iter().flat_map(|group| group.rules).collect()
}

#[test]
fn every_alert_says_what_it_means_and_has_a_runbook() {
    let runbooks = generated::read("docs/runbooks.md");
    let mut sections: BTreeSet<&str> = runbooks.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let contract = Contract::read();
    for alert in every_alert() {
        let text = |name: &str| alert.annotations.get(name).map(String::as_str).unwrap_or_default();
        assert!(text("summary").ends_with('.') && text("description").ends_with('.'), "{}", alert.alert);
        assert_eq!(text("runbook_url"), format!("{RUNBOOKS}{}", alert.alert.to_lowercase()));
        assert!(sections.remove(alert.alert.as_str()), "docs/runbooks.md has no section {}", alert.alert);
        assert!(["critical", "warning"].contains(&alert.labels["severity"].as_str()), "{}", alert.alert);
        let labels = contract.labels(&promql::names(&alert.expr));
        for label in alert.annotations.values().flat_map(|text| placeholders(text, "$labels.")) {
            assert!(labels.contains(label), "{}: {label}", alert.alert);
        }
    }
    assert!(sections.is_empty(), "runbooks without an alert: {sections:?}");
}

#[test]
fn no_alert_flaps_or_comes_late() {
    for alert in every_alert() {
        let minutes: u32 =
            alert.r#for.strip_suffix('m').and_then(|minutes| minutes.parse().ok()).unwrap_or(0);
        assert!((2..=10).contains(&minutes), "{}: for {}", alert.alert, alert.r#for);
    }
}

/// As much of promtool's file as is looked at here.
#[derive(Deserialize)]
struct AlertTests {
    tests: Vec<AlertTest>,
}

#[derive(Deserialize)]
struct AlertTest {
    #[serde(default)]
    alert_rule_test: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<Value>,
}

#[test]
fn every_alert_is_seen_to_fire_and_seen_to_be_quiet() {
    let tests: AlertTests =
        serde_saphyr::from_str(&generated::read("tests/alerts/alerts.test.yaml")).unwrap();
    let cases: Vec<&Expected> = tests.tests.iter().flat_map(|test| &test.alert_rule_test).collect();
    let names: BTreeSet<String> = every_alert().into_iter().map(|alert| alert.alert).collect();
    for name in &names {
        for fires in [true, false] {
            let is_it = |case: &&&Expected| case.alertname == *name && case.exp_alerts.is_empty() != fires;
            assert!(cases.iter().any(|case| is_it(&case)), "{name} is never seen to fire: {fires}");
        }
    }
    for case in cases {
        assert!(names.contains(&case.alertname), "there is no alert {}", case.alertname);
    }
}
