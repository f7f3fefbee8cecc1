//! The API server's own verdict on the table of good and bad pipelines that the schema, the rules and `validate()` are
//! held against without it. The controller leaves them alone, since they are paused.

use std::time::Duration;

use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams},
};
use pricepipe_api::PricePipeline;
use pricepipe_tests::cluster::{Controller, TestNamespace, until};
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
    /// Server-side apply keeps a `null`, which all other ways drop.
    #[serde(default)]
    has_null: bool,
    name: Option<String>,
    old: Option<Value>,
    spec: Value,
}

impl Row {
    fn resource(&self, spec: &Value) -> Value {
        let name = self.name.as_deref().unwrap_or("majors");
        json!({
            "apiVersion": pricepipe_api::API_VERSION,
            "kind": pricepipe_api::KIND,
            "metadata": {"name": name, "annotations": {"pricepipe.dev/paused": "true"}},
            "spec": spec,
        })
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

/// A client of pipelines that may be anything: what the types of ours would not let through too.
struct Client {
    pipelines: Api<DynamicObject>,
}

impl Client {
    fn of(namespace: &TestNamespace) -> Client {
        let kind = ApiResource::erase::<PricePipeline>(&());
        Client { pipelines: Api::namespaced_with(namespace.client.clone(), &namespace.name, &kind) }
    }

    async fn apply(&self, resource: &Value, parameters: PatchParams) -> Result<String, String> {
        let name = resource["metadata"]["name"].as_str().expect("a name");
        let applied = self.pipelines.patch(name, &parameters.force(), &Patch::Apply(resource)).await;
        applied.map(|_| String::new()).map_err(|error| error.to_string())
    }

    /// What the API server would do.
    async fn would_apply(&self, resource: &Value) -> Result<String, String> {
        self.apply(resource, PatchParams::apply("test").dry_run().validation_strict()).await
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn the_api_server_accepts_and_refuses_what_the_table_says() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("admission").await;
    let client = Client::of(&namespace);
    let mut wrong = Vec::new();
    for row in rows().iter().filter(|row| row.old.is_none() && !row.has_null) {
        let outcome = client.would_apply(&row.resource(&row.spec)).await;
        wrong.extend(row.judge("apply", &outcome));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn the_api_server_accepts_and_refuses_the_changes_that_the_table_says() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("changes").await;
    let client = Client::of(&namespace);
    let mut wrong = Vec::new();
    for row in rows() {
        let Some(old) = &row.old else { continue };
        let old = row.resource(old);
        client.apply(&old, PatchParams::apply("test")).await.expect("the old one is good");
        wrong.extend(row.judge("change", &client.would_apply(&row.resource(&row.spec)).await));
        let name = old["metadata"]["name"].as_str().expect("a name");
        client.pipelines.delete(name, &DeleteParams::default()).await.expect("it is deleted");
        until("it is gone", Duration::from_secs(30), async || match client.pipelines.get_opt(name).await {
            Ok(None) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Defaults that the API server fills in must not look like a change to whoever applies the same file again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_file_that_was_applied_differs_in_nothing_and_applying_it_again_changes_nothing() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("again").await;
    let kubectl =
        |way: &[&str], resource: &str| namespace.try_kubectl(&[way, &["-f", "-"]].concat(), resource);
    for row in rows().iter().filter(|row| row.old.is_none() && row.refused_by == "nobody") {
        let resource = row.resource(&row.spec).to_string();
        for server_side in [&[][..], &["--server-side"]] {
            if row.has_null && !server_side.is_empty() {
                continue;
            }
            let way = [&["apply", "--validate=strict"], server_side].concat();
            kubectl(&way, &resource).expect("what the API server accepts");
            let version =
                || namespace.kubectl(&["get", "pp", "-o", "jsonpath={.items[*].metadata.generation}"]);
            let before = version();
            kubectl(&way, &resource).expect("what was accepted before");
            assert_eq!(version(), before, "{}: {way:?}", row.case);
            // The controller says once that it leaves the pipeline alone; from then on nothing changes.
            namespace.kubectl(&[
                "wait",
                "--for=jsonpath={.status.conditions[0].reason}=Paused",
                "pp",
                "--all",
            ]);
            let difference = kubectl(&[&["diff"], server_side].concat(), &resource);
            assert_eq!(difference.as_deref(), Ok(""), "{}: {way:?}", row.case);
            namespace.kubectl(&["delete", "pp", "--all"]);
        }
    }
}
