//! The release with three brokers, through all that may happen to it, and beyond its end.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{ResourceExt, api::ListParams};
use pricepipe_tests::{
    chart::Release,
    cluster::{ClusterExchange, Pipeline, TestNamespace, is_ready, kill, places_to_write, programs, until},
    documents, oracle,
    servers::{self, OwnServer},
    topics,
};
use serde_json::json;

const READY: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(90);
const ASSETS: [&str; 3] = ["btc", "eth", "sol"];
const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "SOLUSDT"];
const BROKERS: usize = 3;
/// How often all workers are killed at once.
const WORKERS_KILLED: usize = 10;
/// The poll that is under way, and the first of a container that is started again in the pod that is about to go.
const POLLS_LOST_WITH_A_PRODUCER: usize = 2;
const STORE_AWAY: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn every_accepted_price_is_stored_once_through_a_storm_and_the_release_may_be_installed_anew() {
    let world = World::start().await;
    let pipeline = world.pipeline();
    pipeline.apply();
    pipeline.until("Ready", "True", READY).await;
    pipeline.until_prices_arrive("sol", PATIENCE).await;
    pipeline.until_stored_as_served(&world.exchange, &ASSETS, PATIENCE).await;
    world.exchange.open();

    world.brokers_die(&pipeline).await;
    world.workers_die(&pipeline).await;
    world.store_is_away(&pipeline).await;
    world.controller_dies_and_the_release_is_upgraded(&pipeline).await;
    world.consumers_come_and_go(&pipeline).await;
    world.nothing_accepted_is_lost_or_doubled(&pipeline).await;
    world.nobody_writes_into_a_pod().await;
    world.our_images_have_one_program_each().await;
    world.release.test(&["--timeout", "3m"]).unwrap_or_else(|error| panic!("helm test: {error}"));

    let topics = pipeline.status().await.topics;
    world.release.uninstall(&["--wait"]).expect("it is uninstalled");
    install(&world.release);
    pipeline.until("Ready", "True", READY).await;
    for asset in ASSETS {
        pipeline.until_prices_arrive(asset, PATIENCE).await;
        assert_eq!(documents::doubled(&pipeline.collection(asset).await).await, 0, "{asset}");
    }
    assert_eq!(pipeline.status().await.topics, topics, "the same topics with the same ids");
}

// Dropped from above: the release before the namespace that it is in.
struct World {
    release: Release,
    namespace: TestNamespace,
    mongodb: OwnServer,
    exchange: ClusterExchange,
    /// Where the test reaches the brokers.
    kafka: String,
}

impl World {
    async fn start() -> World {
        let namespace = TestNamespace::create("storm").await;
        let mongodb = OwnServer::mongodb();
        namespace.secret("pricepipe-mongodb", "uri", &mongodb.address);
        let release = Release::of(&namespace).await;
        install(&release);
        let exchange = ClusterExchange::at(&namespace, "prices-exchange").await;
        let kafka = format!("{}:30094", servers::variable("TESTBED_HOST"));
        World { namespace, mongodb, release, exchange, kafka }
    }

