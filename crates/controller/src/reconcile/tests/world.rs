//! What a visit needs around it: a scripted API server, stores that are told what it has, and a controller that leads.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{
    Resource,
    api::{ApiResource, DynamicObject},
    runtime::{controller::Action, reflector::store::Writer, watcher::Event},
};
use pricepipe_api::{PricePipeline, PricePipelineStatus};
use pricepipe_service::metrics::Registry;
use serde_json::{Value, json};

use super::api_server::ApiServer;
use crate::{
    build,
    children::{self, Children, Kind},
    conditions::{self, ConditionType},
    context::{Context, Guarded, Key, Scope},
    dereference::{Secrets, dereference},
    error::Error,
    labels,
    observations::Observations,
    reconcile::reconcile,
    settings::{self, Settings},
};

/// The namespace of everything here.
pub(super) const NAMESPACE: &str = "prod";

/// Nothing of it runs, so no Kafka is asked.
pub(super) const SUSPENDED: &str = "
suspend: true
symbols: [{symbol: BTCUSDT}]
kafka: {bootstrapServers: ['127.0.0.1:1']}
";

/// It has everything that may be in a Secret but authorities, and nobody answers where its Kafka should be.
pub(super) const RUNNING: &str = "
symbols: [{symbol: BTCUSDT}]
kafka:
  bootstrapServers: ['127.0.0.1:1']
  sasl: {mechanism: SCRAM-SHA-512, credentialsSecretRef: {name: kafka-user}}
mongodb: {uriSecretRef: {name: mongo, key: connection}}
producer: {replicas: 2, resources: {limits: {cpu: 1000m}}}
";

pub(super) const USERNAME: &str = "the-name-of-the-user";
pub(super) const PASSWORD: &str = "the-password-of-the-user";
pub(super) const URI: &str = "mongodb://writer:the-password-of-the-store@mongo.example:27017";

pub(super) struct World {
    pub(super) server: ApiServer,
    pub(super) context: Arc<Context>,
    registry: Registry,
    pipelines: Writer<Guarded>,
    children: Vec<(ApiResource, Writer<DynamicObject>)>,
}

impl World {
    /// The pipelines are there, the stores know them, and the controller leads.
    pub(super) fn with(pipelines: impl IntoIterator<Item = Value>) -> Self {
        let server = ApiServer::default();
        pipelines.into_iter().for_each(|pipeline| server.put("pricepipelines", pipeline));
        let children = build::kinds().map(|kind| (kind.clone(), Writer::new(kind)));
        let mut world = World {
            context: Arc::new(context(&server, &Registry::default(), Vec::new())),
            server,
            registry: Registry::default(),
            pipelines: Writer::new(()),
            children: children.into(),
        };
        world.restart();
        world.watch();
        world
    }

    /// Another controller takes over: nothing is remembered but what is watched.
    pub(super) fn restart(&mut self) {
        let kinds = self.children.iter().map(|(kind, writer)| Kind::new(kind.clone(), writer));
        let children = Children { kinds: kinds.collect() };
        let scope = Scope { namespace: None, pipelines: self.pipelines.as_reader(), children };
        self.registry = Registry::default();
        self.context = Arc::new(context(&self.server, &self.registry, vec![scope]));
        self.context.leadership.set(Some(Instant::now() + Duration::from_secs(3_600)));
    }

    /// The stores are told what the API server has.
    pub(super) fn watch(&mut self) {
        let objects = self.server.objects();
        let of = |plural: &str| {
            let own = objects.iter().filter(|((resource, ..), _)| resource == plural);
            own.map(|(_, object)| object.clone()).collect::<Vec<_>>()
        };
        let pipelines = of("pricepipelines").into_iter();
        fill(&mut self.pipelines, pipelines.map(|pipeline| serde_json::from_value(pipeline).expect("one")));
        for (kind, writer) in &mut self.children {
            let ours =
                |object: &Value| object["metadata"]["labels"][labels::MANAGED_BY] == labels::CONTROLLER;
            let objects = of(&kind.plural).into_iter().filter(ours);
            let stripped = objects.map(|object| {
                let mut object: DynamicObject = serde_json::from_value(object).expect("an object");
                children::strip_child(&mut object);
                object
            });
            fill(writer, stripped);
        }
    }

    pub(super) async fn visit(&self, name: &str) -> Result<Action, Error> {
        let result = reconcile(key(name), self.context.clone()).await;
        assert_eq!(self.server.surprises(), Vec::<String>::new());
        result
    }

