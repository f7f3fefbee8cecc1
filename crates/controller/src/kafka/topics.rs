//! Makes topics what a pipeline wants them to be. Network I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use pricepipe_api::TopicStatus;
use pricepipe_core::pipeline::{Topic, TopicSettings};
use pricepipe_service::kafka::native::{self, DescribedTopic};
use rdkafka::{
    admin::{NewPartitions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication},
    error::RDKafkaErrorCode,
};

use super::{
    KafkaAdmin, KafkaError,
    admin::PATIENCE,
    plan::{Observed, Plan, plan},
};

/// How long a topic that was created may take to be seen.
const SEEN_WITHIN: Duration = Duration::from_secs(3);
/// The most topics of one request to create them.
const AT_ONCE: usize = 100;
/// The most topics of `status.topics`.
const MOST: usize = 1_001;

/// How the topics are in Kafka, before anything is done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// How many brokers the cluster has now.
    pub(crate) brokers: usize,
    /// Partitions of each topic, by how they are.
    pub(crate) topics: BTreeMap<String, Partitions>,
}

/// How many partitions of a topic are as they should be, have too few copies, or none that can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partitions {
    pub(crate) in_sync: u32,
    pub(crate) under_replicated: u32,
    pub(crate) offline: u32,
}

/// What became of the topics.
#[derive(Debug, Default)]
pub(crate) struct Ensured {
    /// `None` when Kafka could not be asked.
    pub(crate) health: Option<Health>,
    /// For `status.topics`: the wanted topics that exist, and those that the pipeline created and no longer wants.
    pub(crate) topics: Vec<TopicStatus>,
    /// What is not as wanted. Workers may run nevertheless as soon as every wanted topic is in `topics`.
    pub(crate) problems: Vec<KafkaError>,
}

/// Makes topics what a pipeline wants them to be. `known` is its `status.topics`.
///
/// `write` is called before topics are created, and has to write what it is given to `status.topics`: should this process
/// end between the creation and the next status, its successor still knows whose they are. Nothing is created when it
/// fails. It is called again at once where somebody else was faster, or their topic would count as the pipeline's own.
pub(crate) async fn ensure<E, Written: Future<Output = Result<(), E>>>(
    admin: &KafkaAdmin,
    wanted: &[Topic],
    settings: &TopicSettings,
    known: &[TopicStatus],
    write: impl Fn(Vec<TopicStatus>) -> Written,
) -> Result<Ensured, E> {
    let names = wanted.iter().map(|topic| topic.name.to_string());
    let names: BTreeSet<String> = names.chain(known.iter().map(|known| known.name.clone())).collect();
    let Observation { observed, health, mut problems } = match observe(admin, names).await {
        Ok(observation) => observation,
        Err(error) => return Ok(Ensured { health: None, topics: known.to_vec(), problems: vec![error] }),
    };
    let mut plan = plan(wanted, settings, &observed, known);
    problems.append(&mut plan.refused);
    let mut topics = std::mem::take(&mut plan.there);
    if !plan.create.is_empty() {
        let intended = plan.create.iter().map(intention);
        write(topics.iter().cloned().chain(intended).take(MOST).collect()).await?;
        let (created, failed) = create(admin, &plan.create, settings).await;
        let is_anothers = created.iter().any(|topic| !topic.created);
        topics.extend(created);
        problems.extend(failed);
        if is_anothers {
            write(topics.iter().take(MOST).cloned().collect()).await?;
        }
    }
    problems.extend(grow(admin, &plan, &mut topics).await);
    problems.extend(set(admin, plan.set).await);
    topics.truncate(MOST);
    Ok(Ensured { health: Some(health), topics, problems })
}

/// What is written down of a topic that is about to be created.
fn intention(topic: &Topic) -> TopicStatus {
    let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
    TopicStatus { name: topic.name.to_string(), id: None, partitions, created: true }
}

type Problems = Vec<KafkaError>;

/// Those topics that exist, how they are, and what keeps others from being seen.
struct Observation {
    observed: BTreeMap<String, Observed>,
    health: Health,
    problems: Problems,
}