    /// A pipeline that names neither Kafka nor endpoints nor a store: they are the release's.
    fn pipeline(&self) -> Pipeline<'_> {
        let mut pipeline = Pipeline::new(&self.namespace, "", &SYMBOLS);
        pipeline.store.clone_from(&self.mongodb.address);
        pipeline.manifest["spec"]["sources"] =
            json!([{"exchange": "binance", "rest": {"intervalSeconds": 1}}]);
        pipeline.manifest["spec"]["mongodb"] = json!({"database": self.namespace.name});
        pipeline.manifest["spec"]["kafka"] = json!({"topics": {
            "nameTemplate": "{pipeline}-{base}", "replicationFactor": BROKERS, "minInSyncReplicas": 2,
        }});
        pipeline.manifest["spec"]["consumer"] = json!({"replicas": 2});
        pipeline
    }

    async fn pods(&self, labels: &str) -> Vec<Pod> {
        let pods = self.namespace.api::<Pod>().list(&ListParams::default().labels(labels)).await;
        pods.expect("the API server answers").items
    }

    /// Kills the pods with these labels, and waits until as many others are ready.
    async fn die(&self, labels: &str) {
        let killed = self.pods(labels).await;
        assert!(!killed.is_empty(), "no pod has the labels {labels}");
        killed.iter().for_each(kill);
        let dead: BTreeSet<String> = killed.iter().filter_map(ResourceExt::uid).collect();
        until(&format!("{labels} is back"), READY, async || {
            let alive = self.pods(labels).await.into_iter().filter(is_ready);
            let alive: Vec<String> =
                alive.filter_map(|pod| pod.uid()).filter(|uid| !dead.contains(uid)).collect();
            if alive.len() == dead.len() { Ok(()) } else { Err(format!("{} of {}", alive.len(), dead.len())) }
        })
        .await;
    }

    async fn brokers_die(&self, pipeline: &Pipeline<'_>) {
        for broker in 0..BROKERS {
            self.die(&format!("app.kubernetes.io/component=kafka,apps.kubernetes.io/pod-index={broker}"))
                .await;
            pipeline.until_prices_arrive("btc", PATIENCE).await;
        }
    }

    async fn workers_die(&self, pipeline: &Pipeline<'_>) {
        for number in 0..WORKERS_KILLED {
            self.die(&format!("pricepipe.dev/pipeline={}", pipeline.name)).await;
            pipeline.until_prices_arrive(ASSETS[number % ASSETS.len()], PATIENCE).await;
        }
    }

    async fn store_is_away(&self, pipeline: &Pipeline<'_>) {
        self.mongodb.stop();
        tokio::time::sleep(STORE_AWAY).await;
        self.mongodb.start();
        pipeline.until_prices_arrive("btc", PATIENCE).await;
    }

    async fn controller_dies_and_the_release_is_upgraded(&self, pipeline: &Pipeline<'_>) {
        self.die("app.kubernetes.io/component=controller").await;
        let retention = "kafka.config.log\\.retention\\.check\\.interval\\.ms=60000";
        let upgraded = ["--reuse-values", "--set-string", retention, "--wait", "--timeout", "5m"];
        self.release.upgrade(&upgraded).expect("it is upgraded");
        pipeline.until_prices_arrive("eth", PATIENCE).await;
    }

    async fn consumers_come_and_go(&self, pipeline: &Pipeline<'_>) {
        for replicas in [4, 1] {
            let (resource, argument) = (format!("pp/{}", pipeline.name), format!("--replicas={replicas}"));
            self.namespace.kubectl(&["scale", &resource, &argument]);
            pipeline.until_consumers(replicas, PATIENCE).await;
            pipeline.until_prices_arrive("sol", PATIENCE).await;
        }
        pipeline.until("Ready", "True", READY).await;
    }

    /// What Kafka has is what a producer was told to be accepted. Of what was served, only the last polls of producers
    /// that were killed may not have come so far.
    async fn nothing_accepted_is_lost_or_doubled(&self, pipeline: &Pipeline<'_>) {
        self.exchange.close();
        let mut collections = Vec::new();
        for asset in ASSETS {
            let collection = pipeline.collection(asset).await;
            let accepted: BTreeSet<String> =
                topics::ids(&self.kafka, &pipeline.topic(asset)).into_iter().collect();
            until(&format!("what was accepted of {asset} is stored"), PATIENCE, async || {
                let stored = documents::ids(&collection).await;
                if stored == accepted {
                    return Ok(());
                }
                let lost: Vec<_> = accepted.difference(&stored).take(3).collect();
                let strange: Vec<_> = stored.difference(&accepted).take(3).collect();
                Err(format!("{} of {}, lost {lost:?}, strange {strange:?}", stored.len(), accepted.len()))
            })
            .await;
            assert_eq!(documents::doubled(&collection).await, 0, "{asset}");
            collections.push(collection);
        }
        let served = self.exchange.served().await;
        let missing = oracle::missing(&served, &documents::sequences(&collections).await);
        let total: usize = served.values().map(Vec::len).sum();
        println!("{total} prices were served; {missing} died with a producer before Kafka had them");
        let most = WORKERS_KILLED * POLLS_LOST_WITH_A_PRODUCER * SYMBOLS.len();
        assert!(missing <= most, "{missing} of {total} are missing");
        let dead_letters = format!("{}.dead-letter", pipeline.name);
        assert_eq!(topics::count(&self.kafka, &dead_letters), 0, "dead letters");
    }

    async fn nobody_writes_into_a_pod(&self) {
        let pods = self.pods("app.kubernetes.io/part-of=pricepipe").await;
        let components: BTreeSet<_> =
            pods.iter().filter_map(|pod| pod.labels().get("app.kubernetes.io/component")).collect();
        assert_eq!(components.len(), 5, "controller, exchange, kafka, producer, consumer: {components:?}");
        for pod in pods.iter().filter(|pod| is_ready(pod)) {
            assert_eq!(places_to_write(pod), [""; 0], "{} can be written to", pod.name_any());
        }
    }

    async fn our_images_have_one_program_each(&self) {
        for (component, program) in [
            ("producer", "pricepipe-producer"),
            ("consumer", "pricepipe-consumer"),
            ("controller", "pricepipe-controller"),
            ("exchange", "pricepipe"),
        ] {
            let pods = self.pods(&format!("app.kubernetes.io/component={component}")).await;
            // The exchange is closed, so a producer runs and is not ready.
            let pod = pods.iter().find(|pod| pod.metadata.deletion_timestamp.is_none());
            let pod = pod.unwrap_or_else(|| panic!("no {component} runs"));
            assert_eq!(programs(pod), [program], "{}", pod.name_any());
        }
    }
}

/// Three brokers that the test reaches from outside, the simulated exchange, and nothing that has no image here.
fn install(release: &Release) {
    let host = servers::variable("TESTBED_HOST");
    let hosts = format!("kafka.externalListener.advertisedHosts={{{host},{host},{host}}}");
    let values = [
        "kafka.nodes=3",
        "kafka.heapOptions=-Xms128m -Xmx256m",
        "kafka.externalListener.enabled=true",
        &hosts,
        "exchange.simulator.enabled=true",
        "mongodb.enabled=false",
        "kafdrop.enabled=false",
        "grafana.enabled=false",
        "prometheus.enabled=false",
    ];
    let values = values.iter().flat_map(|value| ["--set", value]);
    let arguments: Vec<&str> = ["--wait", "--timeout", "5m"].into_iter().chain(values).collect();
    release.install(&arguments).unwrap_or_else(|error| panic!("helm install: {error}"));
}
