//! Observations and the status that follows.

use k8s_openapi::api::apps::v1::DeploymentCondition;

use super::*;
use crate::build::tests::pipeline;

const SPEC: &str = "
symbols: [{symbol: BTCUSDT}, {symbol: ETHUSDT}]
producer: {replicas: 2}
";

fn now() -> Timestamp {
    Timestamp::from_second(1_795_413_600).expect("a time")
}

fn deployment(replicas: i32, ready: i32) -> Deployment {
    let mut deployment = Deployment::default();
    deployment.metadata.generation = Some(3);
    deployment.status = Some(DeploymentStatus {
        observed_generation: Some(3),
        replicas: Some(replicas),
        updated_replicas: Some(replicas),
        ready_replicas: Some(ready),
        ..DeploymentStatus::default()
    });
    deployment
}

fn fine() -> Vec<Finding> {
    vec![
        Finding::good(ConditionType::SpecValid, Reason::Valid, ""),
        Finding::good(ConditionType::KafkaReachable, Reason::Reachable, ""),
        Finding::good(ConditionType::TopicsReady, Reason::InSync, ""),
    ]
}

fn topic(name: &str) -> TopicStatus {
    TopicStatus { name: name.to_owned(), id: Some("x".to_owned()), partitions: 3, created: true }
}

/// What is seen of a pipeline in good order.
fn seen<'a>(pipeline: &'a Pipeline, producer: &'a Deployment, consumer: &'a Deployment) -> Observed<'a> {
    Observed {
        generation: 7,
        pipeline: Some(pipeline),
        findings: fine(),
        topics: Some(vec![topic("eth"), topic("btc")]),
        producers: vec![Some(producer)],
        consumer: Some(consumer),
        lag: Lag::Messages(0),
        gaps: None,
        replays: None,
    }
}

fn condition(status: &PricePipelineStatus, about: ConditionType) -> (String, String, String) {
    let condition = conditions::get(&status.conditions, about).expect("the condition");
    (condition.status.clone(), condition.reason.clone(), condition.message.clone())
}

fn reason(status: &PricePipelineStatus, about: ConditionType) -> String {
    condition(status, about).1
}

#[test]
fn a_pipeline_in_good_order_is_ready_and_told_in_full() {
    let (pipeline, producer, consumer) = (pipeline(SPEC), deployment(2, 2), deployment(1, 1));
    let status = status(&PricePipelineStatus::default(), &seen(&pipeline, &producer, &consumer), now());
    assert_eq!(condition(&status, ConditionType::Ready).0, "True");
    assert_eq!(status.conditions.len(), ConditionType::ALL.len());
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(7)));
    assert_eq!((status.observed_generation, status.symbols), (Some(7), Some(2)));
    assert_eq!(status.producer, Some(ProducerStatus { replicas: 2, ready_replicas: 2, shards: Some(1) }));
    let selector = "app.kubernetes.io/component=consumer,app.kubernetes.io/instance=majors,app.kubernetes.io/name=pricepipe";
    let consumer =
        ConsumerStatus { replicas: 1, ready_replicas: 1, selector: Some(selector.to_owned()), lag: Some(0) };
    assert_eq!(status.consumer, Some(consumer));
    let names: Vec<&str> = status.topics.iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!(names, ["btc", "eth"]);
    let estimate = status.estimate.unwrap();
    assert_eq!((estimate.messages_per_day, estimate.request_weight_per_minute), (115_200, 160));
    assert_eq!(estimate.mongodb_bytes_per_day, Some(57_600 * 163));
}

#[test]
fn seeing_the_same_again_writes_nothing() {
    let (pipeline, producer, consumer) = (pipeline(SPEC), deployment(2, 2), deployment(1, 1));
    let mut observed = seen(&pipeline, &producer, &consumer);
    let first = status(&PricePipelineStatus::default(), &observed, now());
    let stored = serde_json::from_value(serde_json::to_value(&first).unwrap()).unwrap();
    let later = now() + k8s_openapi::jiff::SignedDuration::from_secs(600);
    observed.topics.as_mut().unwrap().reverse();
    assert_eq!(
        status(&stored, &observed, later),
        first,
        "the order in which Kafka lists topics is no change"
    );
    observed.lag = Lag::Messages(8);
    assert_eq!(
        status(&stored, &observed, later),
        first,
        "two producers' messages of two symbols from two polls are under way"
    );
    observed.lag = Lag::NotAsked;
    assert_eq!(status(&stored, &observed, later), first);
}

