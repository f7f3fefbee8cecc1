//! What a user is told: every fault at once, each with its path and its remedy, and never a secret.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use pricepipe_api::validate_text;

fn faults(text: &str) -> Vec<String> {
    let documents = validate_text(text);
    let faults = documents.into_iter().flat_map(|document| document.pipeline.err().unwrap_or_default());
    faults.map(|fault| fault.to_string()).collect()
}

fn pipeline(spec: &str) -> String {
    format!(
        "apiVersion: pricepipe.dev/v1alpha1\nkind: PricePipeline\nmetadata: {{name: majors}}\nspec:\n{spec}"
    )
}

#[test]
fn all_faults_of_a_document_are_reported_at_once_whichever_step_finds_them() {
    let found = faults(&pipeline(
        r#"
  symbols: [{symbol: btcusdt}, {symbol: FOOBAR}]
  kafka: {bootstrapServers: ["kafka:99999"], topics: {minInSyncReplicas: 2}}
  sources: [{exchange: binance, rest: {intervalSeconds: 0, interval: 3}}]
  consumer: {resources: {limits: {cpu: 1.5}}}
  colour: red
"#,
    ));
    let expected = [
        "spec.colour: unknown field; there are ",
        "spec.consumer.resources.limits.cpu: must be a text, not a number; write it in quotes",
        "spec.kafka.bootstrapServers[0]: \"kafka:99999\" is not host:port, as in kafka:9092",
        "spec.kafka.topics: minInSyncReplicas must not be above replicationFactor, or nothing could be written",
        "spec.sources[0].rest.interval: unknown field; did you mean \"intervalSeconds\"?",
        "spec.sources[0].rest.intervalSeconds: 0 is below the minimum of 1",
        "spec.symbols[0].symbol: \"btcusdt\" is not allowed: a symbol is 1 to 20 of ",
        "spec.symbols[1].base: missing: the base asset of FOOBAR cannot be told from its name; write it, as in base: btc",
    ];
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(sorted.len(), expected.len(), "{found:#?}");
    for (fault, expected) in sorted.iter().zip(expected) {
        assert!(fault.starts_with(expected), "{fault}\n{expected}");
    }
}

#[test]
fn a_broken_rule_hides_no_other_and_their_order_is_always_the_same() {
    let text = pipeline(
        "  symbols: [{symbol: BTCUSDT}]\n  kafka: {topics: {minInSyncReplicas: 3, \
         config: {retention.ms: '1', min.insync.replicas: '2'}}}\n",
    );
    let found = faults(&text);
    let paths: Vec<&str> = found.iter().filter_map(|fault| fault.split(": ").next()).collect();
    let config = "spec.kafka.topics.config";
    assert_eq!(paths, ["spec.kafka.topics", config, config], "{found:#?}");
    for _ in 0..20 {
        // Another thread has hash maps of another order.
        let text = text.clone();
        assert_eq!(std::thread::spawn(move || faults(&text)).join().unwrap(), found);
    }
}

#[test]
fn a_fault_says_what_is_wrong_with_it_and_not_what_is_right() {
    for (spec, expected) in [
        ("  symbols: []\n", "spec.symbols: needs at least 1"),
        (
            "  symbols: [{symbol: BTCUSDT}]\n  sources: []\n",
            "spec.sources: needs at least 1; leave the field out for its default",
        ),
        (
            "  symbols: [{symbol: BTCUSDT}]\n  producer: {replicas: 1.5}\n",
            "spec.producer.replicas: must be a whole number, not 1.5",
        ),
    ] {
        assert_eq!(faults(&pipeline(spec)), [expected]);
    }
}

#[test]
fn what_is_no_pipeline_is_named_with_what_to_write() {
    for (text, expected) in [
        ("", "nothing in it; it begins with apiVersion: pricepipe.dev/v1alpha1 and kind: PricePipeline"),
        ("# only a comment\n---\n", "nothing in it; "),
        ("BTCUSDT", "not a resource; "),
        ("apiVersion: pricepipe.dev/v1alpha1\nspec: {}", "kind: missing; write kind: PricePipeline"),
        (
            "apiVersion: apps/v1\nkind: PricePipeline",
            "apiVersion: \"apps/v1\" is not known here; a pipeline has apiVersion: pricepipe.dev/v1alpha1",
        ),
        ("apiVersion: pricepipe.dev/v1alpha1\nkind: Deployment", "kind: \"Deployment\" is not known here; "),
        ("a: [\n", "not YAML: "),
        ("a: 1\na: 2\n", "not YAML: "),
    ] {
        let found = faults(text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text:?}: {found:?}");
    }
}

