//! Kafdrop, whose image is not at hand: what it is told, against what it documents.

use pricepipe_tests::chart::{KAFDROP_VARIABLES, ValueSet, render};
use serde_json::Value;

#[test]
#[ignore = "needs helm"]
fn kafdrop_is_told_what_it_documents_and_may_change_no_topic() {
    let mut seen = 0;
    for set in ValueSet::all() {
        let objects = render(&set.with(&[]));
        let kafdrop = objects
            .iter()
            .find(|object| object.kind() == "Deployment" && object.name().ends_with("-kafdrop"));
        let Some(kafdrop) = kafdrop else { continue };
        seen += 1;
        let variables =
            kafdrop.manifest.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array);
        let variables = variables.expect("variables");
        for variable in variables {
            let name = variable["name"].as_str().expect("a name");
            assert!(KAFDROP_VARIABLES.contains(&name), "{}: {name}", set.name);
        }
        let arguments = variables.iter().find(|variable| variable["name"] == "CMD_ARGS").expect("arguments");
        assert_eq!(
            arguments["value"], "--topic.createEnabled=false --topic.deleteEnabled=false",
            "{}",
            set.name
        );
    }
    assert!(seen > 1, "{seen} sets of values have a Kafdrop");
}