#[test]
fn an_unknown_lag_is_absent_and_a_backlog_is_told_exactly() {
    let (pipeline, producer, mut consumer) = (pipeline(SPEC), deployment(2, 2), deployment(1, 1));
    let lag = |consumer: &Deployment, lag: Lag, previous: Option<i64>| {
        let previous = PricePipelineStatus {
            consumer: Some(ConsumerStatus { lag: previous, ..ConsumerStatus::default() }),
            ..PricePipelineStatus::default()
        };
        let observed = Observed { lag, ..seen(&pipeline, &producer, consumer) };
        status(&previous, &observed, now()).consumer.unwrap().lag
    };
    assert_eq!(lag(&consumer, Lag::Unknown, Some(12)), None);
    assert_eq!(lag(&consumer, Lag::NotAsked, Some(12)), Some(12));
    assert_eq!(lag(&consumer, Lag::Messages(9), Some(12)), Some(9));
    assert_eq!(lag(&consumer, Lag::Messages(u64::MAX), None), Some(i64::MAX));
    consumer = deployment(1, 0);
    assert_eq!(lag(&consumer, Lag::Messages(4), Some(0)), Some(4), "nobody is there to store them");
}

#[test]
fn an_invalid_spec_is_told_and_what_runs_stays_as_it_was() {
    let (pipeline, producer, consumer) = (pipeline(SPEC), deployment(2, 2), deployment(1, 1));
    let before = status(&PricePipelineStatus::default(), &seen(&pipeline, &producer, &consumer), now());
    let invalid = Finding::bad(ConditionType::SpecValid, Reason::Invalid, "spec.symbols[0].base: missing");
    let observed = Observed {
        generation: 8,
        pipeline: None,
        findings: vec![invalid],
        topics: None,
        producers: vec![None],
        gaps: None,
        replays: None,
        consumer: None,
        lag: Lag::NotAsked,
    };
    let after = status(&before, &observed, now());
    let ready = condition(&after, ConditionType::Ready);
    assert_eq!(ready, ("False".into(), "Invalid".into(), "spec.symbols[0].base: missing".into()));
    assert_eq!(after.observed_generation, Some(8));
    assert_eq!((&after.topics, &after.consumer), (&before.topics, &before.consumer));
    let available = conditions::get(&after.conditions, ConditionType::ConsumerAvailable);
    assert_eq!(available, conditions::get(&before.conditions, ConditionType::ConsumerAvailable));
}

#[test]
fn workers_are_available_once_all_run_what_they_should() {
    let pipeline = pipeline(SPEC);
    let consumer = deployment(1, 1);
    let told = |producer: Option<&Deployment>| {
        let observed = Observed { producers: vec![producer], ..seen(&pipeline, &consumer, &consumer) };
        let status = status(&PricePipelineStatus::default(), &observed, now());
        condition(&status, ConditionType::ProducerAvailable)
    };
    let waiting =
        "1 of 2 ready; kubectl logs -n prod deployment/majors-producer says what a producer waits for";
    let waiting: (String, String, String) = ("False".into(), "Progressing".into(), waiting.into());
    assert_eq!(told(Some(&deployment(2, 2))), ("True".into(), "Available".into(), "2 of 2 ready".into()));
    assert_eq!(told(None).1, "Progressing");
    assert_eq!(told(Some(&deployment(2, 1))), waiting);
    assert_eq!(told(Some(&deployment(1, 1))).1, "Progressing", "not scaled yet");
    let mut unseen = deployment(2, 2);
    unseen.metadata.generation = Some(4);
    assert_eq!(
        told(Some(&unseen)).1,
        "Progressing",
        "a change that the Deployment's controller has not seen"
    );
    let mut rolling = deployment(3, 3);
    rolling.status.as_mut().unwrap().updated_replicas = Some(1);
    assert_eq!(told(Some(&rolling)), waiting);
}

