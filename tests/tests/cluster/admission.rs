//! The API server's own verdict on the table of good and bad pipelines that the schema, the rules and `validate()` are
//! held against without it. No controller has a part in it.

use pricepipe_tests::cluster::{TestNamespace, kubectl, kubectl_with};
use serde::Deserialize;
use serde_json::{Value, json};

const TABLE: &str = include_str!("../../../crates/api/tests/agreement.yaml");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    case: String,
    refused_by: String,
    #[serde(default)]
    says: String,
    name: Option<String>,
    old: Option<Value>,
    spec: Value,
}

impl Row {
    fn resource(&self, spec: &Value) -> String {
        let name = self.name.as_deref().unwrap_or("majors");
        json!({
            "apiVersion": pricepipe_api::API_VERSION,
            "kind": pricepipe_api::KIND,
            "metadata": {"name": name},
            "spec": spec,
        })
        .to_string()
    }

    /// What only code can see passes the API server; the controller reports it in a condition.
    fn passes(&self) -> bool {
        ["nobody", "code"].contains(&self.refused_by.as_str())
    }

    /// What is wrong with this outcome; a broken rule must be refused in its own words.
    fn judge(&self, way: &str, outcome: &Result<String, String>) -> Option<String> {
        let right = match outcome {
            Ok(_) => self.passes(),
            Err(complaint) => !self.passes() && (self.refused_by != "cel" || complaint.contains(&self.says)),
        };
        (!right).then(|| format!("{way}: {}: {outcome:?}", self.case))
    }
}

fn rows() -> Vec<Row> {
    let rows: Vec<Row> = serde_saphyr::from_str(TABLE).expect("the table");
    assert!(rows.len() >= 60, "{} rows", rows.len());
    rows
}

async fn namespace() -> TestNamespace {
    kubectl_with(&["apply", "-f", "-"], &pricepipe_api::crd_yaml());
    kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "crd/pricepipelines.pricepipe.dev"]);
    TestNamespace::create("admission").await
}

/// The ways in which a client may send a new pipeline.
const CREATING: &[&[&str]] = &[
    &["create", "--dry-run=server", "--validate=strict", "-f", "-"],
    &["apply", "--dry-run=server", "--validate=strict", "-f", "-"],
    &["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"],
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn the_api_server_refuses_what_the_table_says_whichever_way_it_is_sent() {
    let namespace = namespace().await;
    let mut wrong = Vec::new();
    for row in rows().iter().filter(|row| row.old.is_none()) {
        for way in CREATING {
            let outcome = namespace.try_kubectl(way, &row.resource(&row.spec));
            wrong.extend(row.judge(&way.join(" "), &outcome));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn the_api_server_refuses_the_changes_that_the_table_says() {
    let namespace = namespace().await;
    let mut wrong = Vec::new();
    for row in rows() {
        let Some(old) = &row.old else { continue };
        namespace.apply(&row.resource(old));
        let way = &["replace", "--dry-run=server", "--validate=strict", "-f", "-"];
        wrong.extend(row.judge("replace", &namespace.try_kubectl(way, &row.resource(&row.spec))));
        namespace.kubectl(&["delete", "pp", "--all"]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Defaults that the API server fills in must not look like a change to whoever applies the same file again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_file_that_was_applied_differs_in_nothing_and_applying_it_again_changes_nothing() {
    let namespace = namespace().await;
    for row in rows().iter().filter(|row| row.old.is_none() && row.refused_by == "nobody") {
        let resource = row.resource(&row.spec);
        for way in [&["apply", "-f", "-"][..], &["apply", "--server-side", "-f", "-"]] {
            let apply = || namespace.try_kubectl(way, &resource).expect("what was accepted before");
            apply();
            let version = ["get", "pp", "-o", "jsonpath={.items[*].metadata.generation}"];
            let before = namespace.kubectl(&version);
            apply();
            assert_eq!(namespace.kubectl(&version), before, "{}: {way:?}", row.case);
            let diff =
                if way.contains(&"--server-side") { vec!["diff", "--server-side"] } else { vec!["diff"] };
            let difference = namespace.try_kubectl(&[&diff[..], &["-f", "-"]].concat(), &resource);
            assert_eq!(difference.as_deref(), Ok(""), "{}: {way:?}", row.case);
            namespace.kubectl(&["delete", "pp", "--all"]);
        }
    }
}
