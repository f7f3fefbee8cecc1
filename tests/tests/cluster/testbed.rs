//! That the testbed gives what the other tests take for granted, so that a fault of its own is not looked for in the
//! product.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use pricepipe_tests::{
    cluster::{AuditLog, ClusterExchange, TestNamespace, is_ready, kill, until},
    servers, topics,
};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_pod_of_our_image_serves_a_restricted_namespace_and_comes_back_when_it_is_killed() {
    let namespace = TestNamespace::create("testbed").await;
    let exchange = ClusterExchange::start(&namespace).await;
    assert!(exchange.served().await.is_empty(), "nobody has asked for a price");

    let pods = namespace.api::<Pod>();
    let first = pods.list(&ListParams::default()).await.expect("the API server answers").items;
    let [first] = first.as_slice() else { panic!("one pod: {first:?}") };
    kill(first);
    until("another pod is ready", PATIENCE, async || {
        let now = pods.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let is_new = |pod: &&Pod| pod.metadata.uid != first.metadata.uid && is_ready(pod);
        now.iter().find(is_new).map(|_| ()).ok_or_else(|| format!("{} pods", now.len()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn kafka_listens_where_pods_can_reach_it() {
    let topic = pricepipe_tests::unique("testbed");
    topics::create(&servers::kafka(), &[&topic], 1).await;
    assert!(!servers::kafka().starts_with("127."), "pods could not reach {}", servers::kafka());
    assert!(!servers::mongodb().contains("//127."), "pods could not reach {}", servers::mongodb());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn the_audit_log_tells_who_wrote_what() {
    let log = AuditLog::from_now();
    let namespace = TestNamespace::create("audit").await;
    namespace.secret("mongo", "uri", "mongodb://nobody.invalid/");
    let object = format!("{}/mongo", namespace.name);
    until("the log names the Secret", PATIENCE, async || {
        let writes = log.writes("admin");
        let found = writes.iter().any(|request| request.resource == "secrets" && request.object == object);
        if found { Ok(()) } else { Err(format!("{writes:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_pod_that_is_not_restricted_is_refused() {
    let namespace = TestNamespace::create("restricted").await;
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "careless"},
        "spec": {"containers": [{"name": "careless", "image": "localhost/pause:1"}]}}"#;
    let complaint = namespace.try_kubectl(&["apply", "-f", "-"], pod).expect_err("a refusal");
    assert!(complaint.contains("violates PodSecurity"), "{complaint}");
}
