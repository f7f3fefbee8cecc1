//! The demo as its README tells it: everything from the chart, invented prices, and no service outside.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{Secret, Service};
use pricepipe_tests::{
    Asker, Expression, alerts,
    chart::{Release, ValueSet},
    cluster::{ClusterExchange, Pipeline, TestNamespace, until},
    documents, expressions, generated, http, servers, topics,
};
use serde_json::Value;

const READY: Duration = Duration::from_secs(180);
const PATIENCE: Duration = Duration::from_secs(120);
const PROMETHEUS: u16 = 9090;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn prices_flow_after_two_commands_and_every_panel_and_alert_has_an_answer() {
    let start = Instant::now();
    let namespace = TestNamespace::create("demo").await;
    let release = Release::of(&namespace).await;
    install(&release);
    println!("the release was ready after {:?}", start.elapsed());
    let majors = generated::path("manifests/examples/majors.yaml");
    namespace.kubectl(&["apply", "-f", majors.to_str().expect("a path in UTF-8")]);
    let pipeline = Pipeline::named(&namespace, "majors", "", &[]);
    pipeline.until("Ready", "True", READY).await;
    println!("the pipeline was ready after {:?}", start.elapsed());

    let store = store(&namespace).await;
    let btc = documents::collection(&store, "fx", "btc").await;
    until("prices are stored", PATIENCE, async || match documents::count(&btc).await {
        0 => Err("none".to_owned()),
        _ => Ok(()),
    })
    .await;
    let tested = release.test(&["--timeout", "5m"]).unwrap_or_else(|error| panic!("helm test: {error}"));
    for pod in ["controller", "kafka", "prometheus", "stored"] {
        assert!(tested.contains(&format!("prices-test-{pod}")), "helm test runs {pod}: {tested}");
    }

    let secrets = || {
        namespace.kubectl(&[
            "get",
            "secrets",
            "-l",
            "app.kubernetes.io/instance=prices",
            "-o",
            "jsonpath={.items[*].data}",
        ])
    };
    let before = secrets();
    release.upgrade(&["--reuse-values", "--wait", "--timeout", "5m"]).expect("it is upgraded");
    assert_eq!(secrets(), before, "an upgrade changes no password");

    let prometheus = Prometheus { address: address(&namespace, "prices-prometheus", PROMETHEUS).await };
    every_panel_shows_something(&prometheus).await;
    alerts_are_silent_until_something_is_wrong(&prometheus, &namespace).await;
    assert_eq!(documents::doubled(&btc).await, 0);
}

/// Kafdrop and Grafana have no images here. The test reaches Kafka from outside.
fn install(release: &Release) {
    let demo = ValueSet::named("demo");
    let host = format!("kafka.externalListener.advertisedHosts={{{}}}", servers::variable("TESTBED_HOST"));
    let settings = [
        "kafka.externalListener.enabled=true",
        &host,
        "kafdrop.enabled=false",
        "grafana.enabled=false",
        "prometheus.scrapeInterval=5s",
    ];
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<&str> = ["--wait", "--timeout", "5m"].into_iter().chain(settings).collect();
    release.install(&demo.with(&arguments)).unwrap_or_else(|error| panic!("helm install: {error}"));
}

/// The connection string that the chart has made, with the address that a test reaches.
async fn store(namespace: &TestNamespace) -> String {
    let secret = namespace.api::<Secret>().get("pricepipe-mongodb").await.expect("the chart makes it");
    let uri = secret.data.and_then(|mut data| data.remove("uri")).expect("a connection string");
    let uri = String::from_utf8(uri.0).expect("text");
    let name = format!("prices-mongodb.{}.svc:27017", namespace.name);
    assert!(uri.contains(&name), "the connection string names {name}");
    uri.replace(&name, &address(namespace, "prices-mongodb", 27_017).await.to_string())
}

/// How the test reaches a Service: names are known to pods alone.
async fn address(namespace: &TestNamespace, name: &str, port: u16) -> SocketAddr {
    let service = namespace.api::<Service>().get(name).await.expect("the chart makes it");
    let ip = service.spec.and_then(|spec| spec.cluster_ip).expect("a Service has an address");
    SocketAddr::new(ip.parse().expect("an address"), port)
}

