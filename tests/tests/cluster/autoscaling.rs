//! Consumers follow their lag.

use std::time::Duration;

use pricepipe_tests::{
    cluster::{Controller, NOWHERE, Pipeline, SECRET, TestNamespace, until},
    messages, servers, topics,
};
use serde_json::json;

/// The lag is asked for every 15 s, and a Secret too.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn consumers_come_with_their_lag_and_go_when_it_has_been_low_for_a_while() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("autoscale").await;
    let mut pipeline = Pipeline::new(&namespace, NOWHERE, &["BTCUSDT"]);
    // Nobody answers there, so that nothing is stored.
    namespace.secret(SECRET, "uri", "mongodb://192.0.2.1:9/?serverSelectionTimeoutMS=1000");
    pipeline.manifest["spec"]["consumer"] = json!({"autoscaling": {
        "minReplicas": 1, "maxReplicas": 7, "lagPerReplica": 1000, "stabilizationSeconds": 5,
    }});
    pipeline.apply();
    pipeline.until("TopicsReady", "True", PATIENCE).await;
    topics::produce(&servers::kafka(), &pipeline.topic("btc"), messages::records(10_000));
    let wanted = async |replicas: i32| {
        until(&format!("{replicas} consumers are wanted"), PATIENCE, async || {
            let spec = pipeline.get().await.expect("the pipeline").spec;
            let now = spec.consumer.replicas;
            if now == replicas { Ok(()) } else { Err(format!("{now}")) }
        })
        .await;
    };
    wanted(3).await; // as many as there are partitions
    until("the status tells the lag", PATIENCE, async || {
        let lag = pipeline.status().await.consumer.and_then(|consumer| consumer.lag);
        if lag == Some(10_000) { Ok(()) } else { Err(format!("{lag:?}")) }
    })
    .await;

    namespace.secret(SECRET, "uri", &servers::mongodb());
    wanted(1).await;
    let events = namespace.kubectl(&["get", "events", "--field-selector", "reason=Scaled"]);
    assert!(events.contains("from 1 to 3") && events.contains("from 3 to 1"), "{events}");
}
