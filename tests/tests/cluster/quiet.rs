//! A controller with nothing to do does nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use pricepipe_tests::cluster::{AuditLog, ClusterExchange, Controller, Pipeline, TestNamespace, until};
use serde_json::{Value, json};

const PIPELINES: usize = 50;
/// So many of them run; the others are suspended, since one node has no room for a hundred pods.
const RUNNING: usize = 5;
const IDLE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(120);
const CONTROLLER: &str = "system:serviceaccount:pricepipe-system:pricepipe-controller";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn fifty_pipelines_in_good_order_cause_no_write_for_a_minute() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("quiet").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let pipelines: Vec<Pipeline<'_>> =
        (0..PIPELINES).map(|n| numbered(&namespace, n, &exchange.url)).collect();
    let all: Vec<_> = pipelines.iter().map(|pipeline| pipeline.manifest.clone()).collect();
    namespace.apply(&json!({"apiVersion": "v1", "kind": "List", "items": all}).to_string());
    for (number, pipeline) in pipelines.iter().enumerate() {
        let reason = if number < RUNNING { "Running" } else { "Suspended" };
        pipeline.until_because("Ready", reason, PATIENCE).await;
    }
    // The number of ready pods and the lag of the first seconds have been told by then.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let seen = || {
        let list = namespace.kubectl(&["get", "pp", "-o", "json"]);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        list["items"].as_array().expect("a list").iter().map(Value::to_string).collect::<BTreeSet<String>>()
    };
    let (log, before) = (AuditLog::from_now(), seen());
    tokio::time::sleep(IDLE).await;
    let changed: Vec<String> = seen().symmetric_difference(&before).cloned().collect();
    assert!(changed.is_empty(), "written to, by anybody: {}", changed.join("\n"));
    until("the log tells of the controller", PATIENCE, async || {
        if log.requests(CONTROLLER).is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
    })
    .await;
    let mut writes: BTreeMap<String, usize> = BTreeMap::new();
    let ours = log.writes(CONTROLLER).into_iter().filter(|w| w.object.starts_with(&namespace.name));
    ours.for_each(|w| *writes.entry(format!("{} {} {}", w.verb, w.resource, w.object)).or_default() += 1);
    assert_eq!(writes, BTreeMap::new());
}

fn numbered<'a>(namespace: &'a TestNamespace, number: usize, endpoint: &str) -> Pipeline<'a> {
    let name = format!("{}-{number}", namespace.name);
    let mut pipeline = Pipeline::named(namespace, &name, endpoint, &["BTCUSDT", "ETHUSDT"]);
    pipeline.manifest["spec"]["suspend"] = json!(number >= RUNNING);
    pipeline
}
