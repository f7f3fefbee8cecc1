//! What the chart's files say of one another and of the code, without Helm.

use std::fs;

use pricepipe_controller::settings;
use pricepipe_service::telemetry;
use pricepipe_tests::{
    chart::{self, ValueSet},
    generated,
};
use serde_json::Value;

use super::contract::leaves;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_chart_has_the_version_of_the_code_and_so_have_our_images() {
    let about: Value = serde_saphyr::from_str(&generated::read("charts/pricepipe/Chart.yaml")).expect("YAML");
    assert_eq!((&about["version"], &about["appVersion"]), (&VERSION.into(), &VERSION.into()));
    let (leaves, ours) = (leaves(), "pricepipe/");
    let repositories = leaves.iter().filter(|leaf| leaf.path.ends_with(&["repository".to_owned()]));
    let ours: Vec<String> = repositories
        .filter(|leaf| leaf.default.as_str().is_some_and(|name| name.starts_with(ours)))
        .map(|leaf| leaf.name().replace(".repository", ".tag"))
        .collect();
    assert!(ours.len() >= 4, "controller, producer, consumer and simulator: {ours:?}");
    for tag in leaves.iter().filter(|leaf| ours.contains(&leaf.name())) {
        assert_eq!(tag.default, "", "{} follows appVersion", tag.name());
    }
}

#[test]
fn every_value_is_used_by_a_template() {
    let templates = templates("");
    let unused: Vec<String> =
        leaves().iter().map(|leaf| leaf.name()).filter(|name| !is_used(&templates, name)).collect();
    assert!(unused.is_empty(), "no template uses {unused:?}");
}

/// Whether a value is named in full, or as `.rest` where a section around it is handed on or opened as a whole.
fn is_used(templates: &str, name: &str) -> bool {
    let follows = |at: &str, end: &str| {
        templates.match_indices(at).any(|(start, _)| {
            let next = templates[start + at.len()..].chars().next();
            next.is_none_or(|c| !c.is_alphanumeric() && !end.contains(c))
        })
    };
    let handed_on = |section: &str| follows(&format!(".Values.{section}"), ".");
    let cuts = name.match_indices('.').map(|(at, _)| name.split_at(at));
    follows(&format!(".Values.{name}"), "")
        || cuts.into_iter().any(|(section, rest)| handed_on(section) && follows(rest, ""))
}

#[test]
fn every_variable_of_the_controllers_template_is_one_that_it_reads() {
    let known: Vec<&str> = settings::VARIABLES
        .iter()
        .map(|(name, _)| *name)
        .chain([telemetry::LOG_FILTER, telemetry::LOG_FORMAT])
        .collect();
    let text = templates("controller");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours: Vec<&str> =
        words.filter(|word| word.starts_with("PRICEPIPE_") || word.starts_with("POD_NAME")).collect();
    assert!(!ours.is_empty(), "the controller's template sets variables");
    for word in ours {
        assert!(known.contains(&word), "the controller does not read {word}");
    }
    for name in known {
        assert!(text.contains(name), "no value of the chart can set {name}");
    }
}

#[test]
fn the_sets_of_values_are_those_that_the_tests_speak_of() {
    let names: Vec<String> = ValueSet::all().into_iter().map(|set| set.name).collect();
    assert_eq!(names, ["default", "demo", "external", "ha", "operator", "secure"]);
    let default = fs::read_to_string(ValueSet::named("default").path).expect("a file of the chart");
    assert!(default.lines().all(|line| line.starts_with('#') || line == "{}"), "{default}");
}

/// All templates in the folders whose names begin so, the helpers too when it is empty.
fn templates(start: &str) -> String {
    let root = generated::path(chart::FOLDER).join("templates");
    let mut found = String::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).expect("the chart's templates").flatten() {
            let path = file.path();
            let name = path.strip_prefix(&root).expect("inside").to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.starts_with(start) {
                found += &fs::read_to_string(path).expect("a template");
            }
        }
    }
    found
}
