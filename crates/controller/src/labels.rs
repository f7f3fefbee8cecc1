//! The labels and annotations of everything that the controller makes. Pure.
//!
//! Selectors of Deployments cannot be changed, so they hold only what names a pipeline's workers and never what an
//! upgrade changes.

use std::{borrow::Cow, collections::BTreeMap};

use pricepipe_core::Pipeline;

/// Who made an object; children are watched by it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`], and the field manager of every apply.
pub const CONTROLLER: &str = "pricepipe-controller";
/// The pipeline that an object belongs to.
pub const PIPELINE: &str = "pricepipe.dev/pipeline";
/// `true` on every pod with metrics: one PodMonitor finds them all by it.
pub const METRICS: &str = "pricepipe.dev/metrics";
/// Annotation of pods: what they were started with. Another value replaces them.
pub const CONFIG_HASH: &str = "pricepipe.dev/config-hash";
/// Annotation of a pipeline: `true` makes the controller leave it alone.
pub const PAUSED: &str = "pricepipe.dev/paused";

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";
const PART_OF: &str = "app.kubernetes.io/part-of";
const VERSION: &str = "app.kubernetes.io/version";
const PRODUCT: &str = "pricepipe";

/// Labels, in the form that Kubernetes' types have.
pub type Labels = BTreeMap<String, String>;

/// One of the two kinds of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Exchange to Kafka.
    Producer,
    /// Kafka to the store.
    Consumer,
}

impl Component {
    /// Both.
    pub const ALL: [Component; 2] = [Component::Producer, Component::Consumer];

    /// As it stands in labels and names.
    pub fn as_str(self) -> &'static str {
        match self {
            Component::Producer => "producer",
            Component::Consumer => "consumer",
        }
    }
}

/// The workers that one Deployment runs: the producers of a shard, or the consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// The producers of the shard with this index.
    Producer(u32),
    /// All consumers.
    Consumer,
}

impl Worker {
    /// Those of a pipeline that is not split.
    pub const FIRST: [Worker; 2] = [Worker::Producer(0), Worker::Consumer];

    /// What they do.
    pub fn component(self) -> Component {
        match self {
            Worker::Producer(_) => Component::Producer,
            Worker::Consumer => Component::Consumer,
        }
    }

    /// As it stands in labels and names. Each has its own, so that no Deployment's selector finds the pods of another.
    pub fn label(self) -> Cow<'static, str> {
        match self {
            Worker::Producer(0) | Worker::Consumer => Cow::Borrowed(self.component().as_str()),
            Worker::Producer(shard) => Cow::Owned(format!("{}-{shard}", Component::Producer.as_str())),
        }
    }
}

/// The labels of an object of a pipeline; `worker` where it belongs to one Deployment alone.
pub fn object(pipeline: &Pipeline, worker: Option<Worker>) -> Labels {
    let mut labels = pair(NAME, PRODUCT);
    labels.extend([
        (INSTANCE.to_owned(), pipeline.name.to_string()),
        (PART_OF.to_owned(), PRODUCT.to_owned()),
        (MANAGED_BY.to_owned(), CONTROLLER.to_owned()),
        (VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        (PIPELINE.to_owned(), pipeline.name.to_string()),
    ]);
    labels.extend(worker.map(|worker| (COMPONENT.to_owned(), worker.label().into_owned())));
    labels
}

/// The labels of a pod. The version is not among them: an upgrade that leaves a worker as it is restarts nothing.
pub fn pod(pipeline: &Pipeline, worker: Worker) -> Labels {
    let mut labels = object(pipeline, Some(worker));
    labels.remove(VERSION);
    labels.extend(pair(METRICS, "true"));
    labels
}

/// What finds the pods of one Deployment.
pub fn selector(pipeline: &Pipeline, worker: Worker) -> Labels {
    let mut labels = pair(NAME, PRODUCT);
    labels.extend(pair(INSTANCE, pipeline.name.as_str()));
    labels.extend(pair(COMPONENT, &worker.label()));
    labels
}

/// What finds the pods of all workers.
pub fn workers(pipeline: &Pipeline) -> Labels {
    let mut labels = pair(PIPELINE, pipeline.name.as_str());
    labels.extend(pair(METRICS, "true"));
    labels
}

/// A selector as `kubectl` and the scale subresource write it.
pub fn selector_text(pipeline: &Pipeline, worker: Worker) -> String {
    let pairs: Vec<String> =
        selector(pipeline, worker).iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// What finds every object of a pipeline.
pub fn of_pipeline(name: &str) -> String {
    format!("{},{PIPELINE}={name}", managed())
}

/// What finds every object that the controller made.
pub fn managed() -> String {
    format!("{MANAGED_BY}={CONTROLLER}")
}

fn pair(key: &str, value: &str) -> Labels {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}