#[test]
fn the_frame_of_a_pipeline_is_checked_too() {
    let valid = pipeline("  symbols: [{symbol: BTCUSDT}]\n");
    assert_eq!(faults(&valid), [""; 0]);
    for (from, to, expected) in [
        (
            "metadata: {name: majors}",
            "metadata: {}",
            "metadata.name: missing: The pipeline's name, as in name: majors",
        ),
        (
            "metadata: {name: majors}\n",
            "",
            "metadata: missing: The pipeline's name, as in metadata: {name: majors}",
        ),
        ("{name: majors}", "{name: 7}", "metadata.name: must be a text, not a number; write it in quotes"),
        ("metadata: {name: majors}", "metadata: majors", "metadata: must be an object, not a text"),
        (
            "{name: majors}",
            "{name: Majors}",
            "metadata.name: a pipeline's name is 1 to 50 of a-z, 0-9 and '-'",
        ),
        ("{name: majors}", "{name: majors, namespace: a/b}", "metadata.namespace: a namespace is "),
        (
            "{name: majors}",
            "{name: majors, labels: {a: 1}}",
            "metadata.labels.a: must be a text, not a number; write it in quotes",
        ),
        ("{name: majors}", "{name: majors, finalizers: 1}", "metadata: invalid type"),
        (
            "{name: majors}",
            "{name: majors, lables: {a: b}}",
            "metadata.lables: unknown field; did you mean \"labels\"?",
        ),
        (
            "{name: majors}",
            "{name: majors, bogus: 1}",
            "metadata.bogus: unknown field; there are annotations, labels, name, namespace",
        ),
        ("{name: majors}", "{name: a.b}", "metadata.name: must have at most 50 characters and no dots"),
        ("spec:", "Spec: {}\nspec:", "Spec: unknown field; did you mean \"spec\"?"),
        ("spec:\n  symbols: [{symbol: BTCUSDT}]\n", "", "spec: missing"),
        ("spec:", "status: {topics: 1}\nspec:", "status.topics: must be a list, not a number"),
    ] {
        let found = faults(&valid.replace(from, to));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{to:?}: {found:?}");
    }
}

#[test]
fn documents_of_one_file_are_told_apart() {
    let valid = pipeline("  symbols: [{symbol: BTCUSDT}]\n");
    let other = valid.replace("majors", "others");
    let documents = validate_text(&format!("{valid}---\n{other}"));
    let names: Vec<&str> = documents.iter().map(|document| document.name.as_str()).collect();
    assert_eq!(names, ["majors", "others"]);
    assert_eq!(pricepipe_api::parse(&format!("{valid}---\n{other}")).unwrap().len(), 2);

    let twice = pricepipe_api::parse(&format!("{valid}---\n{valid}")).unwrap_err();
    assert_eq!(twice[0].to_string(), "majors: metadata.name: \"majors\" is in the file twice; rename one");

    let mixed = pricepipe_api::parse(&format!("{valid}---\n{{}}\n")).unwrap_err();
    assert!(mixed[0].to_string().starts_with("document 2: kind: missing"), "{mixed:?}");
}