#[test]
fn a_deployment_that_is_stuck_says_why() {
    let pipeline = pipeline(SPEC);
    let fine = deployment(2, 2);
    for (type_, status_, words) in [
        ("ReplicaFailure", "True", "pods cannot be created: exceeded quota"),
        ("Progressing", "False", "pods do not become ready: exceeded quota"),
    ] {
        let mut stuck = deployment(2, 2);
        stuck.status.as_mut().unwrap().conditions = Some(vec![DeploymentCondition {
            type_: type_.to_owned(),
            status: status_.to_owned(),
            message: Some("exceeded quota".to_owned()),
            ..DeploymentCondition::default()
        }]);
        let observed = Observed { consumer: Some(&stuck), ..seen(&pipeline, &fine, &stuck) };
        let status = status(&PricePipelineStatus::default(), &observed, now());
        let (state, reason, message) = condition(&status, ConditionType::ConsumerAvailable);
        assert_eq!((state.as_str(), reason.as_str()), ("False", "Failed"));
        assert!(message.starts_with(words), "{message}");
        assert_eq!(condition(&status, ConditionType::Ready).2, message);
    }
}

#[test]
fn suspended_and_scaled_to_zero_are_told_apart() {
    let (mut pipeline, none) = (pipeline(SPEC), deployment(0, 0));
    pipeline.consumer_replicas = 0;
    let told = status(&PricePipelineStatus::default(), &seen(&pipeline, &deployment(2, 2), &none), now());
    assert_eq!(reason(&told, ConditionType::Ready), "ScaledToZero");
    pipeline.suspend = true;
    let told = status(&PricePipelineStatus::default(), &seen(&pipeline, &none, &none), now());
    assert_eq!(reason(&told, ConditionType::Ready), "Suspended");
    assert_eq!(reason(&told, ConditionType::ConsumerAvailable), "Suspended");
    assert_eq!(reason(&told, ConditionType::KafkaReachable), "Reachable");
}

#[test]
fn a_finding_about_a_worker_wins_over_its_deployment() {
    let (pipeline, producer, consumer) = (pipeline(SPEC), deployment(2, 2), deployment(1, 1));
    let mut observed = seen(&pipeline, &producer, &consumer);
    let missing =
        Finding::bad(ConditionType::ConsumerAvailable, Reason::SecretMissing, "create the Secret mongo");
    observed.findings.push(missing);
    let status = status(&PricePipelineStatus::default(), &observed, now());
    assert_eq!(reason(&status, ConditionType::ConsumerAvailable), "SecretMissing");
    assert_eq!(condition(&status, ConditionType::Ready).2, "create the Secret mongo");
}

#[test]
fn a_pipeline_that_is_set_aside_keeps_all_but_ready() {
    let (pipeline, producer, consumer) = (pipeline(SPEC), deployment(2, 2), deployment(1, 1));
    let before = status(&PricePipelineStatus::default(), &seen(&pipeline, &producer, &consumer), now());
    let paused = set_aside(&before, Reason::Paused, "left alone", 7, now());
    assert_eq!(
        condition(&paused, ConditionType::Ready),
        ("Unknown".into(), "Paused".into(), "left alone".into())
    );
    assert_eq!(paused.conditions[1..], before.conditions[1..]);
    assert_eq!(PricePipelineStatus { conditions: before.conditions.clone(), ..paused }, before);
}

