use super::*;

const HOUR: u64 = 3_600;

fn settings() -> TopicSettings {
    TopicSettings {
        partitions: 3,
        replication_factor: 1,
        min_in_sync_replicas: 1,
        retention_seconds: HOUR,
        config: [("segment.ms".to_owned(), "60000".to_owned())].into(),
    }
}

fn wanted() -> Vec<Topic> {
    vec![Topic { name: "btc".parse().unwrap(), partitions: 3, compacted: false }]
}

/// The topic as `settings` and `wanted` would make it, and one more entry.
fn made() -> Observed {
    let mut config = settings().entries(false);
    config.insert("cleanup.policy".to_owned(), "delete".to_owned());
    Observed { id: Some("one".to_owned()), partitions: 3, replicas: 1, config: Some(config) }
}

fn known(id: Option<&str>, created: bool) -> TopicStatus {
    TopicStatus { name: "btc".to_owned(), id: id.map(str::to_owned), partitions: 3, created }
}

fn with(entry: (&str, &str)) -> Observed {
    let mut observed = made();
    observed.config.as_mut().unwrap().insert(entry.0.to_owned(), entry.1.to_owned());
    observed
}

fn planned(found: Observed, known: TopicStatus) -> Plan {
    plan(&wanted(), &settings(), &[("btc".to_owned(), found)].into(), &[known])
}

fn refusal(plan: &Plan) -> String {
    assert_eq!(plan.refused.len(), 1, "{plan:?}");
    assert!(!plan.refused[0].is_transient(), "it waits for a change: {plan:?}");
    plan.refused[0].to_string()
}

#[test]
fn a_topic_that_is_as_wanted_is_left_alone() {
    let plan = planned(made(), known(Some("one"), true));
    assert_eq!(plan, Plan { there: vec![known(Some("one"), true)], ..Plan::default() });
}

#[test]
fn a_topic_that_is_missing_is_created() {
    let plan = plan(&wanted(), &settings(), &BTreeMap::new(), &[known(Some("gone"), true)]);
    assert_eq!(plan, Plan { create: wanted(), ..Plan::default() });
}

#[test]
fn a_topic_that_nobody_created_here_is_used_and_not_owned() {
    assert_eq!(planned(made(), TopicStatus::default()).there, [known(Some("one"), false)]);
    assert_eq!(planned(made(), known(Some("one"), false)).there, [known(Some("one"), false)]);
}

#[test]
fn a_topic_that_somebody_made_again_is_no_longer_ours() {
    assert_eq!(planned(made(), known(Some("zero"), true)).there, [known(Some("one"), false)]);
}

#[test]
fn a_topic_that_is_just_what_was_intended_is_ours_though_its_id_was_never_seen() {
    assert_eq!(planned(made(), known(None, true)).there, [known(Some("one"), true)]);
    let others = [
        Observed { partitions: 4, ..made() },
        Observed { config: None, ..made() },
        with(("segment.ms", "1")),
    ];
    for other in others {
        assert!(!planned(other.clone(), known(None, true)).there[0].created, "{other:?}");
    }
}

#[test]
fn partitions_are_added() {
    let plan = planned(Observed { partitions: 2, ..made() }, known(Some("one"), true));
    assert_eq!((plan.grow, plan.refused), (wanted(), vec![]));
}

#[test]
fn fewer_partitions_are_refused_with_the_number_that_has_to_stay() {
    let plan = planned(Observed { partitions: 6, ..made() }, known(Some("one"), true));
    assert!(refusal(&plan).contains("ask for 6"), "{plan:?}");
    assert_eq!((&plan.grow, plan.there[0].partitions), (&vec![], 6));
}

#[test]
fn a_topic_that_was_there_before_may_have_more_partitions() {
    assert_eq!(planned(Observed { partitions: 6, ..made() }, known(Some("one"), false)).refused, []);
}

#[test]
fn fewer_copies_than_asked_for_are_told_and_more_are_fine() {
    let asks_for_two = TopicSettings { replication_factor: 2, ..settings() };
    let found = |replicas| [("btc".to_owned(), Observed { replicas, ..made() })].into();
    assert!(refusal(&plan(&wanted(), &asks_for_two, &found(1), &[])).contains("replication factor of 1"));
    assert_eq!(plan(&wanted(), &asks_for_two, &found(3), &[]).refused, []);
}

#[test]
fn an_entry_that_differs_is_set_and_no_other() {
    let plan = planned(with(("segment.ms", "1")), known(Some("one"), true));
    let entries = [("segment.ms".to_owned(), "60000".to_owned())].into();
    assert_eq!(plan.set, [("btc".to_owned(), entries)].into());
}

#[test]
fn messages_of_a_topic_that_was_there_before_are_not_deleted_by_a_shorter_retention() {
    for longer in ["3600001", "-1"] {
        let plan = planned(with(("retention.ms", longer)), TopicStatus::default());
        assert!(refusal(&plan).contains(&format!("retention.ms={longer}")), "{plan:?}");
        assert_eq!(plan.set, [].into());
    }
    let plan = planned(with(("retention.ms", "3599999")), TopicStatus::default());
    assert_eq!((plan.set.len(), plan.refused.len()), (1, 0), "a longer one is set");
}

#[test]
fn the_retention_of_a_topic_that_the_pipeline_created_is_what_the_pipeline_says() {
    assert_eq!(planned(with(("retention.ms", "-1")), known(Some("one"), true)).set.len(), 1);
}

#[test]
fn nothing_is_set_where_kafka_does_not_tell_what_there_is() {
    assert_eq!(planned(Observed { config: None, ..made() }, known(Some("one"), true)).set, [].into());
}

#[test]
fn a_topic_of_a_removed_symbol_is_remembered_for_as_long_as_it_is_ours() {
    let remembered = |id, created| {
        plan(&[], &settings(), &[("btc".to_owned(), made())].into(), &[known(Some(id), created)]).there
    };
    assert_eq!(remembered("one", true), [known(Some("one"), true)]);
    assert_eq!(remembered("zero", true), []);
    assert_eq!(remembered("one", false), []);
}