#[test]
fn a_secret_that_was_put_into_the_file_is_not_repeated() {
    for spec in [
        "  symbols: [{symbol: BTCUSDT}]\n  mongodb: {uri: 'mongodb://u:hunter2@h'}\n",
        "  symbols: [{symbol: BTCUSDT}]\n  mongodb: {uriSecretRef: hunter2}\n",
        "  symbols: [{symbol: BTCUSDT}]\n  mongodb: {uriSecretRef: {name: HUNTER2 hunter2, key: uri}}\n",
        "  symbols: [{symbol: BTCUSDT}]\n  mongodb: {database: 'u:hunter2@h'}\n",
        "  symbols: [{symbol: BTCUSDT}]\n  kafka: {bootstrapServers: ['u:hunter2@h:1']}\n",
        "  symbols: [{symbol: BTCUSDT}]\n  kafka: {bootstrapServers: ['k:1'], sasl: {mechanism: PLAIN, password: hunter2}}\n",
        "  symbols: [{symbol: BTCUSDT}]\n  kafka: {bootstrapServers: ['k:1'], sasl: hunter2}\n",
    ] {
        let found = faults(&pipeline(spec));
        assert!(!found.is_empty() && !found.concat().contains("hunter2"), "{spec}: {found:?}");
    }
}

#[test]
fn no_text_makes_it_panic() {
    let valid =
        pipeline("  symbols: [{symbol: BTCUSDT, topic: btc}]\n  sources: [{exchange: binance, rest: {}}]\n");
    for from in 0..valid.len() {
        for replacement in ["", "{", "é", "\0", "- ", "99999999999999999999", "&a *a", "!x ", "\"", ".nan"] {
            let text = format!("{}{replacement}{}", &valid[..from], &valid[from + 1..]);
            assert!(!validate_text(&text).is_empty());
        }
    }
}

#[test]
fn symbols_may_change_their_order() {
    let parse = |symbols: &str| {
        pricepipe_api::parse(&pipeline(&format!("  symbols: [{symbols}]\n"))).unwrap().remove(0).0
    };
    let old = parse("{symbol: BTCUSDT, partitions: 6}, {symbol: ETHUSDT, partitions: 4}");
    let reordered =
        parse("{symbol: ETHUSDT, partitions: 4}, {symbol: SOLUSDT}, {symbol: BTCUSDT, partitions: 6}");
    assert!(pricepipe_api::validate_update(&old, &reordered).is_ok());
    let shrunk = parse("{symbol: ETHUSDT, partitions: 4}, {symbol: BTCUSDT, partitions: 5}");
    let faults = pricepipe_api::validate_update(&old, &shrunk).unwrap_err();
    assert_eq!(faults[0].path, "spec.symbols[1]");
}

#[test]
fn a_file_that_is_far_too_large_is_refused_in_time() {
    let symbols: String = (0..20_000).map(|n| format!("  - {{symbol: A{n}USDT}}\n")).collect();
    let started = std::time::Instant::now();
    let found = faults(&pipeline(&format!("  symbols:\n{symbols}")));
    assert_eq!(found, ["spec.symbols: a list of 20000; at most 1000 are allowed"]);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn a_collection_that_another_ones_candles_or_quotes_would_lie_in_is_refused_where_there_are_any() {
    let of = |streams: &str, collection: &str| {
        faults(&pipeline(&format!(
            "  symbols: [{{symbol: BTCUSDT}}, {{symbol: ETHUSDT, topic: other, collection: {collection}}}]\n  \
             sources: [{streams}]\n"
        )))
    };
    let (trades, quotes, minutes) = (
        "{name: t, exchange: binance, websocket: {stream: trade}}",
        "{name: q, exchange: binance, symbols: [BTCUSDT], websocket: {stream: bookTicker}}",
        "{name: k, exchange: binance, websocket: {stream: kline, interval: 1m}}",
    );
    let both = format!("{trades}, {quotes}");
    let expected = "spec.symbols[1].collection: collection \"btc_quotes\" would hold the quotes of \"btc\" (BTCUSDT) \
                    and the prices of \"btc_quotes\" (ETHUSDT); write another collection for one of the two";
    assert_eq!(of(&both, "btc_quotes"), [expected]);
    assert!(
        of(&format!("{trades}, {minutes}"), "btc_klines_1m")[0].contains("the candles of \"btc\" (BTCUSDT)")
    );
    // Only what is really stored is in the way.
    for (streams, collection) in
        [(trades, "btc_quotes"), (minutes, "btc_klines_1m"), (&*both, "btc_klines_1m")]
    {
        assert_eq!(of(streams, collection), Vec::<String>::new(), "{streams} {collection}");
    }
}