#[test]
fn shards_are_summed_up_and_the_one_that_is_behind_is_named() {
    let pipeline = pipeline(&SPEC.replace("replicas: 2", "replicas: 2, shards: 2"));
    let (one, two, consumer) = (deployment(2, 2), deployment(2, 1), deployment(1, 1));
    let mut observed = seen(&pipeline, &one, &consumer);
    observed.producers = vec![Some(&one), Some(&two)];
    let behind = status(&PricePipelineStatus::default(), &observed, now());
    let expected = ProducerStatus { replicas: 4, ready_replicas: 3, shards: Some(2) };
    assert_eq!(behind.producer, Some(expected));
    let (_, why, message) = condition(&behind, ConditionType::ProducerAvailable);
    assert_eq!(why, "Progressing");
    assert!(
        message.starts_with("3 of 4 ready; kubectl logs -n prod deployment/majors-producer-1 "),
        "{message}"
    );

    observed.producers = vec![Some(&one), Some(&one)];
    let good = status(&behind, &observed, now());
    assert_eq!(condition(&good, ConditionType::ProducerAvailable).2, "4 of 4 ready");
    observed.producers = vec![Some(&one), None];
    let missing = status(&good, &observed, now());
    assert_eq!(reason(&missing, ConditionType::ProducerAvailable), "Progressing");
}

#[test]
fn gaps_stay_as_they_are_known_until_they_are_read_again_or_nobody_can_notice_any() {
    let streamed = format!("{SPEC}sources: [{{exchange: binance, websocket: {{stream: trade}}}}]\n");
    let (streamed, polled) = (pipeline(&streamed), pipeline(SPEC));
    let (producer, consumer) = (deployment(2, 2), deployment(1, 1));
    let gaps = GapsStatus { open: 1, filled: 2, ..GapsStatus::default() };
    let mut observed = Observed { gaps: Some(gaps.clone()), ..seen(&streamed, &producer, &consumer) };
    let read = status(&PricePipelineStatus::default(), &observed, now());
    assert_eq!(read.gaps, Some(gaps.clone()));
    observed.gaps = None;
    let later = status(&read, &observed, now());
    assert_eq!(later.gaps, Some(gaps));
    assert_eq!(status(&later, &seen(&polled, &producer, &consumer), now()).gaps, None);
    for (messages, lag) in [(400, 0), (401, 401)] {
        observed.lag = Lag::Messages(messages);
        let consumer = status(&later, &observed, now()).consumer.unwrap();
        assert_eq!(consumer.lag, Some(lag), "what two producers send of two busy markets is under way");
    }
}

#[test]
fn replays_are_told_until_the_spec_has_them_no_more_and_are_written_when_they_move() {
    let source = |start: &str| {
        format!(
            "{{exchange: binance, replay: {{trades: true, start: '{start}', end: '2026-11-03T00:00:00Z'}}}}"
        )
    };
    let replaying = pipeline(&format!("{SPEC}sources: [{}]\n", source("2026-11-01T00:00:00Z")));
    let polled = pipeline(SPEC);
    let (producer, consumer) = (deployment(2, 2), deployment(1, 1));
    let word = |symbol: &str, reached: &str| ReplayProgress {
        source: "binance".to_owned(),
        exchange: pricepipe_core::Exchange::Binance,
        symbol: symbol.parse().unwrap(),
        interval: None,
        start: "2026-11-01T00:00:00Z".parse().unwrap(),
        end: "2026-11-03T00:00:00Z".parse().unwrap(),
        reached: reached.parse().unwrap(),
        records: 1,
        state: pricepipe_core::ReplayState::Running,
    };
    let seen = |words: Option<Vec<ReplayProgress>>| Observed {
        replays: words,
        ..seen(&replaying, &producer, &consumer)
    };
    let one = vec![word("BTCUSDT", "2026-11-02T00:00:00Z")];
    let first = status(&PricePipelineStatus::default(), &seen(Some(one.clone())), now());
    let told = &first.replays[0];
    assert_eq!((told.source.as_str(), told.symbols, told.complete, told.percent), ("binance", 2, 0, 25));
    let stored: PricePipelineStatus = serde_json::from_value(serde_json::to_value(&first).unwrap()).unwrap();
    for same in [None, Some(one)] {
        assert_eq!(status(&stored, &seen(same), now()), first, "nothing is written");
    }
    let both = vec![word("ETHUSDT", "2026-11-02T00:00:00Z"), word("BTCUSDT", "2026-11-02T00:00:00Z")];
    assert_eq!(status(&stored, &seen(Some(both)), now()).replays[0].percent, 50);
    let elsewhere = Observed { pipeline: Some(&polled), ..seen(None) };
    assert_eq!(status(&stored, &elsewhere, now()).replays, []);
}
