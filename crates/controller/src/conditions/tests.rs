//! Conditions change when they should, and only then.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_413_600 + second).expect("a time")
}

fn good(about: ConditionType) -> Finding {
    Finding::good(about, Reason::Running, "fine")
}

/// All conditions but Ready, good.
fn all_good() -> Vec<Condition> {
    let mut conditions = Vec::new();
    for about in ConditionType::ALL.iter().filter(|about| **about != ConditionType::Ready) {
        set(&mut conditions, &good(*about), 1, at(0));
    }
    conditions
}

#[test]
fn the_time_of_a_transition_is_kept_until_the_status_changes() {
    let mut conditions = Vec::new();
    let about = ConditionType::KafkaReachable;
    set(&mut conditions, &Finding::bad(about, Reason::Unreachable, "a"), 1, at(0));
    set(&mut conditions, &Finding::bad(about, Reason::AuthenticationFailed, "b"), 2, at(5));
    let condition = get(&conditions, about).unwrap();
    assert_eq!((condition.last_transition_time.0, condition.message.as_str()), (at(0), "b"));
    assert_eq!((condition.reason.as_str(), condition.observed_generation), ("AuthenticationFailed", Some(2)));
    set(&mut conditions, &Finding::good(about, Reason::Reachable, "c"), 2, at(9));
    assert_eq!(get(&conditions, about).unwrap().last_transition_time.0, at(9));
    assert_eq!(conditions.len(), 1);
}

#[test]
fn the_same_finding_again_changes_nothing_even_after_the_api_server_had_it() {
    let moment = at(0) + k8s_openapi::jiff::SignedDuration::from_millis(789);
    let mut conditions = Vec::new();
    set(&mut conditions, &good(ConditionType::SpecValid), 1, moment);
    let stored: Vec<Condition> = serde_json::from_value(serde_json::to_value(&conditions).unwrap()).unwrap();
    assert_eq!(stored, conditions, "finer than a second would be lost");
    set(&mut conditions, &good(ConditionType::SpecValid), 1, at(60));
    assert_eq!(stored, conditions);
}

#[test]
fn conditions_stay_in_order_and_those_of_others_are_left_alone() {
    let mut conditions = all_good();
    let foreign = Condition { type_: "example.com/Checked".to_owned(), ..conditions[0].clone() };
    conditions.insert(0, foreign.clone());
    set(&mut conditions, &good(ConditionType::Ready), 1, at(1));
    let types: Vec<&str> = conditions.iter().map(|condition| condition.type_.as_str()).collect();
    let ours = ConditionType::ALL.iter().map(|about| about.as_str());
    assert_eq!(types, ours.chain(["example.com/Checked"]).collect::<Vec<_>>());
    assert_eq!(conditions.last(), Some(&foreign));
}

#[test]
fn ready_is_the_one_that_says_most() {
    let mut conditions = all_good();
    let running = ready(&conditions, false);
    assert_eq!((running.state, running.reason), (State::True, Reason::Running));

    let bad =
        Finding::bad(ConditionType::ConsumerAvailable, Reason::SecretMissing, "create the Secret mongo");
    set(&mut conditions, &bad, 1, at(1));
    let summary = ready(&conditions, false);
    assert_eq!(summary, Finding { about: ConditionType::Ready, ..bad });
    // What is not known, or only waits, says less than what has to be done.
    let unknown = Finding::unknown(ConditionType::TopicsReady, Reason::NotChecked, "not asked");
    set(&mut conditions, &unknown, 1, at(1));
    let waits = Finding::bad(ConditionType::ProducerAvailable, Reason::Progressing, "0 of 1 ready");
    set(&mut conditions, &waits, 1, at(1));
    assert_eq!(ready(&conditions, false).reason, Reason::SecretMissing);
    set(&mut conditions, &good(ConditionType::ConsumerAvailable), 1, at(1));
    assert_eq!(ready(&conditions, false), Finding { about: ConditionType::Ready, ..waits });
    set(&mut conditions, &good(ConditionType::ProducerAvailable), 1, at(1));
    assert_eq!(ready(&conditions, false), Finding { about: ConditionType::Ready, ..unknown });
}

#[test]
fn a_condition_that_was_never_set_is_not_taken_for_good() {
    let mut conditions = all_good();
    conditions.retain(|condition| condition.type_ != "TopicsReady");
    let summary = ready(&conditions, false);
    assert_eq!((summary.state, summary.reason), (State::Unknown, Reason::NotChecked));
    assert!(summary.message.contains("TopicsReady"), "{}", summary.message);
}

#[test]
fn suspended_wins_over_all_but_an_invalid_spec_and_a_worker_that_could_not_be_ended() {
    let mut conditions = all_good();
    set(&mut conditions, &Finding::bad(ConditionType::KafkaReachable, Reason::Unreachable, "away"), 1, at(1));
    assert_eq!(ready(&conditions, true).reason, Reason::Suspended);
    let about = ConditionType::ProducerAvailable;
    set(&mut conditions, &Finding::bad(about, Reason::Suspended, "no producer runs"), 1, at(1));
    assert_eq!(ready(&conditions, true).reason, Reason::Suspended);
    set(&mut conditions, &Finding::bad(about, Reason::Forbidden, "cannot patch deployments"), 1, at(1));
    assert_eq!(ready(&conditions, true).reason, Reason::Forbidden);
    set(&mut conditions, &Finding::bad(ConditionType::SpecValid, Reason::Invalid, "spec.symbols"), 1, at(1));
    assert_eq!(ready(&conditions, true).reason, Reason::Invalid);
}

#[test]
fn types_and_reasons_are_words_that_kubernetes_takes() {
    let words = ConditionType::ALL.iter().map(|about| about.as_str());
    for word in words.chain(Reason::ALL.iter().map(|reason| reason.as_str())) {
        assert!(word.starts_with(|c: char| c.is_ascii_uppercase()), "{word}");
        assert!(word.chars().all(|c| c.is_ascii_alphanumeric()), "{word}");
    }
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let mut conditions = Vec::new();
    set(
        &mut conditions,
        &Finding::bad(ConditionType::SpecValid, Reason::Invalid, "ü".repeat(5_000)),
        1,
        at(0),
    );
    let message = &conditions[0].message;
    assert!(
        message.len() <= LONGEST_MESSAGE + '…'.len_utf8() && message.ends_with("ü…"),
        "{}",
        message.len()
    );
}
