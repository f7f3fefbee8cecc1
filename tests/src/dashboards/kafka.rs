//! Kafka, as producers, consumers and the controller see it: brokers are not asked by anybody else.

use super::{
    Dashboard, Row, dead_letters, of_workers, or_none,
    panel::{BREAKER, Panel},
    quantiles, row, variable,
};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "kafka",
        title: "pricepipe / Kafka",
        description: "Kafka from the side of its clients.",
        variables: of_workers(variable(
            "topic",
            "Topic",
            "label_values(pricepipe_produced_messages_total{namespace=~\"$namespace\", \
                    pipeline=~\"$pipeline\"}, topic)",
        )),
        rows: vec![cluster(), producing(), consuming()],
    }
}

/// Partitions in a state. Two controllers may both tell of them while one takes over.
fn partitions(state: &str) -> String {
    format!(
        "sum(max by (namespace, name, topic) (pricepipe_topic_partitions{{$resource, $topics, \
            state=\"{state}\"}}))"
    )
}

fn cluster() -> Row {
    row(
        "Brokers and topics",
        [
            Panel::number(
                "Brokers",
                "short",
                "Brokers that the clusters of these pipelines have now: the fewest of them, when they \
                    differ.",
            )
            .query("brokers", "min(max by (namespace, name) (pricepipe_kafka_brokers{$resource}))")
            .otherwise("no controller")
            .thresholds(&[(0.0, "red"), (1.0, "green")]),
            Panel::number("Partitions in sync", "short", "Partitions that have all their replicas.")
                .query("in sync", partitions("in_sync"))
                .otherwise("no controller"),
            Panel::number(
                "Lacking a replica",
                "short",
                "Partitions that flow, with fewer replicas than they should have.",
            )
            .query("under-replicated", partitions("under_replicated"))
            .otherwise("no controller")
            .thresholds(&[(1.0, "yellow")]),
            Panel::number(
                "Offline",
                "short",
                "Partitions without a leader: nothing can be written to them or read.",
            )
            .query("offline", partitions("offline"))
            .otherwise("no controller")
            .thresholds(&[(1.0, "red")]),
            Panel::number(
                "Not stored yet",
                "short",
                "Messages that are not stored yet, those under way included.",
            )
            .query("lag", "sum(pricepipe_consumer_lag_messages{$worker, $topics})")
            .otherwise("unknown")
            .thresholds(&[(1_000.0, "yellow"), (100_000.0, "red")]),
            dead_letters(),
            Panel::graph("Brokers by pipeline", "short", "Brokers that a pipeline's cluster has now.")
                .query(
                    "{{namespace}}/{{name}}",
                    "max by (namespace, name) (pricepipe_kafka_brokers{$resource})",
                )
                .otherwise("no controller"),
            Panel::graph("Partitions by state", "short", "Of the topics that are chosen.")
                .stacked()
                .query(
                    "{{state}}",
                    "sum by (state) (max by (namespace, name, topic, state) \
                        (pricepipe_topic_partitions{$resource, $topics}))",
                )
                .otherwise("no controller"),
            Panel::graph(
                "Partitions in trouble",
                "short",
                "Partitions that lack a replica or a leader, by topic.",
            )
            .query(
                "{{name}} {{topic}}",
                "sum by (namespace, name, topic) (max by (namespace, name, topic, state) \
                    (pricepipe_topic_partitions{$resource, $topics, state!=\"in_sync\"}))",
            )
            .otherwise("no controller")
            .thresholds(&[(1.0, "red")]),
        ],
    )
}

fn producing() -> Row {
    row(
        "Into Kafka",
        [
            Panel::graph("Messages", "mps", "Messages a second that Kafka has taken, by topic.").query(
                "{{pipeline}} {{topic}}",
                "sum by (namespace, pipeline, topic) (rate(pricepipe_produced_messages_total{$worker, \
                    $topics, outcome=\"delivered\"}[$rate]))",
            ),
            Panel::graph(
                "What became of messages",
                "mps",
                "Delivered; retried after a failure; rejected by Kafka for good, and dropped; refused by \
                    us, because too many wait.",
            )
            .stacked()
            .query(
                "{{outcome}}",
                "sum by (outcome) (rate(pricepipe_produced_messages_total{$worker, $topics}[$rate]))",
            ),
            quantiles(
                Panel::graph(
                    "Time to an acknowledgement",
                    "s",
                    "From a message's acceptance until Kafka has it safe.",
                ),
                "pricepipe_produce_duration_seconds",
            ),
        ],
    )
}

fn consuming() -> Row {
    row(
        "Out of Kafka",
        [
            Panel::graph("Lag by topic", "short", "Messages that are not stored yet. No line: not known.")
                .query(
                    "{{pipeline}} {{topic}}",
                    "sum by (namespace, pipeline, topic) (pricepipe_consumer_lag_messages{$worker, \
                        $topics})",
                ),
            Panel::graph("Lag by partition", "short", "Messages of a partition that are not stored yet.")
                .query(
                    "{{pipeline}} {{topic}} {{partition}}",
                    "sum by (namespace, pipeline, topic, partition) \
                        (pricepipe_consumer_lag_messages{$worker, $topics})",
                ),
            Panel::graph(
                "Dead letters",
                "short",
                "Messages in the dead-letter topic by reason, since the consumers started.",
            )
            .query(
                "{{reason}}",
                or_none("sum by (reason) (pricepipe_dead_letters_total{$worker})", "reason"),
            ),
            Panel::states(
                "Breakers before Kafka",
                BREAKER,
                "kafka: the producers' messages; dead-letter: the consumers' letters; topic-id: asking for \
                    a topic's id.",
            )
            .sized(24, 8)
            .query(
                "{{pipeline}} {{component}} {{target}}",
                "max by (namespace, pipeline, component, target) (pricepipe_breaker_state{$worker, \
                    target=~\"kafka|kafka-admin|dead-letter|topic-id\"})",
            ),
        ],
    )
}