async fn every_panel_shows_something(prometheus: &Prometheus) {
    for expression in all(Asker::Panel) {
        let Expression { place, title, text, .. } = &expression;
        until(&format!("{place}: {title} shows something"), PATIENCE, async || {
            match prometheus.ask(text)?.len() {
                0 => Err(format!("nothing for {text}")),
                _ => Ok(()),
            }
        })
        .await;
    }
    for Expression { place, text, .. } in all(Asker::Annotation) {
        prometheus.ask(&text).unwrap_or_else(|error| panic!("{place}: {error}"));
    }
}

/// What is wrong in turn, and the alert whose expression then has an answer.
async fn alerts_are_silent_until_something_is_wrong(prometheus: &Prometheus, namespace: &TestNamespace) {
    let names: Vec<_> =
        alerts().groups.into_iter().flat_map(|group| group.rules).map(|rule| rule.alert).collect();
    until("every alert has been evaluated", PATIENCE, async || {
        let rules = prometheus.rules()?;
        let health = |name: &str| rules.iter().find(|rule| rule["name"] == name).map(|rule| &rule["health"]);
        match names.iter().find(|name| health(name) != Some(&Value::from("ok"))) {
            Some(name) => Err(format!("{name}: {:?}", health(name))),
            None => Ok(()),
        }
    })
    .await;
    for Expression { title, text, .. } in all(Asker::Alert) {
        until(&format!("{title} is silent"), PATIENCE, async || match prometheus.ask(&text)?.as_slice() {
            [] => Ok(()),
            [first, ..] => Err(first.to_string()),
        })
        .await;
    }
    let kafka = format!("{}:30094", servers::variable("TESTBED_HOST"));
    topics::produce(
        &kafka,
        "btc",
        [("binance:BTCUSDT".to_owned(), b"no price".as_slice().into())].into_iter(),
    );
    alarmed(prometheus, "PricepipeDeadLetters").await;
    let exchange = ClusterExchange::at(namespace, "prices-exchange").await;
    exchange.fail(503);
    for alert in ["PricepipeBreakerOpen", "PricepipeSlotsSkipped", "PricepipePipelineNotReady"] {
        alarmed(prometheus, alert).await;
    }
    exchange.open();
    exchange.fail(451);
    alarmed(prometheus, "PricepipeExchangeGeoBlocked").await;
    namespace.kubectl(&["scale", "deployment/prices-controller", "--replicas=0"]);
    alarmed(prometheus, "PricepipeControllerDown").await;
}

/// Waits until an alert's expression has an answer. How long it must have one is what promtool tests.
async fn alarmed(prometheus: &Prometheus, alert: &str) {
    let expression = all(Asker::Alert).into_iter().find(|expression| expression.title == alert);
    let text = expression.unwrap_or_else(|| panic!("there is no alert {alert}")).text;
    until(&format!("{alert} has an answer"), PATIENCE * 2, async || {
        if prometheus.ask(&text)?.is_empty() { Err(format!("nothing for {text}")) } else { Ok(()) }
    })
    .await;
}

fn all(asker: Asker) -> Vec<Expression> {
    let found: Vec<_> = expressions(&[]).into_iter().filter(|one| one.asker == asker).collect();
    assert!(!found.is_empty() || asker == Asker::Annotation, "no {asker:?}");
    found
}

struct Prometheus {
    address: SocketAddr,
}

impl Prometheus {
    /// What it answers now: a series each.
    fn ask(&self, expression: &str) -> Result<Vec<Value>, String> {
        let answer = self.get(&format!("/api/v1/query?query={}", encoded(expression)))?;
        match &answer["data"]["result"] {
            Value::Array(series) => Ok(series.clone()),
            _ => Err(format!("{expression}: {answer}")),
        }
    }

    /// The alerts as it has loaded them.
    fn rules(&self) -> Result<Vec<Value>, String> {
        let answer = self.get("/api/v1/rules")?;
        let groups = answer["data"]["groups"].as_array().ok_or("no groups")?.iter();
        Ok(groups.flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let (_, body) = http::get(self.address, path).map_err(|error| error.to_string())?;
        serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
    }
}

/// A text as it may stand in a query.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
