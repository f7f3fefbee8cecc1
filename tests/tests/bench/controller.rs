//! Many pipelines for one controller, against a real API server. They are suspended, since no node has room for a
//! thousand pods: all objects are there, and the Deployments have no replicas.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, ResourceExt, api::ListParams};
use pricepipe_api::PricePipeline;
use pricepipe_tests::{
    cluster::{TestNamespace, kubectl, kubectl_with, until},
    http, servers,
    worker::Worker,
};
use serde_json::{Value, json};

use crate::bars::Bars;

const PIPELINES: usize = 500;
const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark: make bench"]
async fn bench_5_controller() {
    kubectl_with(&["apply", "--server-side", "-f", "-"], &pricepipe_api::crd_yaml());
    kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "crd/pricepipelines.pricepipe.dev"]);
    let namespace = TestNamespace::create("many").await;
    let (folder, kubeconfig) = (tempfile::tempdir().expect("bench"), servers::variable("KUBECONFIG"));
    let variables = [
        ("KUBECONFIG", kubeconfig.as_str()),
        ("PRICEPIPE_KAFKA_BOOTSTRAP_SERVERS", "192.0.2.1:9"),
        ("POD_NAMESPACE", namespace.name.as_str()),
    ];
    let controller = Worker::start_with("pricepipe-controller", &[], &variables, folder.path());
    let all: Vec<Value> = (0..PIPELINES).map(|number| pipeline(&namespace, number, "10m")).collect();

    let start = Instant::now();
    namespace.apply(&json!({"apiVersion": "v1", "kind": "List", "items": all}).to_string());
    let sent = start.elapsed();
    let pipelines = namespace.api::<PricePipeline>();
    until("all are reconciled", PATIENCE, async || {
        let found = pipelines.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let reconciled = found.items.iter().filter(|pipeline| is_reconciled(pipeline)).count();
        let seen = || format!("{reconciled} of {PIPELINES}\n{}", controller.log());
        if reconciled == PIPELINES { Ok(()) } else { Err(seen()) }
    })
    .await;
    let reconciled = start.elapsed();
    let edit = edit_one(&namespace).await;
    let page = http::get(controller.admin, "/metrics").expect("metrics").1;
    let (_, peak) = controller.memory_mib();

    println!("\ncontroller: {PIPELINES} pipelines, sent by kubectl within {:.1} s", sent.as_secs_f64());
    println!(
        "CPU {:.1} s; p99 of a visit is below the bound that follows",
        controller.cpu_time().as_secs_f64()
    );
    let mut bars = Bars::default();
    bars.at_most("all reconciled after", reconciled.as_secs_f64(), 120.0, "s");
    bars.at_most("one visit, p99", quantile(&page, 0.99), 5.0, "s");
    bars.at_most("an edit to one of them is in its Deployment after", edit.as_secs_f64(), 2.0, "s");
    bars.at_most("peak RSS", peak, 128.0, "MiB");
    bars.judge();
}

fn pipeline(namespace: &TestNamespace, number: usize, cpu: &str) -> Value {
    json!({
        "apiVersion": "pricepipe.dev/v1alpha1", "kind": "PricePipeline",
        "metadata": {"name": format!("{}-{number}", namespace.name)},
        "spec": {
            "suspend": true,
            "symbols": [{"symbol": "BTCUSDT"}, {"symbol": "ETHUSDT"}, {"symbol": "SOLUSDT"}],
            "kafka": {"topics": {"nameTemplate": "{pipeline}-{base}"}},
            "consumer": {"resources": {"requests": {"cpu": cpu}}},
        },
    })
}

fn is_reconciled(pipeline: &PricePipeline) -> bool {
    let status = pipeline.status.as_ref();
    status.is_some_and(|status| status.observed_generation == pipeline.metadata.generation)
}

/// From `kubectl apply` of another CPU request to the Deployment that has it.
async fn edit_one(namespace: &TestNamespace) -> Duration {
    let edited = pipeline(namespace, PIPELINES / 2, "20m");
    let name = format!("{}-consumer", edited["metadata"]["name"].as_str().expect("a name"));
    let deployments: Api<Deployment> = namespace.api();
    let start = Instant::now();
    namespace.apply(&edited.to_string());
    until("the Deployment is as edited", PATIENCE, async || {
        let found = deployments.get(&name).await.map_err(|error| error.to_string())?;
        let text = serde_json::to_string(&found.spec).expect("JSON");
        if text.contains("\"20m\"") { Ok(()) } else { Err(found.name_any()) }
    })
    .await;
    start.elapsed()
}

/// The upper bound of the bucket in which a share of the visits lies.
fn quantile(page: &str, share: f64) -> f64 {
    let buckets = page.lines().filter_map(|line| {
        let rest = line.strip_prefix("pricepipe_controller_reconcile_duration_seconds_bucket{")?;
        let (labels, count) = rest.rsplit_once("} ")?;
        let bound = labels.split("le=\"").nth(1)?.split('"').next()?;
        Some((bound.parse().unwrap_or(f64::INFINITY), count.parse().ok()?))
    });
    let buckets: Vec<(f64, f64)> = buckets.collect();
    let all = buckets.last().expect("a histogram").1;
    assert!(all >= PIPELINES as f64, "{all} visits");
    buckets.iter().find(|(_, count)| *count >= all * share).expect("the last bucket has all").0
}