async fn observe(admin: &KafkaAdmin, names: BTreeSet<String>) -> Result<Observation, KafkaError> {
    let (mut found, mut problems) = (BTreeMap::new(), Problems::new());
    let (brokers, described) = admin.describe_cluster(names.into_iter().collect()).await?;
    for (name, described) in described {
        match described {
            Ok(topic) => {
                found.insert(name, topic);
            }
            Err(code) => return Err(refusal(admin, &name, "cannot be looked at", code)),
        }
    }
    let mut configs = configs(admin, found.keys()).await?;
    let health = Health {
        brokers,
        topics: found.iter().map(|(name, topic)| (name.clone(), partitions(topic))).collect(),
    };
    let observed = found.into_iter().map(|(name, topic)| {
        let config = configs.remove(&name).filter(|config| !config.is_empty());
        if config.is_none() {
            let code = RDKafkaErrorCode::TopicAuthorizationFailed;
            problems.push(refusal(admin, &name, "does not show its configuration", code));
        }
        let DescribedTopic { id, partitions, replicas, .. } = topic;
        (name, Observed { id: id.map(|id| id.to_string()), partitions, replicas, config })
    });
    let observed = observed.collect();
    Ok(Observation { observed, health, problems })
}

fn partitions(topic: &DescribedTopic) -> Partitions {
    let DescribedTopic { partitions, under_replicated, offline, .. } = *topic;
    Partitions { in_sync: partitions - under_replicated - offline, under_replicated, offline }
}

async fn configs(
    admin: &KafkaAdmin,
    topics: impl Iterator<Item = &String>,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, KafkaError> {
    let topics: Vec<ResourceSpecifier<'_>> = topics.map(|topic| ResourceSpecifier::Topic(topic)).collect();
    if topics.is_empty() {
        return Ok(BTreeMap::new());
    }
    let described =
        admin.call(async |client| client.describe_configs(&topics, &KafkaAdmin::options()).await).await?;
    let topic = |resource: rdkafka::admin::ConfigResource| {
        let OwnedResourceSpecifier::Topic(name) = resource.specifier else { return None };
        let entries = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
        Some((name, entries.collect()))
    };
    Ok(described.into_iter().flatten().filter_map(topic).collect())
}

/// Creates topics, and says what is known of each that is there afterwards.
async fn create(
    admin: &KafkaAdmin,
    topics: &[Topic],
    settings: &TopicSettings,
) -> (Vec<TopicStatus>, Problems) {
    let (mut made, mut problems) = (Vec::new(), Problems::new());
    for topics in topics.chunks(AT_ONCE) {
        let results = match request_creation(admin, topics, settings).await {
            Ok(results) => results,
            Err(error) => {
                // They may have been created: what was intended stays written down until that is known.
                made.extend(topics.iter().map(intention));
                problems.push(error);
                continue;
            }
        };
        for (topic, result) in topics.iter().zip(results) {
            match result {
                Ok(_) => made.push(intention(topic)),
                // Somebody else was faster, so it is theirs.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {
                    made.push(TopicStatus { created: false, ..intention(topic) });
                }
                Err((name, code)) if may_have_been_done(code) => {
                    made.push(intention(topic));
                    problems.push(refusal(admin, &name, "cannot be created", code));
                }
                Err((name, code)) => problems.push(refusal(admin, &name, "cannot be created", code)),
            }
        }
    }
    if let Err(error) = identify(admin, &mut made).await {
        problems.push(error);
    }
    (made, problems)
}

async fn request_creation(
    admin: &KafkaAdmin,
    topics: &[Topic],
    settings: &TopicSettings,
) -> Result<Vec<rdkafka::admin::TopicResult>, KafkaError> {
    let copies = i32::try_from(settings.replication_factor).unwrap_or(i32::MAX);
    let entries: Vec<_> = topics.iter().map(|topic| settings.entries(topic.compacted)).collect();
    let new = topics.iter().zip(&entries).map(|(topic, entries)| {
        let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        let bare = NewTopic::new(topic.name.as_str(), partitions, TopicReplication::Fixed(copies));
        entries.iter().fold(bare, |topic, (key, value)| topic.set(key, value))
    });
    let new: Vec<NewTopic<'_>> = new.collect();
    admin.call(async |client| client.create_topics(&new, &KafkaAdmin::options()).await).await
}