    /// A visit that succeeds, and what it asked.
    pub(super) async fn asked(&self, name: &str) -> Vec<String> {
        self.visit(name).await.expect("a visit that succeeds");
        self.server.calls().iter().map(ToString::to_string).collect()
    }

    /// Visits until nothing is new: the status has what the first visit made.
    pub(super) async fn settle(&mut self, name: &str) {
        for _ in 0..2 {
            self.visit(name).await.expect("a visit that succeeds");
            self.watch();
        }
        self.server.calls();
    }

    /// What was written since the last time that somebody looked.
    pub(super) fn written(&self) -> Vec<String> {
        let calls = self.server.calls();
        calls.iter().filter(|call| call.writes()).map(ToString::to_string).collect()
    }

    pub(super) fn status(&self, name: &str) -> PricePipelineStatus {
        let pipeline = self.server.object("pricepipelines", name).expect("a pipeline");
        serde_json::from_value(pipeline["status"].clone()).expect("a status")
    }

    /// Status and reason of a condition.
    pub(super) fn condition(&self, name: &str, about: ConditionType) -> (String, String) {
        let found = conditions::get(&self.status(name).conditions, about).cloned().expect("the condition");
        (found.status, found.reason)
    }

    pub(super) fn message(&self, name: &str, about: ConditionType) -> String {
        conditions::get(&self.status(name).conditions, about).expect("the condition").message.clone()
    }

    pub(super) fn metrics(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).expect("metrics")
    }

    /// Goes on as if Kafka had been asked a moment ago and everything had been in order.
    pub(super) async fn kafka_was_fine(&self, name: &str) {
        let object = self.server.object("pricepipelines", name).expect("a pipeline");
        let resource: PricePipeline = serde_json::from_value(object).expect("a pipeline");
        let pipeline = self.context.settings.pipeline(&resource).expect("a valid one");
        let secrets = Secrets::new(self.server.client());
        let needs = dereference(&pipeline, &self.context.settings, &secrets).await.expect("its Secrets");
        self.server.calls();
        let memory = self.context.memory(&key(name));
        let mut memory = memory.lock().await;
        memory.belong_to(resource.meta().uid.as_deref().expect("a uid"));
        memory.topics = Some((Instant::now(), resource.meta().generation.expect("one"), needs.secrets_hash));
        memory.lag = Some(Instant::now());
    }
}

fn context(server: &ApiServer, registry: &Registry, scopes: Vec<Scope>) -> Context {
    let settings = Settings::read(|name| (name == settings::POD_NAME).then(|| "controller-0".to_owned()));
    Context::new(server.client(), settings.expect("settings"), Observations::new(registry), scopes)
}

fn fill<K>(writer: &mut Writer<K>, objects: impl Iterator<Item = K>)
where
    K: kube::runtime::reflector::Lookup + Clone + 'static,
    K::DynamicType: Eq + std::hash::Hash + Clone,
{
    writer.apply_watcher_event(&Event::Init);
    objects.for_each(|object| writer.apply_watcher_event(&Event::InitApply(object)));
    writer.apply_watcher_event(&Event::InitDone);
}

pub(super) fn key(name: &str) -> Key {
    Key { namespace: NAMESPACE.to_owned(), name: name.to_owned() }
}

/// A pipeline as the API server has it when it was just made.
pub(super) fn pipeline(name: &str, spec: &str) -> Value {
    let spec: Value = serde_saphyr::from_str(spec).expect("YAML");
    json!({
        "apiVersion": pricepipe_api::API_VERSION,
        "kind": pricepipe_api::KIND,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": format!("uid of {name}"),
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": spec,
    })
}

/// Its topics go with it.
pub(super) fn with_delete(spec: &str) -> String {
    format!("{spec}deletionPolicy: Delete\n")
}

/// A world in which [`RUNNING`] finds all that it names.
pub(super) fn running() -> World {
    let world = World::with([pipeline("majors", RUNNING)]);
    world.server.put("secrets", secret("kafka-user", json!({"username": USERNAME, "password": PASSWORD})));
    world.server.put("secrets", secret("mongo", json!({"connection": URI})));
    world
}

pub(super) fn secret(name: &str, data: Value) -> Value {
    let data: BTreeMap<String, String> = serde_json::from_value(data).expect("texts");
    let data = data.into_iter().map(|(key, text)| (key, k8s_openapi::ByteString(text.into_bytes())));
    let data: BTreeMap<_, _> = data.collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": data,
    })
}
