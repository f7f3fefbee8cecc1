//! What is planned for the indexes that a collection has.

use ::mongodb::bson::RawDocumentBuf;

use super::*;

fn index(name: &str, key: Document) -> Index {
    Index { name: name.to_owned(), key, ..Index::default() }
}

fn ttl(name: &str, seconds: f64) -> Index {
    Index { expire_after_seconds: Some(seconds), ..index(name, doc! {"time": 1}) }
}

fn query() -> Index {
    index(QUERY_INDEX, doc! {"symbol": 1, "time": -1})
}

fn created(plan: &Plan) -> Vec<&str> {
    plan.create.iter().map(|index| index.get_str("name").unwrap()).collect()
}

#[test]
fn a_new_collection_gets_what_it_needs() {
    assert_eq!(created(&plan(&[], 0).unwrap()), [QUERY_INDEX]);
    let with_retention = plan(&[], 3_600).unwrap();
    assert_eq!(created(&with_retention), [QUERY_INDEX, TTL_INDEX]);
    assert_eq!(
        with_retention.create[1],
        doc! {"key": {"time": 1}, "name": TTL_INDEX, "expireAfterSeconds": 3_600_i64}
    );
}

#[test]
fn what_is_there_is_not_made_again_whatever_its_name_and_number_type() {
    assert_eq!(plan(&[query(), ttl(TTL_INDEX, 60.0)], 60), Ok(Plan::default()));
    let theirs = index("by hand", doc! {"symbol": 1.0, "time": -1_i64});
    assert_eq!(plan(&[theirs, ttl("theirs", 60.0)], 60), Ok(Plan::default()));
    assert_eq!(plan(&[query(), ttl("theirs", 60.0)], 0), Ok(Plan::default()));
}

#[test]
fn a_changed_retention_changes_or_drops_our_own_index_only() {
    let plan_for = |seconds| plan(&[query(), ttl(TTL_INDEX, 60.0)], seconds).unwrap();
    assert_eq!(plan_for(120), Plan { change_ttl: Some(120), ..Plan::default() });
    assert_eq!(plan_for(0), Plan { drop_ttl: true, ..Plan::default() });
    assert_eq!(plan_for(u32::MAX).change_ttl, Some(i64::from(i32::MAX)));
}

#[test]
fn what_is_in_the_way_is_named_and_left_alone() {
    let partial = Index { partial: true, ..query() };
    for (existing, retention, name) in [
        (vec![index(QUERY_INDEX, doc! {"price": 1})], 0, QUERY_INDEX),
        (vec![index(QUERY_INDEX, doc! {"time": -1, "symbol": 1})], 0, QUERY_INDEX),
        (vec![partial], 0, QUERY_INDEX),
        (vec![query(), index(TTL_INDEX, doc! {"time": 1})], 60, TTL_INDEX),
        (vec![query(), index(TTL_INDEX, doc! {"received": 1})], 0, TTL_INDEX),
        (vec![query(), ttl("theirs", 30.0)], 60, "theirs"),
        (vec![query(), index("theirs", doc! {"time": 1})], 60, "theirs"),
    ] {
        let problem = plan(&existing, retention).unwrap_err();
        assert!(problem.contains(name) && problem.contains("drop"), "{problem}");
    }
}

#[test]
fn collections_that_keep_no_unique_id_are_a_conflict() {
    let judge = |description: Document| refuse_other_kind(&RawDocumentBuf::try_from(&description).unwrap());
    let options =
        doc! {"timeseries": {"timeField": "time", "granularity": "seconds", "bucketMaxSpanSeconds": 3600}};
    let error = judge(doc! {"name": "btc", "type": "timeseries", "options": options}).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Conflict);
    assert!(error.message.contains("btc is a time-series collection"), "{error}");
    let error = judge(doc! {"name": "btc", "type": "view", "options": {"viewOn": "eth"}}).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Conflict);
    assert!(judge(doc! {"name": "btc", "type": "collection", "options": {}}).is_ok());
}

#[test]
fn descriptions_are_read_in_whatever_number_type() {
    for seconds in [::mongodb::bson::Bson::Int32(60), 60_i64.into(), 60.0.into()] {
        let description = doc! {"v": 2, "key": {"time": 1}, "name": TTL_INDEX, "expireAfterSeconds": seconds};
        let read = super::index(&RawDocumentBuf::try_from(&description).unwrap());
        assert_eq!(read, ttl(TTL_INDEX, 60.0));
    }
    let partial = doc! {"key": {"time": 1}, "name": "p", "partialFilterExpression": {"price": 1}};
    assert!(super::index(&RawDocumentBuf::try_from(&partial).unwrap()).partial);
}