/// Learns the ids of topics that were just created. One that is not seen in time has none yet.
async fn identify(admin: &KafkaAdmin, topics: &mut [TopicStatus]) -> Result<(), KafkaError> {
    let start = Instant::now();
    loop {
        let unknown = topics.iter().filter(|topic| topic.id.is_none()).map(|topic| topic.name.clone());
        let found = admin.describe(unknown.collect()).await?;
        let all = topics.iter().all(|topic| topic.id.is_some() || found.contains_key(&topic.name));
        for topic in topics.iter_mut() {
            if let Some(Ok(found)) = found.get(&topic.name) {
                topic.id = found.id.as_ref().map(ToString::to_string);
                topic.partitions = i32::try_from(found.partitions).unwrap_or(i32::MAX);
            }
        }
        if all || start.elapsed() > SEEN_WITHIN {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Adds partitions, and notes in the statuses where it worked.
async fn grow(admin: &KafkaAdmin, plan: &Plan, statuses: &mut [TopicStatus]) -> Problems {
    if plan.grow.is_empty() {
        return Problems::new();
    }
    let count = |topic: &Topic| usize::try_from(topic.partitions).unwrap_or(usize::MAX);
    let new = plan.grow.iter().map(|topic| NewPartitions::new(topic.name.as_str(), count(topic)));
    let new: Vec<NewPartitions<'_>> = new.collect();
    let grown = admin.call(async |client| client.create_partitions(&new, &KafkaAdmin::options()).await);
    let results = match grown.await {
        Ok(results) => results,
        Err(error) => return vec![error],
    };
    let mut problems = Problems::new();
    for (topic, result) in plan.grow.iter().zip(results) {
        match result {
            Ok(_) => {
                let mut status = statuses.iter_mut().filter(|status| status.name == topic.name.as_str());
                status.by_ref().for_each(|status| status.partitions = intention(topic).partitions);
            }
            Err((name, code)) => problems.push(refusal(admin, &name, "does not get more partitions", code)),
        }
    }
    problems
}

async fn set(admin: &KafkaAdmin, topics: BTreeMap<String, BTreeMap<String, String>>) -> Problems {
    if topics.is_empty() {
        return Problems::new();
    }
    let changed =
        admin.ask(move |handles| native::set_topic_configs(handles.topics(), &topics, PATIENCE)).await;
    let problem = |(topic, result): (String, Result<(), (RDKafkaErrorCode, String)>)| {
        let (code, text) = result.err()?;
        Some(refusal(admin, &topic, &format!("does not take the configuration ({text})"), code))
    };
    match changed {
        Ok(changed) => changed.into_iter().filter_map(problem).collect(),
        Err(error) => vec![error],
    }
}

/// Whether something may have happened although it is called an error.
fn may_have_been_done(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{NetworkException, OperationTimedOut, RequestTimedOut};
    [NetworkException, OperationTimedOut, RequestTimedOut].contains(&code)
}

/// What a code comes to that Kafka gave for one topic.
pub(super) fn refusal(admin: &KafkaAdmin, topic: &str, what: &str, code: RDKafkaErrorCode) -> KafkaError {
    use RDKafkaErrorCode as Code;
    let remedy = match code {
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            return KafkaError::Forbidden {
                what: format!("topic {topic} {what}: Kafka does not allow {} to", admin.user()),
                remedy:
                    "grant it Create, Delete, Describe, Alter, DescribeConfigs and AlterConfigs on the topic"
                        .to_owned(),
            };
        }
        Code::InvalidReplicationFactor => {
            "there are too few brokers: lower spec.kafka.topics.replicationFactor"
        }
        Code::InvalidPartitions => "lower spec.kafka.topics.partitions",
        Code::InvalidConfig => "correct spec.kafka.topics.config",
        Code::PolicyViolation => "a policy of the brokers forbids it: ask who runs them what they allow",
        Code::TopicDeletionDisabled => {
            "the brokers have delete.topic.enable=false: delete it when they no longer do"
        }
        Code::InvalidTopic => "Kafka takes '.' and '_' for the same: choose another name",
        Code::ReassignmentInProgress => "its partitions are being moved: it is tried again",
        _ => return KafkaError::Unreachable(format!("topic {topic} {what}: {code}; it is tried again")),
    };
    KafkaError::Refused {
        topic: topic.to_owned(),
        what: format!("it {what}: {code}"),
        remedy: remedy.to_owned(),
    }
}
